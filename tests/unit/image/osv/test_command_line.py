"""OSv's command line, and what it cannot be told."""

from __future__ import annotations

import pytest

from nitro.image.osv.command_line import make


def test_options_come_first_and_the_program_last() -> None:
    line = make(["/usr/bin/server", "-p", "80"], {"B": "2", "A": "a b"}, ["--strace"])
    assert line == (
        "--rootfs=ramfs --bootchart --verbose --power-off-on-abort --strace "
        "--env=A=a\\ b --env=B=2 /usr/bin/server -p 80"
    )


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("plain-1.2_x/@%", "plain-1.2_x/@%"),
        ("", '""'),
        ("a b", '"a b"'),
        ("a;b & c!", '"a;b & c!"'),
        ('say "hi"\\', '"say \\"hi\\"\\\\"'),
        ("two\nlines\t", '"two\\nlines\\t"'),
    ],
)
def test_words_are_quoted(word: str, written: str) -> None:
    assert make(["/x", word], {}).endswith(f" /x {written}")


def test_what_cannot_be_told() -> None:
    with pytest.raises(ValueError, match="dollar"):
        make(["/x", "$HOME"], {})
    with pytest.raises(ValueError, match="line ends and quotes"):
        make(["/x"], {"A": "a\nb"})
