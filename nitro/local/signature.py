"""Is a request signed with this endpoint's key? AWS's signature version 4, in headers or a URL.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import io
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote_to_bytes

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = timedelta(minutes=15)  # between the two clocks
LARGEST_HASHED_BODY = 16 * 1024**2  # bytes; larger ones say their hash in a header
_UNSIGNED = "UNSIGNED-PAYLOAD"
_HEADER = re.compile(
    rf"{ALGORITHM} Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{{64}})"
)


@dataclass(frozen=True)
class Key:
    """An access key. A new one has 128 and 256 random bits."""

    access: str = field(default_factory=lambda: secrets.token_hex(10).upper())
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


class Refused(Exception):
    """The request is not one to answer. `reason` is one of the names below."""

    def __init__(self, reason: str, service: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.service, self.message = reason, service, message


UNSIGNED, UNKNOWN_KEY, WRONG, LATE = "unsigned", "unknown key", "wrong signature", "late"


@dataclass(frozen=True)
class _Claim:
    """What a request says of its signature."""

    access: str
    scope: str  # "20260102/us-east-1/ec2/aws4_request"
    service: str
    headers: list[str]
    signature: str
    moment: str  # "20260102T030405Z"
    lasts: timedelta
    in_url: bool


def verify(environ: dict[str, Any], key: Key, now: datetime) -> str:
    """The service that the request is signed for, as signatures name it ("ec2").

    `environ` is WSGI's, with werkzeug's RAW_URI; its body stays readable. Raises Refused.
    """
    path, _, query = str(environ["RAW_URI"]).partition("?")
    claim = _claim(environ, _pairs(query))
    if not hmac.compare_digest(claim.access.encode(), key.access.encode()):
        raise Refused(UNKNOWN_KEY, claim.service, "The access key is not this endpoint's.")
    canonical = "\n".join(
        (
            environ["REQUEST_METHOD"],
            path if claim.service == "s3" else quote(path, safe="/~"),
            _canonical_query(query),
            *(f"{name}:{_header(environ, name)}" for name in claim.headers),
            "",
            ";".join(claim.headers),
            _payload(environ, claim),
        )
    )
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((ALGORITHM, claim.moment, claim.scope, hashed))
    if not hmac.compare_digest(_sign(key.secret, claim.scope, text), claim.signature):
        raise Refused(WRONG, claim.service, "The signature does not match the request.")
    _check_time(claim, now)
    return claim.service


def _claim(environ: Mapping[str, Any], query: list[tuple[str, str]]) -> _Claim:
    asked = dict(query)
    if header := environ.get("HTTP_AUTHORIZATION"):
        match = _HEADER.fullmatch(header.strip())
        if not match:
            raise Refused(UNSIGNED, "", "The request is not signed with signature version 4.")
        credential, headers, signature = match.groups()
        moment, lasts, in_url = environ.get("HTTP_X_AMZ_DATE", ""), SKEW, False
    elif asked.get("X-Amz-Algorithm") == ALGORITHM:
        credential, headers = asked.get("X-Amz-Credential", ""), asked.get("X-Amz-SignedHeaders")
        signature, moment = asked.get("X-Amz-Signature", ""), asked.get("X-Amz-Date", "")
        seconds = asked.get("X-Amz-Expires", "")
        lasts = timedelta(seconds=int(seconds) if re.fullmatch(r"\d{1,6}", seconds) else 0)
        in_url = True
    else:
        raise Refused(UNSIGNED, "", "The request is not signed.")
    access, _, scope = credential.partition("/")
    parts = scope.split("/")
    names = (headers or "").split(";")
    if len(parts) != 4 or "host" not in names:
        raise Refused(WRONG, "", "The credential has no scope, or the host is not signed.")
    return _Claim(access, scope, parts[2], names, signature, moment, lasts, in_url)


def _check_time(claim: _Claim, now: datetime) -> None:
    try:
        signed = datetime.strptime(claim.moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refused(WRONG, claim.service, "The request has no date.") from None
    if not claim.scope.startswith(f"{claim.moment[:8]}/"):
        raise Refused(WRONG, claim.service, "The date is not that of the credential.")
    if not signed - SKEW <= now <= signed + claim.lasts:
        raise Refused(LATE, claim.service, "The request is too old, or from the future.")


def _pairs(query: str) -> list[tuple[str, str]]:
    """Names and values, decoded."""
    split = (part.partition("=") for part in query.split("&") if part)
    return [(_decoded(name), _decoded(value)) for name, _, value in split]


def _decoded(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "surrogateescape")


def _canonical_query(query: str) -> str:
    encoded = sorted(
        (_encoded(name), _encoded(value))
        for name, value in _pairs(query)
        if name != "X-Amz-Signature"
    )
    return "&".join(f"{name}={value}" for name, value in encoded)


def _encoded(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe="-_.~")


def _header(environ: Mapping[str, Any], name: str) -> str:
    wsgi = name.upper().replace("-", "_")
    if wsgi not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        wsgi = f"HTTP_{wsgi}"
    return " ".join(str(environ.get(wsgi, "")).split())


def _payload(environ: dict[str, Any], claim: _Claim) -> str:
    """What the signature says of the body: its hash, or that it says nothing."""
    if stated := environ.get("HTTP_X_AMZ_CONTENT_SHA256"):
        return str(stated)
    if claim.in_url and claim.service == "s3":
        return _UNSIGNED
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > LARGEST_HASHED_BODY:
        raise Refused(WRONG, claim.service, "The body is too large for this service.")
    body = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return hashlib.sha256(body).hexdigest()


def _sign(secret: str, scope: str, text: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()
