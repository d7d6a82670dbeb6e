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

from nitro import image, recipe
from nitro.cli import app, run_end
from nitro.errors import NitroError
from nitro.local.attach import ConsoleSession


@pytest.fixture(autouse=True)
def _nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("the image is built before the options are checked")

    monkeypatch.setattr("nitro.image.build", refuse, raising=False)


def refused(*forwards: str) -> str:
    options = [word for forward in forwards for word in ("--forward", forward)]
    done = CliRunner().invoke(app, ["run", "hello", *options])
    assert done.exit_code == 125
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
    manifest = tmp_path / "manifest.json"
    manifest.write_text('{"files": []}')
    image = SimpleNamespace(path=disk, manifest_path=manifest, minimum_memory_mib=96)
    monkeypatch.setattr("nitro.image.build", lambda *_, **__: image, raising=False)
    monkeypatch.setattr("nitro.local.qemu.find", lambda: None)
    monkeypatch.setattr("nitro.local.accel.best", lambda _: "tcg")
    monkeypatch.setattr("nitro.local.attach.attach", lambda *_, **__: SESSION["is"])
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


def ended(status: int, *said: str) -> ConsoleSession:
    """A machine whose program ended with `status`."""
    start = '{"nitro":"start","uptime":2.1,"command":"x","memory_kib":491520,"free_kib":409600}'
    end = f'{{"nitro":"exit","uptime":2.5,"code":{status},"restart":false}}'
    return ConsoleSession(MISSED + "\r\n".join([start, *said, end, ""]).encode())


SESSION = {"is": ended(0)}


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
    assert (first.vcpus, first.memory_mib, first.boot_mode) == (2, 608, "uefi")
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


