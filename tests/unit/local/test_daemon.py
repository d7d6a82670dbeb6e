"""The outside half: its lock and its namespaces."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from nitro import cache
from nitro.local import daemon, programs
from nitro.local.control import LOCK


def test_users_get_a_user_namespace_and_root_needs_none() -> None:
    assert "--map-root-user" not in daemon.isolation(0)
    assert "--map-root-user" in daemon.isolation(1000)
    for line in (daemon.isolation(0), daemon.isolation(1000)):
        assert {"--net", "--pid", "--kill-child=KILL"} <= set(line)


def test_there_is_one_for_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "LOCK_SECONDS", 0.01)
    with (tmp_path / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert daemon.outside(tmp_path) == 1
    assert "another local Nitro" in capsys.readouterr().err


def test_whoever_looks_at_the_lock_is_not_in_the_way(tmp_path: Path) -> None:
    with (tmp_path / LOCK).open("w") as ours, (tmp_path / LOCK).open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.02, looking.close).start()
        assert daemon._locked(ours)


@pytest.mark.extended
def test_it_ends_with_the_process_that_starts_it(tmp_path: Path) -> None:
    inner = tmp_path / "unshare"
    inner.write_text("#!/bin/sh\nexec sleep 60\n")
    inner.chmod(0o755)
    starting = subprocess.Popen(
        [sys.executable, "-m", "nitro.local.daemon", str(tmp_path)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    _, said = starting.communicate(timeout=10)  # closes its standard input without a word
    assert b"the command that started this has ended" in said
    assert (tmp_path / LOCK).exists()


def test_what_it_runs_is_noted_as_used_for_as_long_as_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """QEMU may be started for the first time when it has been up for days."""
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path))
    program = tmp_path / "program"
    program.touch()
    made, stopping = program.stat(), threading.Event()
    monkeypatch.setattr(programs, "find", lambda: cache.touch(program))
    monkeypatch.setattr("nitro.cache.time.time", lambda: made.st_ctime + 12_000)
    assert timedelta(seconds=2 * daemon.KEEP_SECONDS) < cache.YOUNG, "one may be missed"
    monkeypatch.setattr(daemon, "KEEP_SECONDS", 0.001)
    real = cache.touch_again

    def again() -> None:
        os.utime(program, (0, 0))
        real()
        stopping.set()

    monkeypatch.setattr(cache, "touch_again", again)
    daemon._keep_programs(stopping)
    assert program.stat().st_mtime > 0
