"""Run a module and note where its processor time goes: `python -m lab.sampler OUT MODULE …`.

The function that runs is noted after each millisecond of processor time (where the kernel's clock
ticks slower, at each tick), the kernel's time for the process included. At SIGUSR1 and at the end,
OUT gets a line for each function: samples in it, samples in it or in what it calls, its name. Then
counting begins anew.
"""

from __future__ import annotations

import runpy
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

INTERVAL = 1e-3  # seconds of processor time


@dataclass(frozen=True)
class Line:
    """Samples of one function: `own` in it, `total` in it or in what it calls."""

    own: int
    total: int
    function: str


class Samples:
    """What was seen since the last `write`."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._own: Counter[str] = Counter()
        self._total: Counter[str] = Counter()

    def add(self, frame: FrameType | None) -> None:
        """One sample: the frame that runs."""
        if frame is None or frame.f_code.co_filename == __file__:
            return  # of sampling itself
        names = []
        while frame is not None:
            module = Path(frame.f_code.co_filename).stem
            names.append(f"{module}.{frame.f_code.co_qualname}")
            frame = frame.f_back
        self._own.update(names[:1])
        self._total.update(set(names))

    def write(self) -> None:
        ordered = sorted(self._total, key=lambda name: (-self._own[name], -self._total[name], name))
        lines = (f"{self._own[name]} {self._total[name]} {name}\n" for name in ordered)
        early = self._out.with_name(f".{self._out.name}")
        early.write_text("".join(lines))
        early.rename(self._out)
        self._own.clear()
        self._total.clear()


def read(path: Path) -> list[Line]:
    """What was written last, the function with most samples of its own first."""
    fields = (line.split(" ", 2) for line in path.read_text().splitlines())
    return [Line(int(own), int(total), name) for own, total, name in fields]


@contextmanager
def sampling(out: Path) -> Iterator[None]:
    """Sample what the block does."""
    samples = Samples(out)
    before = {
        signal.SIGPROF: signal.signal(signal.SIGPROF, lambda _, frame: samples.add(frame)),
        signal.SIGUSR1: signal.signal(signal.SIGUSR1, lambda _, frame: samples.write()),
    }
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        samples.write()


def main() -> None:
    out, module = sys.argv[1:3]
    sys.argv[:] = sys.argv[2:]
    with sampling(Path(out)):
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
