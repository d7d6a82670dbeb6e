"""docs/architecture.md, held against the code: who may import whom, and where tests stand."""

from __future__ import annotations

import ast
import fnmatch
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.tracing import untraced

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 400  # lines of a file
MAY_BE_LONGER = {
    "drivers/ena/core/ena_hw.h",  # the device's layout: a table of fields
}

# What each part of nitro may import beside the small modules that serve all.
SMALL = {
    *("arch", "budget", "cache", "check", "config", "console", "documents", "ending", "errors"),
    *("input_file", "listening", "paths", "ports", "printable", "progress", "space"),
    *("replacing", "sparse", "stored", "strace", "__version__"),
}
MAY_IMPORT: dict[str, set[str]] = {
    "recipe": set(),
    "debian": set(),
    "container": {"recipe", "debian"},
    "image": {"recipe", "debian", "container"},
    "cloud": set(),
    "ena": set(),
    "local": {"debian"},
    "probe": set(),
    "publish": {"cloud"},
    "interfaces": {"recipe", "image", "probe"},
    "conditions": {"cloud"},
    "client": {"cloud", "probe"},
    "measure": {"recipe", "image", "cloud", "probe", "interfaces", "conditions", "client"},
    "deploy": {"recipe", "image", "cloud", "probe", "interfaces", "conditions", "measure"},
    "launch_ami": {"cloud", "probe", "interfaces", "measure", "deploy"},
    "selftest": {
        *("recipe", "cloud", "probe", "interfaces", "measure", "deploy"),
    },
    "bench": {
        *("recipe", "image", "cloud", "probe", "interfaces", "conditions", "client", "measure"),
    },
    "cli": {
        *(
            "recipe",
            "container",
            "image",
            "cloud",
            "ena",
            "local",
            "probe",
            "publish",
            "measure",
            "deploy",
            "launch_ami",
        ),
        "bench",
        "selftest",
    },
    "__main__": {"cli"},
}
# The same inside parts that have rooms of their own.
ROOMS_MAY_IMPORT: dict[str, set[str]] = {
    "nitro.image.formats": set(),
    "nitro.image.linux": {"nitro.image"},
    "nitro.probe.tools": {"nitro.probe"},
    "nitro.ena.ports": {"nitro.ena"},
}

# Modules without a test file of their name, and where they are tested instead.
TESTED_ELSEWHERE: dict[str, list[str]] = {
    "values and Protocols without code to speak of": ["nitro/check.py", "nitro/interfaces.py"],
    "the card is tested as a driver or a client sees it: tests/unit/ena": ["nitro/ena/*"],
    "moto's extensions are tested by boto3's clients: tests/cloud/local": ["nitro/local/aws/*"],
    "tested through the endpoint and the command: test_front.py, test_control.py": [
        *("nitro/local/signature.py", "nitro/local/users.py"),
    ],
    "commands are tested as commands: tests/unit/cli, tests/cloud/test_deploy.py": [
        "nitro/cli/*",
    ],
    "tested through publish, verify and dry runs: tests/cloud": [
        *("nitro/cloud/blocks.py", "nitro/cloud/dryrun_answers.py", "nitro/cloud/snapshot.py"),
        *("nitro/cloud/via_s3.py", "nitro/conditions.py"),
    ],
    "publishing is tested as a release engineer sees it: tests/cloud/publish/test_publication.py": [
        *("nitro/publish/access.py", "nitro/publish/execute.py", "nitro/publish/make.py"),
        "nitro/publish/observe.py",
    ],
    "needs packages of Debian, and is tested where images are built: tests/boot": [
        *("nitro/debian/fetch.py", "nitro/debian/package.py"),
        *("nitro/image/linux/*", "nitro/image/relock.py", "nitro/image/osv/driver.py"),
    ],
    "a process that becomes another one: tests/unit/image/test_setup.py": [
        "nitro/image/setup_enter.py"
    ],
    "tested with the policies that it makes: tests/cloud/test_policies.py": [
        "nitro/cloud/scope.py"
    ],
    "Batch's parts are tested through its operations and its clients: tests/unit/local/batch": [
        *("nitro/local/batch/jobs.py", "nitro/local/batch/resources.py"),
        "nitro/local/batch/runner.py",
    ],
    "tested by what uses it everywhere: probes, recipes, stages, results": [
        *("nitro/documents/*", "nitro/paths.py", "nitro/recipe/find.py"),
        "nitro/recipe/runtimes/*",
        *("nitro/probe/base.py", "nitro/probe/prober.py", "nitro/probe/step.py"),
    ],
}


