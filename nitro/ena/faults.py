"""What a hostile card does, by name. Each fault is drawn at its place in the model.

A fault happens with its own odds each time the place is passed, from a seeded generator, so a
run can be repeated. Whatever the odds draw, it happens a first time before long. `set` turns one
on or off while the card runs, `once` makes it happen the next time for certain. Faults of
completions, and of the power-up table, take effect with the queues made next.
"""

from __future__ import annotations

import random
from collections import Counter

# Name: what happens, and the odds each time (1 = always).
FAULTS: dict[str, tuple[str, float]] = {
    "readless-lost": ("the answer to a readless register read never arrives", 0.1),
    "admin-interrupt-lost": ("an admin completion is written and no interrupt follows", 0.1),
    "admin-timeout": ("an admin command is never completed", 0.05),
    "stats-timeout": ("GET_STATS is never completed", 1),
    "keep-alive-stops": ("keep-alive events are no longer sent", 1),
    "first-interrupt-lost": ("the first interrupt of each queue pair is lost", 1),
    "interrupt-lost": ("an I/O interrupt is lost", 0.002),
    "out-of-order": ("TX completions arrive in another order", 0.5),
    "rx-out-of-order": ("RX buffers are used in another order than they were posted", 0.5),
    "depth-smaller": ("CREATE_CQ and CREATE_SQ give half of the depth asked for", 1),
    "rss-default-astray": ("the power-up indirection table points to queues not created", 1),
    "rss-table-missing": ("the card offers no indirection table after a reset", 0.1),
    "tx-id-invalid": ("a TX completion names a request that does not exist", 0.0005),
    "tx-id-duplicate": ("a TX completion arrives twice", 0.0005),
    "rx-id-invalid": ("an RX completion names a buffer that does not exist", 0.0005),
    "rx-id-duplicate": ("an RX completion arrives twice", 0.0005),
    "rx-many-buffers": ("each RX buffer takes 256 bytes at most", 1),
    "fatal-error": ("a fatal-error event", 0.02),
    "link-flap": ("the link goes down and up again", 0.1),
    "hints-update": ("hints change while the driver runs", 0.1),
    "reset-request": ("the card asks to be reset", 0.02),
    "mac-changes": ("another MAC address after each reset", 1),
    "create-fails": ("CREATE_CQ fails for want of resources", 0.3),
}


# Drawn once a second: people wait for these.
_EVERY_SECOND = {"fatal-error", "link-flap", "hints-update", "reset-request"}
_SECONDS = 5


class Faults:
    """The faults that are on."""

    def __init__(self, names: tuple[str, ...] = (), seed: int = 0) -> None:
        self.active = set(names)
        self.happened: Counter[str] = Counter()
        self._once: set[str] = set()
        self._passed: Counter[str] = Counter()  # places passed, of faults that wait to happen
        self._random = random.Random(seed)

    def set(self, name: str, on: bool) -> None:
        """Turn `name` on or off. Raises KeyError for a name that is no fault."""
        FAULTS[name]
        self._once.discard(name)
        self._passed.pop(name, None)
        (self.active.add if on else self.active.discard)(name)

    def once(self, name: str) -> None:
        """`name` happens the next time its place is passed, and is off then. Raises KeyError."""
        self.set(name, True)
        self._once.add(name)

    def triggers(self, name: str) -> bool:
        """Whether `name` happens now."""
        if name not in self.active:
            return False
        odds = FAULTS[name][1]
        if name in self._once:
            self.set(name, False)
        elif odds < 1 and self._random.random() >= odds and not self._is_due(name, odds):
            return False
        self.happened[name] += 1
        return True

    def _is_due(self, name: str, odds: float) -> bool:
        """Whether the odds have kept `name` from happening for long enough."""
        if self.happened[name]:
            return False
        self._passed[name] += 1
        return self._passed[name] >= (_SECONDS if name in _EVERY_SECOND else round(1 / odds))
