"""From a name to an unpacked tree in the cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.container_images import docker_archive, layer, oci
from nitro.arch import X86_64
from nitro.container import Container, open_container
from nitro.container.unpack import VERSION
from nitro.errors import InputError
from nitro.progress import Reporter
from tests.unit.cache_uses import used_kinds

LAYERS = [layer(files={"etc": None, "etc/x": b"1", "y": b"2"}), layer(files={".wh.y": b""})]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))


def opened(name: str, folder: Path, report: Reporter | None = None) -> Container:
    return open_container(name, folder, X86_64, report or Reporter())


def test_layouts_and_archives_of_one_image_are_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oci(tmp_path / "app", LAYERS)
    docker_archive(tmp_path / "app.tar", LAYERS)
    report = Reporter()
    one = opened("oci:app", tmp_path, report)
    two = opened("docker-archive:app.tar", tmp_path, report)
    assert set(one.entries) == {"/", "/etc", "/etc/x"}
    assert (one.root / "etc/x").read_bytes() == b"1"
    assert one.root == two.root
    assert [span.stage for span in report.timeline] == ["unpack oci:app"]
    used = used_kinds(lambda: opened("oci:app", tmp_path), monkeypatch)
    assert used == {f"containers-{VERSION}"}


def test_a_damaged_layer_leaves_nothing(tmp_path: Path) -> None:
    folder = oci(tmp_path / "app", LAYERS, "tar")
    for path in (folder / "blobs/sha256").iterdir():
        raw = path.read_bytes()
        path.write_bytes(raw.replace(b"etc/x", b"etc/z"))
    with pytest.raises(InputError, match=r"another digest|checksum|bad"):
        opened("oci:app", tmp_path)
    assert list((tmp_path / f"cache/containers-{VERSION}").iterdir()) == []


def test_two_images_lie_side_by_side(tmp_path: Path) -> None:
    oci(tmp_path / "app", LAYERS)
    oci(tmp_path / "other", LAYERS[:1])
    one, two = opened("oci:app", tmp_path), opened("oci:other", tmp_path)
    assert one.root != two.root
    assert (set(two.entries), two.special) == ({"/", "/etc", "/etc/x", "/y"}, 0)
