"""What an instance type allows its card, enforced and counted.

Each direction has a bandwidth, and both together have packets a second. A packet beyond them waits
and is counted, as AWS counts those that it "queued or dropped because the aggregate bandwidth
exceeded the maximum for the instance". A shape may also be `uncounted`: a network that is slow for
no reason that a counter gives.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from nitro.ena.offload import Buffer
from nitro.ena.ports import Port
from nitro.ena.stats import Counters
from nitro.errors import InputError

_BURST = 0.01  # seconds at full rate that may go at once after a pause
_RATE = re.compile(r"(\d{1,12}(?:\.\d{1,3})?)([KMG]?)")
_UNITS = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9}
_HINT = "write in=RATE,out=RATE,packets=RATE or some of them, such as in=500M,out=500M"


@dataclass(frozen=True)
class Shape:
    """`bits_in` and `bits_out` in bit/s, `packets` a second of both directions; None: no bound."""

    bits_in: float | None = None
    bits_out: float | None = None
    packets: float | None = None
    counted: bool = True


def parse(text: str) -> Shape:
    """`in=500M,out=500M,packets=20K` as a shape; the word `uncounted` may be among them.

    Raises InputError.
    """
    names = {"in": "bits_in", "out": "bits_out", "packets": "packets"}
    rates: dict[str, float] = {}
    counted = True
    for part in text.split(","):
        key, equals, value = part.partition("=")
        rate = _RATE.fullmatch(value)
        if part == "uncounted" and counted:
            counted = False
        elif not equals or key not in names or names[key] in rates or not rate:
            raise InputError(f"cannot shape a card by {part!r}", hint=_HINT)
        else:
            rates[names[key]] = float(rate[1]) * _UNITS[rate[2]]
    if not rates or min(rates.values()) < 1:
        raise InputError(f"the shape {text!r} has no rate of 1 or more", hint=_HINT)
    return Shape(**rates, counted=counted)


class _Bucket:
    """A token bucket. What goes may leave it in debt, which the next has to wait for."""

    def __init__(self, rate: float, counter: str) -> None:
        self.counter = counter
        self._rate, self._level, self._then = rate, rate * _BURST, 0.0

    def take(self, amount: float, now: float) -> None:
        earned = (now - self._then) * self._rate
        self._level = min(self._rate * _BURST, self._level + earned) - amount
        self._then = now

    @property
    def free_at(self) -> float:
        """When something may go again, in seconds of the clock."""
        return self._then - min(0.0, self._level) / self._rate


class _Direction:
    """One direction: a bucket of bits, one of packets, and what the next packet waited for."""

    def __init__(self, bits: _Bucket | None, packets: _Bucket | None, counters: Counters) -> None:
        self._bits, self._packets, self._counters = bits, packets, counters
        self._waited: str | None = None

    @property
    def waits(self) -> bool:
        """Whether a packet was refused, and none has been asked for since."""
        return self._waited is not None

    @property
    def free_at(self) -> float:
        return max((one.free_at for one in (self._bits, self._packets) if one), default=0.0)

    def holds(self, now: float) -> bool:
        """Whether nothing may go now."""
        late = [one for one in (self._bits, self._packets) if one and one.free_at > now]
        if late:
            self._waited = max(late, key=lambda one: one.free_at).counter
        return bool(late)

    def passed(self, length: int, now: float) -> None:
        """A packet of `length` bytes went, or came; 0: none was there that could have waited."""
        counter, self._waited = self._waited, None
        if not length:
            return
        if counter:
            setattr(self._counters, counter, getattr(self._counters, counter) + 1)
        if self._bits:
            self._bits.take(8 * length, now)
        if self._packets:
            self._packets.take(1, now)


class ShapedPort:
    """A port with the bandwidth and packets of a shape. `clock` gives seconds.

    It never blocks: until `out_free_at` and `in_free_at` (seconds of the clock), `send` says that
    there is no room, and `receive` that nothing is there.
    """

    def __init__(
        self, port: Port, shape: Shape, counters: Counters, clock: Callable[[], float]
    ) -> None:
        self._port, self._clock = port, clock
        counters = counters if shape.counted else Counters()
        packets = _Bucket(shape.packets, "packets_exceeded") if shape.packets else None
        bits_out = _Bucket(shape.bits_out, "bandwidth_out_exceeded") if shape.bits_out else None
        bits_in = _Bucket(shape.bits_in, "bandwidth_in_exceeded") if shape.bits_in else None
        self._out = _Direction(bits_out, packets, counters)
        self._in = _Direction(bits_in, packets, counters)

    @property
    def out_free_at(self) -> float:
        return self._out.free_at

    @property
    def in_free_at(self) -> float:
        return self._in.free_at

    @property
    def in_waits(self) -> bool:
        """Whether `receive` held something back: ask again as soon as it may, so that what waited
        is told from what comes later."""
        return self._in.waits

    def fileno(self) -> int:
        return self._port.fileno()

    def send(self, header: bytes, parts: list[Buffer]) -> bool:
        now = self._clock()
        if self._out.holds(now) or not self._port.send(header, parts):
            return False
        self._out.passed(sum(map(len, parts)), now)
        return True

    def receive(self, header: bytearray, parts: list[Buffer]) -> int:
        now = self._clock()
        if self._in.holds(now):
            return 0
        length = self._port.receive(header, parts)
        self._in.passed(length, now)
        return length

    def accept(self, *, checksums: bool, segments: bool) -> None:
        self._port.accept(checksums=checksums, segments=segments)

    def close(self) -> None:
        self._port.close()
