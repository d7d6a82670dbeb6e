"""`nitro run --complete`: how long it goes on, and what it writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from nitro import image, recipe
from nitro.cli import run_missing
from nitro.errors import InputError
from nitro.image import Image
from nitro.image.missing import Lack
from nitro.progress import Reporter

READY = '{"nitro":"ready","uptime":2.0,"ports":[80]}\n'


def ended(code: int) -> str:
    return f'{{"nitro":"exit","uptime":2.0,"code":{code}}}\n'


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe whose program lacks /a, then /b, then nothing."""
    path = tmp_path / "app.toml"
    path.write_text('packages = ["app"]\ncommand = ["/x"]\nports = [80]\n')

    def lack(now: recipe.Recipe, *_: object) -> Lack:
        return [Lack(("/a",)), Lack(("/b",), ("lib1",)), Lack()][len(now.files)]

    monkeypatch.setattr(run_missing, "lack", lack)
    monkeypatch.setattr(image, "build", lambda now, **_: now)
    return path


def consoles(*texts: str) -> Callable[[Image], str]:
    left = list(texts)

    def boot(_: Image) -> str:
        return left.pop(0)

    return boot


def test_until_the_program_listens(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boot = consoles(ended(1), ended(1), READY)
    made = recipe.load(path)
    assert run_missing.complete(made, boot, Reporter(), locked=False, write=True)
    assert capsys.readouterr().out.splitlines() == [
        'packages = ["app", "lib1"]',
        'files += ["/a", "/b"]',
    ]
    changed = recipe.load(path)
    assert {*changed.packages} == {"app", "lib1"}
    assert [file.source for file in changed.files] == ["/a", "/b"]


def test_until_nothing_helps(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boot = consoles(ended(1), ended(1), ended(1))
    assert not run_missing.complete(recipe.load(path), boot, Reporter(), locked=False, write=False)
    assert "nothing more of Debian's is known to help" in capsys.readouterr().err
    assert "files" not in path.read_text()


def test_not_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_missing, "lack", lambda now, *_: Lack((f"/etc/{len(now.files)}",)))
    boot = consoles(*[ended(1)] * 5)
    assert not run_missing.complete(recipe.load(path), boot, Reporter(), locked=False, write=False)
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        *(f'it lacks: files += ["/etc/{number}"]' for number in range(5)),
        "the program still does not go well: it lacked more in each of 5 runs",
    ]
    assert said.out == 'files += ["/etc/0", "/etc/1", "/etc/2", "/etc/3", "/etc/4"]\n'


def test_a_program_that_goes_well_is_left_alone(path: Path) -> None:
    made = recipe.load(path)
    assert run_missing.complete(made, consoles(READY), Reporter(), locked=False, write=True)
    assert "files" not in path.read_text()


def test_write_needs_a_file(path: Path) -> None:
    made = recipe.load(path).model_copy(update={"file": None})
    with pytest.raises(InputError, match="--write: app has no file"):
        run_missing.complete(made, consoles(), Reporter(), locked=False, write=True)


@pytest.mark.parametrize(
    ("console", "known", "good"),
    [
        ("", False, False),
        (READY, True, True),
        (ended(0), True, True),
        (ended(3), True, False),
        (READY + ended(1), True, False),
    ],
)
def test_how_it_went(path: Path, console: str, known: bool, good: bool) -> None:
    made = recipe.load(path)
    assert run_missing.decided(made, console) is known
    assert run_missing.went_well(made, console) is good


def test_what_was_sought_in_vain_and_the_lines_to_paste(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = recipe.load(path)
    sought = 'nitro-trace openat(AT_FDCWD, "/etc/lost", O_RDONLY) = -1 ENOENT (No such file)\n'
    built = cast(Image, SimpleNamespace())
    run_missing.show(made, built, sought)
    told = capsys.readouterr()
    assert told.out.splitlines() == ["/etc/lost", 'files += ["/a"]']
    assert "in app.toml:" in told.err
    monkeypatch.setattr(run_missing, "lack", lambda *_: Lack())
    run_missing.show(made, built, "nothing was sought")
    assert capsys.readouterr() == ("", "")
