"""S3, where AWS's answers matter to clients: checksums, regions, owners, dates, versions."""

from __future__ import annotations

import functools
import hashlib
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import moto.s3.models
import pytest
from botocore.config import Config

from nitro.local.aws.checksums import ALGORITHMS, composite, encoded
from nitro.local.aws.s3 import LocalS3Backend

from .conftest import BUCKET, Account, error_code

KEY = "object"
PARTS = (b"a" * 3000, b"b" * 100)


@pytest.fixture
def s3(account: Account, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(moto.s3.models, "S3_UPLOAD_PART_MIN_SIZE", 1000)
    account.s3.create_bucket(Bucket=BUCKET)
    return account.s3


def begin(s3: Any, **options: Any) -> dict[str, Any]:
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=KEY, **options)["UploadId"]
    return {"Bucket": BUCKET, "Key": KEY, "UploadId": upload}


def send(s3: Any, upload: dict[str, Any], algorithm: str | None) -> list[dict[str, Any]]:
    sent = []
    for number, part in enumerate(PARTS, 1):
        checksum = {f"Checksum{algorithm}": encoded(algorithm, part)} if algorithm else {}
        answer = s3.upload_part(**upload, PartNumber=number, Body=part, **checksum)
        sent.append({"PartNumber": number, "ETag": answer["ETag"], **checksum})
    return sent


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_object_s_checksum_is_compared_kept_and_reported(s3: Any, algorithm: str) -> None:
    name, right = f"Checksum{algorithm}", encoded(algorithm, PARTS[0])
    put = {"Bucket": BUCKET, "Key": KEY, "Body": PARTS[0]}
    assert s3.put_object(**put, **{name: right})[name] == right
    code = error_code(lambda: s3.put_object(**put, **{name: encoded(algorithm, b"other")}))
    assert code == "BadDigest"
    asked = {"Bucket": BUCKET, "Key": KEY, "ChecksumMode": "ENABLED"}
    for call in (s3.head_object, s3.get_object):
        found = call(**asked)
        assert (found[name], found["ChecksumType"]) == (right, "FULL_OBJECT")
    without = s3.head_object(Bucket=BUCKET, Key=KEY)
    assert name not in without


def test_content_md5_is_compared(s3: Any) -> None:
    put = {"Bucket": BUCKET, "Key": KEY, "Body": b"content"}
    right = b64encode(hashlib.md5(b"content", usedforsecurity=False).digest()).decode()
    s3.put_object(**put, ContentMD5=right)
    for wrong, code in ((b64encode(bytes(16)).decode(), "BadDigest"), ("short", "InvalidDigest")):
        assert error_code(functools.partial(s3.put_object, **put, ContentMD5=wrong)) == code


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA256"])
def test_an_upload_in_parts_has_a_composite(s3: Any, algorithm: str) -> None:
    upload, name = begin(s3, ChecksumAlgorithm=algorithm), f"Checksum{algorithm}"
    parts = send(s3, upload, algorithm)
    listed = s3.list_parts(**upload)
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == (algorithm, "COMPOSITE")
    assert [part[name] for part in listed["Parts"]] == [part[name] for part in parts]
    whole = composite(algorithm, [part[name] for part in parts])
    assert whole.endswith("-2")
    wrong = composite(algorithm, [parts[0][name]])
    complete = {**upload, "MultipartUpload": {"Parts": parts}}
    code = error_code(lambda: s3.complete_multipart_upload(**complete, **{name: wrong}))
    assert code == "BadDigest"
    answer = s3.complete_multipart_upload(**complete)
    assert (answer[name], answer["ChecksumType"]) == (whole, "COMPOSITE")
    assert "VersionId" not in answer
    for call in (s3.head_object, s3.get_object):
        found = call(Bucket=BUCKET, Key=KEY, ChecksumMode="ENABLED")
        assert (found[name], found["ChecksumType"]) == (whole, "COMPOSITE")


