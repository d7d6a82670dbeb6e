"""Programs that write a part of an image and find the disk full."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.debian import Tree
from nitro.errors import NitroError
from nitro.image.linux import grub, layers
from nitro.image.rootfs import Node, Rootfs


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def program(folder: Path, name: str, says: str) -> Tree:
    """A tree with one program, which fails."""
    file = folder / "usr/bin" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(f"#!/bin/sh\necho '{name}: {says}' >&2\nexit 1\n".encode("latin-1"))
    file.chmod(0o755)
    (folder / "usr/lib/grub/x86_64-efi").mkdir(parents=True)
    return Tree(folder, ())


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("error 70 : Write error : No space left on device", "layers: No space left on device"),
        ("bad option", "zstd failed: zstd: bad option"),
        ("caf\xe9", "zstd failed: zstd: caf\ufffd"),  # in another encoding than this one's
    ],
)
def test_zstd(cache: Path, tmp_path: Path, says: str, expected: str) -> None:
    rootfs = Rootfs()
    rootfs.add("/file", Node("system", "test", source=b"content"))
    with pytest.raises(NitroError) as caught:
        layers.pack(rootfs, program(tmp_path / "zstd", "zstd", says))
    assert caught.value.what.endswith(expected)
    assert not list((cache / "layers").iterdir())


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("error: cannot write to x: No space left on device", "grub: No space left on device"),
        ("error: no module", "grub-mkimage for x86_64-efi failed: grub-mkimage: error: no module"),
    ],
)
def test_grub(cache: Path, tmp_path: Path, says: str, expected: str) -> None:
    tree = program(tmp_path / "grub", "grub-mkimage", says)
    with pytest.raises(NitroError) as caught:
        grub.uefi_program(tree, tree, "boot\n")
    assert caught.value.what.endswith(expected)
