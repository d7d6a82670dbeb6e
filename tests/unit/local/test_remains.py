"""What a local Nitro has that does not run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nitro.local import remains

EMPTY = {"snapshots": [], "images": [], "settings": {"ebs_default_key": "alias/aws/ebs"}}
IMAGE = {"id": "ami-0123", "tags": {"nitro:deployment": "d-20260101-aa"}}


def folder_with(folder: Path, document: object, key: str | None = None) -> Path:
    (folder / "index").mkdir()
    (folder / "index/123456789012-us-east-1.json").write_text(json.dumps(document))
    if key is not None:
        bucket = folder / "index/buckets/123456789012-us-east-1/nitro-uploads"
        bucket.mkdir(parents=True)
        (bucket / "bucket.json").write_text("{}")
        (bucket / "1f.json").write_text(json.dumps({"key": key}))
    return folder


@pytest.mark.parametrize("document", [EMPTY, [], {}])
def test_settings_alone_are_nothing(tmp_path: Path, document: object) -> None:
    assert not remains.anything(folder_with(tmp_path, document))


def test_nothing_is_in_a_folder_that_is_new_or_broken(tmp_path: Path) -> None:
    assert not remains.anything(tmp_path / "new")
    (tmp_path / "index").mkdir()
    (tmp_path / "index/1-us-east-1.json").write_text("{")
    assert not remains.anything(tmp_path)


def test_an_image_is_found_by_its_id_and_its_deployment(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {**EMPTY, "images": [IMAGE]})
    assert remains.anything(folder)
    for name, there in (
        ("ami-0123", True),
        ("d-20260101-aa", True),
        ("ami-9", False),
        ("ami", False),
    ):
        assert remains.may_hold(folder, name) == there


def test_a_bucket_and_an_object_are_found(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, EMPTY, key='disk "ä".raw')
    assert remains.anything(folder)
    assert remains.may_hold(folder, "nitro-uploads")
    assert remains.may_hold(folder, 'nitro-uploads/disk "ä".raw')
    assert not remains.may_hold(folder, "nitro-uploads/other")
