"""qcow2 images, written here as QEMU writes them."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro.image.formats.qcow2 import Qcow2

BITS = 16
CLUSTER = 1 << BITS


def qcow2(disk: bytes, *, version: int = 3, compress: bool = False) -> bytes:
    """An image of `disk`, in which clusters of zeros are not mapped; one table each."""
    count = -(-len(disk) // CLUSTER)
    assert count <= CLUSTER // 8, "one table of the second level"
    l2, clusters = [0] * (CLUSTER // 8), bytearray()
    start = 3 * CLUSTER
    for number in range(count):
        data = disk[number * CLUSTER : (number + 1) * CLUSTER].ljust(CLUSTER, b"\0")
        if not any(data):
            continue
        place = start + len(clusters)
        if compress:
            packer = zlib.compressobj(wbits=-12)
            packed = packer.compress(data) + packer.flush()
            sectors = (place % 512 + len(packed) - 1) // 512
            l2[number] = 1 << 62 | sectors << 62 - (BITS - 8) | place
            clusters += packed
        else:
            l2[number] = 1 << 63 | place
            clusters += data
    header = struct.pack(
        ">4sIQIIQIIQQIIQ",
        *(b"QFI\xfb", version, 0, 0, BITS, len(disk), 0, 1, CLUSTER, 0, 0, 0, 0),
    )
    header += struct.pack(">QQQII", 0, 0, 0, 4, 104)
    l1 = struct.pack(">Q", 1 << 63 | 2 * CLUSTER)
    tables = l1.ljust(CLUSTER, b"\0") + struct.pack(f">{len(l2)}Q", *l2)
    return header.ljust(CLUSTER, b"\0") + tables + bytes(clusters)


DISK = bytes(CLUSTER) + bytes(range(256)) * 1000 + bytes(3 * CLUSTER) + b"the end"


def changed(place: int, data: bytes) -> bytes:
    image = qcow2(DISK)
    return image[:place] + data + image[place + len(data) :]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("compress", [False, True])
def test_the_disk_is_read(version: int, compress: bool) -> None:
    disk = Qcow2(io.BytesIO(qcow2(DISK, version=version, compress=compress)))
    assert disk.size == len(DISK)
    assert disk.read(0, len(DISK) + 99) == DISK
    assert disk.read(CLUSTER - 10, 30) == DISK[CLUSTER - 10 : CLUSTER + 20]
    assert disk.read(len(DISK), 10) == b""


@pytest.mark.parametrize(
    ("image", "what"),
    [
        (b"QFI\xfb", "ends too early"),
        (changed(4, b"\0\0\0\1"), "version 2 or 3"),
        (changed(8, b"\1"), "backing file"),
        (changed(32, b"\0\0\0\1"), "encrypted"),
        (changed(72, b"\1"), "features that are not known"),
        (changed(20, b"\0\0\0\x40"), "damaged qcow2 header"),
        (changed(36, b"\xff"), "damaged qcow2 header"),
        (qcow2(DISK)[: 2 * CLUSTER + 10], "ends too early"),
    ],
)
def test_other_images_are_refused(image: bytes, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Qcow2(io.BytesIO(image)).read(0, 99)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 2 * CLUSTER + 200), st.integers(0, 255)), max_size=6))
def test_damage_is_survived_or_refused(damage: list[tuple[int, int]]) -> None:
    image = bytearray(qcow2(DISK, compress=True))
    for place, value in damage:
        image[place] = value
    with suppress(ValueError):
        assert len(Qcow2(io.BytesIO(bytes(image))).read(0, 4 * CLUSTER)) <= 4 * CLUSTER


@pytest.mark.parametrize("first_table", [1 << 55, (1 << 64) - 512])
@pytest.mark.parametrize("field", [40, CLUSTER])
def test_table_far_beyond_the_end_of_a_file(tmp_path: Path, field: int, first_table: int) -> None:
    image = bytearray(qcow2(DISK))
    image[field : field + 8] = first_table.to_bytes(8, "big")
    path = tmp_path / "image"
    path.write_bytes(image)
    with path.open("rb") as file, pytest.raises(ValueError, match="ends too early"):
        Qcow2(file).read(0, CLUSTER)
