"""Finding a build again, and not finding it when anything is different."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nitro.image import record
from nitro.ports import Port


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> record.Image:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "disk.raw").write_bytes(b"disk")
    manifest = {
        "name": "x",
        "description": "",
        "digest": "sha256:00",
        "size_bytes": 4,
        "minimum_memory_mib": 192,
        "architecture": "x86_64",
        "boot_mode": "legacy-bios",
        "ports": [80, "udp:53"],
        "tags": {},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return record.from_manifest(tmp_path / "manifest.json")


def test_found_while_nothing_changed(image: record.Image, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("1")
    record.put("key", image, [source])
    found = record.find("key")
    assert found == image
    assert found.cached
    assert found.ports == (Port("tcp", 80), Port("udp", 53))
    assert record.find("other") is None


@pytest.mark.parametrize("change", ["content", "gone", "appeared", "disk", "disk gone", "record"])
def test_not_found_after_a_change(image: record.Image, tmp_path: Path, change: str) -> None:
    source, absent = tmp_path / "source", tmp_path / "absent"
    source.write_text("1")
    record.put("key", image, [source, absent])
    match change:
        case "content":
            source.write_text("2 longer")
        case "gone":
            source.unlink()
        case "appeared":
            absent.write_text("")
        case "disk":
            image.path.write_bytes(b"cut")
        case "disk gone":
            image.path.unlink()
        case "record":
            next((tmp_path / "cache/builds").iterdir()).write_text("{")
    assert record.find("key") is None


def test_key_depends_on_every_part() -> None:
    keys = {record.key(*parts) for parts in [("a", "b"), ("ab",), ("a", "c"), ("b", "a")]}
    assert len(keys) == 4
