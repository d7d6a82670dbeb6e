"""A recipe's way through the builder, with a kernel of the test's own and without packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nitro import image, recipe
from nitro.errors import InputError
from nitro.image import flavour
from nitro.progress import Reporter
from tests.unit.image import elves
from tests.unit.image.printer import Printer


@pytest.fixture(autouse=True)
def printer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    monkeypatch.setitem(flavour.FLAVOURS, "printer", Printer)


def written(folder: Path, **keys: Any) -> Path:
    """A recipe for the printer."""
    document = {"kernel": "printer:mine", "command": ["/bin/print", "hello"], "extras": [], **keys}
    path = folder / "one.toml"
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in document.items()))
    return path


def test_another_kernel_is_a_line_in_the_list(tmp_path: Path) -> None:
    built = image.build(recipe.load(written(tmp_path)))
    assert b'"command": "/bin/print hello"' in built.path.read_bytes()
    manifest = json.loads(built.manifest_path.read_text())
    assert manifest["kernel"] == {"release": "mine", "command_line": ""}
    assert built.minimum_memory_mib == manifest["minimum_memory_mib"] == 64


def test_a_kernel_says_which_libraries_it_has_itself(tmp_path: Path) -> None:
    elves.write(tmp_path / "root/usr/bin/tool", needed=["libprint.so.1", "libown.so"])
    elves.write(tmp_path / "root/usr/lib/libown.so")
    path = written(tmp_path, programs=["/usr/bin/tool"], sysroot="root")
    built = image.build(recipe.load(path))
    files = {file["path"] for file in json.loads(built.manifest_path.read_text())["files"]}
    assert files == {"/line", "/usr/bin/tool", "/usr/lib/libown.so"}


def test_a_prepared_recipe_knows_its_memory_and_builds_without_preparing_again(
    tmp_path: Path,
) -> None:
    report = Reporter()
    prepared = image.prepare(recipe.load(written(tmp_path)), report=report)
    assert prepared.minimum_memory_mib == 64
    assert [span.stage for span in report.timeline] == ["prepare image"]
    built = prepared.build()
    assert [span.stage for span in report.timeline] == ["prepare image", "write image"]
    assert not built.cached

    again = image.prepare(recipe.load(written(tmp_path)), report=report)
    assert again.minimum_memory_mib == 64
    assert again.build().cached
    assert len(report.timeline) == 2


def test_a_file_that_changes_between_the_steps_is_not_taken_for_the_one_built(
    tmp_path: Path,
) -> None:
    (tmp_path / "page").write_text("one")
    path = written(tmp_path)
    path.write_text(path.read_text() + '[[files]]\nsource = "page"\npath = "/page"\n')
    prepared = image.prepare(recipe.load(path))
    (tmp_path / "page").write_text("another")
    prepared.build()
    assert image.known(path) is None
    assert not image.build(recipe.load(path)).cached
    assert image.known(path) is not None


def test_memory_that_the_recipe_asks_for(tmp_path: Path) -> None:
    path = written(tmp_path, minimum_memory_mib=512)
    assert image.prepare(recipe.load(path)).minimum_memory_mib == 512


def test_kernel_that_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one: no kernel 'plan9'; known: linux, osv, printer"):
        image.prepare(recipe.load(written(tmp_path, kernel="plan9")))


def test_contents_that_are_too_large_leave_nothing_behind(tmp_path: Path) -> None:
    prepared = image.prepare(recipe.load(written(tmp_path, command=["/bin/print", "x" * 600])))
    with pytest.raises(InputError, match="one: the line is longer than a sector"):
        prepared.build()
    assert list((tmp_path / "cache/images").iterdir()) == []
