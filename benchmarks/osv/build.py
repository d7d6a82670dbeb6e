"""How long an OSv image with 50 MB of files takes, beside copying these files.

    NITRO_OSV_KERNEL=FILE python -m benchmarks.osv.build [--megabytes 50] [--runs 5]

Each build finds its files and the driver in the page cache, the files' digests in nitro's, and no
image. One process builds and copies in turns, and times are the smallest of the runs: those by the
clock, which other work on the machine makes longer, and the processor's. Memory is the most that
the process had, less what it had before the first build.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nitro import image
from nitro.image.osv import store
from nitro.recipe import Recipe

FILES = 50


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--runs", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {"NITRO_CACHE": str(folder / "cache"), "NITRO_STATE": str(folder / "state")}
        store.add("bench", Path(os.environ["NITRO_OSV_KERNEL"]), origin="benchmark")
        made = _recipe(folder, chosen.megabytes)
        time.sleep(2.5)  # until the digests of new files are remembered
        before = _peak()
        builds, copies, size = _Times(), _Times(), 0
        for _ in range(chosen.runs + 1):
            for made_before in ("images", "builds"):
                shutil.rmtree(folder / "cache" / made_before, ignore_errors=True)
            with builds.one():
                size = image.build(made).size_bytes
            with copies.one():
                shutil.copytree(folder / "files", folder / "copy")
            shutil.rmtree(folder / "copy")
        # Whatever else a machine does only makes them longer.
        build, copy = min(builds.clock[1:]), min(copies.clock[1:])
        worked, copied = min(builds.processor[1:]), min(copies.processor[1:])
        print(
            f"build {build:.3f} s, copy {copy:.3f} s: {build / copy:.1f} times, "
            f"{build - copy:.3f} s more; processor {worked:.3f} s and {copied:.3f} s: "
            f"{worked / copied:.1f} times; image {size / 1e6:.1f} MB, "
            f"memory {_peak() - before:.1f} MB more"
        )
    return 0


@dataclass
class _Times:
    """How long something took each time, in seconds by the clock and of the processor."""

    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    @contextmanager
    def one(self) -> Iterator[None]:
        clock, processor = time.perf_counter(), time.process_time()
        yield
        self.clock.append(time.perf_counter() - clock)
        self.processor.append(time.process_time() - processor)


def _recipe(folder: Path, megabytes: int) -> Recipe:
    """A program and as many bytes of files, in a recipe for the kernel that was added."""
    source = random.Random(1)
    files = folder / "files"
    files.mkdir()
    for number in range(FILES):
        (files / str(number)).write_bytes(source.randbytes(megabytes * 1_000_000 // FILES))
    program = shutil.which("true") or sys.executable
    return Recipe.model_validate(
        {
            "name": "bench",
            "kernel": "osv:bench",
            "programs": [{"source": program, "path": "/usr/bin/true"}],
            "files": [{"source": str(files), "path": "/data", "from": "host"}],
            "driver": "kernel",
            "extras": (),
        }
    )


def _peak() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    sys.exit(main())
