"""Writes docs/schemas/: the JSON Schema of what each command prints with --json; and
docs/recipe.schema.json, that of recipes, for editors.

python tools/schemas.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from nitro import documents
from nitro.recipe import Recipe

FOLDER = Path(__file__).parents[1] / "docs/schemas"
RECIPE = FOLDER.parent / "recipe.schema.json"
_STRICT = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


def adapter(name: str) -> TypeAdapter[Any]:
    """What checks a document of this name, down to the last key."""
    modules = (documents, documents.bench, documents.images, documents.metrics, documents.releases)
    types = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and hasattr(value, "__total__")
    }
    for each in types:
        each.__pydantic_config__ = _STRICT  # type: ignore[attr-defined]
    try:
        return TypeAdapter(documents.DOCUMENTS[name])
    finally:  # nitro itself reads documents that have more keys
        for each in types:
            del each.__pydantic_config__  # type: ignore[attr-defined]


def text(name: str) -> str:
    """The schema of one document."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name}
    schema |= adapter(name).json_schema() | {"title": name}
    return json.dumps(schema, indent=2) + "\n"


def recipe_text() -> str:
    """The schema of a recipe as people write it, with its short forms."""
    schema = Recipe.model_json_schema(by_alias=True)
    keys = schema["properties"]
    for name, field in Recipe.model_fields.items():
        if field.exclude:
            del keys[field.alias or name]
    for key in ("programs", "files", "folders"):
        keys[key]["items"] = {"anyOf": [{"type": "string"}, keys[key]["items"]]}
    keys["ports"]["items"] = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    schema["$defs"].pop("Port", None)
    schema.pop("required", None)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "recipe"}
    return json.dumps(head, indent=2) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in documents.DOCUMENTS:
        (FOLDER / f"{name}.json").write_text(text(name))
    RECIPE.write_text(recipe_text())
