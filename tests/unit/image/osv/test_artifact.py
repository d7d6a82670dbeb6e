"""Kernels in all that they come in, and what is not one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nitro.errors import InputError
from nitro.image.osv import artifact
from tests.unit.image.formats.test_qcow2 import qcow2
from tests.unit.image.osv.kernel import build, compressed_disk

KERNEL = build(size=(1 << 20) + 5000)
DISK = compressed_disk(KERNEL)
# A sector of Linux's boot protocol and one behind it, and 1 KiB with the jump into the kernel.
SETUP = (bytes(0x1F1) + b"\1" + bytes(12) + b"\x55\xaa\0\0HdrS").ljust(1024, b"\0")

FORMS = {
    "kernel ELF": KERNEL,
    "kernel ELF, with sections": KERNEL + b"symbols" * 9,
    "compressed kernel": b"\x7fELF\1\1\1" + DISK[64 << 10 :],
    "vmlinuz": SETUP + bytes(1024) + KERNEL,
    "disk image (raw)": DISK,
    "disk image (raw), with a file system": DISK + bytes(1 << 20),
    "disk image (qcow2)": qcow2(DISK),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_kernel_is_the_same_however_it_comes(form: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(FORMS[form])
    kernel = artifact.read(path)
    assert kernel.kind == form.partition(",")[0]
    assert kernel.segment.data == KERNEL
    assert (kernel.boot_sector is not None) == form.startswith("disk")
    assert kernel.version == "v0.57.0-1-g0"
    assert kernel.drivers == ["ena"]
    assert kernel.boot_entries == ["bios", "pvh"]
    assert [entry.name for entry in kernel.entries] == ["/libenv.so", "/dev/", "/bin"]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "neither an ELF file nor a disk"),
        (b"#!/bin/sh\n" * 100, "neither an ELF file nor a disk"),
        (b"\x7fELF" + bytes(100), "not a 64-bit ELF file"),
        (b"\x7fELF\1" + bytes(100), "no compressed kernel in the 105 bytes that are in it"),
        (DISK[:512], "no bytes where a boot sector"),
        (DISK[: (64 << 10) + 5000], "no compressed kernel in the"),
        (KERNEL[: len(KERNEL) // 2], "not the whole start of the file"),
        (SETUP + bytes(100_000), "Linux's boot protocol .* no ELF file at its byte 2048"),
        (SETUP[:600], "no ELF file at its byte 2048"),
        (b"QFI\xfb" + bytes(100), "not a qcow2 image"),
        (DISK.replace(b"N3aws", b"N3xws").replace(b"\xc7\x05", b"\xc7\x06"), "looked for one"),
    ],
)
def test_what_is_not_a_kernel(content: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(InputError, match=what) as refused:
        artifact.read(path)
    assert str(path) in refused.value.what


def test_what_is_not_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="not a regular file"):
        artifact.read(pipe)
    with pytest.raises(InputError, match="no such file"):
        artifact.read(tmp_path / "none")


@pytest.mark.extended
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([KERNEL, FORMS["vmlinuz"], DISK, qcow2(DISK)]),
    st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), max_size=4),
    st.floats(0.5, 1),
)
def test_damage_is_survived_or_refused(
    tmp_path: Path, whole: bytes, damage: list[tuple[float, bytes]], kept: float
) -> None:
    content = bytearray(whole)
    for place, data in damage:
        at = int(place * (len(content) - 4))
        content[at : at + len(data)] = data
    path = tmp_path / "file"
    path.write_bytes(content[: int(kept * len(content))])
    with suppress(InputError):
        kernel = artifact.read(path)
        assert kernel.version
        assert kernel.layout.capacity > 0
