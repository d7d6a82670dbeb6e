"""Instructions that the ENA driver's core spends on a packet, counted with callgrind.

    python -m tools.driver_instructions [--json]

The host binding runs the core against a small card in C. Two runs, one with twice the packets:
the difference is what packets cost, set-up left out. Only instructions of files of core/ count,
not the card's, not the binding's, not the operating system's.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

from nitro.debian import Tree, Wanted, chroot, tree
from nitro.paths import resource

PACKETS = 3200
COMPILER = Wanted(("gcc-12", "libc6-dev", "binutils", "dash"), "bookworm")
VALGRIND = Wanted(("valgrind",), "bookworm")
PATHS = {
    "tx-llq": "send 1514 bytes, LLQ: 96 bytes inline",
    "tx-host": "send 1514 bytes, ring in memory",
    "rx": "receive 1514 bytes in one buffer, post another",
}


def measure() -> dict[str, float]:
    """Instructions per packet of each path of `PATHS`."""
    trees = [tree(COMPILER), tree(VALGRIND)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in ("core", "host"):
            shutil.copytree(resource("drivers") / "ena" / name, folder / name)
        build = "gcc-12 -O2 -g -std=c11 -o bench core/*.c host/os.c host/host.c "
        build += "host/mini_device.c host/bench.c"
        chroot.run(trees, ["dash", "-ec", f"cd /build; {build}"], folder)
        return {
            path: (_core_cost(trees, folder, path, 2) - _core_cost(trees, folder, path, 1))
            / PACKETS
            for path in PATHS
        }


def _core_cost(trees: list[Tree], folder: Path, path: str, times: int) -> int:
    out = folder / "callgrind.out"
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file=/build/{out.name}"]
    chroot.run(trees, [*command, "/build/bench", path, str(times * PACKETS)], folder)
    return core_instructions(out.read_text())


def core_instructions(profile: str) -> int:
    """The instructions of a callgrind profile that lie in files of core/.

    A line "fl=", "fi=" or "fe=" names the file that the cost lines after it belong to; the line
    after "calls=" is the cost of what was called, which counts where it was spent.
    """
    names: dict[str, str] = {}
    in_core = skip = False
    total = 0
    for line in profile.splitlines():
        if match := re.match(r"f[lie]=\((\d+)\)(?: (.*))?", line):
            number, name = match.groups()
            if name:
                names[number] = name
            in_core = "/core/" in names[number]
        elif match := re.match(r"cf[il]=\((\d+)\) (.*)", line):
            names[match[1]] = match[2]
        elif line.startswith("calls="):
            skip = True
        elif re.match(r"[+\-*\d]", line):
            if in_core and not skip:
                total += int(line.split()[1])
            skip = False
    return total


def main() -> int:
    result = measure()
    if "--json" in sys.argv:
        print(json.dumps(result))
    else:
        for path, count in result.items():
            print(f"{count:6.0f} instructions to {PATHS[path]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
