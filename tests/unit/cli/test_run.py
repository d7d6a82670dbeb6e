"""`nitro run`: what it refuses before anything is built, and what it asks of QEMU."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from nitro.cli import app


@pytest.fixture(autouse=True)
def _nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("the image is built before the options are checked")

    monkeypatch.setattr("nitro.image.build", refuse, raising=False)


def refused(*forwards: str) -> str:
    options = [word for forward in forwards for word in ("--forward", forward)]
    done = CliRunner().invoke(app, ["run", "hello", *options])
    assert done.exit_code == 2
    return done.stderr


def test_a_forward_that_cannot_be_read_is_named() -> None:
    said = refused("80")
    assert "--forward '80' is not HOST:GUEST" in said
    assert "udp:5353:53 for UDP" in said


@pytest.mark.parametrize(
    ("protocol", "kind"), [("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)]
)
def test_a_port_that_is_taken_is_named(protocol: str, kind: socket.SocketKind) -> None:
    with socket.socket(type=kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            taken.listen()
        number = taken.getsockname()[1]
        said = refused(f"{protocol}:{number}:80")
    assert f"port {number} of this machine: Address already in use" in said


@pytest.mark.parametrize("prefix", ["", "udp:"])
def test_a_port_of_this_machine_leads_to_one_port_of_the_guest(prefix: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    assert "forwarded twice" in refused(f"{prefix}{number}:80", f"{prefix}{number}:81")


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """The machines that QEMU, which is not there, was asked to boot; `code` is how it ends."""
    disk = tmp_path / "disk.raw"
    disk.write_bytes(b"a disk")
    image = SimpleNamespace(path=disk, minimum_memory_mib=96)
    monkeypatch.setattr("nitro.image.build", lambda *_, **__: image, raising=False)
    monkeypatch.setattr("nitro.local.qemu.find", lambda: None)
    monkeypatch.setattr("nitro.local.accel.best", lambda _: "tcg")
    monkeypatch.setattr("nitro.local.attach.attach", lambda *_: MISSED)
    asked: list[Any] = []

    @contextmanager
    def boot(emulator: object, machine: Any, folder: Path, *, pipes: bool) -> Iterator[Any]:
        assert machine.disks[0].path.read_bytes() == b"a disk"  # a copy of its own
        (folder / "qemu.log").write_text("no such machine\n")
        asked.append(machine)
        yield SimpleNamespace(poll=lambda: ENDS["code"])

    monkeypatch.setattr("nitro.local.qemu.boot", boot)
    return asked


MISSED = b'nitro-trace openat(AT_FDCWD, "/etc/missing", O_RDONLY) = -1 ENOENT (No such file)\r\n'
ENDS = {"code": 0}


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of `nitro run hello`; the command needs descriptors, not a runner's strings."""
    with Path("/dev/null").open() as nobody, monkeypatch.context() as patch:
        patch.setattr("sys.stdin", nobody)
        with pytest.raises(SystemExit) as ended:
            app(["run", "hello", *words])
    return int(ended.value.code or 0)


def test_the_machine_is_what_was_asked_for(
    machines: list[Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--vcpus", "2", "--uefi") == 0
    assert run(monkeypatch, "--memory", "300") == 0
    assert "Ctrl-] exits" in capfd.readouterr().err
    first, second = machines
    assert (first.vcpus, first.memory_mib, first.boot_mode) == (2, 96, "uefi")
    assert (second.memory_mib, second.boot_mode) == (300, "legacy-bios")


def test_a_forward_is_said_and_files_that_were_missed_are_listed(
    machines: list[Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    assert run(monkeypatch, "--missing", "-f", f"{number}:80") == 0
    said = capfd.readouterr()
    assert f"127.0.0.1 {number}/tcp → port 80 of the machine" in said.err
    assert said.out == "/etc/missing\n"


def test_a_forwarded_udp_port_is_a_way_out_and_is_said(
    machines: list[Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    assert run(monkeypatch, "-f", f"udp:{number}:53") == 0
    assert "the machine reaches this host and its network" in capfd.readouterr().err


def test_a_qemu_that_fails_is_explained(
    machines: list[Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(ENDS, "code", 1)
    assert run(monkeypatch) == 1
    assert "nitro: QEMU failed: no such machine\n" in capfd.readouterr().err
