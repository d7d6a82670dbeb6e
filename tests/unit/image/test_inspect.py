"""Reading disks that are none of ours, or damaged; whole images are read in tests/boot/image."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro.errors import InputError
from nitro.image.formats import fat, gpt
from nitro.image.inspect import inspect
from nitro.image.linux import disk


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"", "no GUID partition table"), (bytes(1 << 20), "no GUID partition table")],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(InputError, match=what):
        inspect(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        inspect(tmp_path / "none")


def test_folder_is_no_disk(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not an image"):
        inspect(tmp_path)


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"INITRD": b""}, "VMLINUZ"),
        ({"VMLINUZ": b"text", "INITRD": b""}, "not a Linux kernel"),
        ({"VMLINUZ": b"kernel", "INITRD": b"gzip?"}, "not compressed with zstd"),
    ],
)
def test_disk_without_a_kernel_or_initrd(
    tmp_path: Path, files: dict[str, bytes], what: str
) -> None:
    path = tmp_path / "disk"
    made = {name: _kernel() if data == b"kernel" else data for name, data in files.items()}
    disk.write(path, boot=b"", core=b"", files=made)
    with pytest.raises(InputError, match=what):
        inspect(path)


@pytest.mark.parametrize("first", [1 << 46, 1 << 60])
def test_partition_beyond_the_end_of_the_disk(tmp_path: Path, first: int) -> None:
    path = tmp_path / "disk.raw"
    esp = gpt.Partition(gpt.EFI_SYSTEM, UUID(int=2), first, first, "EFI system")
    path.write_bytes(bytes(512) + gpt.write(UUID(int=1), [esp], 1 << 62)[0][512:] + bytes(1 << 20))
    with pytest.raises(InputError, match="beyond the end of the disk"):
        inspect(path)


def test_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(InputError, match="not a regular file"):
            inspect(path)


def test_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    disk.write(path, boot=b"", core=b"", files={"VMLINUZ": _kernel(), "INITRD": b""})
    os.truncate(path, 1 << 40)
    with pytest.raises(InputError, match="larger than 4 GiB"):
        inspect(path)


def _frame(blocks: int) -> bytes:
    """A zstd frame of 128 KiB of zeros in each four bytes (RFC 8878, 3.1.1.2: RLE blocks)."""
    block = (128 << 10) << 3 | 1 << 1
    body = block.to_bytes(3, "little") + b"\0"
    last = (block | 1).to_bytes(3, "little") + b"\0"
    return b"\x28\xb5\x2f\xfd\0\x58" + body * (blocks - 1) + last


@pytest.mark.slow
def test_small_initrd_that_unpacks_to_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    files: dict[str, fat.Source] = {"VMLINUZ": _kernel(), "INITRD": _frame(65536)}
    disk.write(path, boot=b"", core=b"", files=files)
    with pytest.raises(InputError, match="unpacks to more than 4294967296 bytes"):
        inspect(path)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["[" * 100_000, "{", '"text"', None])
def test_manifest_that_is_none(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "disk"
    files: dict[str, fat.Source] = {"VMLINUZ": _kernel(), "INITRD": _frame(1)}
    disk.write(path, boot=b"", core=b"", files=files)
    if text is None:
        os.mkfifo(tmp_path / "manifest.json")
    else:
        (tmp_path / "manifest.json").write_text(text)
    assert inspect(path).manifest is None


@pytest.mark.slow
@settings(deadline=None)
@given(data=st.binary(max_size=100))
def test_any_damaged_initrd_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    initrd = b"\x28\xb5\x2f\xfd" + data
    disk.write(path, boot=b"", core=b"", files={"VMLINUZ": _kernel(), "INITRD": initrd})
    with pytest.raises(InputError, match=r"zstd|cpio"):
        inspect(path)


def _kernel() -> bytes:
    """A boot image's header, with its version string (Documentation/arch/x86/boot.rst)."""
    image = bytearray(0x400)
    image[0x202:0x206] = b"HdrS"
    image[0x20E:0x210] = (0x100).to_bytes(2, "little")
    image[0x300:0x30E] = b"6.12.0-test #1"
    return bytes(image)
