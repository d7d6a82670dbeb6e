"""The faults of a day: from a seed, or from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.errors import InputError
from nitro.local.weather import FAIR, Conditions
from nitro.local.weather.conditions import draw, read


def test_a_seed_draws_the_same_day_again() -> None:
    assert read("7") == draw(7) == draw(7)
    assert len({draw(seed).model_dump_json() for seed in range(50)}) == 50


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
