"""What tests of the driver's core do first and last: bring a card up, and see that it works."""

from __future__ import annotations

from collections.abc import Callable

from tests.driver.card import Card
from tests.driver.frames import plain, tcp4

Make = Callable[..., Card]


def ready(card: Card, pairs: int = 2, depth: int = 256, buffer: int = 4096, **options: int) -> Card:
    """Attached and up, with link; no rule broken on the way."""
    assert card.attach(**options) == 0, card.logs
    pairs = min(pairs, card.value("max_pairs"))
    assert card.up(pairs, depth, buffer) == 0, card.logs
    card.pass_seconds(1)
    assert card.links[-1:] == [True]
    assert not card.device.rules.broken, card.reports
    return card


def talks(card: Card, rounds: int = 3) -> None:
    """Frames of telling sizes go out and come in unchanged."""
    pairs = card.value("pairs")
    for n in range(rounds):
        for size in (60, 95, 96, 97, 225, 1514):
            frame = plain(size, n)
            assert card.transmit(frame, n % pairs) == 0, card.logs
            assert card.flush(n % pairs) == 1
            assert card.cable.sent.pop()[1] == frame
            card.deliver(tcp4(frame, to_card=True, port=5000 + n))
            _, received, _ = card.receive_anywhere(pairs)
            assert received == tcp4(frame, to_card=True, port=5000 + n)
        for pair in range(pairs):
            card.fill(pair)
    assert not card.device.rules.broken, card.reports
