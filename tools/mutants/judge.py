"""One mutant: a forked process imports the changed module and runs the tests that cover it.

The parent has imported what takes long and is nobody's to change, neither nitro nor its tests.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

from tools.mutants import sites
from tools.mutants.covered import MARKED

_WARM = (
    *("boto3", "botocore.session", "moto", "moto.ec2", "moto.ebs", "moto.s3", "moto.iam"),
    *("moto.sts", "moto.server", "requests", "pydantic", "rich.console", "typer", "typer.testing"),
    *(
        "elftools.elf.elffile",
        "tenacity",
        "hypothesis.strategies",
        "pytest",
        "hypothesis.provisional",
    ),
)

_LONGEST_TEST = 60  # seconds: a fast test takes a few, and one that waits for ever has noticed


@dataclass(frozen=True)
class Mutant:
    """A change of one file, and the tests that should fail by it."""

    file: str
    line: int
    change: str
    code: CodeType
    tests: list[str]
    seconds: float  # what these tests take

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.change}"


def compile_mutant(root: Path, file: str, number: int) -> CodeType | None:
    """The code of the file with its change `number`; None when it cannot be or is the same."""
    source = (root / file).read_text()
    tree = ast.parse(source)
    sites.find(tree)[number].apply()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            changed = compile(ast.fix_missing_locations(tree), str(root / file), "exec")
        except (SyntaxError, ValueError):
            return None
        return None if changed == compile(source, str(root / file), "exec") else changed


def warm_up() -> None:
    for name in _WARM:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


class Trial:
    """The tests of one mutant under way."""

    def __init__(self, mutant: Mutant, root: Path) -> None:
        self.mutant = mutant
        self.folder = tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True)
        self.ends = time.monotonic() + 30 + 10 * mutant.seconds
        self.pid = os.fork()
        if not self.pid:
            os._exit(_run(mutant, root, Path(self.folder.name)))

    def noticed(self) -> bool | None:
        """Whether a test failed or did not end; None while they run."""
        late = time.monotonic() > self.ends
        if late:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        pid, status = os.waitpid(self.pid, 0 if late else os.WNOHANG)
        if not pid:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # what its tests may have left running
        self.folder.cleanup()
        return os.waitstatus_to_exitcode(status) != 0


def _run(mutant: Mutant, root: Path, folder: Path) -> int:
    import pytest
    from hypothesis.configuration import set_hypothesis_home_dir

    os.setsid()
    output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT)
    for number in (1, 2):
        os.dup2(output, number)
    os.environ["HOME"] = os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    set_hypothesis_home_dir(folder)
    _replace(str(root / mutant.file), mutant.code)
    _kill_descendants_only()
    options = ["-x", "-q", "--hypothesis-seed=0", f"--basetemp={folder / 'tests'}"]
    options += ["-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(root)]
    options += [f"--timeout={_LONGEST_TEST}", "-m", MARKED]
    try:
        return int(pytest.main([*options, *mutant.tests]))
    except BaseException:
        return 1


def _replace(path: str, code: CodeType) -> None:
    original = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, name: str) -> CodeType | None:
        return code if self.path == path else original(self, name)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign, assignment]


def _kill_descendants_only() -> None:
    """A wrong process id must end nothing but the tests' own processes."""
    own = os.getpid()

    def parent(pid: int) -> int:
        try:
            return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return 0

    def guarded(kill: Callable[[int, int], None]) -> Callable[[int, int], None]:
        def call(pid: int, number: int) -> None:
            above = pid
            while above > 1 and above != own:
                above = parent(above)
            if above != own and number:
                raise ProcessLookupError(f"{pid} is not a process of this test")
            kill(pid, number)

        return call

    for name in ("kill", "killpg"):
        setattr(os, name, guarded(getattr(os, name)))
    sys.modules["posix"].__dict__.update(kill=os.kill, killpg=os.killpg)


def judge(
    mutants: list[Mutant], root: Path, done: Callable[[Mutant, bool], Any], jobs: int = 2
) -> None:
    """Try all mutants, `jobs` at a time; `done` hears of each whether it was noticed."""
    waiting, running = list(reversed(mutants)), list[Trial]()
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append(Trial(waiting.pop(), root))
        time.sleep(0.02)
        for trial in list(running):
            noticed = trial.noticed()
            if noticed is not None:
                running.remove(trial)
                done(trial.mutant, noticed)
