"""Finding, starting and ending; the daemon here is a stand-in. The real one: tests/boot/local."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from nitro.errors import InputError, NitroError
from nitro.local import control
from nitro.progress import Reporter, Stage

STAND_IN = """#!{python}
import fcntl, json, os, signal, sys, time
folder = sys.argv[3]
lock = open(folder + "/lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
lock.write(str(os.getpid())); lock.flush()
{before}
where = {{"url": "http://u", "guest_ca": "c", "region": "r"}}
key = {{"access_key": "k", "secret_key": "s"}}
json.dump(where | key, open(folder + "/new", "w"))
os.rename(folder + "/new", folder + "/endpoint.json")
signal.pause()
"""


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("nitro.local.qemu.find", lambda _: None)
    monkeypatch.setattr("nitro.debian.tree", lambda *_, **__: None)
    monkeypatch.setattr("nitro.local.disk_formats.find", lambda _: None)


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str = "") -> None:
    program = tmp_path / "python"
    program.write_text(STAND_IN.format(python=sys.executable, before=before))
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def test_nothing_runs_at_first() -> None:
    state = control.status()
    assert (state.endpoint, state.pid) == (None, None)
    assert control.down() is False


def test_one_that_has_not_said_its_process_is_none_yet(tmp_path: Path) -> None:
    folder = control.status().folder
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert control.status().pid is None
        lock.write("4711")
        lock.flush()
        assert control.status().pid == 4711
    assert control.status().pid is None, "nobody holds the lock"


def test_up_starts_one_and_finds_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch)
    endpoint = control.up()
    assert endpoint == control.Endpoint("http://u", "c", "r", "k", "s")
    pid = control.status().pid
    assert control.up() == endpoint
    assert control.status().pid == pid
    assert control.down() is True
    assert control.status().pid is None


@pytest.mark.extended
def test_the_last_session_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch)
    with control.session() as first:
        with control.session() as second:
            assert second.endpoint == first.endpoint
        assert control.status().endpoint == first.endpoint
    assert control.status().pid is None


@pytest.mark.extended
def test_the_session_that_started_it_leaves_it_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch)
    with ExitStack() as second:
        with control.session():
            held = second.enter_context(control.session())
        assert control.status().endpoint == held.endpoint
    assert control.status().pid is None


def test_a_session_says_when_it_has_ended_under_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch)
    with control.session() as held:
        assert held.death() is None
        pid = control.status().pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        while control.status().pid:
            time.sleep(0.001)
        death = str(held.death())
    assert death == f"the local Nitro (process {pid}) has ended; its log is {held.folder / 'log'}"


@pytest.mark.extended
def test_a_user_that_died_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch)
    with control.session() as held:
        (held.folder / "users").joinpath("1-dead").touch()
    assert control.status().pid is None
    assert not list((held.folder / "users").iterdir())


@pytest.mark.extended
def test_what_is_to_stay_stays_until_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch)
    with control.session() as held:
        held.keep()
    assert control.status().endpoint
    with control.session():
        pass
    assert control.status().endpoint
    assert control.down()
    with control.session():
        assert control.status().endpoint
    assert control.status().pid is None, "the one before was to stay, not this"


def test_starts_at_the_same_time_share_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, before="time.sleep(0.05)")
    entered, found = threading.Barrier(5), []

    def use() -> None:
        entered.wait(5)
        with control.session():
            found.append(control.status().pid)
            entered.wait(5)

    threads = [threading.Thread(target=use) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 5
    assert len(set(found)) == 1
    assert found[0]
    assert control.status().pid is None


@pytest.mark.extended
def test_down_waits_for_a_user_and_says_for_whom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch)
    said: list[str] = []
    release = threading.Event()

    class Heard(Stage):
        def status(self, text: str) -> None:
            said.append(text)
            release.set()

    class Listening(Reporter):
        def _open(self, title: str) -> Stage:
            return Heard()

    with ExitStack() as using:
        using.enter_context(control.session())
        ended = threading.Thread(target=control.down, args=(Listening(),))
        ended.start()
        assert release.wait(5)
        assert control.status().endpoint, "not under its user"
        using.close()
        ended.join(5)
    assert f"process {os.getpid()} uses it" in said[0]
    assert control.status().pid is None


@pytest.mark.extended
def test_down_with_force_does_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch)
    with control.session():
        assert control.down(force=True)
        assert control.status().pid is None


@pytest.mark.extended
def test_an_interrupted_start_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, before="time.sleep(60)")
    clock = SimpleNamespace(
        sleep=raising(KeyboardInterrupt, when=running), monotonic=time.monotonic
    )
    monkeypatch.setattr("nitro.local.control.time", clock)
    with pytest.raises(KeyboardInterrupt):
        control.up()
    assert control.status().pid is None


def running() -> bool:
    return control.status().pid is not None


def raising(error: type[BaseException], when: Callable[[], bool]) -> Callable[[float], None]:
    """A `sleep` that raises as soon as `when` is true."""

    def sleep(_seconds: float) -> None:
        if when():
            raise error

    return sleep


def test_the_folder_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "state" / "local").mkdir(parents=True, mode=0o755)
    assert control.status().folder.stat().st_mode & 0o777 == 0o700


def test_what_went_wrong_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, before="sys.exit('unshare: Operation not permitted')")
    with pytest.raises(NitroError, match="unshare: Operation not permitted") as caught:
        control.up()
    assert caught.value.hint
    assert control.status().pid is None


def test_a_number_left_behind_is_not_a_process(tmp_path: Path) -> None:
    folder = control.status().folder
    (folder / control.LOCK).write_text("1")
    announced = {"url": "u", "guest_ca": "c", "region": "r", "access_key": "k", "secret_key": "s"}
    (folder / control.ENDPOINT).write_text(json.dumps(announced))
    state = control.status()
    assert (state.endpoint, state.pid) == (None, None)
    assert control.down() is False


def test_moto_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match="nitro-ami\\[local\\]"):
        control.up()
