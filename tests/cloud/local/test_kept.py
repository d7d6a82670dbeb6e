"""Files of what outlives the process."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from nitro.local.aws import kept


def backend(folder: Path | None) -> SimpleNamespace:
    site = SimpleNamespace(index=folder)
    return SimpleNamespace(site=site, account_id="1", region_name="eu-west-1")


def test_a_document_is_written_when_it_changes(tmp_path: Path) -> None:
    one = backend(tmp_path)
    path = kept.path_of(one, "keys")
    assert path == tmp_path / "keys" / "1-eu-west-1.json"
    kept.write(one, path, {}, at_first="{}")
    assert not path.exists()
    kept.write(one, path, {"a": 1}, at_first="{}")
    assert kept.read(path) == {"a": 1}
    path.unlink()
    kept.write(one, path, {"a": 1})
    assert not path.exists(), "nothing has changed"
    kept.write(one, path, {})
    assert kept.read(path) == {}


def test_nothing_is_kept_without_a_folder() -> None:
    one = backend(None)
    kept.write(one, kept.path_of(one), {"a": 1})
    assert kept.read(kept.path_of(one)) == {}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', "[" * 100_000])
def test_what_is_no_document_is_put_aside(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    assert kept.read(path, ["b"]) == {}
    assert path.with_suffix(".broken").read_text() == text


def test_a_folder_that_cannot_be_written_fails_no_call(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("in the way")
    one = backend(tmp_path)
    kept.write(one, kept.path_of(one, "keys"), {"a": 1})
    assert not hasattr(one, "archived")
