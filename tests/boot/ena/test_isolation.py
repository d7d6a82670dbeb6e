"""One instance's misbehaviour, and what its neighbours notice of it: nothing."""

from __future__ import annotations

import sys

import pytest

from lab.guest import boot, ena_nic
from lab.network import ANOTHER, HOST, Lab
from lab.traffic import both_ways, iperf, tell, up

pytestmark = pytest.mark.boot


def test_a_hostile_guest_and_a_dead_card_disturb_no_other(lab: Lab) -> None:
    good, bad = lab.folder / "good", lab.folder / "bad"
    hostile = [sys.executable, "-m", "lab.hostile", str(bad)]
    with (
        lab.card(good, "--strict") as control,
        lab.card(bad, tap="tap1") as bad_control,
        boot(lab, "trixie", ena_nic(good), vcpus=2) as guest,
    ):
        guest.run("insmod /modules/ena.ko")
        up(guest)
        with lab.start("hostile", [*hostile, "4"]) as process:
            iperf(guest, "--bidir", seconds=6)
            assert process.wait(60) == 0, lab.log("hostile")
        assert len(tell(bad_control, "rules")) > 10, "it did misbehave"
        assert "client dropped" in lab.log("ena-bad")

        with lab.start("hostile", [*hostile, "60"]):
            guest.send(f"iperf3 -c {HOST} -p {ANOTHER} -t 4 --bidir > /tmp/out 2>&1")
            lab.kill("ena-bad")
            guest.result("iperf3 while a card dies", seconds=60)
        both_ways(guest)
        assert guest.trouble() == []
        assert tell(control, "rules") == []
        assert "resets the card" not in lab.log("ena-good")
