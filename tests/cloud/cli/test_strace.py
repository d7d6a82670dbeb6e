"""`nitro strace`, against moto."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from nitro.cloud import Cloud, DiskImage, instance
from nitro.local.hypervisor import NullHypervisor
from tests.cloud.cli.conftest import AWS
from tests.cloud.joint import running
from tests.unit.cli.runner import json_of, nitro_

FIRST = b"nitro-strace 9 openat(AT_FDCWD, 0x1, O_RDONLY) = -1 ENOENT (No such file) <0.000021>\r\n"
SECOND = b"nitro-strace 9 poll(0x1, 1, -1) = 1 <2.500000>\r\n"


@pytest.fixture
def traced(cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor) -> str:
    """An instance whose program has made a call."""
    id_ = running(cloud, disk).instance.id
    hypervisor.write_console(id_, b"the program\r\n" + FIRST)
    return id_


@pytest.mark.extended
def test_calls_are_counted(traced: str, hypervisor: NullHypervisor) -> None:
    assert [line.split() for line in nitro_("strace", traced, *AWS).stdout.splitlines()] == [
        ["CALL", "COUNT", "ERRORS", "SECONDS"],
        ["openat", "1", "1", "0.000021"],
    ]
    hypervisor.write_console(traced, SECOND)
    assert json_of("strace", "strace", traced, *AWS) == {
        "instance": traced,
        "calls": [
            {"call": "poll", "count": 1, "errors": 0, "seconds": 2.5},
            {"call": "openat", "count": 1, "errors": 1, "seconds": 0.000021},
        ],
    }


def test_a_live_trace_shows_the_console_and_then_the_table(
    traced: str, hypervisor: NullHypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = instance.get
    states = iter(["running", "terminated"])

    def get(cloud: Cloud, instance_id: str) -> instance.Instance:
        found = looked(cloud, instance_id)
        if next(states) == "terminated":
            hypervisor.write_console(instance_id, SECOND)
            return found.__class__(**{**vars(found), "state": "terminated"})
        return found

    monkeypatch.setattr(instance, "get", get)
    done = nitro_("strace", traced, "--follow", *AWS)
    assert "the program" in done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["CALL", "poll", "openat"]


def test_an_interrupted_trace_is_counted_as_it_was_asked_for(
    traced: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Iterator[str]:
        yield FIRST.decode()
        raise KeyboardInterrupt

    monkeypatch.setattr("nitro.cli.console.follow", interrupted)
    done = nitro_("strace", traced, "--follow", "--json", *AWS, code=130)
    assert [call["call"] for call in json.loads(done.stdout)["calls"]] == ["openat"]


def test_an_instance_that_is_not_traced(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    id_ = running(cloud, disk).instance.id
    assert "has no traced call" in nitro_("strace", id_, *AWS, code=1).stderr
