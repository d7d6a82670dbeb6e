"""How long images take to build and boot, and how large they are.

    python -m benchmarks.image [--recipe bench] [--repeat 5] [--json]

Times are the smallest and the median of the repetitions: whatever else a machine does only
ever makes them longer. Boots are under TCG with the two vCPUs of a c5.large, from power-on to
the milestone "ready".
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nitro import recipe
from nitro.image import build
from nitro.local import qemu
from nitro.local.nic import UserNic
from nitro.paths import cache_dir

VCPUS = 2  # a c5.large's

# The aims of the project for `bench`; see docs/performance.md.
AIMS = {
    "size": (20.0, "MB"),
    "build, packages cached": (1.5, "s"),
    "command, unchanged": (0.3, "s"),
    "command, help": (0.2, "s"),
    "boot, legacy-bios": (5.0, "s"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="bench")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = measure(options.recipe, options.repeat)
    if options.json:
        json.dump(results, sys.stdout, indent=1)
        print()
        return
    for name, result in results.items():
        aim, unit = AIMS.get(name, (None, result["unit"]))
        shown = f"{result['smallest']:.2f} (median {result['median']:.2f}) {unit}"
        print(f"{name:26} {shown:30} {'' if aim is None else f'aim: at most {aim:g} {unit}'}")


def measure(name: str, repeat: int) -> dict[str, dict[str, Any]]:
    """Everything measured: smallest, median, unit."""
    made = recipe.load(name)
    image = build(made)
    command = [sys.executable, "-m", "nitro", "build", name]
    results = {"size": _summary([image.size_bytes / 1e6], "MB")}
    results["build, packages cached"] = _times(repeat, lambda: build(made), before=_forget)
    build(made)
    results["command, unchanged"] = _times(repeat, lambda: _run(command))
    results["command, help"] = _times(repeat, lambda: _run([sys.executable, "-m", "nitro", "-h"]))
    for mode in ("legacy-bios", "uefi"):
        with tempfile.TemporaryDirectory() as folder:
            memory = image.minimum_memory_mib
            boots = [_boot(image.path, memory, mode, Path(folder)) for _ in range(repeat)]
        results[f"boot, {mode}"] = _summary(boots, "s")
    return results


def _forget() -> None:
    """Leave only downloaded and unpacked packages."""
    for folder in ("builds", "images", "layers", "grub"):
        shutil.rmtree(cache_dir() / folder, ignore_errors=True)


def _times(
    repeat: int, action: Callable[[], object], before: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    seconds = []
    for _ in range(repeat):
        before()
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return _summary(seconds, "s")


def _summary(values: list[float], unit: str) -> dict[str, Any]:
    return {"smallest": min(values), "median": statistics.median(values), "unit": unit}


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _boot(disk: Path, memory_mib: int, boot_mode: str, folder: Path) -> float:
    """Seconds from the start of QEMU until the guest says that it is ready."""
    console = folder / "console"
    console.unlink(missing_ok=True)
    copy = shutil.copyfile(disk, folder / "disk")
    machine = qemu.Machine(
        disks=(qemu.Disk(copy),),
        vcpus=VCPUS,
        memory_mib=memory_mib,
        boot_mode=boot_mode,
        console=console,
        cards=(UserNic().card,),
    )
    emulator = qemu.find()
    started = time.perf_counter()
    with qemu.boot(emulator, machine, folder) as process:
        while not console.exists() or '"nitro":"ready"' not in console.read_text(errors="replace"):
            if process.poll() is not None or time.perf_counter() - started > 120:
                raise SystemExit(f"the machine did not come up:\n{console.read_text()}")
            time.sleep(0.01)
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
