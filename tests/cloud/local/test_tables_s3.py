"""What the parts of the local S3 answer at and beside each of their bounds."""

from __future__ import annotations

import itertools
import json
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.local.aws import (
    checksums,
    s3_buckets,
    s3_conditions,
    s3_expiry,
    s3_listing,
    s3_operations,
    s3_parts,
)
from tests.cloud.local.table import Table
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
CHANGED = datetime(2026, 1, 2, 3, 4, 5, 678_000)


def test_checksums() -> None:
    table = Table()
    for name in checksums.ALGORITHMS:
        for data in (b"", b"a", b"ab", b"abc", b"123456789", bytes(range(256)) * 5 + b"x"):
            table(checksums.encoded, name, data, shown=f"{name} of {len(data)} bytes")
            table(checksums.digest, name, data[:9])
        parts = [checksums.encoded(name, each) for each in (b"a", b"bc", b"")]
        for count in range(4):
            table(checksums.composite, name, parts[:count])
    compare(HERE / "table-checksums.txt", table.text)


def test_names_and_operations() -> None:
    table = Table()
    table.head("buckets")
    for name in (
        *("", "ab", "abc", "a" * 63, "a" * 64, "a-b", "a.b", "a..b", "a.-b", "-ab", "ab-", ".ab"),
        *("ab.", "aB1", "a_b", "1ab", "ab1", "1.2.3.4", "1.2.3", "1.2.3.4.5", "10.20.30.40"),
        *("xn--a", "xn-a", "sthree-a", "sthree", "amzn-s3-demo-a", "a-s3alias", "a--ol-s3"),
        *("a.mrap", "a--x-s3", "a--table-s3", "a-s3", "abc\n"),
    ):
        table(s3_operations.check_bucket_name, name)
    table.head("keys")
    for key, count in itertools.product(("k", "ü", "\udcff"), (512, 513, 1024, 1025)):
        table(s3_operations.check_key, key * count, shown=f"{count} of {key!r}")
    table.head("operations")
    words = ("", "acl", "delete", "inventory", "metrics", "policy", "tagging", "torrent", "x")
    for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
        for subject in ("bucket", "object", "account"):
            for word in words:
                table(s3_operations.check, method, subject, [word, "id"])
    table(s3_operations.check, "PUT", "bucket", ["website", "acl", "metrics"])
    table.head("constant answers")
    for method in ("GET", "PUT", "DELETE"):
        for word in ("analytics", "intelligent-tiering", "metrics", "inventory", "requestPayment"):
            for query in ({word: [""]}, {word: [""], "id": ["x"]}):
                table(s3_operations.constant_answer, method, query)
    table(s3_operations.constant_answer, "GET", {"id": ["x"]})
    table.head("what selects an operation")
    for name, selector in sorted(s3_operations.selectors().items()):
        table.text += f"{name} {selector} {s3_operations.honoured(name)}\n"
    compare(HERE / "table-s3-operations.txt", table.text)


def test_policies() -> None:
    table = Table()
    whole = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    for body in (b"", b"x", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"Statement": 1}'):
        table(s3_operations.check_policy, body, shown=repr(body[:20]))
    statements: list[Any] = [[], {}, [1], whole, [whole], [whole, 1], [whole, {}]]
    for name in whole:
        less = {key: value for key, value in whole.items() if key != name}
        statements += [less, {**less, f"Not{name}": whole[name]}]
    principals: list[Any] = [
        "*",
        "x",
        "",
        None,
        5,
        [],
        ["*"],
        {},
        {"AWS": "*"},
        {"AWS": ["a", "*"]},
    ]
    principals += [{"AWS": 5}, {"AWS": ["a", 5]}, {"AWS": "a", "Service": []}, {"AWS": [["*"]]}]
    statements += [{**whole, "Principal": each} for each in principals]
    for each in statements:
        body = json.dumps({"Statement": each}).encode()
        table(s3_operations.check_policy, body)
    table.head("public")
    public = s3_buckets._is_public
    some: list[Any] = ["*", "x", {"AWS": "*"}, {"AWS": ["a", "*"]}, {"AWS": "a"}, {"Service": "*"}]
    conditions: list[Any] = [None, {}, {"Bool": {}}]
    for effect, principal, condition in itertools.product(
        ("Allow", "Deny"), [*some, None], conditions
    ):
        one = {"Effect": effect, "Principal": principal, "Condition": condition}
        for statement in (one, [one], [{"Effect": "Deny"}, one]):
            table(public, json.dumps({"Statement": statement}))
    compare(HERE / "table-s3-policies.txt", table.text)


