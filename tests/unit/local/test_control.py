"""Finding, starting and ending; the daemon here is a stand-in. The real one: tests/boot/local."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from nitro.errors import InputError, NitroError
from nitro.local import control

STAND_IN = """#!{python}
import fcntl, json, os, signal, sys, time
folder = sys.argv[3]
lock = open(folder + "/lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
lock.write(str(os.getpid())); lock.flush()
{before}
json.dump({{"url": "http://u", "guest_url": "http://g", "region": "r"}}, open(folder + "/new", "w"))
os.rename(folder + "/new", folder + "/endpoint.json")
signal.pause()
"""


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("nitro.local.qemu.find", lambda _: None)
    monkeypatch.setattr("nitro.debian.tree", lambda *_, **__: None)


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str = "") -> None:
    program = tmp_path / "python"
    program.write_text(STAND_IN.format(python=sys.executable, before=before))
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def test_nothing_runs_at_first() -> None:
    state = control.status()
    assert (state.endpoint, state.pid) == (None, None)
    assert control.down() is False


def test_up_starts_one_and_finds_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch)
    endpoint = control.up()
    assert endpoint == control.Endpoint("http://u", "http://g", "r")
    pid = control.status().pid
    assert control.up() == endpoint
    assert control.status().pid == pid
    assert control.down() is True
    assert control.status().pid is None


def test_a_session_ends_what_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch)
    with control.session() as held:
        assert held.started
        assert control.status().endpoint == held.endpoint
    assert control.status().pid is None


def test_a_session_leaves_what_is_kept_or_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch)
    with control.session() as held:
        held.keep()
    assert control.status().endpoint
    with control.session() as held:
        assert not held.started
    assert control.status().endpoint
    assert control.down()


def test_what_went_wrong_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, before="sys.exit('unshare: Operation not permitted')")
    with pytest.raises(NitroError, match="unshare: Operation not permitted") as caught:
        control.up()
    assert caught.value.hint
    assert control.status().pid is None


def test_a_number_left_behind_is_not_a_process(tmp_path: Path) -> None:
    folder = control.status().folder
    folder.mkdir(parents=True)
    (folder / control.LOCK).write_text("1")
    announced = {"url": "u", "guest_url": "g", "region": "r"}
    (folder / control.ENDPOINT).write_text(json.dumps(announced))
    state = control.status()
    assert (state.endpoint, state.pid) == (None, None)
    assert control.down() is False


def test_moto_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match="nitro-ami\\[local\\]"):
        control.up()
