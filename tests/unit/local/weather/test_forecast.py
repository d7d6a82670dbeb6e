"""Whether a fault happens, and that it happens again with the same seed."""

from __future__ import annotations

import logging

import pytest

from nitro.local.weather import FAIR, Conditions, Forecast


def decisions(seed: int, apis: str) -> dict[str, list[bool]]:
    forecast = Forecast(Conditions(seed=seed))
    found: dict[str, list[bool]] = {}
    for api in apis:
        found.setdefault(api, []).append(forecast.happens("throttled", 0.3, api))
    return found


def test_the_nth_call_of_an_api_fares_alike_in_whatever_order_others_come() -> None:
    assert decisions(5, "aabbab" * 20) == decisions(5, "bababa" * 20)
    assert decisions(5, "a" * 60) != decisions(6, "a" * 60)


def test_a_share_is_about_a_share() -> None:
    (asked,) = decisions(1, "a" * 1000).values()
    assert 240 < sum(asked) < 360


def test_no_share_never_happens_and_all_always() -> None:
    forecast = Forecast(FAIR)
    assert not any(forecast.happens("throttled", 0, "a") for _ in range(50))
    assert all(forecast.happens("throttled", 1, "a") for _ in range(50))


def test_what_happens_is_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    forecast = Forecast(Conditions(full_zones=("a",)))
    with caplog.at_level(logging.INFO):
        assert not forecast.has_capacity("us-east-1a")
        assert forecast.has_capacity("us-east-1b")
    assert forecast.happened == {"no capacity": 1}
    assert "no capacity: us-east-1a" in caplog.text


def test_the_spot_market_takes_a_share() -> None:
    forecast = Forecast(Conditions(spot_taken=0.5))
    assert 20 < sum(forecast.spot_is_taken() for _ in range(100)) < 80
    assert not Forecast(FAIR).spot_is_taken()


def test_an_import_fails_on_some_days_only() -> None:
    assert Forecast(FAIR).import_failure() is None
    assert Forecast(Conditions(imports_failing=1)).import_failure()


def test_a_console_is_shown_as_it_was_some_seconds_ago() -> None:
    times = {0.0: b"a", 1.0: b"ab", 2.0: b"abc", 3.5: b"abcd", 9.0: b"abcd"}
    clock = iter(times)
    forecast = Forecast(Conditions(console_late_seconds=2), lambda: next(clock))
    shown = [forecast.console("i-1", text) for text in times.values()]
    assert shown == [b"", b"", b"a", b"ab", b"abcd"]
    assert Forecast(FAIR).console("i-1", b"now") == b"now"


def test_metadata_is_late_from_the_first_request_of_each_instance() -> None:
    now = 10.0
    forecast = Forecast(Conditions(metadata_late_seconds=3), lambda: now)
    assert not forecast.metadata_answers("i-1")
    now = 13.0
    assert forecast.metadata_answers("i-1")
    assert not forecast.metadata_answers("i-2")
    assert Forecast(FAIR).metadata_answers("i-3")
