"""Modules of a kernel, in the order in which they can be loaded."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from nitro.errors import NitroError
from nitro.image.linux import modules


def module(tree: Path, name: str, depends: str = "", *, compressed: bool = False) -> bytes:
    elf = b"\x7fELF...\0license=GPL\0depends=" + depends.encode() + b"\0name=x\0"
    path = tree / "kernel" / f"{name}.ko{'.xz' if compressed else ''}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(elf) if compressed else elf)
    return elf


def names(tree: Path, *wanted: str) -> list[str]:
    return [found.name for found in modules.in_order(tree, wanted)]


def test_what_is_needed_comes_first_and_once(tmp_path: Path) -> None:
    module(tmp_path, "virtio_net", "net_failover,failover")
    module(tmp_path, "net_failover", "failover")
    module(tmp_path, "failover")
    assert names(tmp_path, "virtio-net", "failover") == ["failover", "net_failover", "virtio_net"]


def test_compressed_modules_are_unpacked(tmp_path: Path) -> None:
    elf = module(tmp_path, "ena", compressed=True)
    assert modules.in_order(tmp_path, ["ena"])[0].elf == elf


def test_built_in_modules_need_no_file(tmp_path: Path) -> None:
    module(tmp_path, "evdev", "input-core")
    (tmp_path / "modules.builtin").write_text("kernel/drivers/input/input-core.ko\n")
    assert names(tmp_path, "evdev", "input_core") == ["evdev"]


def test_missing_module_is_named_with_who_needs_it(tmp_path: Path) -> None:
    module(tmp_path, "ena", "gone")
    with pytest.raises(NitroError, match="no module gone, which ena needs"):
        names(tmp_path, "ena")
