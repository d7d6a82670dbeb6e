from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nitro.ena.profiles import PROFILES, Profile, find
from tests.driver.card import Card
from tests.driver.compiling import host_library


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host binding; a run under sanitizers names its own."""
    given = os.environ.get("NITRO_ENA_LIBRARY")
    return Path(given) if given else host_library(tmp_path_factory.mktemp("ena"))


@pytest.fixture
def card(library: Path) -> Iterator[Callable[..., Card]]:
    """Makes cards by profile; afterwards each is detached and nothing may have leaked."""
    cards: list[Card] = []

    def make(profile: str | Profile = "c5") -> Card:
        cards.append(Card(library, find(profile) if isinstance(profile, str) else profile))
        return cards[-1]

    yield make
    for one in cards:
        one.close()


@pytest.fixture(params=sorted(PROFILES))
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)