@cache
def modules() -> dict[str, Path]:
    """Dotted name → file, of all of nitro."""
    found = {}
    for path in sorted((ROOT / "nitro").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


@cache
@untraced
def tree(name: str) -> ast.Module:
    return ast.parse(modules()[name].read_text())


@cache
@untraced
def imports(name: str, *, late: bool) -> list[str]:
    """The modules of nitro that a module imports; with `late` also inside functions."""
    return list(_imports(name, late))


def _imports(name: str, late: bool) -> Iterator[str]:
    for node in _nodes(tree(name), late):
        match node:
            case ast.Import(names=names):
                imported = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names, level=0):
                inner = [f"{module}.{alias.name}" for alias in names]
                imported = [one if one in modules() else module for one in inner]
                if module == "nitro":  # from nitro import __version__
                    imported = inner
            case ast.ImportFrom(level=level) if level:
                raise AssertionError(f"{name}: relative imports are not looked at")
            case _:
                continue
        yield from (one for one in imported if one.startswith("nitro."))


def _nodes(parent: ast.AST, late: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not late:
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not late:
            continue
        yield node
        yield from _nodes(node, late)


def part(name: str) -> str:
    return name.split(".")[1] if "." in name else name


@pytest.mark.parametrize("name", MAY_IMPORT)
def test_parts_import_in_one_direction(name: str) -> None:
    allowed = MAY_IMPORT[name] | SMALL | {name}
    wrong = [
        f"{module} imports {other}"
        for module in modules()
        if part(module) == name
        for other in imports(module, late=True)
        if part(other) not in allowed
    ]
    assert not wrong


def test_every_part_has_its_place() -> None:
    parts = {part(module) for module in modules()} - {"nitro"}
    assert parts == set(MAY_IMPORT) | (SMALL - {"__version__"})


def test_small_modules_import_small_modules_only() -> None:
    wrong = [
        f"{module} imports {other}"
        for module in modules()
        if part(module) in SMALL
        for other in imports(module, late=True)
        if part(other) not in SMALL
    ]
    assert not wrong


@pytest.mark.parametrize("room", ROOMS_MAY_IMPORT)
def test_rooms_of_a_part_keep_to_themselves(room: str) -> None:
    """formats/ knows only bytes; what is Linux's is not known to formats, and so on."""
    siblings = room.rpartition(".")[0]
    allowed = {room, *ROOMS_MAY_IMPORT[room]}
    found = [name for name in modules() if name.startswith(f"{room}.")]
    assert found, "the room has moved"
    wrong = [
        f"{module} imports {other}"
        for module in found
        for other in imports(module, late=True)
        if other.startswith(f"{siblings}.") and not _lies_in(other, allowed)
    ]
    assert not wrong


def _lies_in(module: str, packages: set[str]) -> bool:
    above = {module}
    while "." in module:
        module = module.rpartition(".")[0]
        above.add(module)
    return bool(above & packages)


def test_no_circle() -> None:
    """Of modules, by what they import when they are imported."""
    graph = {name: set(imports(name, late=False)) & set(modules()) - {name} for name in modules()}
    while leaves := [name for name, needs in graph.items() if not needs]:
        for name in leaves:
            del graph[name]
        for needs in graph.values():
            needs.difference_update(leaves)
    assert not graph, "in a circle, or above one"


CLIENTS = {
    *(
        "client",
        "ec2",
        "s3",
        "guest_s3",
        "ebs",
        "iam",
        "sts",
        "quotas",
        "ssm",
        "kms",
        "autoscaling",
    ),
}


@untraced
def test_clients_have_types() -> None:
    wrong = []
    for module, path in modules().items():
        for node in ast.walk(tree(module)):
            match node:
                case ast.FunctionDef(name=name, returns=ast.expr() as kind):
                    pass
                case ast.arg(arg=name, annotation=ast.expr() as kind):
                    pass
                case ast.AnnAssign(target=ast.Name(id=name), annotation=kind):
                    pass
                case _:
                    continue
            if name in CLIENTS and ast.unparse(kind) == "Any":
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {name}")
    assert not wrong


def test_no_file_is_long() -> None:
    """In C, where each field has its comment, comments and blank lines do not count."""
    folders = ("nitro", "tests", "tools", "benchmarks", "drivers")
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".py", ".c", ".h"} and str(path.relative_to(ROOT)) not in MAY_BE_LONGER
        if (lines := _lines(path)) > LONGEST
    }
    assert not long


def _lines(path: Path) -> int:
    text = path.read_text()
    if path.suffix == ".py":
        return len(text.splitlines())
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
    return len([line for line in code.splitlines() if line.strip()])


def test_every_module_has_its_tests() -> None:
    tested = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    untested = {
        str(path.relative_to(ROOT))
        for path in modules().values()
        if path.stem not in {"__init__", "__main__"} and f"test_{path.name}" not in tested
    }
    patterns = [pattern for names in TESTED_ELSEWHERE.values() for pattern in names]
    new = {name for name in untested if not any(fnmatch.fnmatch(name, p) for p in patterns)}
    assert not new, "a new module needs a test file of its name"
