"""Why a key has its value: somebody asked for it, or it is the default."""

from __future__ import annotations

from pathlib import Path

from nitro import image
from nitro.image import decisions
from nitro.image.decisions import Decision
from nitro.recipe import Recipe, load, with_kernel
from tests.unit.image.test_builder import printer as printer
from tests.unit.image.test_builder import written


def test_options_and_recipes_ask() -> None:
    recipe = Recipe.model_validate({"name": "one", "command": ("/x",), "driver": "kernel"})
    assert decisions.asked(recipe, "driver", "the default") == "asked for"
    assert decisions.asked(recipe, "kernel", "the default") == "the default"
    assert decisions.asked(with_kernel(recipe, "osv:a"), "kernel", "the default") == "asked for"


def test_an_image_keeps_its_decisions(tmp_path: Path) -> None:
    assert Decision("kernel", "printer", "it is the only one here") in decisions.of(
        image.build(load(written(tmp_path)))
    )
