"""Which scripts of Python's are started as modules."""

from __future__ import annotations

import pytest

from nitro.image.osv.python import as_module, is_script

PYTHON = "/usr/bin/python3.13"


@pytest.mark.parametrize(
    ("words", "folder", "changed"),
    [
        ([PYTHON, "/app/app.py", "-p", "80"], "/app", (PYTHON, "-m", "app", "-p", "80")),
        ([PYTHON, "app.py"], "/app", (PYTHON, "-m", "app")),
        (["/usr/bin/python3", "/my-app.py"], "/", ("/usr/bin/python3", "-m", "my-app")),
    ],
)
def test_a_script_in_the_folder_of_the_command(
    words: list[str], folder: str, changed: tuple[str, ...]
) -> None:
    assert as_module(words, folder) == changed
    assert is_script(words)
    assert not is_script(changed)


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        ([PYTHON, "/srv/app.py"], "/app"),
        ([PYTHON, "/app/a.b.py"], "/app"),
        ([PYTHON, "lib/app.py"], "/app"),
        ([PYTHON, "-c", "print(1)"], "/"),
        ([PYTHON], "/"),
        (["/usr/bin/pythonish", "/app.py"], "/"),
        (["/usr/bin/server", "/app.py"], "/"),
    ],
)
def test_all_else_stays(words: list[str], folder: str) -> None:
    assert as_module(words, folder) == tuple(words)
