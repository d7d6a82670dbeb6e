"""The faults of a day: from a seed, or from a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from nitro.errors import InputError
from nitro.local.weather import FAIR, Conditions
from nitro.local.weather.conditions import draw, read


def test_a_seed_draws_the_same_day_again() -> None:
    assert read("7") == draw(7) == draw(7)
    assert len({draw(seed).model_dump_json() for seed in range(50)}) == 50


def test_the_days_of_seeds_are_those_of_every_version() -> None:
    """Who names a seed in a report can have its day again."""
    days = "\n".join(draw(seed).model_dump_json() for seed in range(300))
    assert hashlib.sha256(days.encode()).hexdigest()[:16] == "c70f1401ec85602e"


def test_every_kind_of_fault_has_its_days_and_its_fair_ones() -> None:
    days = [draw(seed) for seed in range(200)]
    for name in Conditions.model_fields:
        if name not in ("seed", "throttled_apis", "credentials_renewed_after"):
            assert len({getattr(day, name) for day in days}) > 1, name


def test_a_file_names_the_faults(tmp_path: Path) -> None:
    path = tmp_path / "day.toml"
    path.write_text('throttled = 0.1\nfull_zones = ["a"]\n[throttled_apis]\n"ebs:PUT" = 0.5\n')
    found = read(str(path))
    assert found == FAIR.model_copy(
        update={"throttled": 0.1, "full_zones": ("a",), "throttled_apis": {"ebs:PUT": 0.5}}
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("throttled = 2", "throttled: "),
        ("storm = 1", "storm: "),
        ("throttled_apis.x = -1", "throttled_apis.x: "),
        ("throttled =", "is not TOML"),
        (None, "neither a number nor a readable file"),
    ],
)
def test_what_is_no_weather_is_refused(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "day.toml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=said):
        read(str(path))


@pytest.mark.parametrize(
    ("key", "first", "last"),
    [
        ("throttled", 0, 1),
        ("unavailable", 0, 1),
        ("answers_lost", 0, 1),
        ("ids_late", 0, 1),
        ("imports_failing", 0, 1),
        ("ids_late_seconds", 0, 600),
        ("console_late_seconds", 0, 600),
        ("metadata_late_seconds", 0, 600),
        ("redirect_seconds", 0, 600),
        ("import_factor", 1, 100),
        ("seed", 0, None),
        ("credentials_expire_after", 1, None),
        ("credentials_renewed_after", 1, None),
    ],
)
def test_a_fault_reaches_from_its_first_to_its_last_value(
    tmp_path: Path, key: str, first: int, last: int | None
) -> None:
    """docs/local-nitro.md has the table."""
    path = tmp_path / "day.toml"
    for value in (first, last):
        if value is not None:
            path.write_text(f"{key} = {value}\n")
            assert getattr(read(str(path)), key) == value
    for value in (first - 1, None if last is None else last + 1):
        if value is not None:
            path.write_text(f"{key} = {value}\n")
            with pytest.raises(InputError, match=f"{key}: "):
                read(str(path))


@pytest.mark.parametrize(("size", "fits"), [(64 << 10, True), ((64 << 10) + 1, False)])
def test_a_file_of_conditions_is_short(tmp_path: Path, size: int, fits: bool) -> None:
    path = tmp_path / "day.toml"
    path.write_text("throttled = 1\n".ljust(size, "#"))
    if fits:
        assert read(str(path)).throttled == 1
    else:
        with pytest.raises(InputError, match="neither a number nor a readable file"):
            read(str(path))


def test_a_day_without_a_word_is_fair() -> None:
    """Nothing fails on it, and what would be late has its usual time."""
    faults = FAIR.model_dump(exclude={"ids_late_seconds", "credentials_renewed_after"})
    assert {name for name, value in faults.items() if value} == {"import_factor"}
    assert (FAIR.import_factor, FAIR.ids_late_seconds, FAIR.credentials_renewed_after) == (1, 2, 3)
