"""A guest that writes for ever fills neither the disk nor the memory."""

from __future__ import annotations

from pathlib import Path

from nitro.local.console_file import KEPT, drop_beginning, read_end


def test_no_console_is_an_empty_one(tmp_path: Path) -> None:
    assert read_end(tmp_path / "none") == b""


def test_a_short_console_is_whole(tmp_path: Path) -> None:
    console = tmp_path / "console"
    console.write_bytes(b"ready\n")
    drop_beginning(console)
    assert read_end(console) == b"ready\n"


def test_of_a_long_one_the_end_is_read_and_the_rest_takes_no_space(tmp_path: Path) -> None:
    console = tmp_path / "console"
    with console.open("ab") as guest:
        guest.write(b"x" * (1 << 22) + b"y" * KEPT)
        guest.flush()
        drop_beginning(console)
        assert console.stat().st_blocks * 512 <= 2 * KEPT
        guest.write(b"the last words\n")
    assert read_end(console) == b"y" * (KEPT - 15) + b"the last words\n"
