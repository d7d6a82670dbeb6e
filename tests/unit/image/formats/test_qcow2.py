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


@pytest.mark.extended
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


def small(*clusters: bytes | int | None, bits: int = 9, compress: bool = False) -> bytes:
    """An image with clusters of 2**`bits` bytes: its data, flags of its entry, or not mapped.

    It has a table of the second level for each 2**`bits` / 8 clusters that has any that is mapped.
    """
    size = 1 << bits
    per_table = size // 8
    tables = -(-len(clusters) // per_table)
    l1, body, at = [0] * tables, bytearray(), 2 * size
    for number in range(tables):
        l2 = [0] * per_table
        for low, data in enumerate(clusters[number * per_table : (number + 1) * per_table]):
            if isinstance(data, int):
                l2[low] = data
            elif data is not None and compress:
                packer = zlib.compressobj(wbits=-12)
                packed, place = packer.compress(data) + packer.flush(), at + len(body)
                sectors = (place % 512 + len(packed) - 1) // 512
                l2[low] = 1 << 62 | sectors << 62 - (bits - 8) | place
                body += packed
            elif data is not None:
                l2[low] = 1 << 63 | at + len(body)
                body += data
        if any(l2):
            body += bytes(-len(body) % size)
            l1[number] = 1 << 63 | at + len(body)
            body += struct.pack(f">{per_table}Q", *l2)
    header = struct.pack(
        ">4sIQIIQIIQQIIQ",
        *(b"QFI\xfb", 3, 0, 0, bits, len(clusters) * size, 0, tables, size, 0, 0, 0, 0),
    )
    head = header + struct.pack(">QQQII", 0, 0, 0, 4, 104)
    return (
        head.ljust(size, b"\0") + struct.pack(f">{tables}Q", *l1).ljust(size, b"\0") + bytes(body)
    )


CLUSTERS = st.lists(
    st.one_of(st.none(), st.binary(min_size=512, max_size=512)), min_size=1, max_size=200
)


@pytest.mark.extended
@settings(max_examples=30, deadline=None)
@given(clusters=CLUSTERS, compress=st.booleans(), data=st.data())
def test_any_part_of_any_disk_is_read(
    clusters: list[bytes | None], compress: bool, data: st.DataObject
) -> None:
    """Over the border of clusters and of tables, mapped or not, packed from any place on."""
    disk = b"".join(one or bytes(512) for one in clusters)
    found = Qcow2(io.BytesIO(small(*clusters, compress=compress)))
    first, length = data.draw(st.integers(0, len(disk))), data.draw(st.integers(0, 40_000))
    assert found.read(first, length) == disk[first : first + length]


def test_each_table_is_read_once() -> None:
    """A disk is read cluster by cluster, and a table is as large as one."""
    reads: list[int] = []

    class Counted(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            reads.append(self.tell())
            return super().read(size)

    disk = Qcow2(Counted(small(*[b"d" * 512] * 64)))
    for number in range(64):
        disk.read(number * 512, 512)
    assert len(reads) == len(set(reads))


def test_a_cluster_of_zeros_is_zeros_whatever_lies_there() -> None:
    """Flag 0 of an entry: QEMU keeps the place of a cluster that it cleared."""
    assert Qcow2(io.BytesIO(small(b"d" * 512, 1 << 63 | 1024 | 1))).read(0, 1024)[512:] == bytes(
        512
    )


def test_the_last_cluster_may_be_cut_short() -> None:
    """A file ends where its data ends; the rest of the cluster is zeros."""
    image = bytearray(small(None))
    image[512:520] = (1 << 63 | 1024).to_bytes(8, "big")
    image += (1 << 63 | 1536).to_bytes(8, "big").ljust(512, b"\0") + b"short"
    assert Qcow2(io.BytesIO(bytes(image))).read(0, 512) == b"short".ljust(512, b"\0")


def test_what_no_table_maps_is_zeros() -> None:
    """Also beyond the first table, as when a disk was made larger."""
    image = bytearray(small(b"d" * 512))
    image[24:32] = (200 * 512).to_bytes(8, "big")
    assert Qcow2(io.BytesIO(bytes(image))).read(512, 200 * 512) == bytes(199 * 512)


@pytest.mark.parametrize(("bits", "valid"), [(8, False), (9, True), (21, True), (22, False)])
def test_a_cluster_has_512_bytes_to_2_mib(bits: int, valid: bool) -> None:
    image = changed(20, struct.pack(">I", bits))
    if valid:
        assert Qcow2(io.BytesIO(image)).size == len(DISK)
    else:
        with pytest.raises(ValueError, match="damaged qcow2 header"):
            Qcow2(io.BytesIO(image))


@pytest.mark.parametrize(("entries", "what"), [(4 << 20, "too early"), ((4 << 20) + 1, "header")])
def test_the_first_table_has_at_most_32_mib(entries: int, what: str) -> None:
    """QEMU's limit: a damaged header must not take all memory."""
    with pytest.raises(ValueError, match=what):
        Qcow2(io.BytesIO(changed(36, struct.pack(">I", entries))))


@pytest.mark.parametrize(
    ("features", "known"), [(1, True), (2, True), (3, True), (4, False), (16, False)]
)
def test_an_image_that_was_not_closed_is_read(features: int, known: bool) -> None:
    """Bits 0 and 1: dirty and corrupt. Bit 2: the data is elsewhere. Bit 4: other entries."""
    image = changed(72, struct.pack(">Q", features))
    if known:
        assert Qcow2(io.BytesIO(image)).read(0, len(DISK)) == DISK
    else:
        with pytest.raises(ValueError, match="features that are not known"):
            Qcow2(io.BytesIO(image))


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-12)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("packed", "what"),
    [(deflated(b"x" * 511), "not whole"), (b"\xff" * 40, "a damaged qcow2 cluster")],
)
def test_a_packed_cluster_that_is_not_one_is_refused(packed: bytes, what: str) -> None:
    image = bytearray(small(b"d" * 512, compress=True))
    image[1024 : 1024 + len(packed)] = packed
    with pytest.raises(ValueError, match=what):
        Qcow2(io.BytesIO(bytes(image))).read(0, 512)
