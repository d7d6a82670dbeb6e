"""The names of S3 and errors in place of pages, as transcripts."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nitro.local import error_answer, s3_names
from tests.transcripts import compare
from tests.unit.local.test_requests_transcript import Answers, ask, same_ids
from tests.unit.local.told import Told

pytestmark = pytest.mark.extended
__all__ = ["same_ids"]
HERE = Path(__file__).parent / "transcripts"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_names_of_s3(tmp_path: Path) -> None:
    told = Told(tmp_path)
    every = sorted(s3_names.endpoints().items())
    told.note(f"{len(every)} names, {hashlib.sha256(repr(every).encode()).hexdigest()[:16]}")
    for host in (
        *("s3.amazonaws.com", "S3.amazonaws.com:443", "s3.amazonaws.com.", "a.s3.amazonaws.com"),
        *(
            "a.b.s3.eu-west-1.amazonaws.com",
            "s3.dualstack.eu-west-1.amazonaws.com",
            "xs3.amazonaws.com",
        ),
        *(
            "s3.cn-north-1.amazonaws.com.cn",
            "s3.us-gov-west-1.amazonaws.com",
            "s3.none.amazonaws.com",
        ),
        *(
            "s3.none.amazonaws.com",
            "xs3.amazonaws.com",
            "",
            "amazonaws.com",
            ".s3.amazonaws.com",
            "s3-eu-west-1.amazonaws.com",
        ),
    ):
        told.note(f"{host!r}: {s3_names.place(host)}")
    for region in ("us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1", "none"):
        told.note(f"certified {region}: {s3_names.certified(region)}")
    for region in (
        "us-east-1",
        "eu-west-1",
        "ap-southeast-5",
        "ap-east-1",
        "us-west-2",
        "sa-east-1",
    ):
        for age in (0, 86399, 86400, 86401):
            home = (region, NOW - timedelta(seconds=age))
            for host in ("s3.amazonaws.com", "b.s3.amazonaws.com", "b.s3.us-east-1.amazonaws.com"):
                for target in ("/b/key?x=1", "/b", "/b?list", "b", ""):
                    found = s3_names.elsewhere(host, target, {"b": home}.get, NOW)
                    if age == 0 or host == "b.s3.amazonaws.com":
                        told.note(f"{region} {age} {host} {target}: {found}")
                    if age:
                        break
    for host in ("s3.eu-west-1.amazonaws.com", "s3.dualstack.eu-west-1.amazonaws.com", "x"):
        found = s3_names.elsewhere(host, "/b/key", lambda _: ("eu-west-1", NOW), NOW)
        told.note(f"{host}: {found}")
    moved = s3_names.elsewhere("s3.amazonaws.com", "/b&<", lambda _: ("us-west-2", NOW), NOW)
    assert moved
    told.note(moved.amend("<Error><RequestId>1</RequestId><RequestId>2</RequestId></Error>"))
    compare(HERE / "s3-names.txt", told.text)


def test_answers_that_are_pages(tmp_path: Path) -> None:
    told = Told(tmp_path)
    for status in (200, 299, 300, 302, 308, 399, 400, 404, 405, 418, 499, 500, 503):
        for kind in ("text/html; charset=utf-8", "text/xml", ""):
            for name in ("Content-Type", "content-type"):

                def app(_: Any, start: Any) -> list[bytes]:
                    headers = [("X", "1"), *([(name, kind)] if kind else [])]  # noqa: B023
                    write = start(f"{status} WORDS", headers, None)  # noqa: B023
                    write(b"written")
                    return [b"<html>"]

                for service in ("ec2", "kms") if kind.startswith("text/html") else ("ec2",):
                    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/a"}
                    what = f"{status} {kind} {name} {service}"
                    ask(told, what, error_answer.in_form(app, service), environ)
                if not kind.startswith("text/html"):
                    break
    ask(told, "no path", error_answer.in_form(app, "s3"), {"REQUEST_METHOD": "PUT"})
    for headers in (None, {}, {"Location": "x"}):
        error_answer.error_answer(Answers(told), "s3", "Code", 409, "a <b>", "id", headers)
    compare(HERE / "pages.txt", told.text)
