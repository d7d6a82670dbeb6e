"""What is wrong with a plan, in words of TOML instead of Python's."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import BaseModel, ValidationError

# What a word of a plan looks like, for the machine and for people.
NAME = r"^[a-z0-9][a-z0-9-]{0,39}$"
AMI = r"^ami-[0-9a-f]{8,17}$"
REGION = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"
RATE = r"^[1-9][0-9]{0,11}[KMG]?$"

_MEANT = {
    NAME: "a name of a-z, 0-9 and hyphens, at most 40 of them, such as nightly",
    AMI: "the id of an AMI, such as ami-0123456789abcdef0",
    REGION: "a region, such as eu-west-1",
    RATE: "a rate in bit/s, such as 100M",
}
_KINDS = {"int_type": "a whole number", "float_type": "a number", "string_type": "text in quotes"}
_PYTHONS = "Input should be"
_HINT = "docs/benchmarking.md has the keys of a plan"


def in_words(
    error: ValidationError, whole: type[BaseModel], tables: Mapping[str, type[BaseModel]]
) -> tuple[str, str]:
    """The first problem and what to do about it. `tables` are those in a file, by their key."""
    first = error.errors()[0]
    loc = [str(part) for part in first["loc"] if part != "[key]"]
    key = ".".join(loc)
    kind, message = first["type"], first["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        known = tables.get(loc[0], whole) if len(loc) > 1 else whole
        return f"unknown key {key!r}", f"known keys: {', '.join(known.model_fields)}"
    if kind == "missing":
        return f"{key} is missing", _HINT
    if kind == "string_pattern_mismatch":
        message = f"{first['input']!r} is not {_MEANT[first['ctx']['pattern']]}"
    elif kind == "tuple_type" and isinstance(first["input"], dict):
        message = f"is one table: write [[{key}]]"
    elif kind == "tuple_type":
        message = f"is not a list: write [{json.dumps(first['input'], default=str)}]"
    elif kind in {"model_type", "dict_type"} and isinstance(first["input"], list):
        message = f"is a list: write [{key}]"
    elif kind in {"model_type", "dict_type"}:
        message = f"{json.dumps(first['input'], default=str)} is not a table"
    elif kind in _KINDS:
        message = f"{json.dumps(first['input'], default=str)} is not {_KINDS[kind]}"
    elif kind in {"too_short", "string_too_short"}:
        message = "has nothing in it"
    elif message.startswith(_PYTHONS):
        shown = json.dumps(first["input"], default=str)
        message = f"{shown} should be{message.removeprefix(_PYTHONS)}"
    return f"{key}: {message}" if key else message, _HINT
