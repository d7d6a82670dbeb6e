"""`nitro run` ends as the program in the guest does, and says why a program was silent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .commands import Nitro

pytestmark = pytest.mark.boot

BUSY_LOOP = """awk 'BEGIN { s = "xxxxxxxxxxxxxxxx"; while (1) s = s s }'"""


@pytest.fixture
def folder(tmp_path: Path) -> Nitro:
    return Nitro(tmp_path)


def script(folder: Nitro, *lines: str) -> str:
    path = folder.folder / "program"
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return "./program"


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("exit 7", 7, "the program ended with status 7"),
        ("kill -SEGV $$", 139, "SIGSEGV"),
        ("dd if=/dev/zero of=/big bs=1M || exit 9", 9, "there was no space left for its files"),
        (f"exec {BUSY_LOOP}", 137, "was killed for lack of memory"),
    ],
)
def test_run_exits_with_the_programs_status(folder: Nitro, line: str, code: int, says: str) -> None:
    done = folder.run("run", script(folder, line), "--memory", "192", code=code)
    assert says in done.stderr


def test_run_knows_a_crash_loop(folder: Nitro) -> None:
    program = script(folder, "echo no configuration", "exit 3")
    done = folder.run("run", program, "--port", "8080", code=3)
    assert "status 3" in done.stderr
    assert "3 times in a row" in done.stderr


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["exec httpd -f -p 127.0.0.1:8080 -h /run/lock"], "127.0.0.1:8080, which only the guest"),
        (
            [
                "echo 1 >/proc/sys/net/ipv6/bindv6only",
                "exec httpd -f -p [::]:8080 -h /run/lock",
            ],
            "port 8080 for IPv6 only",
        ),
    ],
)
def test_what_a_silent_program_listens_on_is_told(
    folder: Nitro, lines: list[str], says: str
) -> None:
    program = script(folder, *lines)
    process = subprocess.Popen(
        [sys.executable, "-m", "nitro", "run", program, "--port", "8080"],
        cwd=folder.folder,
        env=folder.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    for line in process.stdout:
        if b'"nitro":"listening"' in line:
            break
    _, said = process.communicate(b"\x1d", timeout=60)
    assert process.returncode == 0
    assert says in said.decode()


def test_a_shell_takes_the_programs_place(folder: Nitro) -> None:
    program = script(folder, "echo never")
    process = subprocess.Popen(
        [sys.executable, "-m", "nitro", "run", program, "--shell"],
        cwd=folder.folder,
        env=folder.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    for line in process.stdout:
        if b'"nitro":"ready"' in line:
            break
    said, _ = process.communicate(b"tty; exit 5\n", timeout=120)
    assert process.returncode == 5
    assert b"/dev/ttyS0" in said
    assert b"never" not in said
