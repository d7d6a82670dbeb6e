"""The initial file system: cut so that a changed file changes little of the disk."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import zlib
from pathlib import Path, PurePosixPath

import pytest

from nitro.debian import Tree
from nitro.image.formats import cpio
from nitro.image.linux import disk, layers
from nitro.image.rootfs import Node, Rootfs

BLOCK = 512 * 1024  # bytes; what snapshots are written in


@pytest.fixture(scope="module")
def compressor(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """gzip in the place of zstd: any compressor spreads a change over all that follows."""
    folder = tmp_path_factory.mktemp("zstd")
    file = folder / "usr/bin/zstd"
    file.parent.mkdir(parents=True)
    file.write_text("#!/bin/sh\nexec gzip -1 -n -c\n")
    file.chmod(0o755)
    return Tree(folder, ())


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path_factory.getbasetemp() / "cache-of-layers"))


def content(seed: int, size: int) -> bytes:
    """Something like a program: half of it can be compressed away."""
    source = random.Random(seed)
    return b"".join(source.randbytes(32) + bytes(32) for _ in range(size // 64))


def rootfs(changed: int | None = None) -> Rootfs:
    """A program of 6 MB in 300 files, one of which may have another content."""
    found = Rootfs()
    found.add("/lib/modules/a", Node("system", "test", source=content(1000, 1 << 20)))
    for number in range(300):
        seed = number if number != changed else 5000 + number
        size = 4096 if number % 3 else 50_000
        if number == 100:
            size = 3 << 20  # larger than a piece
        name = f"/srv/{number % 7}/file-{number}"
        found.add(name, Node("program", "test", source=content(seed, size)))
    return found


def initrd(compressor: Tree, nodes: Rootfs) -> bytes:
    out = io.BytesIO()
    layers.join(layers.pack(nodes, compressor), out)
    return out.getvalue()


def write(folder: Path, compressor: Tree, nodes: Rootfs) -> bytes:
    packed = folder / "initrd"
    packed.write_bytes(initrd(compressor, nodes))
    out = folder / "disk"
    files: dict[str, bytes | Path] = {
        "EFI/BOOT/BOOTX64.EFI": b"loader",
        "VMLINUZ": content(1, 4 << 20),
        "INITRD": packed,
    }
    disk.write(out, boot=b"\xeb" * 440, core=b"\xcc" * 1000, files=files)
    return out.read_bytes()


@pytest.mark.extended
@pytest.mark.parametrize("changed", [1, 8, 97, 101, 200, 298])
def test_a_changed_file_of_4_kb_changes_at_most_three_blocks(
    tmp_path: Path, compressor: Tree, changed: int
) -> None:
    before, after = (write(tmp_path, compressor, rootfs(which)) for which in (None, changed))
    assert len(before) == len(after)
    places = range(0, len(before), BLOCK)
    differing = [at for at in places if before[at : at + BLOCK] != after[at : at + BLOCK]]
    assert 1 <= len(differing) <= 3


@pytest.mark.extended
def test_the_archives_hold_all_files_and_folders_come_first(compressor: Tree) -> None:
    data, found = initrd(compressor, rootfs()), list[cpio.Entry]()
    while data:
        member = zlib.decompressobj(wbits=31)  # one of gzip's; zeros follow, and the next
        found += cpio.read(io.BytesIO(member.decompress(data)))
        data = member.unused_data.lstrip(b"\0")
    names = [entry.path for entry in found if entry.path.startswith("/srv/") and entry.size]
    assert sorted(names) == sorted(f"/srv/{number % 7}/file-{number}" for number in range(300))
    seen = {"/"}
    for entry in found:  # the kernel makes no folders of its own accord
        assert str(PurePosixPath(entry.path).parent) in seen
        seen.add(entry.path)


@pytest.mark.extended
def test_what_is_not_the_users_is_one_archive(compressor: Tree) -> None:
    nodes = Rootfs()
    for number in range(6):
        nodes.add(f"/lib/{number}", Node("system", "test", source=content(number, 1 << 20)))
        nodes.add(f"/srv/{number}", Node("program", "test", source=content(number, 1 << 20)))
    system, program = layers.pack(nodes, compressor)
    assert (len(system.paths), len(program.paths)) == (1, 6)
    assert system.sha256 != program.sha256
    described = layers.describe([system, program])
    assert [each["layer"] for each in described] == ["system", "program"]


@pytest.mark.extended
def test_archives_begin_at_8_kib_and_the_whole_ends_at_256_kib(compressor: Tree) -> None:
    """So a file that grows a little moves neither what follows it nor the end of the disk."""
    packed = layers.pack(rootfs(), compressor)
    out = io.BytesIO()
    layers.join(packed, out)
    data, at = out.getvalue(), 0
    assert len(data) % (256 << 10) == 0
    for path in (path for layer in packed for path in layer.paths):
        content = path.read_bytes()
        assert data[at : at + len(content)] == content
        assert len(content) > 0
        at += len(content) + -len(content) % 8192
    assert data[at:] == bytes(len(data) - at)
    assert len(data) - at < 256 << 10


@pytest.mark.extended
def test_sizes_are_of_all_archives_of_a_layer(compressor: Tree) -> None:
    packed = layers.pack(rootfs(), compressor)
    [system, program] = layers.describe(packed)
    assert len(packed[1].paths) > 1
    assert program["compressed"] == sum(path.stat().st_size for path in packed[1].paths)
    for layer, described in zip(packed, (system, program), strict=True):
        assert described["size"] == sum(len(archive) for archive in archives_of(layer))
    assert system["sha256"] == hashlib.sha256(archives_of(packed[0])[0]).hexdigest()


def archives_of(layer: layers.Packed) -> list[bytes]:
    return [gzip.decompress(path.read_bytes()) for path in layer.paths]


@pytest.mark.parametrize(
    ("sizes", "archives"),
    [
        ([1 << 20], 1),
        ([(1 << 20) - 4096, 4096], 1),
        ([(1 << 20) - 4096, 4097], 2),  # a file takes whole pages
        ([1 << 20, 1], 2),
        ([3 << 20, 1], 2),  # a larger one has an archive of its own
        ([0, 3 << 20], 1),
    ],
)
def test_a_program_is_cut_into_archives_of_a_mib(
    compressor: Tree, sizes: list[int], archives: int
) -> None:
    nodes = Rootfs()
    for number, size in enumerate(sizes):
        nodes.add(f"/f{number}", Node("program", "test", source=bytes(size)))
    program = layers.pack(nodes, compressor)[-1]
    assert len(program.paths) == archives


@pytest.mark.extended
def test_the_same_content_is_compressed_once(compressor: Tree) -> None:
    first, second = layers.pack(rootfs(), compressor), layers.pack(rootfs(), compressor)
    assert first == second
    [_, changed] = layers.pack(rootfs(200), compressor)
    assert changed.sha256 != first[1].sha256
    assert len(set(changed.paths) & set(first[1].paths)) == len(changed.paths) - 1
