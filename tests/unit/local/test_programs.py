"""The programs of others that the local Nitro runs."""

from __future__ import annotations

from typing import Any

import pytest

from nitro import debian
from nitro.local import disk_formats, dnsmasq, programs, qemu


def test_each_of_them_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Any] = []
    monkeypatch.setattr(qemu, "find", lambda report: found.append("qemu"))
    monkeypatch.setattr(disk_formats, "find", lambda report: found.append("qemu-img"))
    monkeypatch.setattr(debian, "tree", lambda wanted, report: found.append(wanted))
    programs.find()
    assert found == ["qemu", "qemu-img", dnsmasq.PACKAGES, qemu.firmware_packages()]
