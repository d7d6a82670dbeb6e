"""Which operations the local Nitro honours, and which parameters of each.

What is not in the tables is answered `UnsupportedOperation`, with its name: nothing is accepted
and ignored. A name with everything below it is written once: `Placement.GroupName` honours that
one member, `TagSpecifications` all of its members. `DryRun`, `ClientToken`, `Filters`,
`MaxResults` and `NextToken` work for every operation that has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nitro.local.aws import absent
from nitro.local.aws.api import defaults, ec2_operations, other_operations, requests
from nitro.local.aws.api.errors import unsupported

HONOURED = ec2_operations.EC2
SERVICES = other_operations.OTHERS

#: parameters of every operation that has them
_COMMON = frozenset({"ClientToken", "DryRun", "Filters", "MaxResults", "NextToken"})


def check(operation: str, parameters: Mapping[str, Any]) -> None:
    """Raises EC2ClientError for what the local Nitro would not act on in an EC2 request."""
    honoured = absent.HONOURED.get(operation) or HONOURED.get(operation)
    if honoured is None:
        raise unsupported(f"The local Nitro does not support {operation}.")
    honoured |= defaults.ONLY.get(operation, {}).keys()
    given = list(requests.values(parameters))
    if names := ignored(honoured, (name for name, _ in given)):
        raise unsupported(f"The local Nitro does not support {', '.join(names)} of {operation}.")
    if said := defaults.others(operation, given):
        raise unsupported(f"The local Nitro does not support {', '.join(said)} of {operation}.")


def ignored(honoured: frozenset[str], given: Iterable[str]) -> list[str]:
    """Those of the given parameters (`A.B` paths) that the local Nitro would not act on."""
    return sorted({name for name in given if not _prefixes(name) & (honoured | _COMMON)})


def _prefixes(name: str) -> set[str]:
    parts = name.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
