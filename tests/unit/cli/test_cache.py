"""`nitro cache`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.runner import json_of, nitro_


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "cache"
    monkeypatch.setenv("NITRO_CACHE", str(home))
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    for kind, name in (("debs", "a.deb"), ("debs", "b.deb"), ("images", "0a")):
        (home / kind).mkdir(parents=True, exist_ok=True)
        (home / kind / name).write_bytes(b"\1" * 100_000)
    return home


@pytest.fixture
def two_days_later(monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(UTC) + timedelta(days=2)

    monkeypatch.setattr("nitro.cache.datetime", Later)


def test_kinds_are_listed_with_their_sizes() -> None:
    debs, images = json_of("cache-ls", "cache", "ls")
    assert (debs["kind"], debs["entries"]) == ("debs", 2)
    assert debs["size_bytes"] == 2 * images["size_bytes"] >= 200_000
    last = nitro_("cache", "ls").stdout.splitlines()[-1].split()
    assert last[:3] == ["all", "3", "0.3"]


def test_an_empty_cache_is_a_table_without_kinds(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NITRO_CACHE", str(home / "empty"))
    assert json_of("cache-ls", "cache", "ls") == []
    assert nitro_("cache", "prune").stdout == "nothing was unused for 30d\n"


@pytest.mark.usefixtures("two_days_later")
def test_a_plan_changes_nothing_and_is_what_is_done(home: Path) -> None:
    planned = json_of("cache-prune", "cache", "prune", "--older-than", "1d", "--plan")
    assert planned["removed"] is False
    assert (
        "0.3 MB would be freed" in nitro_("cache", "prune", "--older-than", "1d", "--plan").stderr
    )
    assert len(list(home.glob("*/*"))) == 3
    done = json_of("cache-prune", "cache", "prune", "--older-than", "1d")
    assert done == {**planned, "removed": True}
    assert list(home.glob("*/*")) == []


@pytest.mark.usefixtures("two_days_later")
def test_by_default_a_month_is_kept(home: Path) -> None:
    assert nitro_("cache", "prune").stdout == "nothing was unused for 30d\n"
    assert "0.3 MB freed" in nitro_("cache", "prune", "--older-than", "40h").stderr
    assert list(home.glob("*/*")) == []


def test_a_time_that_is_none_is_refused() -> None:
    told = nitro_("cache", "prune", "--older-than", "soon", code=2).stderr
    assert "--older-than soon is not a time" in told


@pytest.mark.usefixtures("two_days_later")
def test_what_cannot_be_removed_does_not_keep_the_others(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.name.endswith("a.deb"):
            raise PermissionError(13, "Permission denied")
        real(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    told = nitro_("cache", "prune", "--older-than", "1d", code=1)
    (left,) = home.glob("*/*")
    assert f"could not remove {left}: Permission denied" in told.stderr
    assert "0.2 MB freed" in told.stderr


def test_an_age_beyond_the_calendar_is_one() -> None:
    told = nitro_("cache", "prune", "--older-than", "999999d").stdout
    assert told == "nothing was unused for 999999d\n"
