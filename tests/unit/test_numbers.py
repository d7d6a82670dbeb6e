"""Numbers and flags of each module: facts of devices, formats and AWS, limits, and defaults.

A test that takes a number from the module that it tests agrees with any number. Here all of them
stand a second time (tests/transcripts.py).
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

import nitro
from tests.transcripts import compare

FOLDER = Path(__file__).parent / "numbers"
PLAIN = (int, float, str, bytes, type(None))


@cache
def modules() -> dict[str, list[str]]:
    """Part of nitro → the names of its modules."""
    found: dict[str, list[str]] = {}
    for module in pkgutil.walk_packages(nitro.__path__, "nitro."):
        if not module.name.endswith("__main__"):
            part = ".".join(module.name.split(".")[:2])
            found.setdefault(part, []).append(module.name)
    return found


def _of_module(module_name: str) -> Iterator[str]:
    module = importlib.import_module(module_name)
    for name, value in vars(module).items():
        if inspect.isclass(value) and value.__module__ == module.__name__:
            yield from _of_class(value)
        elif isinstance(value, FunctionType) and value.__module__ == module.__name__:
            yield from _of_function(name, value)
        elif name in _assigned(module) and _has_number(value):
            yield f"{name} = {_text(value)}"


@cache
def _assigned(module: ModuleType) -> set[str]:
    """The names to which a module itself, and none that it imports, gives a value."""
    names: set[str] = set()
    for statement in ast.parse(inspect.getsource(module)).body:
        match statement:
            case ast.Assign(targets=targets):
                names |= {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return names


def _of_class(kind: type) -> Iterator[str]:
    if issubclass(kind, enum.Enum):
        yield from (f"{kind.__name__}.{member.name} = {member.value!r}" for member in kind)
        return
    if issubclass(kind, BaseModel):
        for name, of in kind.model_fields.items():
            limits = " ".join(sorted(repr(one) for one in of.metadata if not hasattr(one, "func")))
            if limits or _has_number(of.default):
                yield f"{kind.__name__}.{name} = {_text(of.default)} {limits}".rstrip()
    elif dataclasses.is_dataclass(kind):
        for field in dataclasses.fields(kind):
            if _has_number(field.default):
                yield f"{kind.__name__}.{field.name} = {_text(field.default)}"
    for name, value in vars(kind).items():
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if isinstance(function, FunctionType) and (name == "__init__" or name[0] != "_"):
            if not dataclasses.is_dataclass(kind) or name != "__init__":
                yield from _of_function(f"{kind.__name__}.{name}", function)
        elif name[0] != "_" and name.isupper() and _has_number(value):
            yield f"{kind.__name__}.{name} = {_text(value)}"


def _of_function(name: str, function: FunctionType) -> Iterator[str]:
    for parameter in inspect.signature(function).parameters.values():
        if _has_number(parameter.default):
            yield f"{name}({parameter.name} = {_text(parameter.default)})"


def _has_number(value: object) -> bool:
    match value:
        case bool() | int() | float():
            return True
        case tuple() | list() | set() | frozenset():
            return any(map(_has_number, value))
        case dict():
            return any(map(_has_number, (*value.keys(), *value.values())))
        case range():
            return True
    if not dataclasses.is_dataclass(value) or inspect.isclass(value):
        return False
    return any(_has_number(getattr(value, field.name)) for field in dataclasses.fields(value))


def _text(value: Any) -> str:
    match value:
        case set() | frozenset():
            return _joined(sorted(map(_text, value)), "{}")
        case tuple() | list():
            return _joined(map(_text, value), "()")
        case dict():
            return _joined((f"{_text(k)}: {_text(v)}" for k, v in value.items()), "{}")
        case enum.Enum() | range():
            return str(value)
        case int() if value > 4095 and not isinstance(value, bool):
            return f"{value:#x}"
        case _ if isinstance(value, PLAIN):
            return repr(value)
        case _ if dataclasses.is_dataclass(value) and not inspect.isclass(value):
            fields = (
                f"{field.name}={_text(getattr(value, field.name))}"
                for field in dataclasses.fields(value)
                if _has_number(getattr(value, field.name))
            )
            return f"{type(value).__name__}({', '.join(fields)})"
    return getattr(value, "__name__", type(value).__name__)


def _joined(texts: Iterable[str], brackets: str) -> str:
    """In one line or, if that is long, in one for each."""
    parts = list(texts)
    long = sum(map(len, parts)) > 100
    inner = "".join(f"\n    {part}" for part in parts) if long else ", ".join(parts)
    return brackets[0] + inner + brackets[1]


@pytest.mark.parametrize("part", modules())
def test_the_numbers_are_what_they_were(part: str) -> None:
    listed = {name: list(dict.fromkeys(_of_module(name))) for name in modules()[part]}
    texts = [f"{name}\n" + "".join(f"  {x}\n" for x in of) for name, of in listed.items() if of]
    if texts:
        compare(FOLDER / f"{part.partition('.')[2]}.txt", "\n".join(texts))
