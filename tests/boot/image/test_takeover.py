"""The kernel's driver takes over where the nitro driver brings no network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab.guest import ena_nic
from lab.network import Lab, eventually
from nitro import recipe
from nitro.console import Milestone, milestones
from nitro.image import build
from nitro.local import qemu

pytestmark = [pytest.mark.boot, pytest.mark.slow]


def test_silent_dhcp_is_tried_with_the_kernels_driver_too(tmp_path: Path) -> None:
    image = build(recipe.load("hello"))
    disk, console, card = (tmp_path / name for name in ("disk", "console", "ena"))
    shutil.copyfile(image.path, disk)

    def said(name: str) -> list[Milestone]:
        text = console.read_text(errors="replace") if console.exists() else ""
        return [milestone for milestone in milestones(text) if milestone.name == name]

    with Lab(tmp_path) as lab, lab.card(card):
        description = qemu.Machine(
            disks=(qemu.Disk(disk),),
            memory_mib=image.minimum_memory_mib,
            console=console,
            cards=ena_nic(card),
        )
        with lab.machine("guest", description):
            eventually("the fallback", lambda: said("fallback"))
            with lab.start("dhcp", lab.dhcp_server()):
                eventually("an address", lambda: said("address"))
    assert said("fallback")[0].fields["what"] == "no answer to DHCP on eth0 within 10 s"
    assert [driver.fields["kind"] for driver in said("driver")] == ["nitro", "kernel"]
    assert len(said("address")) == 1
    assert not said("fail")
