"""Entries added to a file that a person wrote."""

from __future__ import annotations

import tomllib

import pytest

from nitro.errors import InputError
from nitro.recipe.edit import with_entries


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("a = 1\n", 'a = 1\nfiles = ["/x", "/y"]\n'),
        ('files = ["/a"]  # why\n', 'files = ["/x", "/y", "/a"]  # why\n'),
        ("files = []\n", 'files = ["/x", "/y"]\n'),
        ('files = [\n  "/a]", # ]\n]\n', None),
        ('files = [{ source = "/a", path = "/b" }]\n', None),
        ('[[files]]\nsource = "/a"\n', None),
        (
            'a = 1\n[env]\nB = "files = ["\n',
            'a = 1\nfiles = ["/x", "/y"]\n\n[env]\nB = "files = ["\n',
        ),
    ],
)
def test_forms(text: str, changed: str | None) -> None:
    found = with_entries(text, "files", ["/x", "/y"])
    sources = [
        one["source"] if isinstance(one, dict) else one for one in tomllib.loads(found)["files"]
    ]
    assert {"/x", "/y"} <= {*sources}
    assert len(sources) == len(tomllib.loads(text).get("files", [])) + 2
    assert changed is None or found == changed


@pytest.mark.parametrize("text", ["a = 1\n", 'files = ["/a"]\n', '[[files]]\nsource = "/a"\n'])
def test_a_file_that_goes_to_another_path(text: str) -> None:
    found = tomllib.loads(with_entries(text, "files", [("/x", "/y"), "/z"]))["files"]
    assert {"source": "/x", "path": "/y"} in found
    assert "/z" in found or {"source": "/z"} in found


def test_nothing_to_add() -> None:
    assert with_entries("a = 1\n", "files", []) == "a = 1\n"


@pytest.mark.parametrize("text", ['files = """\n', '"files" = ["/a"]\n'])
def test_what_cannot_be_changed(text: str) -> None:
    with pytest.raises(InputError, match="by hand"):
        with_entries(text, "files", ["/x"])
