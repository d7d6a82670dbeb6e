"""Things made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.stored import stored


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path))
    return tmp_path


def test_made_once_for_each_key() -> None:
    made = []

    def make(path: Path) -> None:
        made.append(path)
        path.write_text("content")

    first = stored("things", "key", make)
    assert stored("things", "key", make) == first
    assert first.read_text() == "content"
    stored("things", "other", make)
    assert len(made) == 2


def test_failure_leaves_nothing(cache: Path) -> None:
    def make(path: Path) -> None:
        path.write_text("half")
        raise RuntimeError("no space")

    with pytest.raises(RuntimeError, match="no space"):
        stored("things", "key", make)
    assert list((cache / "things").iterdir()) == []
