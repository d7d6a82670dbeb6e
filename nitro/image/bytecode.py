"""Python's bytecode, compiled when an image is built: no guest has a cache of an earlier start.

The files are those of PEP 552 with a hash that is not checked, so that no date matters. They are
made by the image's own interpreter, which runs here, and are the same bytes wherever it does: the
old format of marshal has no references, which depend on what else an interpreter holds.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from nitro.cache import touch
from nitro.debian import Tree
from nitro.image.rootfs import Node, Rootfs
from nitro.paths import cache_dir
from nitro.progress import Reporter
from nitro.space import full, says_full

_INTERPRETER = re.compile(r"python3\.([0-9]+)")
# Reads [source, path in the guest, result] from standard input. What does not compile, such as a
# template or a file for another version, is left as it is.
_COMPILE = """
import importlib.util, json, marshal, sys
for source, path, target in json.load(sys.stdin):
    with open(source, "rb") as file:
        text = file.read()
    try:
        code = compile(text, path, "exec", dont_inherit=True)
        body = marshal.dumps(code, 2)
    except (SyntaxError, ValueError, RecursionError, OverflowError, MemoryError):
        body = None
    with open(target, "wb") as file:
        if body is not None:
            head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little")
            file.write(head + importlib.util.source_hash(text) + body)
"""


def add(rootfs: Rootfs, packages: Tree | None, report: Reporter) -> None:
    """Put the bytecode of all Python sources of the recipe beside them.

    A container image's are left alone, and so is a recipe without a Python 3 of its own. Where its
    interpreter does not run on this machine, a line says so, and the guest compiles.
    """
    interpreter = _interpreter(rootfs)
    if interpreter is None:
        return
    minor = _INTERPRETER.fullmatch(interpreter.name)
    assert minor is not None
    own = hashlib.sha256(interpreter.read_bytes()).hexdigest()
    made: dict[str, Path] = {}
    missing: dict[str, Path] = {}
    for path, node in _sources(rootfs):
        key = hashlib.sha256(f"{own}\0{path}\0{node.sha256()}".encode("utf-8", "surrogateescape"))
        place = cache_dir() / "bytecode" / key.hexdigest()
        made[path] = place
        if not place.exists():
            missing[path] = place
    if missing:
        with report.stage(f"compile {len(missing)} Python files"):
            lacks = _compile(_command(interpreter, packages), rootfs, missing)
        if lacks:
            report.note(f"each start will compile Python's sources: {lacks}")
    for path, place in made.items():
        if place.exists() and touch(place).stat().st_size:
            node = rootfs.nodes[path]
            name = PurePosixPath(path)
            target = name.parent / "__pycache__" / f"{name.stem}.cpython-3{minor[1]}.pyc"
            rootfs.nodes.pop(str(target), None)  # what another machine has compiled, with a date
            rootfs.add(str(target), Node(node.layer, "bytecode", source=place))


def _interpreter(rootfs: Rootfs) -> Path | None:
    found = [
        node.source
        for node in rootfs.nodes.values()
        if isinstance(node.source, Path)
        and node.layer != "container"
        and _INTERPRETER.fullmatch(node.source.name)
    ]
    return found[0] if found else None


def _sources(rootfs: Rootfs) -> list[tuple[str, Node]]:
    return [
        (path, node)
        for path, node in sorted(rootfs.nodes.items())
        if path.endswith(".py") and isinstance(node.source, Path) and node.layer != "container"
    ]


def _command(interpreter: Path, packages: Tree | None) -> list[str]:
    if packages is not None and interpreter.is_relative_to(packages.root):
        return packages.program(interpreter.name)
    return [str(interpreter)]


def _compile(command: Sequence[str], rootfs: Rootfs, missing: Mapping[str, Path]) -> str | None:
    """Make the missing files; returns why that could not be done."""
    home = cache_dir() / "bytecode"
    home.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=home))
    try:
        jobs = []
        for number, path in enumerate(missing):
            jobs.append([str(rootfs.nodes[path].source), path, str(scratch / str(number))])
        try:
            done = subprocess.run(
                [*command, "-I", "-S", "-B", "-W", "ignore", "-c", _COMPILE],
                input=json.dumps(jobs),
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:  # a program for another machine
            return f"{command[-1]}: {error.strerror}"
        if done.returncode:
            if says_full(done.stderr):
                raise full(home)
            said = done.stderr.strip().splitlines()
            return said[-1] if said else f"{command[-1]} failed"
        for (_, _, result), place in zip(jobs, missing.values(), strict=True):
            Path(result).replace(place)
        return None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
