"""The table of error codes, and its copy in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nitro.cloud.codes import TABLE, Kind, kind_of

PAGE = (Path(__file__).parents[2] / "docs/aws.md").read_text()


def test_the_documentation_has_the_table() -> None:
    rows = [
        f"| {row.kind.value} | {row.meaning} | `{row.pattern.replace('|', '`, `')}` | "
        f"{', '.join(f'[AWS]({url})' for url in row.source.split())} |"
        for row in TABLE
    ]
    assert "\n".join(rows).replace("\\.", ".") in PAGE, "\n".join(rows)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("RequestLimitExceeded", Kind.AGAIN),
        ("ResourceLimitExceeded", Kind.WAIT),
        ("InvalidAMIID.NotFound", Kind.WAIT),
        ("InvalidAMIID.Unavailable", Kind.WAIT),
        ("NotFoundException", Kind.WAIT),
        ("VcpuLimitExceeded", Kind.ASK),
        ("ServiceQuotaExceededException", Kind.ASK),
        ("UnauthorizedOperation", Kind.ASK),
        ("InvalidParameterValue", Kind.BUG),
        ("IdempotentParameterMismatch", Kind.BUG),
        ("SomethingElse", None),
    ],
)
def test_a_code_has_one_kind(code: str, kind: Kind | None) -> None:
    assert kind_of(code) is kind


def test_every_row_is_the_first_for_some_code() -> None:
    """Else it would say something that is never done."""
    for row in TABLE:
        words = re.sub(r"\\w[+*]|\.\*|\([^|)]*\)\?", "", row.pattern).replace("\\", "")
        codes = re.sub(r"[()?]", "", words).split("|")
        assert any(next((r for r in TABLE if c in r), None) is row for c in codes), row.meaning
