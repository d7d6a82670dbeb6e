"""`nitro console`: an instance's console once, and as it grows."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest

from nitro.cloud import Cloud, DiskImage, instance
from nitro.local.hypervisor import NullHypervisor
from tests.cloud.cli.conftest import AWS
from tests.cloud.joint import running
from tests.unit.cli.runner import nitro_


@pytest.fixture
def instance_id(cloud: Cloud, disk: DiskImage) -> str:
    return running(cloud, disk).instance.id


@pytest.fixture
def grows(
    monkeypatch: pytest.MonkeyPatch, instance_id: str, cloud: Cloud, hypervisor: NullHypervisor
) -> None:
    """The instance writes a line at each pause of the command, and ends after the second."""
    lines: Iterator[bytes] = iter([b"two\r\n", b"three \x1b[31mred\r\n"])

    def pause(seconds: float) -> None:
        line = next(lines, None)
        if line is None:
            instance.terminate(cloud, [instance_id])
        else:
            hypervisor.write_console(instance_id, line)

    hypervisor.write_console(instance_id, b"one\r\n")
    connect = functools.partial(Cloud.connect, sleep=pause)
    monkeypatch.setattr(Cloud, "connect", connect)


def test_a_console_is_followed_until_the_instance_has_ended(grows: None, instance_id: str) -> None:
    done = nitro_("logs", "-f", instance_id, *AWS)
    assert done.stdout.splitlines() == ["one", "two", "three red"]


@pytest.mark.extended
def test_followed_raw_it_is_passed_on_byte_by_byte(grows: None, instance_id: str) -> None:
    done = nitro_("console", "--follow", "--raw", instance_id, *AWS)
    assert done.stdout_bytes == b"one\r\ntwo\r\nthree \x1b[31mred\r\n"


@pytest.mark.extended
def test_a_document_cannot_be_followed(instance_id: str) -> None:
    said = nitro_("console", "-f", "--json", instance_id, *AWS, code=2).stderr
    assert "--follow and --json exclude each other" in said
