"""How large the ENA driver is: lines of code of its core, bytes of core and one binding at -O2.

    python -m tools.driver_size [--json]

Ends with 1 when a limit is passed. Lines of code are counted as in `tools/code_lines.py`. The other
drivers' figures are all lines, comments included; they were counted once, in the trees named
beside them. Ours are measured now.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from nitro.debian import Wanted, chroot, tree
from nitro.paths import resource
from tools.code_lines import code_lines

MAX_CODE_LINES = 2050  # of the core, headers included
MAX_FILE_LINES = 600
MAX_BYTES = 24 * 1024
COMPILER = Wanted(("gcc-12", "libc6-dev", "binutils", "dash"), "bookworm")
# As kernels do: no tables for stack unwinding.
FLAGS = "-O2 -std=c11 -ffreestanding -fno-asynchronous-unwind-tables -fno-stack-protector"

OTHERS = {
    "OSv's port (0e34e4dc, August 2026)": 12_959,
    "FreeBSD's (amzn-drivers 64788ef, May 2026)": 18_759,
    "Linux's (amzn-drivers 64788ef, May 2026, with ena_com)": 22_980,
    "iPXE's (October 2025: one queue, polled, no events)": 2_387,
}


@dataclass(frozen=True)
class Size:
    """`code_lines` and `lines` (all of them) of the core; bytes of text and data."""

    code_lines: int
    lines: int
    longest_file: int
    core_bytes: int
    binding_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.core_bytes + self.binding_bytes

    @property
    def within_limits(self) -> bool:
        return (
            self.code_lines <= MAX_CODE_LINES
            and self.longest_file < MAX_FILE_LINES
            and self.total_bytes <= MAX_BYTES
        )


def measure() -> Size:
    """Count the lines and compile core/ and host/ with Debian's gcc."""
    source = resource("drivers") / "ena"
    texts = [path.read_text() for path in (source / "core").glob("*.[ch]")]
    lines = [len(text.splitlines()) for text in texts]
    return Size(
        code_lines=sum(map(code_lines, texts)),
        lines=sum(lines),
        longest_file=max(lines),
        core_bytes=_loaded_bytes(source, "core", ()),
        binding_bytes=_loaded_bytes(source, "host", ("os.c", "host.c")),
    )


def _loaded_bytes(source: Path, folder: str, names: tuple[str, ...]) -> int:
    """Text and data of the objects of `folder`, as `size` counts them."""
    wanted = " ".join(names) or "*.c"
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("core", "host"):
            shutil.copytree(source / name, Path(scratch) / name)
        script = f"cd /build/{folder}; for f in {wanted}; do gcc-12 {FLAGS} -c $f; done; size *.o"
        table = chroot.run([tree(COMPILER)], ["dash", "-ec", script], Path(scratch))
    rows = [line.split() for line in table.splitlines()[1:]]
    return sum(int(text) + int(data) for text, data, *_ in rows)


def main() -> int:
    size = measure()
    if "--json" in sys.argv:
        print(json.dumps(asdict(size)))
    else:
        print(f"core: {size.code_lines} lines of code, {size.lines} with comments and blank lines,")
        print(f"longest file {size.longest_file}; text and data of core {size.core_bytes}", end=" ")
        print(f"and the process binding {size.binding_bytes}: {size.total_bytes} bytes")
        for name, lines in OTHERS.items():
            print(f"  {name}: {lines} lines")
    return 0 if size.within_limits else 1


if __name__ == "__main__":
    sys.exit(main())
