"""What holds a flow against its transcript."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.transcripts import Names, compare


def test_a_difference_is_shown_and_written_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "transcripts" / "flow.txt"
    monkeypatch.delenv("NITRO_WRITE_TRANSCRIPTS", raising=False)
    with pytest.raises(AssertionError, match=r"(?s)NITRO_WRITE_TRANSCRIPTS=1.*\+one"):
        compare(path, "one\n")
    assert not path.exists()
    monkeypatch.setenv("NITRO_WRITE_TRANSCRIPTS", "1")
    compare(path, "one\n")
    monkeypatch.delenv("NITRO_WRITE_TRANSCRIPTS")
    compare(path, "one\n")
    with pytest.raises(AssertionError, match=r"(?s)-one.*\+two"):
        compare(path, "two\n")


def test_ids_are_numbered_as_they_appear() -> None:
    names = Names()
    assert names("ami-0123456789abcdef0 of snap-11111111") == "ami-1 of snap-1"
    assert names("import-ami-22222222, ami-33333333, ami-0123456789abcdef0") == (
        "import-ami-1, ami-2, ami-1"
    )
    assert names("i-1 and image-44444444") == "i-1 and image-44444444"
