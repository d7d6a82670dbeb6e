"""How a program is started, by its ELF file and by the recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.errors import InputError
from nitro.image.osv.programs import choose
from tests.unit.image import elves

LINUX = "/lib64/ld-linux-x86-64.so.2"


def test_the_elf_file_decides(tmp_path: Path) -> None:
    dynamic = elves.write(tmp_path / "dynamic", needed=["libc.so.6"], interpreter=LINUX)
    static = elves.write(tmp_path / "static")
    assert choose(dynamic, None).launch == "osv"
    assert LINUX in choose(dynamic, None).why
    assert choose(static, None).launch == "static"


def test_the_recipe_overrides(tmp_path: Path) -> None:
    dynamic = elves.write(tmp_path / "dynamic", needed=["libc.so.6"], interpreter=LINUX)
    assert choose(dynamic, "linux-ld").launch == "linux-ld"
    with pytest.raises(InputError, match='launch = "static" does not fit'):
        choose(dynamic, "static")
    with pytest.raises(InputError, match='launch = "osv" does not fit'):
        choose(elves.write(tmp_path / "static"), "osv")


def test_scripts_are_not_started(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    with pytest.raises(InputError, match="OSv starts ELF files only"):
        choose(script, None)
