"""The poller."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nitro.cloud import ApiError, Cloud, wait


def test_it_returns_what_was_found(cloud: Cloud) -> None:
    answers = iter([None, None, "done"])
    assert wait.until(cloud, lambda: next(answers), what="x", deadline=5) == "done"


def test_the_deadline_ends_it(cloud: Cloud) -> None:
    with pytest.raises(wait.DeadlinePassed, match=r"the moon took longer than 0\.02 s"):
        wait.until(cloud, lambda: None, what="the moon", deadline=0.02)


def test_something_new_may_be_missing_for_a_while(cloud: Cloud) -> None:
    missing = iter([True, True])

    def look() -> str:
        if next(missing, False):
            raise ApiError("not yet", hint=None, code="InvalidInstanceID.NotFound")
        return "there"

    assert wait.until(cloud, look, what="x", deadline=5, new=True) == "there"


def test_something_old_may_not(cloud: Cloud) -> None:
    def look() -> None:
        raise ApiError("gone", hint=None, code="InvalidInstanceID.NotFound")

    with pytest.raises(ApiError):
        wait.until(cloud, look, what="x", deadline=5)


def test_it_backs_off_to_a_longest_pause(cloud: Cloud) -> None:
    pauses: list[float] = []
    cloud.sleep = pauses.append
    answers = iter([None] * 20 + [True])
    wait.until(cloud, lambda: next(answers), what="x", deadline=3600, longest_pause=4.0)
    assert pauses[:3] == [0.25, 0.375, 0.5625]
    assert pauses[-1] == 4.0


def test_something_new_that_never_appears_is_missing(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 50))
    fake = SimpleNamespace(monotonic=lambda: float(next(clock)))
    monkeypatch.setattr("nitro.cloud.wait.time", fake)
    looks: list[int] = []

    def look() -> None:
        looks.append(1)
        raise ApiError("gone", hint=None, code="InvalidInstanceID.NotFound")

    cloud.sleep = lambda _: None
    with pytest.raises(ApiError, match="gone"):
        wait.until(cloud, look, what="x", deadline=900, new=True)
    assert len(looks) == 3  # at 50, 100 and 150 s: not believed for 120 s
