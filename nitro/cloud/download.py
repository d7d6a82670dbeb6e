"""Files from a web server or a bucket, such as kernels that a company keeps for its people."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, InvalidURL
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from nitro.errors import InputError, NitroError, RefusedError
from nitro.progress import Stage
from nitro.space import writing

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SCHEMES = ("https", "http", "s3")
_AS_IT_IS = ":/?#[]@!$&'()*+,;=%"  # of a URL, beside letters and digits: the rest is quoted
_BLOCK = 1 << 20
_LARGEST = 4 << 30
_TIMEOUT = 30.0  # seconds without a byte


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def is_url(text: str) -> bool:
    """Whether a word is a URL rather than a path."""
    return "://" in text


def download(
    url: str, out: Path, stage: Stage, *, profile: str | None = None, region: str | None = None
) -> None:
    """Write what `url` (https, http or s3) names to `out`.

    A bucket is asked with the credentials of `profile`, as the AWS command line does. Raises
    InputError for a URL of another kind, RefusedError when the server says no, NitroError when it
    is out of reach.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InputError(f"{url} cannot be fetched: {error}", hint="check the URL") from None
    if parts.scheme not in _SCHEMES or not parts.netloc or not parts.path.strip("/"):
        raise InputError(
            f"{url} cannot be fetched",
            hint="give a path, or a URL of a file: https, http or s3://BUCKET/KEY",
        )
    source = _bucket(url, profile, region) if parts.scheme == "s3" else _web(url)
    with source as (body, size), out.open("wb") as file, writing(out.parent):
        done = 0
        while block := body.read(_BLOCK):
            done += len(block)
            if done > _LARGEST:
                raise InputError(f"{url} is larger than {_LARGEST >> 30} GiB", hint="check the URL")
            file.write(block)
            stage.progress(done, max(size, done))
        if size and done != size:
            raise NitroError(f"{url}: the connection ended after {done} of {size} bytes")


@contextmanager
def _web(url: str) -> Iterator[tuple[_Readable, int]]:
    try:
        with urllib.request.urlopen(quote(url, _AS_IT_IS), timeout=_TIMEOUT) as answer:
            yield answer, int(answer.headers.get("Content-Length") or 0)
    except urllib.error.HTTPError as error:
        raise RefusedError(f"{url}: {error.code} {error.reason}", hint="check the URL") from None
    except (InvalidURL, UnicodeError) as error:
        raise InputError(f"{url} cannot be fetched: {error}", hint="check the URL") from None
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise NitroError(f"{url}: {reason}", hint="check that this machine reaches it") from None


@contextmanager
def _bucket(url: str, profile: str | None, region: str | None) -> Iterator[tuple[_Readable, int]]:
    parts = urlsplit(url)
    try:
        session = boto3.Session(profile_name=profile, region_name=region)
        client: S3Client = session.client("s3")
        answer = client.get_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))
        yield answer["Body"], answer["ContentLength"]
    except ClientError as error:
        raise RefusedError(f"{url}: {error}", hint="check the URL and your credentials") from None
    except BotoCoreError as error:
        raise NitroError(f"{url}: {error}", hint="check your credentials and the region") from None
