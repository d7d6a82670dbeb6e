"""The memory that an image asks for, beside the memory that it turns out to need.

    python -m benchmarks.memory [--sizes 1,30,150,400,1000] [--suites trixie,bookworm]
                                [--contents zeros,random] [--boot-modes legacy-bios,uefi] [--json]

Each image holds one file of so many MB, which compresses to nothing or not at all, and a program
that counts its bytes. The smallest machine on which the count is right is found by bisection, in
steps of STEP MiB, with the machine that `nitro run` boots. By hand and slow: a boot of the largest
image takes minutes under TCG.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.memory import holds, image_of
from nitro.image import Image
from nitro.local import qemu

STEP = 4  # MiB
LARGEST_RATIO = 1.2  # the aim: what is computed over what is found


@dataclass(frozen=True)
class Need:
    """An image by what is in it, and its memory in MiB: as computed, and as found."""

    suite: str
    boot_mode: str
    content: str
    megabytes: int
    computed: int
    found: int

    @property
    def ratio(self) -> float:
        return self.computed / self.found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1,30,150,400,1000")
    parser.add_argument("--suites", default="trixie,bookworm")
    parser.add_argument("--contents", default="zeros,random")
    parser.add_argument("--boot-modes", default="legacy-bios")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = []
    for need in measure(
        [int(size) for size in options.sizes.split(",")],
        options.suites.split(","),
        options.contents.split(","),
        options.boot_modes.split(","),
    ):
        found.append(need)
        print(
            f"{need.suite:9} {need.boot_mode:12} {need.content:7} {need.megabytes:5} MB: "
            f"computed {need.computed} MiB, found {need.found} MiB, {need.ratio:.2f}",
            file=sys.stderr if options.json else sys.stdout,
            flush=True,
        )
    if options.json:
        json.dump([asdict(need) for need in found], sys.stdout, indent=1)
        print()
    if any(not 1 <= need.ratio <= LARGEST_RATIO for need in found):
        raise SystemExit(f"a ratio is not between 1 and {LARGEST_RATIO:g}")


def measure(
    sizes: list[int], suites: list[str], contents: list[str], boot_modes: list[str]
) -> Iterator[Need]:
    """The need of each image, in turn."""
    emulator = qemu.find()
    for suite, mode, content, size in itertools.product(suites, boot_modes, contents, sizes):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            image = image_of(folder, suite, mode, content, size)
            found = smallest(emulator, image, size * 1_000_000, folder)
            yield Need(suite, mode, content, size, image.minimum_memory_mib, found)


def smallest(emulator: qemu.Qemu, image: Image, size: int, folder: Path) -> int:
    """The memory in MiB of the smallest machine on which all of `size` bytes are there."""
    low, high = 32 // STEP, image.minimum_memory_mib // STEP
    while not holds(emulator, image, size, high * STEP, folder):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if holds(emulator, image, size, middle * STEP, folder):
            high = middle
        else:
            low = middle
    return high * STEP


if __name__ == "__main__":
    main()
