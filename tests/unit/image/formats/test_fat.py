"""FAT volumes: round trips here; dosfstools and mtools judge them in test_disk."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro.errors import InputError
from nitro.image.formats import fat
from tests.lengths import length

NAMES = st.from_regex(r"[A-Z0-9]{1,8}(\.[A-Z0-9]{1,3})?", fullmatch=True)
FOLDERS = st.lists(st.from_regex(r"D[A-Z0-9]{0,7}", fullmatch=True), max_size=3)
FILES = st.dictionaries(
    st.tuples(FOLDERS, NAMES.filter(lambda n: not n.startswith("D"))).map(
        lambda found: "/".join([*found[0], found[1]])
    ),
    st.binary(max_size=3000),
    max_size=12,
)


def image(files: dict[str, fat.Source], offset: int = 0) -> io.BytesIO:
    volume = fat.Volume(files, label="TEST", serial=7)
    out = io.BytesIO()
    volume.write(out, offset)
    return io.BytesIO(out.getvalue().ljust(offset + volume.size, b"\0"))


@pytest.mark.extended
@settings(max_examples=length(short=20, long=1000), deadline=None)
@given(files=FILES, sector=st.integers(0, 100))
def test_round_trip(files: dict[str, bytes], sector: int) -> None:
    out = image(dict(files), sector * 512)
    found = fat.read(out, sector * 512)
    read = {}
    for path, (position, size) in found.items():
        out.seek(position)
        read[path] = out.read(size)
    assert read == files


def test_file_from_the_host(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 9000)
    out = image({"BIG": source})
    position, size = fat.read(out, 0)["BIG"]
    assert out.getvalue()[position : position + size] == source.read_bytes()


@pytest.mark.extended
@pytest.mark.parametrize(("clusters", "kind"), [(4069, b"FAT12"), (4070, b"FAT16")])
def test_number_of_clusters_decides_the_width(tmp_path: Path, clusters: int, kind: bytes) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate((clusters - 1) * 32768)  # sparse
    volume = fat.Volume({"A": large, "B": b"b"}, label="TEST", serial=7)
    with (tmp_path / "volume").open("w+b") as out:
        volume.write(out, 0)
        out.truncate(volume.size)
        out.seek(54)
        assert out.read(5) == kind
        position, size = fat.read(out, 0)["B"]
        out.seek(position)
        assert out.read(size) == b"b"


def test_same_files_same_bytes() -> None:
    files: dict[str, fat.Source] = {"B/C": b"1", "A": b"2"}
    assert image(files).getvalue() == image(dict(files)).getvalue()


def test_files_lie_in_the_order_given() -> None:
    """What changes from image to image comes last, and moves nothing."""
    places = fat.read(image({"B/C": b"1", "Z": b"2", "A": b"3"}), 0)
    assert sorted(places, key=places.__getitem__) == ["B/C", "Z", "A"]


def test_files_start_at_multiples_of_a_cluster() -> None:
    """Of the disk, when the volume does: a loader reads whole blocks of its cache."""
    found = fat.read(image({"A": b"1", "B/C": bytes(40000), "D": b"2"}, 1 << 20), 1 << 20)
    assert all(position % 32768 == 0 for position, _ in found.values())


@pytest.mark.parametrize("name", ["lower", "TOOLONGNAME", "A.HTML", "SP ACE", "", "A//B"])
def test_long_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="short file name"):
        fat.Volume({name: b""}, label="TEST", serial=7)


def test_too_large_is_refused(tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(3 << 30)  # sparse
    with pytest.raises(InputError, match="more than the 2 GiB"):
        fat.Volume({"HUGE": huge}, label="TEST", serial=7)


@pytest.mark.extended
@settings(max_examples=length(short=60, long=5000), deadline=None)
@given(data=st.data())
def test_any_damage_is_read_or_refused(data: st.DataObject) -> None:
    raw = bytearray(image({"DIR/FILE": b"x" * 2000, "OTHER": b"y"}).getvalue())
    for _ in range(data.draw(st.integers(1, 5))):
        raw[data.draw(st.integers(0, min(len(raw), 60000) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = fat.read(io.BytesIO(raw), 0)
    except ValueError:
        return
    assert isinstance(found, dict)


@pytest.mark.parametrize("mark", [0xF8, 0xFF])
def test_a_file_may_end_with_any_of_the_marks(mark: int) -> None:
    """0xFF8 to 0xFFF end a chain of FAT12; below they name a cluster."""
    raw = bytearray(image({"A": b"a"}).getvalue())
    table = int.from_bytes(raw[14:16], "little") * 512
    assert raw[table + 3] == 0xFF  # the low byte of the first cluster's entry
    raw[table + 3] = mark
    assert list(fat.read(io.BytesIO(raw), 0)) == ["A"]
    raw[table + 3] = 0xF7
    with pytest.raises(ValueError, match="not contiguous"):
        fat.read(io.BytesIO(raw), 0)


def test_a_file_longer_than_its_clusters_is_refused() -> None:
    raw = bytearray(image({"A": b"a"}).getvalue())
    entry = raw.index(b"A          ")
    cluster = raw[13] * 512
    raw[entry + 28 : entry + 32] = cluster.to_bytes(4, "little")
    assert fat.read(io.BytesIO(raw), 0)["A"][1] == cluster
    raw[entry + 28 : entry + 32] = (cluster + 1).to_bytes(4, "little")
    with pytest.raises(ValueError, match="A is longer than its clusters"):
        fat.read(io.BytesIO(raw), 0)


def test_folders_nested_too_deeply_are_refused() -> None:
    assert len(fat.read(image({"A/" * 16 + "F": b"x"}), 0)) == 1
    with pytest.raises(ValueError, match="nested too deeply"):
        fat.read(image({"A/" * 17 + "F": b"x"}), 0)


def test_files_that_share_a_cluster_are_refused() -> None:
    made = fat.Volume({"A": b"a", "B": b"b"}, label="X", serial=1)
    out = io.BytesIO(bytes(made.size))
    made.write(out, 0)
    raw = out.getvalue()
    entry = raw.index(b"B          ")
    shared = raw[: entry + 26] + b"\2\0" + raw[entry + 28 :]
    with pytest.raises(ValueError, match="share a cluster"):
        fat.read(io.BytesIO(shared), 0)


def test_table_larger_than_a_volume_has_clusters_is_refused() -> None:
    made = fat.Volume({"A": b"a"}, label="X", serial=1)
    out = io.BytesIO(bytes(made.size))
    made.write(out, 0)
    raw = bytearray(out.getvalue())
    raw[22:24] = b"\xff\xff"
    with pytest.raises(ValueError, match="more clusters than FAT16 has"):
        fat.read(io.BytesIO(bytes(raw)), 0)


@pytest.mark.parametrize(("clusters", "fits"), [(65524, True), (65525, False)])
def test_the_largest_volume_has_all_clusters_that_fat16_can_number(
    tmp_path: Path, clusters: int, fits: bool
) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(clusters * 32768)  # sparse
    if fits:
        assert fat.Volume({"A": large}, label="TEST", serial=7).size > clusters * 32768
    else:
        with pytest.raises(InputError, match="more than the 2 GiB"):
            fat.Volume({"A": large}, label="TEST", serial=7)


def test_an_empty_volume_has_one_cluster() -> None:
    """None would be no FAT volume; more would be room that nobody asked for."""
    out = image({})
    assert fat.read(out, 0) == {}
    reserved, tables, roots = struct.unpack_from("<HBH", out.getvalue(), 14)
    [sectors] = struct.unpack_from("<H", out.getvalue(), 22)
    head = (reserved + tables * sectors) * 512 + roots * 32
    assert len(out.getvalue()) - head == 32768


@pytest.mark.parametrize(("files", "fit"), [(511, True), (512, False)])
def test_the_root_folder_has_room_for_511_files(files: int, fit: bool) -> None:
    """Of its 512 entries the first is the volume's label."""
    named: dict[str, fat.Source] = {
        f"F{number}": b"x" if number == 0 else b"" for number in range(files)
    }
    if fit:
        assert len(fat.read(image(named), 0)) == files
    else:
        with pytest.raises(ValueError, match="root folder"):
            fat.Volume(named, label="TEST", serial=7)


