"""Who measures a night, and when that process is known to be gone."""

from __future__ import annotations

import json
import os
import signal

import pytest

from nitro.bench.claim import BATCH_JOB, abandoned, claimed, forget
from nitro.bench.store import FolderStore
from tests.unit.bench.samples import NIGHT

PLACE = ("small", NIGHT, "eu-west-1")


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path)


def left_by_a_child(store, deployment: str) -> int:
    """A process that claims the night and gets SIGKILL; its id."""
    child = os.fork()
    if child == 0:
        with claimed(store, "small", NIGHT, deployment, "eu-west-1"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    return child


def test_what_runs_is_not_abandoned_and_leaves_no_note(store):
    with claimed(store, "small", NIGHT, "d-1", "eu-west-1"):
        assert abandoned(store, *PLACE) == []
    assert not list(store.folder.rglob("*.json"))


def test_a_process_that_was_killed_has_abandoned_its_deployment_until_it_is_forgotten(store):
    left_by_a_child(store, "d-1")
    assert abandoned(store, *PLACE) == ["d-1"]
    assert abandoned(store, "small", NIGHT, "us-east-1") == []
    assert abandoned(store, "other", NIGHT, "eu-west-1") == []
    forget(store, "small", NIGHT, "d-1")
    assert abandoned(store, *PLACE) == []


def note(store, **changes):
    """Change the only note that there is."""
    [path] = store.folder.rglob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_number_that_another_process_has_now_is_no_sign_of_life(store):
    left_by_a_child(store, "d-1")
    note(store, pid=os.getpid())
    assert abandoned(store, *PLACE) == ["d-1"]


def test_nothing_is_known_of_another_machine(store):
    left_by_a_child(store, "d-1")
    note(store, machine="another")
    assert abandoned(store, *PLACE) == []


def test_an_earlier_attempt_of_the_same_job_is_over(store, monkeypatch):
    monkeypatch.setenv(BATCH_JOB, "job:3")
    left_by_a_child(store, "d-1")
    note(store, machine="another")
    assert abandoned(store, *PLACE) == ["d-1"]
    monkeypatch.setenv(BATCH_JOB, "job:4")
    assert abandoned(store, *PLACE) == []
    with claimed(store, "small", NIGHT, "d-2", "eu-west-1"):
        assert abandoned(store, *PLACE) == []


@pytest.mark.parametrize("text", ["", "[", "null", "{}", '{"deployment": "d-1", "later": 1}'])
def test_a_note_that_cannot_be_read_says_nothing_and_ends_nothing(store, text):
    store.write(f"running/small/{NIGHT.isoformat()}/d-9.json", text.encode())
    left_by_a_child(store, "d-1")
    assert abandoned(store, *PLACE) == ["d-1"]


def test_where_there_is_no_proc_nothing_is_known_of_others(store, monkeypatch):
    left_by_a_child(store, "d-1")

    def missing(*_, **__):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr("nitro.bench.claim.Path.read_text", missing)
    with claimed(store, "small", NIGHT, "d-2", "eu-west-1"):
        monkeypatch.undo()
        assert abandoned(store, *PLACE) == ["d-1"]
        monkeypatch.setattr("nitro.bench.claim._machine", lambda: "")
        assert abandoned(store, *PLACE) == []
