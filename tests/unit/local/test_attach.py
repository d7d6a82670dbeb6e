from __future__ import annotations

import os
import pty
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nitro.local.attach import LEAVE, ConsoleSession, attach


@pytest.fixture
def cat() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    yield process
    process.kill()
    process.communicate()


def test_what_the_machine_writes_reaches_the_screen():
    process = subprocess.Popen(
        ["echo", "booted"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    read, write = os.pipe()
    with Path(os.devnull).open() as nobody:
        assert attach(process, nobody.fileno(), write) == ConsoleSession(b"booted\n")
    assert os.read(read, 100) == b"booted\n"
    process.communicate()
    os.close(read)
    os.close(write)


def test_keys_reach_the_machine_until_the_leaving_one(cat: subprocess.Popen[bytes]):
    keyboard, terminal = pty.openpty()
    read, write = os.pipe()
    before = termios.tcgetattr(terminal)
    seen: list[ConsoleSession] = []
    attached = threading.Thread(target=lambda: seen.append(attach(cat, terminal, write)))
    attached.start()
    while termios.tcgetattr(terminal) == before:
        time.sleep(0.01)
    os.write(keyboard, b"x")
    assert os.read(read, 10) == b"x"  # through the terminal, cat and back
    os.write(keyboard, LEAVE)
    attached.join(10)
    assert seen == [ConsoleSession(b"x", left=True)]
    assert termios.tcgetattr(terminal) == before
    for fd in (keyboard, terminal, read, write):
        os.close(fd)


def test_input_may_end_before_the_machine(cat: subprocess.Popen[bytes]):
    typed, keys = os.pipe()
    read, write = os.pipe()
    os.write(keys, b"last words")
    os.close(keys)
    attached = threading.Thread(target=attach, args=(cat, typed, write))
    attached.start()
    assert os.read(read, 100) == b"last words"
    assert attached.is_alive()
    cat.kill()
    attached.join(10)
    assert not attached.is_alive()
    for fd in (typed, read, write):
        os.close(fd)


def test_enough_ends_it_while_the_machine_runs(cat: subprocess.Popen[bytes]):
    typed, keys = os.pipe()
    read, write = os.pipe()
    os.write(keys, b'first\n"nitro" last\n')
    session = attach(cat, typed, write, enough=lambda written: b"last" in written)
    assert session == ConsoleSession(b'first\n"nitro" last\n')
    assert cat.poll() is None
    for fd in (keys, typed, read, write):
        os.close(fd)


def test_what_comes_while_it_settles_counts(cat: subprocess.Popen[bytes]):
    typed, keys = os.pipe()
    read, write = os.pipe()
    os.write(keys, b'"nitro" ready\n')

    def ready(written: bytes) -> bool:
        os.write(keys, b"more\n")
        return b"ready" in written

    session = attach(cat, typed, write, enough=ready, settle=0.1)
    assert session == ConsoleSession(b'"nitro" ready\nmore\n')
    assert cat.poll() is None
    for fd in (keys, typed, read, write):
        os.close(fd)


def test_a_line_that_comes_in_pieces_is_enough(cat: subprocess.Popen[bytes]):
    typed, keys = os.pipe()
    read, write = os.pipe()
    os.write(keys, b'"nitro"')

    def ready(written: bytes) -> bool:
        if written == b'"nitro"':
            os.write(keys, b" ready\n")
        return b"ready" in written

    session = attach(cat, typed, write, enough=ready)
    assert session == ConsoleSession(b'"nitro" ready\n')
    for fd in (keys, typed, read, write):
        os.close(fd)
