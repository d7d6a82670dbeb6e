"""Tests and benchmarks share what boots machines, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


IMPORT = re.compile(r"^ *(?:from|import) (\w+)", re.MULTILINE)


def imported(path: Path) -> set[str]:
    """The packages that a module's import statements name."""
    return set(IMPORT.findall(path.read_text()))


@pytest.mark.parametrize(
    ("folder", "others"),
    [
        ("nitro", {"lab", "tests", "benchmarks"}),
        ("lab", {"tests", "benchmarks"}),
        ("benchmarks", {"tests"}),
        ("tests", {"benchmarks"}),
    ],
)
def test_no_folder_reaches_into_one_that_it_must_not_know(folder: str, others: set[str]) -> None:
    modules = list((ROOT / folder).rglob("*.py"))
    assert modules
    found = {str(module): imported(module) & others for module in modules}
    assert not {module: names for module, names in found.items() if names}
