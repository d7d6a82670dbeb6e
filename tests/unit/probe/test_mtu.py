"""A tool that runs under an MTU: what the client is told, and what its script does with it.

The script runs in busybox's shell. The cards are folders, and `ip` is the test's.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from nitro.paths import resource
from nitro.probe import AtMtu, Selection
from nitro.probe.tools.iperf3 import Iperf3

AT_MTU = resource("amis") / "client" / "at-mtu"
# In place of `ip link set dev NAME mtu SIZE`.
IP = """ip() {
    [ "$6" -le 9001 ] || { echo "ip: mtu greater than device maximum" >&2; return 2; }
    echo "$6" >"$NETWORK_DEVICES/$4/mtu"
}
"""


def test_the_step_is_the_probes_with_the_mtu_in_front():
    probes = (Iperf3(direction="in"), AtMtu(probe=Iperf3(direction="in"), mtu=1500))
    plain, under = Selection(probes=probes).plan("192.0.2.1").steps
    assert under.command == f"at-mtu 1500 {plain.command}"
    assert (under.tool, under.deadline) == (plain.tool, plain.deadline)


@pytest.mark.parametrize("mtu", [575, 9002])
def test_an_mtu_that_no_instance_has_is_refused(mtu):
    with pytest.raises(ValidationError, match="mtu"):
        AtMtu(probe=Iperf3(), mtu=mtu)


def at_mtu(tools: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    cards = folder / "cards"
    for name, size in (("eth0", "9001"), ("eth1", "1500"), ("lo", "65536")):
        (cards / name).mkdir(parents=True)
        (cards / name / "mtu").write_text(f"{size}\n")
    (folder / "at-mtu").write_text(IP + AT_MTU.read_text())
    done = subprocess.run(
        [tools / "sh", folder / "at-mtu", *words],
        env={"PATH": str(tools), "NETWORK_DEVICES": str(cards)},
        capture_output=True,
        text=True,
        timeout=20,
    )
    sizes = {card.name: (card / "mtu").read_text().strip() for card in cards.iterdir()}
    assert sizes == {"eth0": "9001", "eth1": "1500", "lo": "65536"}
    return done


@pytest.mark.slow
def test_the_cards_have_the_mtu_while_the_tool_runs_and_their_own_after_it(tools, tmp_path):
    read = 'cat "$NETWORK_DEVICES"/*/mtu; exit 3'
    done = at_mtu(tools, tmp_path, "1400", "sh", "-c", read)
    assert (done.returncode, done.stdout.split()) == (3, ["1400", "1400", "65536"])


@pytest.mark.slow
def test_an_mtu_that_the_card_refuses_runs_nothing(tools, tmp_path):
    done = at_mtu(tools, tmp_path, "9500", "echo", "ran")
    assert (done.returncode, done.stdout) == (1, "")
    assert "greater than device maximum" in done.stderr


@pytest.mark.slow
def test_a_tool_that_is_stopped_leaves_the_cards_as_they_were(tools, tmp_path):
    done = at_mtu(tools, tmp_path, "1400", "sh", "-c", 'kill -TERM "$PPID"; exec sleep 30')
    assert done.returncode != 0
