"""The JSON Schemas of docs/schemas are those of the types that commands print."""

from __future__ import annotations

import pytest

from nitro import documents
from tools import schemas


@pytest.mark.parametrize("name", documents.DOCUMENTS)
def test_the_documented_schema_is_the_types_own(name: str) -> None:
    written = (schemas.FOLDER / f"{name}.json").read_text()
    assert written == schemas.text(name), "run tools/schemas.py"


def test_no_schema_is_left_of_what_is_printed_no_more() -> None:
    assert {path.stem for path in schemas.FOLDER.iterdir()} == set(documents.DOCUMENTS)


def test_the_fields_of_a_schema_are_explained() -> None:
    assert "more or less" in schemas.text("result")
