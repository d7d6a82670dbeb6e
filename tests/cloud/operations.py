"""Which operations of AWS `nitro.cloud` calls, read from its source."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import botocore.session
from botocore import xform_name

import nitro.cloud

# Service → the attribute of `Cloud` that is its client.
CLIENT_OF = {
    "ec2": "ec2",
    "s3": "s3",
    "ebs": "ebs",
    "iam": "iam",
    "sts": "sts",
    "service-quotas": "quotas",
}


@functools.cache
def called() -> frozenset[str]:
    """`RunInstances` and the like: whatever is named as a method or for a paginator."""
    known = _known()
    folder = Path(nitro.cloud.__file__).parent
    return frozenset(
        known[name]
        for file in folder.glob("*.py")
        for name in _names(ast.parse(file.read_text()))
        if name in known
    )


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_client(node.value):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _is_client(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return isinstance(node, ast.Call) or name in {*CLIENT_OF.values(), "guest_s3"}


def _known() -> dict[str, str]:
    session = botocore.session.get_session()
    return {
        xform_name(operation): operation
        for service in CLIENT_OF
        for operation in session.get_service_model(service).operation_names
    }
