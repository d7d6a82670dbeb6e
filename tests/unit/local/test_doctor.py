from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from nitro.local import doctor


@pytest.mark.extended
def test_every_check_names_itself_and_a_bad_one_its_remedy():
    for check in doctor.examine():
        assert check.name
        assert check.detail
        assert check.ok == (not check.remedy)


@pytest.mark.extended
def test_a_machine_without_tun_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "TUN", tmp_path / "absent")
    check = next(c for c in doctor.examine() if c.name == "tap devices")
    assert not check.ok
    assert "modprobe tun" in check.remedy


def test_forbidden_namespaces_are_a_bad_check_with_the_system_s_own_words():
    refused = subprocess.CompletedProcess([], 1, "", "unshare: Operation not permitted\n")
    check = doctor._namespaces(run=lambda *args, **options: refused)
    assert not check.ok
    assert check.detail == "unshare: Operation not permitted"


@pytest.mark.parametrize(("free", "ok"), [(2 << 30, True), ((2 << 30) - 1, False)])
def test_two_gib_are_room_enough(monkeypatch: pytest.MonkeyPatch, free: int, ok: bool):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    check = next(c for c in doctor.examine() if c.name == "disk space")
    assert check.ok == ok
    assert "2.1 GB free in" in check.detail
    assert ("NITRO_CACHE" in check.remedy) == (not ok)


def test_checks_print_nothing_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """What `unshare` complains of is in the check, not above the table."""
    program = tmp_path / "unshare"
    program.write_text("#!/bin/sh\necho said; echo complained >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    check = next(c for c in doctor.examine() if c.name == "network namespaces")
    assert check.detail == "complained"
    assert capfd.readouterr() == ("", "")
