"""What nitro makes of AWS's answers about buckets and results."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from nitro import progress
from nitro.cloud import Cloud, DiskImage, Keep, results, storage, upload
from nitro.cloud.storage import Bucket
from tests.cloud.answers import (
    ACCOUNT,
    DENIED,
    FAILED,
    UNCLEAR,
    Answering,
    Refused,
    console,
    instances,
    tagged,
)
from tests.cloud.conftest import RUN

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="no policy allows answers that a test has made up"),
]
MINE = Bucket("mine", ACCOUNT)
NO_BUCKET = Refused("404", status=404)
KEY = "images/0-1.raw"
MADE: Any = {
    "HeadBucket": NO_BUCKET,
    "CreateBucket": {},
    "PutBucketTagging": {},
    "PutPublicAccessBlock": {},
    "PutBucketEncryption": {},
    "PutBucketLifecycleConfiguration": {},
    "DeleteBucket": {},
}


def test_buckets(aws: Answering) -> None:
    def ensure(cloud: Cloud, name: str | None = None) -> object:
        with aws.undo(cloud, keep=Keep.IMAGE) as undo:
            bucket = storage.ensure_bucket(cloud, undo, name)
            return bucket, [(each.what, each.id, each.done) for each in undo.entries]

    answer: Any
    for title, answer in {
        "there": {},
        "gone": NO_BUCKET,
        "another's": Refused("403", status=403),
        "malformed": Refused("400"),
        "failed": Refused("500"),
    }.items():
        listings: Any = ({}, Refused("AccessDenied", status=403), FAILED)
        for list_answer in listings:
            answers = {"HeadBucket": answer, "ListObjectsV2": list_answer}
            aws.case(f"find: {title}", storage.find_bucket, answers, "mine")
    aws.case("its own", storage.find_bucket, {"HeadBucket": {}})
    more: Any
    for title, more in {
        "there": {"HeadBucket": {}},
        "made": {},
        "being deleted": {"CreateBucket": [Refused("OperationAborted"), {}]},
        "being deleted for long": {"CreateBucket": Refused("OperationAborted")},
        "by another run": {"CreateBucket": Refused("BucketAlreadyOwnedByYou")},
        "refused": {"CreateBucket": DENIED},
        "unclear, made": {"CreateBucket": UNCLEAR, "HeadBucket": [NO_BUCKET, {}]},
        "unclear, not made": {"CreateBucket": UNCLEAR},
        "not tagged": {"PutBucketTagging": FAILED},
        "not empty": {"PutBucketTagging": FAILED, "DeleteBucket": Refused("BucketNotEmpty")},
        "gone by then": {"PutBucketTagging": FAILED, "DeleteBucket": Refused("NoSuchBucket")},
    }.items():
        aws.case(title, ensure, MADE | more)
    for code in ("UnsupportedArgument", "MalformedXML", "NotImplemented"):
        for region in ("eu-central-1", "us-east-1"):
            refused = MADE | {"CreateBucket": [Refused(code), {}]}
            aws.case(f"{code} in {region}", ensure, refused, region=region)
            aws.case(
                f"{code} always", ensure, MADE | {"CreateBucket": Refused(code)}, region=region
            )
    aws.case("named, there", ensure, {"HeadBucket": {}}, "mine")
    aws.case("named, gone", ensure, MADE, "mine")
    aws.compare("buckets")


def test_what_lies_in_buckets(aws: Answering) -> None:
    begun = [
        {"Key": key, "UploadId": id_} for key, id_ in ((KEY, "1"), (f"{KEY}2", "2"), (KEY, "3"))
    ]
    pages = [
        {
            "Uploads": begun[:2],
            "IsTruncated": True,
            "NextKeyMarker": KEY,
            "NextUploadIdMarker": "2",
        },
        {"Uploads": begun[2:]},
    ]
    answers: Any = {
        "HeadBucket": {},
        "ListMultipartUploads": pages,
        "AbortMultipartUpload": [Refused("NoSuchUpload"), {}],
        "DeleteObject": {},
    }
    aws.case("uploads", storage.uploads, answers, MINE, KEY)
    aws.case("no uploads", storage.uploads, {"ListMultipartUploads": {}}, MINE, KEY)
    aws.case("an image", storage.remove_image, answers, MINE, KEY)
    aws.case("no bucket", storage.remove_image, answers | {"HeadBucket": NO_BUCKET}, MINE, KEY)
    for code in ("NoSuchKey", "NoSuchBucket", "NoSuchUpload", "BucketNotEmpty", "Strange"):
        refused = Refused(code)
        every = dict.fromkeys(("DeleteObject", "DeleteBucket", "AbortMultipartUpload"), refused)
        aws.case(f"object: {code}", storage.remove_object, every, MINE, KEY)
        aws.case(f"bucket: {code}", storage.remove_bucket, every, MINE)
        aws.case(f"upload: {code}", storage.abort, every, MINE, KEY, "1")
    for title, found in {
        "ours": tagged(),
        "theirs": [{"Key": "a", "Value": "b"}],
        "bare": [],
    }.items():
        aws.case(title, storage.is_ours, {"GetObjectTagging": {"TagSet": found}}, MINE, KEY)
    aws.compare("in-buckets")


@pytest.mark.parametrize("parts", [0, 1, 2, 3])
def test_uploads(aws: Answering, disk: DiskImage, parts: int) -> None:
    """Of a disk of so many whole parts and some bytes."""
    with disk.path.open("r+b") as file:
        file.truncate(parts * upload.PART_SIZE + 5)
    one = replace(disk, size_bytes=disk.path.stat().st_size)

    class Stage(progress.Stage):
        """Parts end in any order."""

        def __init__(self) -> None:
            self.told: list[object] = []

        def progress(self, done: float, total: float | None = None, unit: str = "B") -> None:
            self.told.append((done, total, unit))

        def status(self, text: str) -> None:
            self.told.append(text)

    def send(cloud: Cloud) -> object:
        stage = Stage()
        sent = upload.upload_disk(cloud, MINE, one, RUN, stage)
        return sent, stage.told[0], stage.told[-1], len(stage.told)

    def etag(params: dict[str, Any]) -> object:
        return {"ETag": f"tag of {params['PartNumber']}"}

    answers: Any = {
        "CreateMultipartUpload": {"UploadId": "u-1"},
        "UploadPart": etag,
        "CompleteMultipartUpload": {},
    }
    aws.case("sent", send, answers)
    if not parts:
        aws.case("refused", send, answers | {"UploadPart": DENIED})
    aws.compare(f"upload-{parts}")


def test_parts_of_uploads(aws: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    def parts(_: Cloud, size: int) -> object:
        return upload.parts_of(size)

    monkeypatch.setattr(upload, "PART_SIZE", 8 << 20)
    most = 10_000 * (8 << 20)
    for size in (
        0,
        1,
        (8 << 20) - 1,
        8 << 20,
        (8 << 20) + 1,
        most,
        most + 1,
        2 * most,
        3 * most + 1,
    ):
        aws.case(f"{size}", parts, {}, size)
    aws.compare("parts")


def test_results(aws: Answering) -> None:
    def prepare(cloud: Cloud, options: dict[str, Any], guest_ca: str | None = None) -> object:
        cloud.guest_ca = guest_ca
        with aws.undo(cloud, keep=Keep.IMAGE) as undo:
            made = results.prepare(cloud, undo, deployment="d-1", name="r.tar", **options)
            url = urlsplit(made.url)
            known = sorted(made.environment), made.environment.get("NITRO_RESULT_CA")
            signed = (
                parse_qs(url.query)["X-Amz-Expires"],
                parse_qs(url.query)["X-Amz-SignedHeaders"],
            )
            kept = [(each.what, each.id, each.lifetime.value) for each in undo.kept]
            return made.bucket, made.key, url.netloc, url.path, signed, known, kept

    answers: Any = {"HeadBucket": {}, "DeleteObject": {}}
    aws.case("plain", prepare, answers, {})
    aws.case("in Virginia", prepare, answers, {}, region="us-east-1")
    aws.case("mine", prepare, answers, {"bucket": "mine", "lifetime": timedelta(minutes=1)})
    local = {"endpoint_url": "http://127.0.0.1:1"}
    aws.case("here", prepare, answers, {}, "Y2E=", **local)
    aws.case("here, without a certificate", prepare, answers, {}, None, **local)

    def body(size: int) -> Any:
        return lambda _: {"Body": io.BytesIO(bytes(size))}

    def fetch(cloud: Cloud) -> object:
        found = results.fetch(cloud, results.ResultUpload(MINE, "results/d-1/r", "https://x"))
        return None if found is None else len(found)

    for title, answer in {
        "largest": body(results.LARGEST),
        "too large": body(results.LARGEST + 1),
        "not there": Refused("NoSuchKey"),
        "empty": Refused("InvalidRange", status=416),
        "refused": Refused("AccessDenied", status=403),
    }.items():
        aws.case(title, fetch, {"GetObject": answer})
    aws.compare("results")


def test_waits_for_results(aws: Answering) -> None:
    def read(text: str) -> bytes | None:
        if "broken" in text:
            raise ValueError(text)
        return b"said" if "done" in text else None

    def wait(cloud: Cloud, sent: bool) -> object:
        there = results.ResultUpload(MINE, "results/d-1/r", "https://x") if sent else None
        return results.wait_result(cloud, "i-1", read, there, deadline=9.0, stage=aws.stage)

    def put(_: object) -> object:
        return {"Body": io.BytesIO(b"put")}

    running, ended = instances("running"), instances("terminated")
    new, missing = Refused("InvalidInstanceID.NotFound"), Refused("NoSuchKey")
    plain: Any = {
        "DescribeInstances": running,
        "GetConsoleOutput": [console("boot"), console("done")],
        "GetObject": missing,
    }
    for title, more in {
        "on the console": {},
        "in the bucket": {"GetConsoleOutput": console(""), "GetObject": [missing, put]},
        "new": {"DescribeInstances": [new, instances("pending"), running]},
        "no console yet": {
            "GetConsoleOutput": [Refused("IncorrectInstanceState"), console("done")]
        },
        "no console": {"GetConsoleOutput": [new, console("done")]},
        "console refused": {"GetConsoleOutput": FAILED},
        "broken": {"GetConsoleOutput": console("broken")},
        "after the end": {
            "DescribeInstances": ended,
            "GetConsoleOutput": [*[console("a")] * 3, console("done")],
        },
        "ended": {"DescribeInstances": ended, "GetConsoleOutput": console("a\nb")},
        "ends": {"DescribeInstances": [running, ended], "GetConsoleOutput": console("a\nb")},
        "never": {"GetConsoleOutput": console("a\nb")},
    }.items():
        for sent in (True, False):
            aws.case(
                f"{title}, {'with' if sent else 'without'} an upload", wait, plain | more, sent
            )
    aws.compare("waits-for-results")
