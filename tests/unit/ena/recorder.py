"""What a card did, in lines: answers, what it wrote to guest memory, frames, interrupts, counts."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import fields
from itertools import groupby

from tests.unit.ena.driver import RAM, Driver

_SHORT = 56  # bytes that are written out
_PAGE = 4096
_BEGINNING = 24  # the same of longer ones


def shown(data: bytes) -> str:
    """Short bytes in hex without the zeros at their end, longer ones by their hash too."""
    if len(data) <= _SHORT:
        return f"{len(data)}: {data.rstrip(bytes(1)).hex() or '-'}"
    digest = hashlib.sha256(data).hexdigest()[:12]
    return f"{len(data)}: {data[:_BEGINNING].hex()} … {digest}"


class Recorder:
    """Watches what the card of `driver` does; `lines` is the transcript.

    `more` is where guest memory is used beside what the driver has allocated.
    """

    def __init__(self, driver: Driver, more: range = range(0)) -> None:
        self.driver, self.lines, self._more = driver, list[str](), more
        self._seen: dict[int, bytes] = defaultdict(lambda: bytes(_PAGE))
        self._counts = self._counters()
        poke = driver.poke

        def poked(address: int, data: bytes) -> None:
            poke(address, data)
            self._note_pages(address, len(data))

        driver.poke = poked  # type: ignore[method-assign]
        self._broken: list[str] = []
        report = driver.device.rules.report_violation

        def broken(name: str, detail: str = "") -> None:
            self._broken.append(f"broken: {name} [{detail}]")
            report(name, detail)

        driver.device.rules.report_violation = broken  # type: ignore[method-assign]
        self._flags: list[str] = []
        self.note("a card")

    def note(self, what: str) -> None:
        """`what` was done, and what came of it since the last note."""
        device = self.driver.device
        said = self._said()
        flags = [name for name in ("blocked", "starved", "wants_frames") if getattr(device, name)]
        flags += [f"stopped {q.index}" for q in device.queues.submission if q.stopped]
        if flags != self._flags:
            said.append(f"is {' '.join(flags) or 'idle'}")
        self._flags = flags
        told = ((line, len(list(same))) for line, same in groupby(said))
        counted = (f"{line} × {count}" if count > 1 else line for line, count in told)
        self.lines.append("; ".join([what, *counted]))

    def ask(self, what: str, opcode: int, body: bytes = b"", *, flags: int = 0) -> bytes:
        """An admin command; returns the completion's payload, zeros where there is none."""
        driver = self.driver
        driver.post(opcode, body, flags=flags)
        driver.run()
        answer = driver.completion()
        if answer is None:
            self.note(f"{what}: no completion")
            return bytes(56)
        if driver.raised == [0]:
            driver.raised.clear()
            self._counts["interrupts"] += 1
        else:
            what += f" #{answer.id}"
        self._note_pages(driver.acq, 512)
        payload = answer.payload.rstrip(bytes(1)).hex()
        self.note(f"{what}: {answer.status} {payload}".rstrip())
        return answer.payload if not answer.status else bytes(56)

    def _said(self) -> list[str]:
        driver = self.driver
        said = [*self._broken, *(line for line in driver.reports if "rule broken" not in line)]
        if driver.raised:
            said.append(f"interrupts {driver.raised}")
        for header, frame in driver.port.sent:
            said.append(f"sent {header.hex()} {shown(frame)}")
        said += self._written()
        counts = self._counters()
        self._counts["interrupts"] += len(driver.raised)
        changed = {n: counts[n] - c for n, c in self._counts.items() if counts[n] != c}
        said += [f"{name} {by:+}" for name, by in changed.items()]
        self._broken.clear()
        driver.reports.clear()
        driver.raised.clear()
        driver.port.drain()
        self._counts = counts
        return said

    def _counters(self) -> dict[str, int]:
        counters = self.driver.device.counters
        return {one.name: getattr(counters, one.name) for one in fields(counters)}

    def _note_pages(self, address: int, size: int) -> None:
        """What is there now is not the card's doing, or has been told."""
        first, last = address - self.driver.base, address - self.driver.base + size - 1
        for page in range(first // _PAGE * _PAGE, last + 1, _PAGE):
            self._seen[page] = bytes(self.driver.ram[page : page + _PAGE])

    def _written(self) -> list[str]:
        """The pieces of guest memory that the card has changed."""
        driver, found = self.driver, []
        used = range(driver.base, min(driver._next, driver.base + RAM))
        for address in (*used[::_PAGE], *self._more[::_PAGE]):
            page = address - driver.base
            now, seen = driver.ram[page : page + _PAGE], self._seen[page]
            if now == seen:
                continue
            for at in range(0, _PAGE, 16):
                if now[at : at + 16] != seen[at : at + 16]:
                    found.append((page + at, bytes(now[at : at + 16])))
            self._seen[page] = bytes(now)
        joined: list[tuple[int, bytes]] = []
        for at, piece in found:
            if joined and joined[-1][0] + len(joined[-1][1]) == at:
                joined[-1] = (joined[-1][0], joined[-1][1] + piece)
            else:
                joined.append((at, piece))
        return [f"memory {driver.base + at:#x} {shown(piece)}" for at, piece in joined]

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"
