"""The library: made once, done without where it cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nitro.ena.control import execute
from nitro.ena.native import build
from nitro.ena.native import loop as loops
from nitro.ena.native.loop import Loop
from nitro.errors import InputError
from tests.unit.ena.driver import Driver, ipv4_frame
from tests.unit.ena.native.conftest import LIBRARY
from tests.unit.ena.native.state import with_loop

needs_compiler = pytest.mark.skipif(
    build.find_compiler() is None, reason="this machine has no C compiler"
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(loops.VARIABLE, raising=False)
    loops.load.cache_clear()
    yield tmp_path / "cache"
    loops.load.cache_clear()


def compiler() -> str:
    found = build.find_compiler()
    assert found is not None
    return found


@pytest.mark.extended
@needs_compiler
def test_it_is_made_once(cache: Path) -> None:
    first = build.library()
    assert first is not None
    assert first.parent.parent == cache
    made = first.stat().st_mtime_ns
    assert build.library() == first
    assert first.stat().st_mtime_ns == made


@pytest.mark.extended
@needs_compiler
def test_a_compiler_has_nothing_to_say(tmp_path: Path) -> None:
    build.build(compiler(), tmp_path / "library", "-Werror", "-Wshadow", "-Wconversion")


@pytest.mark.extended
@needs_compiler
def test_other_sources_make_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build.library()
    for source in build.SOURCES.glob("*.[ch]"):
        (tmp_path / source.name).write_text(source.read_text() + "\n")
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    assert build.library() not in (first, None)


def no_compiler(folder: Path) -> None:
    """Nothing of that name."""


def broken_compiler(folder: Path) -> None:
    (folder / "cc").write_text("#!/bin/sh\nexit 1\n")
    (folder / "cc").chmod(0o755)


def compiler_of_nonsense(folder: Path) -> None:
    (folder / "cc").write_text("#!/bin/sh\nexit 0\n")
    (folder / "cc").chmod(0o755)


@pytest.mark.parametrize("make", [no_compiler, broken_compiler, compiler_of_nonsense])
def test_a_card_works_without(
    make: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    assert callable(make)
    make(folder)
    monkeypatch.setenv("PATH", str(folder))
    assert loops.choose() is None
    with with_loop(loops.choose()):
        driver = Driver()
        driver.start()
        driver.send(driver.tx_queue(), ipv4_frame(), req_id=3)
    assert len(driver.port.sent) == 1
    monkeypatch.setenv(loops.VARIABLE, "native")
    with pytest.raises(InputError, match="cannot be built"):
        loops.choose()


@pytest.mark.extended
@needs_compiler
def test_the_variable_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(loops.choose(), Loop)
    monkeypatch.setenv(loops.VARIABLE, "python")
    assert loops.choose() is None
    monkeypatch.setenv(loops.VARIABLE, "fast")
    with pytest.raises(InputError, match="known: auto, native, python"):
        loops.choose()


def test_a_cache_that_cannot_be_written_is_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "loops").write_text("in the way")
    assert loops.choose() is None


def test_the_control_socket_names_the_loop(loop: Loop) -> None:
    assert execute(Driver().device, "loop") == "python\nok\n"
    with with_loop(loop):
        assert execute(Driver().device, "loop") == "native\nok\n"


def test_plain_traffic_does_not_reach_the_model(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the C loop could leave everything to the model, and no other test would notice."""
    with with_loop(loop):
        driver = Driver()
    driver.start()
    tx, rx = driver.tx_queue(), driver.rx_queue()
    driver.send(tx, ipv4_frame())
    driver.port.deliver(ipv4_frame())
    driver.run()  # the flow is known from here on

    def refuse(*_: object) -> None:
        raise AssertionError("the model was asked")

    monkeypatch.setattr("nitro.ena.tx.TxQueue._take", refuse)
    monkeypatch.setattr("nitro.ena.rx_path.RxPath._deliver", refuse)
    monkeypatch.setattr("nitro.ena.rx.RxQueue._fetch", refuse)
    driver.send(tx, ipv4_frame(), pieces=3)
    driver.port.deliver(ipv4_frame())
    driver.run()
    driver.fill(rx, 1)
    assert len(driver.port.sent) == 2
    assert len(driver.received(rx)) == 2


@needs_compiler
@pytest.mark.slow
@pytest.mark.soak
def test_sanitizers_have_nothing_to_say(tmp_path: Path) -> None:
    """Of memory and of undefined behaviour, under the same traffic and hostile bytes."""
    library = tmp_path / "library"
    build.build(compiler(), library, "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover")
    command = [compiler(), "-print-file-name=libasan.so"]
    runtime = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    environment = {
        **os.environ,
        LIBRARY: str(library),
        "LD_PRELOAD": runtime,
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONMALLOC": "malloc",  # so that the ends of Python's objects are known
    }
    tests = [str(Path(__file__).with_name(name)) for name in ("test_traffic.py", "test_hostile.py")]
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        check=True,
        env=environment,
    )
