"""What `docker save` wrote."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.container_images import digest, docker_archive, layer
from nitro.arch import X86_64
from nitro.container import archive
from nitro.container.source import Source
from nitro.errors import InputError

RAW = layer(files={"x": b"1"})


def find(path: Path, tag: str | None = None) -> Source:
    return archive.find(path, tag, X86_64)


def test_an_archive(tmp_path: Path) -> None:
    found = find(docker_archive(tmp_path / "app.tar", [RAW], Cmd=["/x"]))
    [one] = found.layers
    with one.open() as stored:
        assert digest(stored.read()) == one.diff_id == digest(RAW)
    assert found.config.run.cmd == ("/x",)


def test_a_name_of_the_archive(tmp_path: Path) -> None:
    path = docker_archive(tmp_path / "app.tar", [RAW], tag="app:7")
    assert find(path, "app:7").layers
    with pytest.raises(InputError, match=r"no such image.*app:7"):
        find(path, "app:8")


def test_what_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    with pytest.raises(InputError, match="no such file"):
        find(path)
    for raw in (b"", b"text", layer(files={"x": b"1"}), layer(files={"manifest.json": b"[]"})):
        path.write_bytes(raw)
        with pytest.raises(InputError, match=r"app.tar"):
            find(path)


def test_a_layer_that_is_not_there(tmp_path: Path) -> None:
    path = docker_archive(tmp_path / "app.tar", [RAW])
    raw = path.read_bytes()
    at = raw.rindex(b"/layer.tar", 0, raw.index(b"manifest.json"))
    assert raw[at - 64 : at].decode() == digest(RAW)[7:]
    found = find(path)
    with tarfile.open(path, "w:") as archive:  # somebody saved another one meanwhile
        archive.addfile(tarfile.TarInfo("else"))
    with pytest.raises(InputError, match=r"it lacks .*/layer\.tar"):
        found.layers[0].open()


@pytest.mark.extended
@given(changes=st.dictionaries(st.integers(0, 1 << 14), st.integers(0, 255), max_size=5))
def test_damaged_archives_are_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[int, int]
) -> None:
    path = docker_archive(tmp_path_factory.mktemp("archive") / "app.tar", [RAW])
    raw = bytearray(path.read_bytes())
    for position, value in changes.items():
        raw[position % len(raw)] = value
    path.write_bytes(raw)
    try:
        found = find(path)
    except InputError:
        return
    assert len(found.layers) == 1
