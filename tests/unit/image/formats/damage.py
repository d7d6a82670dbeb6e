"""What a wrong byte in each place of some bytes does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby

from nitro.errors import InputError

Show = Callable[[bytes], str]


def wrong_bytes(data: bytes, places: Iterable[int], show: Show, changes: Iterable[int]) -> str:
    """Runs of places in which a wrong byte has the same effect."""

    def shown(changed: bytes) -> str:
        try:
            return show(changed)
        except (ValueError, InputError) as error:
            # The rest is zlib's, which says it in other words elsewhere.
            return f"{type(error).__name__}: {error}".partition(": Error")[0]

    text = f"  as it is: {shown(data)}\n"
    ordered = list(places)
    for change in changes:
        outcomes = []
        for at in ordered:
            raw = bytearray(data)
            raw[at] ^= change
            outcomes.append((shown(bytes(raw)), at))
        text += f"  ^ {change:#x}\n"
        for outcome, group in groupby(outcomes, key=lambda one: one[0]):
            run = [at for _, at in group]
            text += f"    {run[0]:#x} {len(run)}: {outcome}\n"
    return text
