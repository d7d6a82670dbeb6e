"""Traffic for a long time with a reset every 20 s: no byte changes, no memory goes.

Two minutes here, as long as one likes by hand: `NITRO_SOAK_SECONDS=1800` is half an hour.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests.boot.ena.lab import HOST, eventually
from tests.driver.machine import Machine, machine

pytestmark = [pytest.mark.driver, pytest.mark.boot, pytest.mark.slow]

SECONDS = float(os.environ.get("NITRO_SOAK_SECONDS", "120"))
RESET_EVERY = 20.0
MEGABYTES = 24
MOST_LEAKED_KB = 6 << 10

# Down, compare, up again (the host compares), until a file says stop.
_LOOP = f"""
while [ ! -e /tmp/stop ]; do
  if nc -w 60 {HOST} 7000 > /tmp/data; then
    if [ $(sha256sum < /tmp/data | cut -d" " -f1) = DIGEST ]; then
      echo right >> /tmp/down;
    else echo wrong >> /tmp/down; fi;
  fi;
  nc -w 60 {HOST} 7001 < /tmp/data;
done; echo done >> /tmp/down
"""


def free_kilobytes(subject: Machine) -> int:
    subject.run("echo 3 > /proc/sys/vm/drop_caches; sleep 1")
    return int(subject.run("awk '/MemAvailable/ {print $2}' /proc/meminfo"))


@pytest.mark.timeout(SECONDS + 600)
def test_soak(tmp_path: Path) -> None:
    with machine(tmp_path) as subject:
        server = [sys.executable, str(Path(__file__).with_name("echo.py")), "42", str(MEGABYTES)]
        with subject.lab.start("echo", server):
            eventually("the server's digest", lambda: subject.lab.log("echo").strip())
            digest = subject.lab.log("echo").split()[0]
            subject.load()
            subject.run("ip link set eth0 mtu 9001; touch /tmp/down")
            subject.run(f"dd if=/dev/zero of=/tmp/data bs=1M count={MEGABYTES} 2>&1")
            before = free_kilobytes(subject)
            loop = _LOOP.replace("DIGEST", digest).replace("\n", " ")
            subject.run(f"({loop}) > /dev/null 2>&1 &")
            end = time.monotonic() + SECONDS
            resets = 0
            while time.monotonic() < end:
                time.sleep(min(RESET_EVERY, SECONDS / 4))
                subject.card("reset")
                resets += 1
                subject.wait_for_resets(resets)
            subject.run("touch /tmp/stop")
            eventually(
                "the end of the loop",
                lambda: "done" in subject.run("tail -1 /tmp/down"),
                seconds=180,
            )
            down = subject.run("cat /tmp/down").split()
            up = subject.lab.log("echo").split("\n")
            assert "wrong" not in down
            assert not [line for line in up if line.startswith("wrong")]
            assert down.count("right") >= SECONDS / 40
            assert up.count("right") >= SECONDS / 40
            assert subject.stat("resets") == resets
            assert before - free_kilobytes(subject) < MOST_LEAKED_KB
        assert not subject.trouble()
        assert not subject.rules_broken()
        print(f"{down.count('right')} down, {up.count('right')} up, {resets} resets")
