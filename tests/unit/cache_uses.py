"""Which entries of the cache an action notes as used."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from nitro import cache


def used_kinds(action: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The kinds of the entries that `action` uses, an hour after they were made."""
    before = {entry.path: entry.used for entry in cache.entries()}
    now = time.time() + 3600
    with monkeypatch.context() as patch:
        patch.setattr("nitro.cache.time.time", lambda: now)
        action()
    after = cache.entries()
    assert {entry.path for entry in after} == set(before)
    return {entry.kind for entry in after if entry.used != before[entry.path]}
