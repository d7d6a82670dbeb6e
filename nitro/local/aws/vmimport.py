"""The role that VM Import assumes to read the bucket: does it exist, and may it?

Trust and permissions: https://docs.aws.amazon.com/vm-import/latest/userguide/required-permissions.html
Only Allow statements are weighed, and of conditions only the external id of the trust policy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from moto.iam.models import iam_backends

SERVICE = "vmie.amazonaws.com"
EXTERNAL_ID = "vmimport"


def usable(account_id: str, partition: str, role_name: str) -> bool:
    """Whether the role exists and VM Import may assume it."""
    role = _role(account_id, partition, role_name)
    return role is not None and any(
        SERVICE in _listed(statement.get("Principal", {}).get("Service"))
        and EXTERNAL_ID in _external_ids(statement)
        for statement in _allowed(role.assume_role_policy_document)
    )


def may(account_id: str, partition: str, role_name: str, action: str, resource: str) -> bool:
    """Whether a policy of the role allows `action` ("s3:GetObject") on `resource` (an ARN)."""
    role = _role(account_id, partition, role_name)
    if role is None:
        return False
    attached = [
        version.document
        for policy in role.managed_policies.values()
        for version in policy.versions
        if version.version_id == policy.default_version_id
    ]
    return any(
        any(fnmatchcase(action.lower(), a.lower()) for a in _listed(statement.get("Action")))
        and any(fnmatchcase(resource, r) for r in _listed(statement.get("Resource")))
        for document in [*role.policies.values(), *attached]
        for statement in _allowed(document)
    )


def _role(account_id: str, partition: str, name: str) -> Any | None:
    roles = iam_backends[account_id][partition].get_roles()
    return next((role for role in roles if role.name == name), None)


def _allowed(document: str | dict[str, Any]) -> Iterator[dict[str, Any]]:
    policy = json.loads(document) if isinstance(document, str) else document
    statements = policy.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        if statement.get("Effect") == "Allow":
            yield statement


def _external_ids(statement: dict[str, Any]) -> list[str]:
    wanted = statement.get("Condition", {}).get("StringEquals", {})
    return [
        value
        for key, values in wanted.items()
        if key.lower() == "sts:externalid"
        for value in _listed(values)
    ]


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [] if value is None else [value]
