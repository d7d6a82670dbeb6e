"""What a new bucket has, and configurations of buckets that moto does not keep whole.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html (April 2023: public
access blocked, ACLs disabled; January 2023: encrypted with S3's keys)
https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree

from nitro.local.aws import s3_operations
from nitro.local.aws.s3_parts import Refusal

_ENCRYPTION = {
    "Rule": {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BucketKeyEnabled": "false",
    }
}
ENFORCED = "BucketOwnerEnforced"  # ACLs are disabled
_SMALLEST = "x-amz-transition-default-minimum-object-size"
_SIZES = ("all_storage_classes_128K", "varies_by_storage_class")
_CONDITION = re.compile(rb"<(ETag|Size|LastModifiedTime)[\s/>]")  # a key's own < is &lt;
MOST_RULES, LONGEST_ID = 1000, 255  # of a lifecycle
_NUMBERS = {
    *("Days", "NoncurrentDays", "NewerNoncurrentVersions", "DaysAfterInitiation"),
    *("ObjectSizeGreaterThan", "ObjectSizeLessThan"),
}
_DIGITS = 15
_GRANTEE = re.compile(r"""(id|uri|emailAddress)=("[^"]+"|[^"]+)""", re.IGNORECASE)
_OWNERS_ACLS = ("", "private", "bucket-owner-full-control")  # all say that the owner may do all


class BucketsBackend:
    """Part of the S3 backend; see `nitro.local.aws.s3`."""

    get_bucket: Any

    def create_bucket(self, bucket_name: str, *arguments: Any, **options: Any) -> Any:
        bucket = super().create_bucket(bucket_name, *arguments, **options)  # type: ignore[misc]
        bucket.encryption, bucket.ownership_rule = _ENCRYPTION, ENFORCED
        self.put_public_access_block(  # type: ignore[attr-defined]
            bucket_name,
            {
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
        return bucket

    def delete_bucket_encryption(self, bucket_name: str) -> None:
        """There is always one: S3's own keys."""
        self.get_bucket(bucket_name).encryption = _ENCRYPTION

    def delete_bucket_lifecycle(self, bucket_name: str) -> None:
        super().delete_bucket_lifecycle(bucket_name)  # type: ignore[misc]
        self.get_bucket(bucket_name).local_lifecycle = None


class BucketActions:
    """Part of the S3 responses; see `nitro.local.aws.s3`."""

    backend: Any
    body: bytes
    bucket_name: str
    headers: Any  # of werkzeug, or a dict
    querystring: Mapping[str, Any]

    def bucket_answer(self, proceed: Callable[..., Any], request: Any, full_url: str) -> Any:
        """What S3 answers about a bucket; `proceed` asks moto."""
        bucket, query = self.backend.buckets.get(self.bucket_name), self.querystring
        if bucket and (found := _answer(request.method, query, bucket)):
            return found
        if request.method == "POST" and "delete" in query:
            _check_deletions(self.body)
        if request.method == "PUT":
            if bucket:
                _check_put(query, self.headers, self.body, bucket)
            else:
                _check_new(self.headers)
        if not bucket or request.method != "PUT" or "lifecycle" not in query:
            return proceed(request, full_url)
        lifecycle = _lifecycle(self.headers, self.body)
        answer = proceed(request, full_url)
        if isinstance(answer, tuple) and answer[0] >= 300:
            return answer
        bucket.local_lifecycle = lifecycle
        return 200, {_SMALLEST: lifecycle[0]}, ""


def _check_new(headers: Mapping[str, str]) -> None:
    """Raises Refusal for a bucket that is to have an ACL, and ACLs disabled."""
    enforced = headers.get("x-amz-object-ownership", ENFORCED) == ENFORCED
    _grants(headers)
    if enforced and headers.get("x-amz-acl", "") not in _OWNERS_ACLS:
        raise Refusal(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
            400,
        )


def _answer(method: str, query: Mapping[str, Any], bucket: Any) -> tuple[Any, ...] | None:
    """What S3 answers of a bucket where moto does not; None for anything else."""
    if method == "GET" and "policyStatus" in query:
        if not bucket.policy:
            raise Refusal("NoSuchBucketPolicy", "The bucket policy does not exist", 404)
        public = str(_is_public(bucket.policy)).lower()
        body = s3_operations.xml("PolicyStatus", f"<IsPublic>{public}</IsPublic>")
        return 200, {"content-type": "application/xml"}, body
    kept = getattr(bucket, "local_lifecycle", None)
    if method == "GET" and "lifecycle" in query and kept:
        size, body = kept
        return 200, {"content-type": "application/xml", _SMALLEST: size}, body
    return None


def _check_deletions(body: bytes) -> None:
    """Raises Refusal for objects that are to be deleted on conditions, of which moto knows none."""
    found = _CONDITION.search(body)
    if found:
        raise Refusal("NotImplemented", f"DeleteObjects by {found[1].decode()}", 501)


