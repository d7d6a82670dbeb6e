"""The fuzzer's cases, on two cards: one of the model alone, one with the C loop."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from nitro.ena import profiles
from nitro.ena.native.loop import Loop
from nitro.ena.profiles import Profile
from tests.lengths import length
from tests.unit.ena.fuzz import Fuzzer, Target
from tests.unit.ena.native.state import assert_same, with_loop


class Pair:
    """A target of each kind, which are given the same."""

    def __init__(self, profile: str | Profile, loop: Loop) -> None:
        self.model = Target(profile)
        with with_loop(loop):
            self.native = Target(profile)

    def case(self, data: bytes) -> None:
        one, other = self.model.steps(data), self.native.steps(data)
        for _ in one:
            next(other)
            assert_same(self.model.driver, self.native.driver)
        assert next(other, "the end") == "the end"


def cases(fuzzer: Fuzzer, count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield fuzzer._breed()


def compare(loop: Loop, seed: int, count: int) -> None:
    fuzzer = Fuzzer(seed=seed)
    fuzzer.explore(count // 5)
    hostile = profiles.find(f"hostile:any@{seed}")
    pairs = [Pair("c5", loop), Pair("gen8", loop), Pair("c6in", loop), Pair(hostile, loop)]
    pairs.append(Pair(profiles.with_all_offloads(profiles.PROFILES["c5"]), loop))
    chosen = random.Random(seed)
    for data in cases(fuzzer, count):
        try:
            chosen.choice(pairs).case(data)
        except BaseException as error:
            raise AssertionError(f"input {data.hex()}") from error


@pytest.mark.extended
def test_hostile_bytes_short(loop: Loop) -> None:
    compare(loop, seed=5, count=600)


@pytest.mark.slow
@pytest.mark.soak
def test_hostile_bytes_long(loop: Loop) -> None:
    for seed in range(length(short=2, long=10)):
        compare(loop, seed=seed, count=5_000)
