"""An image with a kernel of the test's own, booted like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.image import booted
from nitro.image import build, flavour
from nitro.recipe import Recipe
from tests.unit.image.printer import Printer

pytestmark = pytest.mark.boot


def test_another_kernel_boots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(flavour.FLAVOURS, "printer", Printer)
    recipe = Recipe(name="print", kernel="printer:mine", command=("/bin/print", "hello"), extras=())
    with booted(build(recipe), tmp_path) as machine:
        assert machine.wait_for("start").fields["command"] == "/bin/print hello"
