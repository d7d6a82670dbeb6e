"""The shipped recipes for OSv, built of Debian's packages with a kernel that has no code."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro import recipe
from nitro.image import build
from nitro.image.inspect import inspect
from nitro.image.osv import store
from tests.unit.image.osv import kernel

ENTRIES = [(0, b"/libenviron.so", b"x"), (0, b"/room", bytes(30_000))]
SHIPPED = [name for name in recipe.names() if name.startswith("osv-")]


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_is_built(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    (tmp_path / "loader.elf").write_bytes(kernel.build(ENTRIES))
    store.add("mine", tmp_path / "loader.elf", origin="here")
    # nitro's driver needs the headers of a kernel that has code
    made = recipe.load(name).model_copy(update={"driver": "kernel"})
    assert made.argv[0] in {file.path for file in inspect(build(made).path).files}