def test_acls() -> None:
    table = Table()
    blocks = (
        None,
        SimpleNamespace(block_public_acls=False),
        SimpleNamespace(block_public_acls=True),
    )
    for rule, (number, block) in itertools.product(
        (s3_buckets.ENFORCED, "ObjectWriter"), enumerate(blocks)
    ):
        bucket = SimpleNamespace(ownership_rule=rule, public_access_block=block)
        for headers, has_body in (
            *(
                ({"x-amz-acl": acl}, False)
                for acl in ("private", "public-read", "authenticated-read")
            ),
            *(({"x-amz-acl": acl}, False) for acl in ("bucket-owner-full-control", "public", "")),
            *(({}, has_body) for has_body in (False, True)),
            *(
                ({"x-amz-grant-read": who}, False)
                for who in ("id=x", "x", 'uri="a", id=b', "id=a,")
            ),
            ({"X-Amz-Grant-Write": 'EMAILADDRESS="a b"'}, False),
            ({"x-amz-grant": "x"}, False),
        ):
            shown = f"{rule} {number} {headers} {has_body}"
            table(
                lambda h=headers, b=bucket, w=has_body: s3_buckets.check_acl(h, b, has_body=w),
                shown=shown,
            )
    compare(HERE / "table-s3-acls.txt", table.text)


def test_conditions() -> None:
    table, key = Table(), SimpleNamespace(etag='"abc"', last_modified=CHANGED)
    table.head("writes")
    etags = ("abc", '"abc"', "x, abc", 'x,"abc" ', "x", "*", "", "x,*")
    for existing in (None, key):
        for headers in (
            *({"If-Match": each} for each in etags),
            *({"If-None-Match": each} for each in ("*", " * ", "abc", "")),
            *({"If-Match": each, "If-None-Match": "*"} for each in etags[:1]),
            {},
        ):
            there = "there" if existing else "not there"
            table(s3_conditions.check_write, headers, existing, shown=f"{there} {headers}")
    table.head("deletions")
    for name in ("x-amz-if-match-last-modified-time", "x-amz-if-match-size", "if-match"):
        for value in ("", "5"):
            table(s3_conditions.check_delete, {name: value})
    table.head("copies")
    dates = {
        f"{seconds:+d} s": format_datetime(CHANGED.replace(microsecond=0) + timedelta(0, seconds))
        for seconds in (-1, 0, 1)
    }
    dates |= {
        "GMT": f"Fri, 02 Jan 2026 03:04:05 {'GMT'}",
        "+0100": "Fri, 02 Jan 2026 04:04:05 +0100",
    }
    dates |= {"none": "soon", "empty": "", "too far": f"Mon, {'9' * 20} Jan 2020 00:00:00"}
    before = "X-Amz-Copy-Source-If-"
    for name in ("Modified-Since", "Unmodified-Since"):
        for date, other in itertools.product(dates, ("", "Match", "None-Match")):
            for etag in ("abc", "x") if other else ("",):
                headers = {f"{before}{name}": dates[date]}
                headers |= {f"{before}{other}": etag} if other else {}
                table(
                    *(s3_conditions.check_source, headers, key),
                    shown=f"{name} {date} {other} {etag}",
                )
    for name, etag in itertools.product(("Match", "None-Match"), etags):
        table(s3_conditions.check_source, {f"{before}{name}": etag}, key, shown=f"{name} {etag}")
    table(s3_conditions.check_source, {f"{before}Match": "x"}, None, shown="of nothing")
    table(
        s3_conditions.check_source, {"If-Match": "x", "If-None-Match": "abc"}, key, shown="others"
    )
    compare(HERE / "table-s3-conditions.txt", table.text)


def test_expiry() -> None:
    table = Table()
    form = '<L xmlns="u"><Rule>{}</Rule></L>'
    days = "<Expiration><Days>{}</Days></Expiration>"
    on = "<Status>Enabled</Status>"
    rules = {
        "all": f"{on}<Filter/>{days.format(3)}",
        "prefix": f"{on}<Filter><Prefix>a/</Prefix></Filter>{days.format(3)}",
        "old prefix": f"{on}<Prefix> a/ </Prefix>{days.format(3)}",
        "off": f"<Status>Disabled</Status><Filter/>{days.format(3)}",
        "no state": f"<Filter/>{days.format(3)}",
        "a tag": f"{on}<Filter><Tag/></Filter>{days.format(3)}",
        "a tag and a prefix": f"{on}<Filter><Prefix/><Tag/></Filter>{days.format(3)}",
        "no days": f"{on}<Filter/>",
        "bad days": f"{on}<Filter/>{days.format('x')}",
        "zero days": f"{on}<Filter/>{days.format(' 0 ')}",
        "second": f"<Status>Disabled</Status></Rule><Rule>{on}<Filter/>{days.format(3)}",
    }
    for what, versions in itertools.product(rules, (None, "Enabled", "Suspended")):
        bucket = SimpleNamespace(
            local_lifecycle=("", form.format(rules[what])), versioning_status=versions
        )
        for key, age in itertools.product(("a/x", "b/x"), (0, 2.999, 3, 3.001)):
            held = SimpleNamespace(name=key, last_modified=CHANGED)
            now = CHANGED + timedelta(days=age)
            if versions is None or age > 3:
                shown = f"{what} {versions} {key} after {age}"
                table(s3_expiry.expired, bucket, held, now, shown=shown)
    for none in (SimpleNamespace(), SimpleNamespace(local_lifecycle=None)):
        none.versioning_status = None
        table(s3_expiry.expired, none, held, CHANGED + timedelta(days=99), shown="no lifecycle")
    compare(HERE / "table-s3-expiry.txt", table.text)


