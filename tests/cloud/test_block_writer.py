"""The blocks of any disk on any parent: what the snapshot reads as is the disk."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro.cloud import Cloud, DiskImage, block_writer, in_flight
from nitro.cloud.disk import BLOCK_SIZE
from nitro.cloud.parent import MARK, Parent
from nitro.cloud.put_block import BlockSender
from nitro.progress import Stage
from tests.cloud.conftest import connect

BLOCKS = [bytes(BLOCK_SIZE), b"\1" * BLOCK_SIZE, bytes(BLOCK_SIZE - 1) + b"\2"]
RANDOM = b"?" * BLOCK_SIZE


@dataclass
class Store:
    """A snapshot's blocks. What it does not store reads as zeros, or as anything."""

    blocks: dict[int, bytes]
    encrypted: bool
    written: dict[int, bytes] = field(default_factory=dict)

    def put(self, _: str, index: int, block: bytes, sha256: bytes) -> None:
        assert hashlib.sha256(block).digest() == sha256
        assert index not in self.written
        self.written[index] = block

    def read(self, index: int) -> bytes:
        hole = RANDOM if self.encrypted else BLOCKS[0]
        return self.written.get(index) or self.blocks.get(index) or hole


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("disks")


@pytest.mark.extended
@settings(max_examples=60, deadline=None)
@given(
    content=st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=6),
    before=st.none() | st.dictionaries(st.integers(0, 7), st.sampled_from([0, 1, 2])),
    encrypted=st.booleans(),
    cut=st.integers(0, 600_000),
)
def test_the_snapshot_reads_as_the_disk(
    folder: Path,
    content: list[int],
    before: dict[int, int] | None,
    encrypted: bool,
    cut: int,
) -> None:
    path = folder / "disk.raw"
    size = max(1, len(content) * BLOCK_SIZE - cut)
    with path.open("wb") as file:
        for index, kind in enumerate(content):
            if kind:
                file.seek(index * BLOCK_SIZE)
                file.write(BLOCKS[kind])
        file.truncate(size)
    store = Store({i: BLOCKS[kind] for i, kind in (before or {}).items()}, encrypted)
    parent = None
    if before is not None:
        parent = Parent(
            "snap-0", store.blocks.keys(), lambda i: hashlib.sha256(store.read(i)).digest()[:MARK]
        )
    disk = DiskImage(path, "sha256:", size, "bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BlockSender, "put", lambda _, *given: store.put(*given))
        sent = block_writer.send_blocks(
            cloud(), disk, "snap-1", Stage(), base=parent, encrypted=encrypted
        )
    read = b"".join(store.read(index) for index in range(disk.blocks))
    expected = path.read_bytes()
    assert read[:size] == expected
    assert not read[size:].strip(b"\0")
    for index in store.blocks.keys() - range(disk.blocks):
        assert not store.read(index).strip(b"\0")
    ordered = [hashlib.sha256(block).digest() for _, block in sorted(store.written.items())]
    assert sent.blocks == len(ordered)
    assert sent.checksum == base64.b64encode(hashlib.sha256(b"".join(ordered)).digest()).decode()
    if not encrypted:  # nothing is sent for nothing
        assert all(
            block != Store(store.blocks, False).read(i) for i, block in store.written.items()
        )


_connected: list[Cloud] = []


def cloud() -> Cloud:
    """No call is made with it."""
    if not _connected:
        _connected.append(connect())
    return _connected[0]


def test_progress_is_of_what_may_have_to_be_sent(folder: Path) -> None:
    path = folder / "two.raw"
    path.write_bytes(BLOCKS[1] + BLOCKS[2])
    told: list[tuple[float, float | None]] = []

    class Told(Stage):
        def progress(self, done: float, total: float | None = None, unit: str = "B") -> None:
            told.append((done, total))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BlockSender, "put", lambda *_: None)
        disk: Any = DiskImage(path, "sha256:", 2 * BLOCK_SIZE, "bench")
        block_writer.send_blocks(cloud(), disk, "snap-1", Told())
    assert told == [(BLOCK_SIZE, 2 * BLOCK_SIZE), (2 * BLOCK_SIZE, 2 * BLOCK_SIZE)]


def test_the_first_round_is_timed_without_what_comes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it looks slow, and twice as many requests seem to pay whatever the service does."""
    made: list[str] = []

    class Sender(BlockSender):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append("client")

    class Window(in_flight.Window):
        def __init__(self) -> None:
            super().__init__()
            made.append("window")

    monkeypatch.setattr(block_writer, "BlockSender", Sender)
    monkeypatch.setattr(in_flight, "Window", Window)
    path = tmp_path / "disk.raw"
    path.write_bytes(bytes(BLOCK_SIZE))
    block_writer.send_blocks(
        connect(), DiskImage(path, "sha256:", BLOCK_SIZE, "x"), "snap-0", Stage()
    )
    assert made == ["client", "window"]
