"""What the guest makes of user data, read through a metadata service."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab import metadata
from lab.image import Booted, booted
from nitro import recipe
from nitro.console import milestones
from nitro.image import Image, build
from nitro.local.qemu import Card

pytestmark = [pytest.mark.boot, pytest.mark.slow]

SHOW = "echo begin; env | sort; md5sum /run/nitro/user-data /run/nitro/payload; echo end; sleep {}"


INSTANCE = "i-0123456789abcdef0"


def card(user_data: Path, trouble: str = "") -> Card:
    """A network whose metadata service is `metadata.py`, with a word of trouble a connection."""
    service = f"{sys.executable} {metadata.__file__} {user_data}"
    if trouble:
        words = user_data.with_name("trouble")
        words.write_text(trouble)
        service += f" {words}"
    network = "user,id=net0,restrict=on,net=169.254.169.0/24"
    return Card(
        (
            "-netdev",
            f"{network},guestfwd=tcp:169.254.169.254:80-cmd:{service}",
            "-device",
            "virtio-net-pci,netdev=net0,romfile=",
        )
    )


def show(folder: Path, seconds: int = 0) -> Image:
    """An image that shows what reached it, and stays for so long."""
    path = folder / "show.toml"
    path.write_text(f'command = ["/bin/sh", "-c", "{SHOW.format(seconds)}"]\nenv = {{ A = "1" }}\n')
    return build(recipe.load(path))


@contextmanager
def launched(
    image: Image, folder: Path, trouble: str = "", **machine_options: Any
) -> Iterator[Booted]:
    """The image on a machine that calls itself an instance, with the user data in `folder`."""
    nic = card(folder / "user-data", trouble)
    with booted(image, folder, cards=(nic,), instance_id=INSTANCE, **machine_options) as machine:
        yield machine


def test_keys_reach_the_program_and_the_payload_its_file(tmp_path: Path) -> None:
    payload = bytes(range(256)) + b"\n\nrest"
    told = b"NITRO=1\nNITRO_RESULT_URL=http://s3/x?a=1&b=2\nQUOTED=it's $HOME\n\n" + payload
    (tmp_path / "user-data").write_bytes(told)
    with launched(show(tmp_path), tmp_path) as machine:
        machine.wait_for_end()
        lines = machine.console.splitlines()
    assert machine.wait_for("user-data").fields == {"found": True}
    assert "NITRO_RESULT_URL=http://s3/x?a=1&b=2" in lines
    assert "QUOTED=it's $HOME" in lines
    assert "A=1" in lines
    assert f"{_md5(told)}  /run/nitro/user-data" in lines
    assert f"{_md5(payload)}  /run/nitro/payload" in lines


def test_other_user_data_is_only_kept(tmp_path: Path) -> None:
    told = b"#cloud-config\nEVIL=1\n"
    (tmp_path / "user-data").write_bytes(told)
    with launched(show(tmp_path), tmp_path) as machine:
        machine.wait_for_end()
        lines = machine.console.splitlines()
    assert f"{_md5(told)}  /run/nitro/user-data" in lines
    assert "EVIL=1" not in lines


def test_keys_that_are_none_are_reported_and_passed_over(tmp_path: Path) -> None:
    (tmp_path / "user-data").write_text("NITRO=1\nno key\nA-B=1\nGOOD=1\n")
    with launched(show(tmp_path), tmp_path) as machine:
        assert "not KEY=VALUE" in machine.wait_for("fail").fields["what"]
        machine.wait_for_end()
        assert "GOOD=1" in machine.console.splitlines()


def test_no_user_data(tmp_path: Path) -> None:
    with launched(show(tmp_path), tmp_path) as machine:
        machine.wait_for_end()
        assert machine.wait_for("user-data").fields == {"found": False}
        assert "md5sum: can't open '/run/nitro/user-data'" in machine.console
        assert '"nitro":"fail"' not in machine.console


@pytest.mark.parametrize(
    "trouble", ["silent silent", "closed 503 closed", "cut 503", "none cut none 503"]
)
def test_a_metadata_service_that_is_late_or_fails_is_asked_again(
    tmp_path: Path, trouble: str
) -> None:
    (tmp_path / "user-data").write_text("NITRO=1\nGOOD=1\n\nplan")
    with launched(show(tmp_path), tmp_path, trouble) as machine:
        machine.wait_for_end()
    lines = machine.console.splitlines()
    assert "GOOD=1" in lines
    assert f"{_md5(b'plan')}  /run/nitro/payload" in lines
    assert '"nitro":"warning"' not in machine.console


def test_a_silent_metadata_service_is_a_warning_and_the_program_starts(tmp_path: Path) -> None:
    (tmp_path / "user-data").write_text("NITRO=1\nLOST=1\n")
    with launched(show(tmp_path), tmp_path, "silent " * 50) as machine:
        warning = machine.wait_for("warning")
        assert "no answer within 30 s" in warning.fields["what"]
        machine.wait_for_end()
    assert "LOST=1" not in machine.console.splitlines()


def test_a_machine_that_is_no_instance_does_not_wait_for_a_metadata_service(
    tmp_path: Path,
) -> None:
    nic = card(tmp_path / "user-data", "silent " * 50)
    with booted(show(tmp_path), tmp_path, cards=(nic,)) as machine:
        machine.wait_for_end()
    assert '"nitro":"warning"' not in machine.console
    waited = uptime(machine, "start") - uptime(machine, "address")
    assert waited < 25, "it did not wait for the service's 30 s"
    assert len((tmp_path / "trouble").read_text().split()) == 50, "nobody asked"


def expiring(folder: Path, seconds: int) -> None:
    """User data of an instance that is to end `seconds` from now."""
    (folder / "user-data").write_text(f"NITRO=1\nNITRO_EXPIRES={int(time.time()) + seconds}\n")


def test_machine_ends_when_its_time_is_up(tmp_path: Path) -> None:
    image = show(tmp_path, seconds=600)
    expiring(tmp_path, 25)
    with launched(image, tmp_path) as machine:
        machine.wait_for("start")
        machine.wait_for_end()
    assert uptime(machine, "expired") > 5
    assert "reboot: Power down" in machine.console


def test_a_machine_that_panics_and_starts_anew_ends_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "panic.toml"
    path.write_text('command = ["/bin/sh", "-c", "sleep 2; echo c >/proc/sysrq-trigger"]\n')
    image = build(recipe.load(path))
    expiring(tmp_path, 20)
    with launched(image, tmp_path, extra=()) as machine:
        machine.wait_for_end()
    starts = [m for m in milestones(machine.console) if m.name == "kernel"]
    assert len(starts) > 1
    assert "reboot: Power down" in machine.console


def test_a_time_to_live_that_is_no_time_is_reported(tmp_path: Path) -> None:
    (tmp_path / "user-data").write_text("NITRO=1\nNITRO_EXPIRES=soon\n")
    with launched(show(tmp_path), tmp_path) as machine:
        assert "NITRO_EXPIRES" in machine.wait_for("fail").fields["what"]
        machine.wait_for_end()


def _md5(data: bytes) -> str:
    import hashlib

    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def uptime(machine: Booted, milestone: str) -> float:
    found = machine.wait_for(milestone).uptime
    assert found is not None
    return found