def _check_put(
    query: Mapping[str, Any], headers: Mapping[str, str], body: bytes, bucket: Any
) -> None:
    """Raises Refusal for what the bucket's own configuration forbids to be put into it."""
    if "acl" in query:
        check_acl(headers, bucket, has_body=bool(body))
    if "policy" in query:
        s3_operations.check_policy(body)
        block = bucket.public_access_block
        if block and block.block_public_policy and _is_public(body):
            raise Refusal(
                "AccessDenied",
                "User is not authorized to perform: s3:PutBucketPolicy because public policies "
                "are prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
                403,
            )


def check_acl(headers: Mapping[str, str], bucket: Any, *, has_body: bool = False) -> None:
    """Raises Refusal for an ACL in a bucket that has none, or a public one where they are blocked.

    An object may come with an ACL that gives all to the owner.
    """
    canned = headers.get("x-amz-acl", "")
    grants = _grants(headers)
    if bucket.ownership_rule == ENFORCED:
        if has_body or grants or canned not in _OWNERS_ACLS:
            raise Refusal("AccessControlListNotSupported", "The bucket does not allow ACLs", 400)
        return
    block = bucket.public_access_block
    if canned.startswith("public-") and block and block.block_public_acls:
        raise Refusal("AccessDenied", "Access Denied", 403)


def _grants(headers: Mapping[str, str]) -> list[str]:
    """Values of the headers with grants. Raises Refusal for one that names no grantees."""
    found = [text for name, text in headers.items() if name.lower().startswith("x-amz-grant-")]
    for text in found:
        if not all(_GRANTEE.fullmatch(grantee.strip()) for grantee in text.split(",")):
            raise Refusal("InvalidArgument", "Argument format not recognized", 400)
    return found


def _lifecycle(headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
    """The smallest size, and the configuration as it was given but with a name for each rule.

    Raises Refusal for one that S3 refuses and moto does not.
    """
    size = headers.get(_SMALLEST) or _SIZES[0]
    if size not in _SIZES:
        raise Refusal("InvalidRequest", f"{_SMALLEST} is not one of {', '.join(_SIZES)}", 400)
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, LookupError, ValueError):  # or of an unknown encoding
        raise _malformed() from None
    if b"<!DOCTYPE" in body or not all(map(_is_valid, root.iter())):
        raise _malformed()
    rules = [each for each in root if each.tag.rpartition("}")[2] == "Rule"]
    if not 0 < len(rules) <= MOST_RULES:
        raise Refusal("MalformedXML", f"A lifecycle has 1 to {MOST_RULES} rules", 400)
    names = []
    for rule in rules:
        members = {each.tag.rpartition("}")[2]: each for each in rule}
        if "ID" not in members:
            space = rule.tag.rpartition("}")[0]
            members["ID"] = ElementTree.SubElement(rule, f"{space}}}ID" if space else "ID")
        name = members["ID"].text or secrets.token_urlsafe(36)
        if len(name) > LONGEST_ID:
            raise Refusal("InvalidArgument", f"ID length should not exceed {LONGEST_ID}", 400)
        members["ID"].text = name
        names.append(name)
    if len(set(names)) < len(names):
        raise Refusal("InvalidArgument", "Rule ID must be unique", 400)
    return size, ElementTree.tostring(root, encoding="unicode")


def _is_valid(element: ElementTree.Element) -> bool:
    """Not so only numbers that are none."""
    number, text = element.tag.rpartition("}")[2] in _NUMBERS, (element.text or "").strip()
    return not number or (text.isascii() and text.isdecimal() and len(text) <= _DIGITS)


def _malformed() -> Refusal:
    return Refusal("MalformedXML", "The XML you provided was not well-formed", 400)


def check_lock(query: Mapping[str, Any], bucket: Any, key: Any | None, method: str) -> None:
    """For retention and legal hold of an object. Raises Refusal where it can have none."""
    kind = next((word for word in ("retention", "legal-hold") if word in query), None)
    if kind is None:
        return
    if not bucket.object_lock_enabled:
        raise Refusal("InvalidRequest", "Bucket is missing Object Lock Configuration", 400)
    missing = {"retention": "lock_mode", "legal-hold": "lock_legal_status"}[kind]
    if method == "GET" and key is not None and not getattr(key, missing):
        raise Refusal(
            "NoSuchObjectLockConfiguration",
            "The specified object does not have a ObjectLock configuration",
            404,
        )


def _is_public(policy: bytes | str) -> bool:
    """Whether a statement allows something to everybody, without a condition.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
    """
    statements = json.loads(policy)["Statement"]
    for each in [statements] if isinstance(statements, dict) else statements:
        principal = each.get("Principal")
        named = principal.get("AWS", ()) if isinstance(principal, dict) else principal
        everyone = "*" in ([named] if isinstance(named, str) else named or ())
        if each.get("Effect") == "Allow" and everyone and not each.get("Condition"):
            return True
    return False
