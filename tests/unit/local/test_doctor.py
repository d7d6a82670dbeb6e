from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nitro.local import doctor


def test_every_check_names_itself_and_a_bad_one_its_remedy():
    for check in doctor.examine():
        assert check.name
        assert check.detail
        assert check.ok == (not check.remedy)


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
