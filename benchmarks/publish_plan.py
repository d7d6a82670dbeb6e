"""`nitro publish --plan` for many regions of a local Nitro: elapsed and processor time.

    python -m benchmarks.publish_plan [--regions 20] [--repeat 5] [--json]

The aim is an answer for 20 regions within 3 s. On a machine that does other work, the processor
time of the command and of the endpoint together tells what an idle one would take at the most.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TypedDict

import boto3

from nitro import local

_DISK = ("disk.raw", "--name", "web", "--arch", "x86_64", "--boot-mode", "uefi")
_TICK = os.sysconf("SC_CLK_TCK")


class Figure(TypedDict):
    """Medians, in seconds."""

    regions: int
    elapsed: float
    command_cpu: float
    endpoint_cpu: float


def measure(regions: int, repeat: int) -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NITRO_STATE"] = folder
        (Path(folder) / "disk.raw").write_bytes(os.urandom(1 << 20))
        names = boto3.Session().get_available_regions("ec2")[:regions]
        words = [word for name in names for word in ("--region", name)]
        argv = [sys.executable, "-m", "nitro", "publish", *_DISK, "--plan", *words]
        local.up()
        try:
            _run(argv, folder)  # the endpoint makes a region when it is first asked for
            found = [_run(argv, folder) for _ in range(repeat)]
        finally:
            local.down()
    elapsed, command, endpoint = (statistics.median(each) for each in zip(*found, strict=True))
    return {
        "regions": len(names),
        "elapsed": elapsed,
        "command_cpu": command,
        "endpoint_cpu": endpoint,
    }


def _run(argv: list[str], folder: str) -> tuple[float, float, float]:
    """Elapsed time, and the processor time of the command and of the endpoint."""
    began, before, endpoint = time.perf_counter(), os.times(), _endpoint_cpu(folder)
    subprocess.run(argv, cwd=folder, check=True, capture_output=True)
    after = os.times()
    own = after.children_user + after.children_system
    own -= before.children_user + before.children_system
    return time.perf_counter() - began, own, _endpoint_cpu(folder) - endpoint


def _endpoint_cpu(folder: str) -> float:
    """Of all processes that were started for the state in `folder`, in seconds."""
    ticks = 0
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdecimal() and folder in (process / "cmdline").read_text():
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return ticks / _TICK


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--regions", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.regions, options.repeat)
    if options.json:
        print(json.dumps(found))
        return
    print(f"{found['regions']} regions: {found['elapsed']:.1f} s, of which processor time")
    print(f"  the command   {found['command_cpu']:.1f} s")
    print(f"  the endpoint  {found['endpoint_cpu']:.1f} s")


if __name__ == "__main__":
    main()
