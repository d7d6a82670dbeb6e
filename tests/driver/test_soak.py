"""Traffic for a long time, the card reset again and again: no byte changes, no memory is lost.

One minute with a reset every 10 s in `make test`; `make soak` is the half hour of
docs/reliability.md.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import pytest

from lab import echo
from lab.driver import Machine, machine
from lab.network import HOST, eventually
from tests.lengths import length

SECONDS = length(short=60, long=1800)
RESET_EVERY = length(short=10, long=20)  # seconds
MEGABYTES = 24
MOST_GROWN_KB = 3 << 10  # the buffers of a ring that get lost in one reset are 4 MiB

pytestmark = [
    pytest.mark.driver,
    pytest.mark.boot,
    pytest.mark.slow,
    pytest.mark.soak,
    pytest.mark.timeout(SECONDS + 600),
]

# The kernel's and the programs' memory, KiB. Files live in memory here and come and go: left out.
_USED = (
    "awk '/^MemTotal/ {n += $2} /^(MemFree|Buffers|Cached|SReclaimable):/ {n -= $2} END {print n}'"
    " /proc/meminfo"
)
# Down, compare, up again (the host compares), until a file says stop. Memory is looked at between
# the transfers: nothing is under way then.
_LOOP = f"""
while [ ! -e /tmp/stop ]; do
  if nc -w 60 {HOST} 7000 > /tmp/data; then
    if [ $(sha256sum < /tmp/data | cut -d" " -f1) = DIGEST ]; then
      echo right >> /tmp/down;
    else echo wrong >> /tmp/down; fi;
  fi;
  nc -w 60 {HOST} 7001 < /tmp/data;
  {_USED} >> /tmp/used;
done; echo done >> /tmp/down
"""


def growth(used: list[int]) -> int:
    """By how much the least of the last third is above the least of the third before, in KiB.

    The first third fills pools of pages and caches. What is in use varies by what TCP and these
    hold at the moment; what is lost raises the least, too.
    """
    third = len(used) // 3
    return min(used[-third:]) - min(used[third : 2 * third])


def run(subject: Machine, seconds: float) -> int:
    """Reset the card again and again; how often."""
    end = time.monotonic() + seconds
    resets = 0
    while time.monotonic() < end:
        time.sleep(RESET_EVERY)
        subject.card("reset")
        resets += 1
        subject.wait_for_resets(resets)
    return resets


def test_soak(tmp_path: Path) -> None:
    with machine(tmp_path) as subject:
        server = [sys.executable, echo.__file__, "42", str(MEGABYTES)]
        with subject.lab.start("echo", server):
            eventually("the server's digest", lambda: subject.lab.log("echo").strip())
            digest = subject.lab.log("echo").split()[0]
            subject.load()
            subject.run("ip link set eth0 mtu 9001; touch /tmp/down")
            loop = _LOOP.replace("DIGEST", digest).replace("\n", " ")
            subject.run(f"({loop}) > /dev/null 2>&1 &")
            resets = run(subject, SECONDS)
            subject.run("touch /tmp/stop")
            eventually(
                "the end of the loop",
                lambda: "done" in subject.run("tail -1 /tmp/down"),
                seconds=180,
            )
            down = subject.run("cat /tmp/down").split()
            up = subject.lab.log("echo").split("\n")
            used = [int(line) for line in subject.run("cat /tmp/used").split()]
            print(
                f"\n{SECONDS} s: {down.count('right')} down, {up.count('right')} up, {resets} "
                f"resets; memory in use: {len(used)} samples, {min(used)} to {max(used)} KiB, "
                f"median {statistics.median(used):.0f}, growth {growth(used)}"
            )
            assert "wrong" not in down
            assert not [line for line in up if line.startswith("wrong")]
            assert down.count("right") >= SECONDS / 40
            assert up.count("right") >= SECONDS / 40
            assert subject.stat("resets") == resets
            assert growth(used) < MOST_GROWN_KB, used
        assert not subject.trouble(r"\bnitro_ena ")  # it tells of its resets
        assert not subject.rules_broken()


def test_memory_that_goes_is_noticed() -> None:
    flat = [90_000, 95_500, 91_200] * 8
    assert growth(flat) < MOST_GROWN_KB
    assert growth([value + 500 * n for n, value in enumerate(flat)]) > MOST_GROWN_KB