def test_a_shell_is_told_the_programs_command(
    machines: list[Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--shell") == 0
    assert "the program's command is: /" in capfd.readouterr().err


def test_less_memory_than_the_image_needs_is_refused(
    machines: list[Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--memory", "95") == 125
    assert "the image needs 96 MiB" in capfd.readouterr().err
    assert machines == []


@pytest.mark.parametrize("good", [True, False])
def test_a_recipe_is_completed_by_what_its_machines_show(
    good: bool, machines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    consoles: list[str] = []

    def complete(made: Any, boot: Any, report: Any, *, locked: bool, write: bool) -> bool:
        assert write
        consoles.append(boot(image.build(made)))
        return good

    monkeypatch.setattr("nitro.cli.run_missing.complete", complete)
    assert run(monkeypatch, "--complete", "--write") == (0 if good else 1)
    assert "/etc/missing" in consoles[0]
    assert machines[0].memory_mib == 96 + 512


def test_traced_calls_are_counted_at_the_end(
    machines: list[Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    line = "nitro-strace 9 read(0x3, 0x1, 4) = -1 EIO (Input/output error) <0.000021>"
    monkeypatch.setitem(SESSION, "is", ended(0, line))
    assert run(monkeypatch, "--strace", "syscall*") == 0
    assert capfd.readouterr().out.split()[-4:] == ["read", "1", "1", "0.000021"]
    assert run(monkeypatch) == 0
    assert "read" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("status", "words", "told"),
    [(1, (), True), (127, (), True), (0, (), False), (137, (), False), (1, ("--missing",), False)],
)
def test_a_program_that_fails_may_lack_a_file(
    status: int,
    words: tuple[str, ...],
    told: bool,
    machines: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(SESSION, "is", ended(status))
    assert run(monkeypatch, *words) == status
    assert ("--missing lists the files" in capfd.readouterr().err) is told


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--strace", "open", "--missing"), "--strace excludes --missing"),
        (("--strace", "$(id)"), "--strace '$(id)' is not a call's name"),
        (("--shell", "--missing"), "--shell excludes --missing and --complete"),
        (("--shell", "--complete"), "the program does not run then"),
        (("--write",), "--write is for --complete"),
    ],
)
def test_options_that_do_not_go_together(words: tuple[str, ...], says: str) -> None:
    done = CliRunner().invoke(app, ["run", "hello", *words])
    assert done.exit_code == 125
    assert says in done.stderr


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
    assert run(monkeypatch) == 125
    assert "nitro: QEMU failed: no such machine\n" in capfd.readouterr().err


def test_the_exit_code_is_the_programs_status(
    machines: list[Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for status in (0, 3, 125, 255):
        monkeypatch.setitem(SESSION, "is", ended(status))
        assert run(monkeypatch) == status
        assert ("ended with status" in capfd.readouterr().err) == bool(status)
    monkeypatch.setitem(SESSION, "is", ended(139))
    assert run(monkeypatch) == 139
    assert (
        "nitro: the program ended with status 139 (SIGSEGV) after 0.4 s" in capfd.readouterr().err
    )


def test_a_program_that_was_killed_for_memory_is_told_how_much_to_try(
    machines: list[Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    killed = (
        "[  9.1] Out of memory: Killed process 84 (hog) total-vm:922000kB, anon-rss:405504kB, "
        "file-rss:4kB, shmem-rss:0kB, UID:0"
    )
    monkeypatch.setitem(SESSION, "is", ended(137, killed))
    assert run(monkeypatch, "--memory", "512") == 137
    said = capfd.readouterr().err
    assert "was killed for lack of memory" in said
    assert "try --memory 1024" in said


@pytest.mark.parametrize(
    ("console", "says"),
    [
        (b"GRUB loading\r\n", "the machine ended before its program did"),
        (
            b"[    7.9] Kernel panic - not syncing: No working init found.\r\n",
            "the kernel panicked: No working init found.",
        ),
        (
            b"[    2.1] Initramfs unpacking failed: write error\r\n"
            b"[    7.9] Kernel panic - not syncing: No working init found.\r\n",
            "it lacks memory: try --memory 1216",
        ),
    ],
)
def test_a_machine_that_ends_without_the_program_is_125(
    machines: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    console: bytes,
    says: str,
) -> None:
    monkeypatch.setitem(SESSION, "is", ConsoleSession(console))
    assert run(monkeypatch) == 125
    assert says in capfd.readouterr().err


def test_leaving_is_success_and_says_why_the_program_was_silent(
    machines: list[Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SESSION, "is", ConsoleSession(b"", left=True))
    assert run(monkeypatch) == 0
    table = b'{"nitro":"listening","uptime":8,"sockets":["0100007F:0050"],"ipv6_only":[]}\r\n'
    monkeypatch.setitem(SESSION, "is", ConsoleSession(table, left=True))
    with Path("/dev/null").open() as nobody, monkeypatch.context() as patch:
        patch.setattr("sys.stdin", nobody)
        with pytest.raises(SystemExit) as left:
            app(["run", "httpd"])
    assert not left.value.code
    assert "nitro: the program listens on 127.0.0.1:80" in capfd.readouterr().err


@pytest.mark.parametrize("words", [("--bogus",), ("--memory", "much"), ("no-such-recipe",)])
def test_what_cannot_be_understood_is_125_too(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, ["run", *words])
    assert done.exit_code == 125


def test_the_status_of_a_program_on_osv() -> None:
    started = "OSv v0.57.0\r\nCmdline: /usr/bin/x\r\n"
    assert run_end.status(f"{started}Powering off.\r\n", 64) == 0
    assert run_end.status(f"{started}program /usr/bin/x returned 3\r\n", 64) == 3
    with pytest.raises(NitroError, match="before its program did"):
        run_end.status(started, 64)


@pytest.mark.parametrize("option", ["--shell", "--uefi"])
def test_what_osv_does_not_have_is_refused(option: str) -> None:
    done = CliRunner().invoke(app, ["run", "osv-hello", option])
    assert done.exit_code == 125
    assert f"{option}: OSv " in done.stderr


def test_packages_whose_scripts_would_have_made_something_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    built: Any = SimpleNamespace(manifest_path=Path("manifest.json"))
    hints = ["the scripts of nginx", None]
    monkeypatch.setattr("nitro.image.missing.scripts_hint", lambda *_: hints.pop(0))
    for expected in ("       the scripts of nginx\n", ""):
        run_end.explain_scripts(recipe.load("hello"), built)
        assert capsys.readouterr().err == expected


def test_a_program_that_fails_or_is_left_silent_may_lack_what_a_script_makes(
    machines: list[Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nitro.image.missing.scripts_hint", lambda *_: "its script makes a user")
    for session, told in (
        (ended(1), True),
        (ended(0), False),
        (ConsoleSession(b"hello\r\n", left=True), True),
    ):
        monkeypatch.setitem(SESSION, "is", session)
        run(monkeypatch)
        assert ("its script makes a user" in capfd.readouterr().err) is told
