"""A request in the EC2 query protocol: its action and parameters, read by the service model.

Names, types, lengths, ranges, patterns and enumerations are the model's; what it does not know is
refused as EC2 refuses it. Lists may be counted from 0 or from 1.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape
from moto.core.parse import default_blob_parser, default_timestamp_parser
from moto.ec2.exceptions import EC2ClientError

from nitro.local.aws.api import constraints
from nitro.local.aws.api.errors import invalid_value, missing_parameter

# What is in a request beside the parameters of its operation.
_ENVELOPE = re.compile(
    r"Action|Version|AWSAccessKeyId|Signature(Method|Version)?|Timestamp|Expires|SecurityToken"
    r"|X-Amz-.*",
    re.I,
)

# What XML, and so an answer, cannot hold.
UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_Tree = dict[str, Any]


def operation(service: ServiceModel, action: str | None) -> OperationModel:
    """The operation that a request names. Raises EC2ClientError when there is none such."""
    if not action:
        raise EC2ClientError("MissingAction", "The request is missing an action")
    if action not in service.operation_names:
        raise EC2ClientError(
            "InvalidAction", f"The action {action} is not valid for this web service."
        )
    return service.operation_model(action)


def parse(model: OperationModel, query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The parameters of a request, under the names of the model.

    Raises EC2ClientError for an unknown name, a missing one, and a value out of its range.
    """
    tree: _Tree = {}
    for name, value in query:
        if not _ENVELOPE.fullmatch(name):
            _plant(tree, name, value)
    shape = model.input_shape
    if shape is None:
        for name in tree:
            raise _unknown(name)
        return {}
    parsed: dict[str, Any] = _value(shape, tree, "")
    return parsed


def values(parameters: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All values given, with their names, without the numbers in lists: `Filters.Name`."""
    for name, value in parameters.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                yield from values(each, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", each


def paths(parameters: Mapping[str, Any]) -> Iterator[str]:
    """The names of `values`."""
    return (name for name, _ in values(parameters))


def _plant(tree: _Tree, name: str, value: str) -> None:
    if UNPRINTABLE.search(value):
        raise invalid_value(f"The value of {name} has a character that is not allowed")
    *outer, last = name.split(".")
    for part in outer:
        branch = tree.setdefault(part, {})
        if not isinstance(branch, dict):
            raise EC2ClientError("MalformedQueryString", f"The parameter {name} is given twice")
        tree = branch
    if last in tree:
        raise EC2ClientError("MalformedQueryString", f"The parameter {name} is given twice")
    tree[last] = value


def _value(shape: Shape, node: Any, path: str) -> Any:
    if isinstance(shape, StructureShape):
        return _structure(shape, node, path)
    if isinstance(shape, ListShape):
        return _list(shape, node, path)
    if isinstance(node, dict):
        raise _unknown(f"{path}.{next(iter(node))}")
    return _scalar(shape, node, path)


def _structure(shape: StructureShape, node: Any, path: str) -> dict[str, Any]:
    if not isinstance(node, dict):
        raise invalid_value(f"Value ({node}) for parameter {path} is invalid.")
    members = {_query_name(name, member): name for name, member in shape.members.items()}
    prefix = f"{path}." if path else ""
    parsed = {}
    for given, value in node.items():
        if given not in members:
            raise _unknown(f"{prefix}{given}")
        name = members[given]
        parsed[name] = _value(shape.members[name], value, f"{prefix}{given}")
    for name in shape.required_members:
        if name not in parsed:
            raise missing_parameter(f"{prefix}{_query_name(name, shape.members[name])}")
    return parsed


def _list(shape: ListShape, node: Any, path: str) -> list[Any]:
    if node == "":
        return []
    if isinstance(node, str) and not isinstance(shape.member, StructureShape | ListShape):
        node = {"1": node}  # older clients write a list of one without its number
    if not isinstance(node, dict) or not all(key.isdecimal() for key in node):
        raise _unknown(path if not isinstance(node, dict) else f"{path}.{next(iter(node))}")
    ordered = sorted(node, key=int)
    parsed = [_value(shape.member, node[key], f"{path}.{key}") for key in ordered]
    _check(shape, parsed, path)
    return parsed


def _scalar(shape: Shape, text: str, path: str) -> Any:
    try:
        value = _READERS.get(shape.type_name, str)(text)
    except (ValueError, RuntimeError):  # the latter of a time beyond all calendars
        raise invalid_value(f"Value ({text}) for parameter {path} is invalid.") from None
    # New instance types come without a new model; operations know the ones they have.
    if shape.name != "InstanceType":
        _check(shape, value, path)
    return value


def _check(shape: Shape, value: Any, path: str) -> None:
    if reason := constraints.violation(shape, value):
        raise invalid_value(f"Value ({value}) for parameter {path} is invalid. {reason}")


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


_READERS: Mapping[str, Any] = {
    "boolean": _boolean,
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
    "timestamp": default_timestamp_parser,
    "blob": default_blob_parser,
}


def _query_name(name: str, shape: Shape) -> str:
    """How the query protocol of EC2 writes a member."""
    if "queryName" in shape.serialization:
        return str(shape.serialization["queryName"])
    written: str = shape.serialization.get("name", name)
    return written[0].upper() + written[1:]


def _unknown(name: str) -> EC2ClientError:
    return EC2ClientError("UnknownParameter", f"The parameter {name} is not recognized")