@pytest.mark.parametrize(
    ("name", "entry"), [("A.C", b"A       C  "), ("LONGNAME.EXT", b"LONGNAMEEXT")]
)
def test_a_name_takes_eleven_bytes_of_its_entry(name: str, entry: bytes) -> None:
    """Padded with spaces; the byte behind it says that it is a file."""
    assert entry + b"\x20" in image({name: b"x"}).getvalue()


def patched(files: dict[str, fat.Source], changes: dict[int, bytes]) -> io.BytesIO:
    raw = bytearray(image(files).getvalue())
    for place, data in changes.items():
        raw[place : place + len(data)] = data
    return io.BytesIO(bytes(raw))


@pytest.mark.extended
def test_a_table_has_at_most_the_sectors_of_65524_clusters() -> None:
    """256; a damaged volume must not take all memory. Zeros behind them are an empty folder."""
    files: dict[str, fat.Source] = {"A": bytes(400_000)}
    assert fat.read(patched(files, {22: b"\0\1", 14: b"\1\0"}), 0) == {}
    with pytest.raises(ValueError, match="more clusters than FAT16 has"):
        fat.read(patched(files, {22: b"\1\1", 14: b"\1\0"}), 0)


@pytest.mark.parametrize("length", [0, 53, 511])
def test_a_sector_cut_short_is_no_volume(length: int) -> None:
    raw = image({"A": b"a"}).getvalue()[:length]
    with pytest.raises(ValueError, match="no FAT12 or FAT16 volume"):
        fat.read(io.BytesIO(raw), 0)


