"""What S3 answers of buckets, objects, conditions, lists and uploads in parts."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import moto.s3.models
import pytest

from nitro.local.aws.checksums import ALGORITHMS, encoded
from tests.cloud.local.tour import Tour, policy
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
B = {"Bucket": "mine"}
ARN = "arn:aws:s3:::mine"


def allow(principal: Any, **more: Any) -> str:
    return policy(
        {
            "Effect": "Allow",
            "Principal": principal,
            "Action": "s3:GetObject",
            "Resource": f"{ARN}/*",
            **more,
        }
    )


def test_buckets(tour: Tour) -> None:
    create = "s3.create_bucket"
    tour(create, **B)
    tour.each(
        create,
        *({"Bucket": name} for name in ("UPPER", "a..b", "1.2.3.4", "sthree-a", "a-s3alias", "ab")),
        {"Bucket": "other", "ACL": "public-read"},
        {"Bucket": "other", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}},
    )
    tour(create, Bucket="open", ObjectOwnership="ObjectWriter")
    tour("s3.list_buckets")
    tour("s3.head_bucket", **B)
    tour("s3.head_bucket", Bucket="none")
    asked = (
        *("acl", "cors", "encryption", "lifecycle_configuration", "location", "logging"),
        *("notification_configuration", "ownership_controls", "policy", "policy_status"),
        *("replication", "request_payment", "tagging", "versioning", "website"),
        *("accelerate_configuration",),
    )
    for name in asked:
        tour(f"s3.get_bucket_{name}", **B)
    tour("s3.get_public_access_block", **B)
    tour("s3.get_object_lock_configuration", **B)
    for name in ("analytics", "intelligent_tiering", "metrics", "inventory"):
        tour(f"s3.list_bucket_{name}_configurations", **B)
    tour("s3.get_bucket_metrics_configuration", Id="x", **B)
    tour("s3.get_bucket_request_payment", Bucket="none")
    tour.each(
        "s3.put_bucket_policy",
        *({"Policy": text} for text in ("x", "[]", "{}", '{"Statement": 1}')),
        {"Policy": policy({"Effect": "Allow"})},
        {"Policy": policy({"Effect": "Allow", "Principal": "*"})},
        {"Policy": policy({"Effect": "Allow", "Principal": "*", "Action": "s3:Get*"})},
        {"Policy": allow("me")},
        {"Policy": allow({"AWS": 1})},
        {"Policy": allow("*")},
        {"Policy": allow({"AWS": ["*"]})},
        {"Policy": allow({"AWS": "123456789012"})},
        {"Policy": allow("*", Condition={"Bool": {"aws:SecureTransport": "true"}})},
        {"Policy": allow("*", Effect="Deny")},
        **B,
    )
    tour("s3.get_bucket_policy_status", **B)
    tour("s3.delete_public_access_block", **B)
    tour("s3.get_public_access_block", **B)
    tour("s3.put_bucket_policy", Policy=allow("*"), **B)
    tour("s3.get_bucket_policy_status", **B)
    tour("s3.delete_bucket_policy", **B)
    for bucket in ("mine", "open"):
        tour.each(
            "s3.put_bucket_acl", {"ACL": "public-read"}, {"ACL": "private"},
            {"GrantRead": "id=x"}, {"GrantRead": "x"}, Bucket=bucket,
        )  # fmt: skip
    tour("s3.put_bucket_encryption", **B, ServerSideEncryptionConfiguration={"Rules": [
        {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]})  # fmt: skip
    tour("s3.get_bucket_encryption", **B)
    tour("s3.delete_bucket_encryption", **B)
    tour("s3.get_bucket_encryption", **B)

    def rules(*given: dict[str, Any], **more: Any) -> dict[str, Any]:
        whole = [{"Status": "Enabled", "Filter": {"Prefix": ""}, **each} for each in given]
        return {"LifecycleConfiguration": {"Rules": whole}, **more}

    tour.each(
        "s3.put_bucket_lifecycle_configuration",
        rules({"ID": "a", "Expiration": {"Days": 1}}, {"ID": "a", "Expiration": {"Days": 2}}),
        rules({"ID": "a" * 256, "Expiration": {"Days": 1}}),
        rules(),
        rules({"ID": "a", "Expiration": {"Days": 1}}, TransitionDefaultMinimumObjectSize="x"),
        rules(
            {"ID": "a", "Expiration": {"Days": 1}},
            {"ID": "b", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
            TransitionDefaultMinimumObjectSize="varies_by_storage_class",
        ),
        **B,
    )
    tour("s3.get_bucket_lifecycle_configuration", **B)
    tour("s3.delete_bucket_lifecycle", **B)
    tour("s3.get_bucket_lifecycle_configuration", **B)
    for name in ("metrics", "analytics", "inventory", "intelligent_tiering"):
        tour(f"s3.delete_bucket_{name}_configuration", Id="x", **B)
    there = tour.account.there("eu-west-1")
    for call in (
        lambda: there.s3.list_objects_v2(**B),
        lambda: there.s3.put_object(Key="k", **B),
        lambda: there.s3.get_bucket_location(**B),
    ):
        try:
            told = call()
        except tour.account.s3.exceptions.ClientError as error:
            told = error.response
        tour.note("from another region", {k: v for k, v in told.items() if k != "ResponseMetadata"})
    tour("s3.delete_bucket", **B)
    tour("s3.delete_bucket", **B)
    compare(HERE / "buckets.txt", tour.text)


def test_objects(tour: Tour) -> None:
    s3 = tour.account.s3
    s3.create_bucket(**B)
    one = {"Key": "one", **B}
    put, get, head, copy = "s3.put_object", "s3.get_object", "s3.head_object", "s3.copy_object"
    tour(put, Body=b"first", ContentType="text/plain", Metadata={"a": "b"}, **one)
    tour(get, **one)
    for name in ALGORITHMS:
        tour(put, Body=b"first", **{f"Checksum{name}": encoded(name, b"first")}, **one)
        tour(head, ChecksumMode="ENABLED", **one)
        tour(put, Body=b"first", **{f"Checksum{name}": encoded(name, b"other")}, **one)
    digest = hashlib.md5(b"first", usedforsecurity=False)
    etag = digest.hexdigest()
    tour.each(
        put,
        {"ContentMD5": "x"},
        {"ContentMD5": encoded("SHA1", b"first")},
        {"ContentMD5": "1B2M2Y8AsgTpgAmy7PhCfg=="},
        {"IfNoneMatch": "*"},
        {"IfNoneMatch": etag},
        {"IfMatch": "0" * 32},
        {"IfMatch": f'"{etag}"'},
        {"IfMatch": etag, "Key": "none"},
        {"IfNoneMatch": "*", "Key": "new"},
        {"ACL": "public-read"},
        {"ACL": "bucket-owner-full-control"},
        {"GrantRead": "id=x"},
        {"Key": "k" * 1025},
        {"Bucket": "none"},
        {"Tagging": "a=b&c=d"},
        Body=b"first",
        **one,
    )
    whole = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    tour("s3.get_object_attributes", ObjectAttributes=whole, **one)
    tour.each(get, {"Range": "bytes=1-2"}, {"Range": "bytes=9-"}, {"Key": "none"}, **one)
    tour.each(get, {"PartNumber": 1}, {"PartNumber": 2}, {"IfMatch": etag}, **one)
    tour.each(get, {"IfNoneMatch": etag}, {"IfMatch": "0" * 32}, **one)
    tour.each(head, {"Key": "none"}, {"PartNumber": 1}, {"PartNumber": 9}, **one)
    tour("s3.get_object_tagging", **one)
    for key in ("aws:x", "awsx"):
        tour("s3.put_object_tagging", Tagging={"TagSet": [{"Key": key, "Value": ""}]}, **one)
    many = [{"Key": str(n), "Value": ""} for n in range(11)]
    tour("s3.put_object_tagging", Tagging={"TagSet": many}, **one)
    tour("s3.put_object_tagging", Tagging={"TagSet": [many[0], many[0]]}, **one)
    tour("s3.delete_object_tagging", **one)
    tour("s3.get_object_acl", **one)
    tour("s3.put_object_acl", ACL="public-read", **one)
    for kind in ("retention", "legal_hold"):
        tour(f"s3.get_object_{kind}", **one)
    past, future = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))
    tour.each(
        copy,
        {"CopySourceIfMatch": etag},
        {"CopySourceIfMatch": "0" * 32},
        {"CopySourceIfNoneMatch": etag},
        {"CopySourceIfNoneMatch": "0" * 32},
        {"CopySourceIfModifiedSince": past},
        {"CopySourceIfModifiedSince": future},
        {"CopySourceIfUnmodifiedSince": past},
        {"CopySourceIfUnmodifiedSince": future},
        {"CopySourceIfMatch": etag, "CopySourceIfUnmodifiedSince": past},
        {"CopySourceIfNoneMatch": "0" * 32, "CopySourceIfModifiedSince": future},
        {"CopySource": "mine/none"},
        {"CopySource": "none/one"},
        {"ChecksumAlgorithm": "SHA256"},
        {"MetadataDirective": "REPLACE", "Metadata": {"c": "d"}},
        {"IfNoneMatch": "*"},
        CopySource="mine/one",
        Key="copy",
        **B,
    )
    tour(head, Key="copy", **B)
    gone = {"Objects": [{"Key": "copy"}, {"Key": "none"}]}
    tour("s3.delete_objects", Delete=gone, **B)
    tour("s3.delete_objects", Delete={"Objects": [{"Key": "one", "ETag": etag}]}, **B)
    tour.each("s3.delete_object", {"IfMatch": "0" * 32}, {"IfMatchSize": 5}, {}, {}, **one)
    tour("s3.select_object_content", Expression="x", ExpressionType="SQL",
         InputSerialization={"CSV": {}}, OutputSerialization={"CSV": {}}, **one)  # fmt: skip
    tour("s3.restore_object", **one)
    compare(HERE / "objects.txt", tour.text)


def test_versions_and_lists(tour: Tour) -> None:
    s3 = tour.account.s3
    s3.create_bucket(**B)
    for key in ("a b", "a%20b", "a&<b", "a+b", "x/y+z", "x/z", "ü"):
        s3.put_object(Key=key, Body=key.encode(), **B)
    for name in ("s3.list_objects", "s3.list_objects_v2", "s3.list_object_versions"):
        tour.each(name, {"MaxKeys": 2}, {"Prefix": "x/", "Delimiter": "+"}, **B)
        tour(name, EncodingType="url", **B)
    tour("s3.list_objects", Marker="a+b", MaxKeys=2, Delimiter="/", **B)
    page = tour("s3.list_objects_v2", StartAfter="a+b", MaxKeys=2, FetchOwner=True, **B)
    tour("s3.list_objects_v2", ContinuationToken=page["NextContinuationToken"], **B)
    tour("s3.list_objects_v2", Bucket="none")
    tour("s3.put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"}, **B)
    one = {"Key": "one", **B}
    first, second = (tour("s3.put_object", Body=text, **one) for text in (b"1", b"22"))
    tour("s3.get_object", VersionId=first["VersionId"], **one)
    tour("s3.delete_object", **one)
    tour("s3.get_object", **one)
    tour("s3.list_object_versions", Prefix="one", **B)
    source = {"Key": "one", "VersionId": second["VersionId"], **B}
    tour("s3.copy_object", CopySource=source, Key="back", **B)
    tour("s3.delete_object", VersionId=second["VersionId"], **one)
    tour("s3.get_object", VersionId=second["VersionId"], **one)
    tour("s3.head_object", VersionId="null", Key="x/z", **B)
    tour("s3.list_object_versions", Prefix="one", **B)
    compare(HERE / "lists.txt", tour.text)


def test_uploads(tour: Tour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moto.s3.models, "S3_UPLOAD_PART_MIN_SIZE", 1000)
    s3 = tour.account.s3
    s3.create_bucket(**B)
    begin, part, end = (
        *("s3.create_multipart_upload", "s3.upload_part"),
        "s3.complete_multipart_upload",
    )
    big, small = b"a" * 1000, b"b"
    for algorithm, kind in (
        (None, None), ("SHA256", None), ("CRC32", "FULL_OBJECT"),
    ):  # fmt: skip
        given = {"ChecksumAlgorithm": algorithm, "ChecksumType": kind}
        of_it = {"Key": "big", **B}
        id_ = tour(begin, **of_it, **{k: v for k, v in given.items() if v})["UploadId"]
        of_it["UploadId"] = id_
        parts: list[dict[str, Any]] = []
        for number, body in enumerate((big, small), 1):
            sums = {f"Checksum{algorithm}": encoded(algorithm, body)} if algorithm else {}
            told = tour(part, PartNumber=number, Body=body, **sums, **of_it)
            parts.append({"PartNumber": number, "ETag": told["ETag"], **sums})
        tour("s3.list_parts", **of_it)
        bare = [{"PartNumber": each["PartNumber"], "ETag": each["ETag"]} for each in parts]
        wrong = {f"Checksum{algorithm}": encoded(algorithm, b"x")} if algorithm else {}
        if algorithm:
            tour(end, MultipartUpload={"Parts": [{**bare[0], **wrong}, parts[1]]}, **of_it)
            tour(end, MultipartUpload={"Parts": parts}, **of_it, **wrong)
        if algorithm == "SHA256":
            tour(end, MultipartUpload={"Parts": bare}, **of_it)
            tour(part, PartNumber=3, Body=b"x", ChecksumAlgorithm="CRC32", **of_it)
        tour(end, MultipartUpload={"Parts": parts}, **of_it)
        tour(end, MultipartUpload={"Parts": parts}, **of_it)
        tour("s3.head_object", ChecksumMode="ENABLED", Key="big", **B)
        tour("s3.head_object", PartNumber=1, Key="big", **B)
        tour("s3.get_object", PartNumber=2, Key="big", **B)
        tour(
            "s3.get_object_attributes", ObjectAttributes=["Checksum", "ObjectParts"], Key="big", **B
        )
    tour.each(
        begin,
        {"ChecksumAlgorithm": "SHA1", "ChecksumType": "FULL_OBJECT"},
        {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"},
        {"ChecksumType": "COMPOSITE"},
        {"ACL": "public-read"},
        Key="x",
        **B,
    )
    none = {"Key": "big", "UploadId": "none", **B}
    tour(part, PartNumber=1, Body=b"", **none)
    tour("s3.upload_part_copy", PartNumber=1, CopySource="mine/big", **none)
    tour(end, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": "x"}]}, **none)
    tour("s3.abort_multipart_upload", **none)
    tour("s3.list_parts", **none)
    for key in ("a", "b", "b", "c/d", "c/e", "f"):
        tour.account.s3.create_multipart_upload(Key=key, **B)
    listed = "s3.list_multipart_uploads"
    tour(listed, MaxUploads=0, **B)
    page = tour(listed, MaxUploads=2, **B)
    marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    tour(listed, MaxUploads=2, **marker, **B)
    tour(listed, Delimiter="/", KeyMarker="a", **B)
    tour(listed, Delimiter="/", MaxUploads=3, KeyMarker="a", **B)
    tour(listed, Delimiter="/", Prefix="c/", EncodingType="url", **B)
    compare(HERE / "uploads.txt", tour.text)
