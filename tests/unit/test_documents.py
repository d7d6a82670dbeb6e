"""The JSON Schemas of docs/schemas, and the samples of docs/json.md, are of what commands print."""

from __future__ import annotations

import json
import re

import pytest

from nitro import documents
from tools import schemas

PAGE = (schemas.FOLDER.parent / "json.md").read_text()
SAMPLES = dict(re.findall(r"^### ([\w-]+)\n(?:.*?)^```json\n(.*?)^```", PAGE, re.M | re.S))


@pytest.mark.parametrize("name", documents.DOCUMENTS)
def test_the_documented_schema_is_the_types_own(name: str) -> None:
    written = (schemas.FOLDER / f"{name}.json").read_text()
    assert written == schemas.text(name), "run tools/schemas.py"


def test_no_schema_is_left_of_what_is_printed_no_more() -> None:
    assert {path.stem for path in schemas.FOLDER.iterdir()} == set(documents.DOCUMENTS)


def test_the_fields_of_a_schema_are_explained() -> None:
    assert "more or less" in schemas.text("result")


@pytest.mark.parametrize("name", SAMPLES)
def test_a_documented_sample_has_the_documented_form(name: str) -> None:
    schemas.adapter(name).validate_python(json.loads(SAMPLES[name]))


def test_every_document_is_described_and_has_a_sample() -> None:
    assert all(f"(schemas/{name}.json)" in PAGE for name in documents.DOCUMENTS)
    # launch prints what deploy prints, probe a list of results
    assert set(SAMPLES) == set(documents.DOCUMENTS) - {"launch", "probe"}


def test_the_schema_of_recipes_is_of_what_recipes_may_have() -> None:
    assert schemas.RECIPE.read_text() == schemas.recipe_text(), "run tools/schemas.py"
    properties = json.loads(schemas.RECIPE.read_text())["properties"]
    assert {"from", "user", "folders", "runtime"} <= set(properties)
    assert not {"base", "folder", "file", "completed"} & set(properties)


def test_the_tests_behind_the_claims_of_the_page_on_aws_exist() -> None:
    page = (schemas.FOLDER.parent / "aws.md").read_text()
    table = page[page.index("## How each claim") : page.index("## Trying an account")]
    named = re.findall(r"`([\w/]+\.py|tests/\w+)`", table)
    assert len(named) > 15
    root = schemas.FOLDER.parents[1]
    for name in named:
        assert (root / name).exists() or (root / "tests/cloud" / name).exists(), name
