"""What was decided while an image was made, and why: for `nitro build --explain`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from nitro.documents.images import DecisionDocument
from nitro.image.build_cache import Image
from nitro.recipe import Recipe

KEY = "decisions"
"""Where the manifest has them."""


@dataclass(frozen=True)
class Decision:
    """One decision: what it is about, what was chosen, and the reason."""

    subject: str
    choice: str
    reason: str


def asked(recipe: Recipe, key: str, standard: str) -> str:
    """Why a key has the value that it has: the recipe or an option says so, or `standard`."""
    return "asked for" if key in recipe.model_fields_set else standard


def to_json(decisions: Iterable[Decision]) -> list[DecisionDocument]:
    """For the manifest, and for `nitro build --explain --json`."""
    return [
        {"subject": one.subject, "choice": one.choice, "reason": one.reason} for one in decisions
    ]


def of(image: Image) -> list[Decision]:
    """Those of a built image, from its manifest."""
    document = json.loads(image.manifest_path.read_text())
    return [Decision(**one) for one in document[KEY]]
