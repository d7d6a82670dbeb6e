"""Which accelerator is believed, with stand-ins for QEMU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nitro.local import accel
from nitro.local.qemu import Qemu

WORKS, FAILS, HANGS = "exit 85", "exit 1", "exec sleep 60"


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(accel, "DEADLINE", 0.3)


@pytest.fixture
def kvm(tmp_path: Path) -> Path:
    """A device that can be opened."""
    path = tmp_path / "kvm"
    path.touch()
    return path


def stand_in(folder: Path, does: str) -> Qemu:
    program = folder / "qemu"
    # Only a guest that finds the debug port at its address can say that it works.
    device = "isa-debug-exit,iobase=244,iosize=4"
    program.write_text(
        f"#!/bin/sh\necho run >> {folder}/runs\n"
        f'case "$*" in *"-device {device}"*) {does};; esac\nexit 1\n'
    )
    program.chmod(0o755)
    return Qemu((str(program),), (10, 1))


@pytest.mark.extended
@pytest.mark.parametrize(("does", "expected"), [(WORKS, "kvm"), (FAILS, "tcg"), (HANGS, "tcg")])
def test_kvm_is_believed_when_a_guest_boots_in_time(
    tmp_path: Path, kvm: Path, does: str, expected: str
) -> None:
    assert accel.best(stand_in(tmp_path, does), kvm=kvm) == expected


def test_no_guest_is_tried_without_the_device(tmp_path: Path) -> None:
    assert accel.best(stand_in(tmp_path, WORKS), kvm=tmp_path / "none") == "tcg"
    assert not (tmp_path / "runs").exists()


def test_what_was_found_is_remembered_for_that_qemu(tmp_path: Path, kvm: Path) -> None:
    accel.best(stand_in(tmp_path, WORKS), kvm=kvm)
    works_no_more = stand_in(tmp_path, FAILS)
    assert accel.best(works_no_more, kvm=kvm) == "kvm"
    another = Qemu(works_no_more.command, (10, 2))
    assert accel.best(another, kvm=kvm) == "tcg"
    assert (tmp_path / "runs").read_text().count("run") == 2


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "{}", "\xff"])
def test_a_damaged_memory_is_made_anew(tmp_path: Path, kvm: Path, text: str) -> None:
    """A process may have been killed while it wrote it."""
    qemu = stand_in(tmp_path, WORKS)
    assert accel.best(qemu, kvm=kvm) == "kvm"
    memory = tmp_path / "cache" / "accelerator.json"
    whole = memory.read_text()
    memory.write_bytes(text.encode("latin-1"))
    assert accel.best(qemu, kvm=kvm) == "kvm"
    assert memory.read_text() == whole


def test_a_memory_without_an_answer_is_made_anew(tmp_path: Path, kvm: Path) -> None:
    qemu = stand_in(tmp_path, WORKS)
    accel.best(qemu, kvm=kvm)
    memory = tmp_path / "cache" / "accelerator.json"
    memory.write_text(json.dumps({"key": json.loads(memory.read_text())["key"]}))
    assert accel.best(qemu, kvm=kvm) == "kvm"


@pytest.mark.parametrize("does", ["exit 84", "exit 86", "exit 0", "exit 42"])
def test_only_the_guests_own_status_says_that_it_booted(
    tmp_path: Path, kvm: Path, does: str
) -> None:
    """The value that it wrote to the debug port, doubled and odd: QEMU's own are others."""
    assert accel.best(stand_in(tmp_path, does), kvm=kvm) == "tcg"