def test_an_upload_in_parts_may_have_one_checksum_of_all(s3: Any) -> None:
    upload = begin(s3, ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT")
    parts = send(s3, upload, "CRC64NVME")
    answer = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert answer["ChecksumCRC64NVME"] == encoded("CRC64NVME", b"".join(PARTS))
    assert answer["ChecksumType"] == "FULL_OBJECT"


def test_an_upload_in_parts_without_checksums_is_completed(s3: Any) -> None:
    upload = begin(s3)
    parts = [{k: v for k, v in p.items() if k != "ChecksumCRC32"} for p in send(s3, upload, None)]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == b"".join(PARTS)


def test_wrong_checksums_of_parts_are_refused(s3: Any) -> None:
    upload = begin(s3, ChecksumAlgorithm="SHA256")
    part = {**upload, "PartNumber": 1, "Body": PARTS[0]}
    code = error_code(lambda: s3.upload_part(**part, ChecksumSHA256=encoded("SHA256", b"x")))
    assert code == "BadDigest"
    assert "Parts" not in s3.list_parts(**upload)
    code = error_code(lambda: s3.upload_part(**part, ChecksumCRC32=encoded("CRC32", PARTS[0])))
    assert code == "InvalidRequest"
    parts = send(s3, upload, "SHA256")
    other = [{**each, "ChecksumSHA256": encoded("SHA256", b"x")} for each in parts]
    none = [{k: v for k, v in each.items() if k != "ChecksumSHA256"} for each in parts]
    for listed, code in ((other, "InvalidPart"), (none, "InvalidRequest")):
        complete = {**upload, "MultipartUpload": {"Parts": listed}}
        assert error_code(functools.partial(s3.complete_multipart_upload, **complete)) == code
    for kind in (
        {"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"},
        {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"},
    ):
        assert error_code(functools.partial(begin, s3, **kind)) == "InvalidRequest"


def test_uploads_tell_when_they_began_and_the_owner_is_one(s3: Any) -> None:
    upload = begin(s3)
    (listed,) = s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]
    assert abs(listed["Initiated"] - datetime.now(UTC)) < timedelta(minutes=5)
    owner = s3.get_bucket_acl(Bucket=BUCKET)["Owner"]["ID"]
    assert s3.list_buckets()["Owner"]["ID"] == listed["Owner"]["ID"] == owner
    assert s3.list_parts(**upload)["Owner"]["ID"] == owner


def test_without_versions_the_version_is_null_and_not_sent(s3: Any) -> None:
    upload = begin(s3)
    parts = send(s3, upload, None)
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    for call in (s3.head_object, s3.get_object):
        found = call(Bucket=BUCKET, Key=KEY, VersionId="null")
        assert found["ContentLength"] == sum(map(len, PARTS))
        assert "VersionId" not in found
    assert s3.get_object_acl(Bucket=BUCKET, Key=KEY)["Grants"]


def test_a_wrong_region_is_named_with_the_right_one(account: Account, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"content")
    other = account.there("eu-west-1").s3
    seen: list[Any] = []
    other.meta.events.register(
        "response-received.s3", lambda response_dict, **_: seen.append(response_dict)
    )
    # botocore follows the region that the error names.
    assert other.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == b"content"
    assert seen[0]["status_code"] == 400
    assert seen[0]["headers"]["x-amz-bucket-region"] == "us-east-1"
    assert b"AuthorizationHeaderMalformed" in seen[0]["body"]


def test_a_region_that_does_not_exist_is_refused(account: Account) -> None:
    connect: Any = boto3.client
    quiet = Config(signature_version="s3v4", retries={"total_max_attempts": 1})
    client = connect(
        "s3", region_name="US", endpoint_url="https://s3.us-east-1.amazonaws.com", config=quiet
    )
    code = error_code(lambda: client.list_buckets())
    assert code in ("AuthorizationHeaderMalformed", "")


def test_an_import_reads_a_bucket_of_its_region(account: Account) -> None:
    account.add_role()
    account.upload(b"disk")
    other = account.there("eu-west-1")
    assert error_code(other.begin_import) == "InvalidParameter"


def test_only_s3_s_own_tags_begin_with_aws(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="tagged", Body=b"x")

    def tag(*keys: str) -> None:
        pairs = [{"Key": key, "Value": "v"} for key in keys]
        s3.put_object_tagging(Bucket=BUCKET, Key="tagged", Tagging={"TagSet": pairs})

    tag("awspub:source", "aws-team")
    found = s3.get_object_tagging(Bucket=BUCKET, Key="tagged")["TagSet"]
    assert sorted(each["Key"] for each in found) == ["aws-team", "awspub:source"]
    assert error_code(lambda: tag("aws:source")) == "InvalidTag"
    assert error_code(lambda: tag("k" * 129)) == "InvalidTag"
    assert error_code(lambda: tag(*map(str, range(11)))) == "BadRequest"


def test_attributes_may_be_asked_for_with_spaces(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"abc", ChecksumAlgorithm="SHA256")

    def space(params: dict[str, Any], **_: Any) -> None:
        params["headers"]["x-amz-object-attributes"] = "ETag, Checksum, ObjectSize, StorageClass"

    s3.meta.events.register("before-call.s3.GetObjectAttributes", space)
    found = s3.get_object_attributes(Bucket=BUCKET, Key="a", ObjectAttributes=["ETag"])
    assert (found["ObjectSize"], found["StorageClass"]) == (3, "STANDARD")
    assert found["Checksum"]["ChecksumSHA256"]


@pytest.mark.extended
def test_a_part_whose_upload_ends_meanwhile_is_of_no_upload(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = LocalS3Backend.upload_part

    def end_it(self: Any, bucket: str, upload: str, *part: Any) -> Any:
        key = stored(self, bucket, upload, *part)
        self.abort_multipart_upload(bucket, upload)
        return key

    monkeypatch.setattr(LocalS3Backend, "upload_part", end_it)
    upload = begin(s3)
    code = error_code(lambda: s3.upload_part(**upload, PartNumber=1, Body=PARTS[0]))
    assert code == "NoSuchUpload"


@pytest.mark.extended
def test_a_part_that_is_sent_again_meanwhile_is_taken(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, sent = LocalS3Backend.upload_part, list[Any]()

    def send_again(self: Any, *part: Any) -> Any:
        key = stored(self, *part)
        if not sent:
            sent.append(stored(self, *part))
        return key

    monkeypatch.setattr(LocalS3Backend, "upload_part", send_again)
    upload = begin(s3)
    answer = s3.upload_part(**upload, PartNumber=1, Body=PARTS[0])
    assert answer["ETag"] == f'"{hashlib.md5(PARTS[0]).hexdigest()}"'
    assert sent
