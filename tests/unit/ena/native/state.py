"""All of a card that a guest, a peer or a person can see, and where its queues stand."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from nitro.ena.native.loop import Loop
from tests.unit.ena.driver import Defaults, Driver


@contextmanager
def with_loop(loop: Loop | None) -> Iterator[None]:
    """Drivers made in here get cards with this loop."""
    before, Defaults.loop = Defaults.loop, loop
    try:
        yield
    finally:
        Defaults.loop = before


def seen(driver: Driver) -> dict[str, Any]:
    """By name; memory by its sum."""
    device = driver.device
    queues = device.queues
    return {
        "memory": zlib.crc32(driver.ram),
        "llq": zlib.crc32(device.bar2),
        "sent": list(driver.port.sent),
        "accepts": dict(driver.port.accepts),
        "raised": list(driver.raised),
        "reports": list(driver.reports),
        "counters": asdict(device.counters),
        "rules": dict(device.rules.broken),
        "faults": dict(device.faults.happened),
        "wants": (device.wants_frames, device.blocked),
        "vectors": [(v.masked, v.due, v.fired) for v in device.vectors.io],
        "completion": {n: cq.state.head for n, cq in queues.completion.items()},
        "tx": {n: (q.head, q.tail, q.stopped, q._reader.meta_words) for n, q in queues.tx.items()},
        "rx": {
            n: (q.tail, q.stopped, list(q.buffers._next(q.depth))) for n, q in queues.rx.items()
        },
    }


def assert_same(model: Driver, native: Driver) -> None:
    """Nothing tells a card with the C loop from one without."""
    expected, found = seen(model), seen(native)
    different = {
        name: (expected[name], found[name]) for name in expected if expected[name] != found[name]
    }
    assert not different
