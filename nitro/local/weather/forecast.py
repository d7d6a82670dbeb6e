"""Whether a fault happens now. The nth call of an API fares alike whenever the seed is the same."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from nitro.local.weather.conditions import Conditions

_log = logging.getLogger(__name__)

IMPORT_FAILURE = "ServerError: an internal error has occurred during conversion."


class Forecast:
    """The conditions of a day, and the decisions drawn from them so far. Each one is logged."""

    def __init__(self, conditions: Conditions, clock: Callable[[], float] = time.monotonic) -> None:
        self.conditions = conditions
        self.clock = clock
        self.happened: Counter[str] = Counter()
        self._asked: Counter[tuple[str, str]] = Counter()
        self._seen: dict[str, float] = {}
        self._consoles: dict[str, deque[tuple[float, bytes]]] = {}
        self._lock = threading.Lock()

    def happens(self, fault: str, share: float, where: str) -> bool:
        """Whether `fault` happens to this call of, or this new, `where`."""
        if not share:
            return False
        with self._lock:
            self._asked[fault, where] += 1
            nth = self._asked[fault, where]
        key = f"{self.conditions.seed} {fault} {where} {nth}"
        if random.Random(key).random() >= share:
            return False
        self.note(fault, f"{where}, number {nth}")
        return True

    def note(self, fault: str, where: str) -> None:
        """Count a fault and write it to the log."""
        self.happened[fault] += 1
        _log.info("weather: %s: %s", fault, where)

    def has_capacity(self, zone: str) -> bool:
        """Whether instances can be launched in a zone, such as "us-east-1a"."""
        full = zone[-1:] in self.conditions.full_zones
        if full:
            self.note("no capacity", zone)
        return not full

    def spot_is_taken(self) -> bool:
        """Whether the spot market takes back an instance that has begun to run."""
        return self.happens("spot instance taken", self.conditions.spot_taken, "spot instance")

    def import_failure(self) -> str | None:
        """Why the import that begins now will fail; None when it will not."""
        failing = self.happens("import fails", self.conditions.imports_failing, "import")
        return IMPORT_FAILURE if failing else None

    def console(self, instance_id: str, text: bytes) -> bytes:
        """What is shown of a console on which `text` is by now."""
        late = self.conditions.console_late_seconds
        if not late:
            return text
        now = self.clock()
        with self._lock:
            shown = self._consoles.setdefault(instance_id, deque([(now - late, b"")]))
            shown.append((now, text))
            while len(shown) > 1 and shown[1][0] <= now - late:
                shown.popleft()
            return shown[0][1]

    def metadata_answers(self, instance_id: str) -> bool:
        """Whether an instance's metadata service answers; counted from its first request."""
        late = self.conditions.metadata_late_seconds
        if not late:
            return True
        with self._lock:
            first = self._seen.setdefault(instance_id, self.clock())
        return self.clock() - first >= late
