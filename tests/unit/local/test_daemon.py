"""The outside half: its lock and its namespaces."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from nitro.local import daemon
from nitro.local.control import LOCK


def test_users_get_a_user_namespace_and_root_needs_none() -> None:
    assert "--map-root-user" not in daemon.isolation(0)
    assert "--map-root-user" in daemon.isolation(1000)
    for line in (daemon.isolation(0), daemon.isolation(1000)):
        assert {"--net", "--pid", "--kill-child=KILL"} <= set(line)


def test_there_is_one_for_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert daemon.outside(tmp_path) == 1
    assert "another local Nitro" in capsys.readouterr().err