@pytest.mark.parametrize(("place", "data"), [(54, b"FAT32"), (510, b"\x55\xab"), (511, b"\0")])
def test_a_sector_that_says_something_else_is_no_volume(place: int, data: bytes) -> None:
    with pytest.raises(ValueError, match="no FAT12 or FAT16 volume"):
        fat.read(patched({"A": b"a"}, {place: data}), 0)


@pytest.mark.extended
@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("outside", ["the first", "behind the last"])
def test_clusters_are_those_that_the_table_has(tmp_path: Path, bits: int, outside: str) -> None:
    """Entries 0 and 1 of the table are none of a cluster, and it ends with a sector."""
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(4080 * 32768 if bits == 16 else 0)  # sparse
    volume = fat.Volume({"Z": large, "A": b"a"}, label="TEST", serial=7)
    with (tmp_path / "volume").open("w+b") as out:
        volume.write(out, 0)
        out.truncate(volume.size)
        out.seek(0)
        sector = out.read(512)
        [reserved], [sectors] = (
            struct.unpack_from("<H", sector, 14),
            struct.unpack_from("<H", sector, 22),
        )
        root = (reserved + 2 * sectors) * 512
        out.seek(root)
        entry = root + out.read(512).index(b"A          ")
        cluster = 1 if outside == "the first" else sectors * 512 * 8 // bits
        out.seek(entry + 26)
        out.write(cluster.to_bytes(2, "little"))
        with pytest.raises(ValueError, match="a cluster outside the volume"):
            fat.read(out, 0)
        out.seek(entry + 26)
        out.write(b"\0\0")
        with pytest.raises(ValueError, match="A is longer than its clusters"):
            fat.read(out, 0)  # no cluster at all


@pytest.mark.parametrize(("clusters", "fits"), [(64, True), (65, False)])
def test_a_folder_has_at_most_65536_entries(clusters: int, fits: bool) -> None:
    """fatgen103's limit, 2 MiB. This one is empty: its first entry begins with a zero."""
    files: dict[str, fat.Source] = {"D": bytes(clusters * 32768)}
    raw = bytearray(image(files).getvalue())
    raw[raw.index(b"D          ") + 11] = 0x10
    if fits:
        assert fat.read(io.BytesIO(raw), 0) == {}
    else:
        with pytest.raises(ValueError, match="too long"):
            fat.read(io.BytesIO(raw), 0)


def test_a_folder_ends_where_an_entry_begins_with_zero() -> None:
    """Whatever the rest of that entry, and those behind it, still say."""
    raw = bytearray(image({"AA": b"1", "BB": b"2", "CC": b"3"}).getvalue())
    raw[raw.index(b"BB         ")] = 0
    assert list(fat.read(io.BytesIO(raw), 0)) == ["AA"]