def test_parts() -> None:
    table = Table()
    for sizes in ((), (5,), (5, 7), (5, 0, 7)):
        parts = {2 * n + 1: SimpleNamespace(size=size) for n, size in enumerate(sizes)}
        multipart = SimpleNamespace(parts=parts, partlist=sorted(parts)) if sizes else None
        key = SimpleNamespace(multipart=multipart)
        for number in range(-1, 5):
            table(s3_parts.part_of, key, number, shown=f"part {number} of {sizes}")
            if 0 < number <= len(sizes):
                table(lambda n=number, k=key: s3_parts.part_of(k, n).headers, shown="  headers")  # type: ignore[union-attr]
    for given in ({}, {"algorithm": "SHA1"}, {"algorithm": "CRC64NVME"}, {"type": "FULL_OBJECT"}):
        named = {f"x-amz-checksum-{key}": value for key, value in given.items()}
        for metadata in (named, {**named, "x-amz-checksum-type": ""}):
            upload = SimpleNamespace(metadata=metadata)
            table(s3_parts.algorithm_of, upload, shown=str(metadata))
            table(s3_parts.checksum_type, upload, shown=str(metadata))
    table(s3_parts.algorithm_of, None)
    one = "<Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>"
    for body in (
        *("", "<", "<C/>", f"<C>{one.format('x')}</C>", f'<C xmlns="u">{one.format("x")}</C>'),
        *("<C><Part/><Other><ETag>y</ETag></Other></C>", "<C><Part><ETag/></Part></C>"),
        "<C>" + one.format("&quot;x&quot;") + one.format('"') + "</C>",
    ):
        table(s3_parts.listed, body.encode())
    compare(HERE / "table-s3-parts.txt", table.text)


def test_lists_of_uploads() -> None:
    table = Table()
    keys = ("b", "a", "b", "c/d", "c/e", "c", "f", "b")
    initiated = {f"u{n}": CHANGED - timedelta(0, n) for n in range(len(keys))}
    held = {id_: SimpleNamespace(initiated=when) for id_, when in initiated.items()}
    backend = SimpleNamespace(list_multipart_uploads=lambda _: held)
    queries: list[dict[str, str]] = [{}, {"delimiter": "/"}, {"delimiter": "/", "prefix": "c/"}]
    queries += [{"prefix": "c"}, {"prefix": "c", "delimiter": "/"}, {"delimiter": "x"}]
    queries += [{"max-uploads": str(n)} for n in (0, 1, 2, 7, 8, 9, 1000, 1001)]
    queries += [{"max-uploads": str(n), "delimiter": "/"} for n in (1, 4, 5, 6, 7)]
    queries += [{"key-marker": key} for key in ("", "a", "b", "bb", "c/", "c/d", "f", "g")]
    queries += [{"key-marker": "b", "upload-id-marker": id_} for id_ in ("u7", "u2", "u0", "u1")]
    queries += [{"upload-id-marker": "u2"}]
    queries += [{"key-marker": key, "delimiter": "/"} for key in ("c", "c/", "c/d")]
    for query in queries:
        response = SimpleNamespace(
            backend=backend, bucket_name="b", querystring={k: [v] for k, v in query.items()}
        )
        prefix = query.get("prefix", "")
        listed = [
            {"Key": key, "UploadId": f"u{n}"}
            for n, key in enumerate(keys)
            if key.startswith(prefix)
        ]
        result: dict[str, Any] = {"Uploads": listed}
        s3_listing.amend(response, "ListMultipartUploads", result)
        table.head(str(query))
        result["Uploads"] = [
            f"{each['Key']} {each['UploadId']} {each['Initiated']}" for each in result["Uploads"]
        ]
        for name, value in result.items():
            table.text += f"{name} {value}\n"
    body = "<L><Key>a b&amp;c/ü</Key><Prefix>+</Prefix><StartAfter>&lt;</StartAfter></L>"
    for operation in ("ListObjects", "ListObjectsV2", "ListObjectVersions", "ListBuckets"):
        for encoding in ({}, {"encoding-type": ["url"]}, {"encoding-type": ["x"]}):
            for text in (body, body.replace("<L>", "<L><EncodingType>url</EncodingType>")):
                table(s3_listing.encode, operation, text, encoding)
    compare(HERE / "table-s3-uploads.txt", table.text)
