"""Which S3 operations are honoured, by what selects them in a request; the others do nothing.

An operation is selected by a method, a bucket or an object, and a word in the query. To a server
that does not know the word, the same request is another operation: deletion of a bucket's metrics
is deletion of the bucket. The words are those of botocore's service model.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from moto.core.utils import get_service_model
from moto.s3.exceptions import S3ClientError

from nitro.local.aws.s3_parts import Refusal

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

#: (method, what it is about) → the words; without a word, an operation is honoured
_HONOURED: Mapping[tuple[str, str], frozenset[str]] = {
    key: frozenset(words.split())
    for key, words in {
        ("GET", "bucket"): (
            "accelerate acl analytics cors encryption intelligent-tiering inventory lifecycle "
            "list-type location logging metrics notification object-lock ownershipControls policy "
            "policyStatus publicAccessBlock replication requestPayment tagging uploads versioning "
            "versions website"
        ),
        ("PUT", "bucket"): (
            "acl cors encryption lifecycle object-lock ownershipControls policy "
            "publicAccessBlock tagging versioning"
        ),
        ("DELETE", "bucket"): (
            "cors encryption lifecycle ownershipControls policy publicAccessBlock replication "
            "tagging website"
        ),
        ("POST", "bucket"): "delete",
        ("GET", "object"): "acl attributes legal-hold retention tagging",
        ("PUT", "object"): "acl legal-hold retention tagging",
        ("DELETE", "object"): "tagging",
        ("POST", "object"): "uploads",
    }.items()
}

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"(?=.{3,63}$)[a-z0-9]([a-z0-9-]|\.(?!\.))*[a-z0-9]")
_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_ADDRESS = re.compile(r"\d+(\.\d+){3}")

#: kinds of configurations that no bucket here has → the element of an empty list of them
_NO_CONFIGURATIONS = {
    "analytics": "ListBucketAnalyticsConfigurationResult",
    "intelligent-tiering": "ListBucketIntelligentTieringConfigurationsOutput",
    "metrics": "ListMetricsConfigurationsResult",
}


def check(method: str, subject: str, query: Iterable[str]) -> None:
    """Raises Refusal for an operation that is not honoured; `subject`: "bucket", "object"."""
    honoured = _HONOURED.get((method, subject), frozenset())
    for word in sorted((_words() & set(query)) - honoured):
        raise Refusal(
            "NotImplemented",
            f"The local Nitro does not support {method} of ?{word} of {subject}s.",
            501,
        )


def constant_answer(method: str, query: Mapping[str, Any]) -> str | None:
    """The body for what is the same of every bucket; None for anything else.

    Raises Refusal for a configuration of a kind that no bucket has.
    """
    if method != "GET":
        return None
    for word, element in _NO_CONFIGURATIONS.items():
        if word in query:
            if "id" in query:
                raise Refusal(
                    "NoSuchConfiguration", "The specified configuration does not exist.", 404
                )
            return xml(element, "<IsTruncated>false</IsTruncated>")
    if "requestPayment" in query:
        return xml("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>")
    return None


def check_bucket_name(name: str) -> None:
    """Raises Refusal for a name that no bucket may have."""
    reserved = name.startswith(_STARTS) or name.endswith(_ENDS)
    if reserved or not _BUCKET.fullmatch(name) or _ADDRESS.fullmatch(name):
        raise Refusal("InvalidBucketName", "The specified bucket is not valid.", 400)


def check_key(key: str) -> None:
    """Raises Refusal for a key that is longer than any may be."""
    if len(key.encode(errors="replace")) > 1024:
        raise Refusal("KeyTooLongError", "Your key is too long", 400)


def check_policy(body: bytes) -> None:
    """Raises S3ClientError for a bucket policy that is none."""
    try:
        policy = json.loads(body)
    except (ValueError, RecursionError):
        policy = None
    if not isinstance(policy, dict):
        raise S3ClientError(
            "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'"
        )
    statements = policy.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not all(isinstance(each, dict) for each in statements):
        raise S3ClientError("MalformedPolicy", "Missing required field Statement")
    for statement in statements:
        for name in ("Effect", "Principal", "Action", "Resource"):
            if name not in statement and f"Not{name}" not in statement:
                raise S3ClientError("MalformedPolicy", f"Missing required field {name}")
        if not _is_principal(statement.get("Principal", statement.get("NotPrincipal"))):
            raise S3ClientError("MalformedPolicy", "Invalid principal in policy")


def _is_principal(given: Any) -> bool:
    """Whether it is everybody, or names by their kind."""
    if not isinstance(given, dict):
        return bool(given == "*")
    named = [each if isinstance(each, list) else [each] for each in given.values()]
    return all(isinstance(name, str) for names in named for name in names)


def selectors() -> dict[str, tuple[str, str, str]]:
    """Operation → its method, what it is about, and its word in the query ("": none)."""
    return dict(_selectors())


def honoured(operation: str) -> bool:
    method, subject, word = _selectors()[operation]
    return not word or word in _HONOURED.get((method, subject), ())


def xml(element: str, content: str) -> str:
    """A document of S3."""
    declaration = '<?xml version="1.0" encoding="UTF-8"?>'
    return f'{declaration}<{element} xmlns="{_NAMESPACE}">{content}</{element}>'


@cache
def _selectors() -> dict[str, tuple[str, str, str]]:
    service = get_service_model("s3")
    found = {}
    for name in service.operation_names:
        http = service.operation_model(name).http
        path, _, query = http["requestUri"].partition("?")
        subject = "object" if "{Key" in path else "bucket" if "{Bucket" in path else "account"
        found[name] = (http["method"], subject, query.partition("&")[0].partition("=")[0])
    return found


@cache
def _words() -> frozenset[str]:
    return frozenset(word for _, _, word in _selectors().values() if word)
