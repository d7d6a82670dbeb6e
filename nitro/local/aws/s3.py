"""S3 as AWS answers it, where moto does not: checksums, regions, owners, dates, versions.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import re
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

from moto.core.utils import utcnow
from moto.s3 import urls
from moto.s3.exceptions import BadRequest, InvalidTagError, S3ClientError
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response
from moto.utilities.utils import get_partition

from nitro.local.aws import (
    quotas,
    regions,
    s3_archive,
    s3_buckets,
    s3_conditions,
    s3_listing,
    s3_operations,
    s3_parts,
    s3_uploads,
)
from nitro.local.aws.api import faults, forms
from nitro.local.aws.checksums import ALGORITHMS, encoded

_log = logging.getLogger(__name__)

_HEADERS = {f"x-amz-checksum-{name.lower()}": name for name in ALGORITHMS}
_SCOPE = re.compile(r"Credential=[^/,\s]+/\d{8}/([^/,\s]*)/s3/aws4_request")
LARGEST_TAG_SET = 10  # tags of an object
_TRAILER = re.compile(rb"(x-amz-checksum-[a-z0-9]+):([A-Za-z0-9+/=]+)")


_NUMBERS = frozenset(
    {"max-keys", "max-parts", "max-uploads", "max-buckets", "part-number-marker", "partNumber"}
)


class LocalS3Backend(s3_buckets.BucketsBackend, s3_archive.KeptBackend, S3Backend):  # type: ignore[misc]
    """All buckets of a partition."""

    def create_bucket(self, bucket_name: str, *arguments: Any, **options: Any) -> Any:
        s3_operations.check_bucket_name(bucket_name)
        if len(self.buckets) >= quotas.BUCKETS.most:
            message = "You have attempted to create more buckets than allowed"
            raise s3_parts.Refusal(quotas.BUCKETS.code, message, 400)
        return super().create_bucket(bucket_name, *arguments, **options)

    def create_multipart_upload(self, *arguments: Any, **options: Any) -> Any:
        upload = super().create_multipart_upload(*arguments, **options)
        upload.initiated = utcnow()
        return upload

    def get_object_attributes(self, key: Any, attributes_to_get: list[str]) -> dict[str, Any]:
        """A list in a header may have spaces, and from AWS's JavaScript SDK has."""
        asked = [each.strip() for each in attributes_to_get]
        found: dict[str, Any] = super().get_object_attributes(key, asked)
        return found

    def put_object_tagging(self, key: Any, tags: dict[str, str] | None) -> Any:
        """moto refuses all keys that begin with "aws"; S3 keeps only "aws:" for itself."""
        wanted = self.tagger.convert_dict_to_tags_input(tags)
        if len(wanted) > LARGEST_TAG_SET:
            raise BadRequest(f"Object tags cannot be greater than {LARGEST_TAG_SET}")
        if any(tag["Key"].startswith("aws:") for tag in wanted):
            raise InvalidTagError("Your TagKey cannot be prefixed with aws:")
        if problem := self.tagger.validate_tags(wanted):
            raise InvalidTagError(problem)
        self.tagger.delete_all_tags_for_resource(key.arn)
        self.tagger.tag_resource(key.arn, wanted)
        return key

    @property
    def _url_module(self) -> Any:
        ours = LocalS3Response
        dispatch = {
            name: getattr(ours, name)
            for name in ("bucket_dispatch", "ambiguous_dispatch", "key_dispatch")
        }
        paths = {path: dispatch[stock.__name__] for path, stock in urls.url_paths.items()}
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=paths)


class LocalS3Response(
    s3_buckets.BucketActions,
    s3_conditions.ObjectConditions,
    s3_uploads.UploadActions,
    S3Response,  # type: ignore[misc]
):
    """One request."""

    def bucket_response(self, request: Any, full_url: str, headers: Any) -> Any:
        return self._kept(super().bucket_response, request, full_url, headers)

    def key_response(self, request: Any, full_url: str, headers: Any) -> Any:
        return self._kept(super().key_response, request, full_url, headers)

    def _kept(self, answer: Callable[..., Any], request: Any, *arguments: Any) -> Any:
        answered = self._held(answer, request, *arguments)
        if request.method not in ("GET", "HEAD"):
            self.backend.keep(self.bucket_name, self.parse_key_name())
        return answered

    def _held(self, answer: Callable[..., Any], *arguments: Any) -> Any:
        request_id = str(uuid.uuid4())
        try:
            status, headers, body = answer(*arguments)
        except s3_parts.Refusal as refusal:
            return _refused(refusal.code, refusal.message, request_id, refusal.status)
        except NotImplementedError:
            return _refused("NotImplemented", "This is not implemented here.", request_id, 501)
        except Exception as error:
            if _is_taken_away(error):
                message = "Service is unable to handle request."
                return _refused("ServiceUnavailable", message, request_id, 503)
            _log.exception("request %s, s3", request_id)
            if faults.of_input(error):
                message = "The request, or the XML in it, is not well-formed."
                return _refused("MalformedXML", message, request_id)
            return _refused("InternalError", "An internal error.", request_id, 500)
        kept = {
            name: value
            for name, value in headers.items()
            if (name.lower(), value) != ("x-amz-version-id", "null")  # AWS sends none
        }
        return status, {**kept, "x-amz-request-id": request_id}, body

    def _bucket_response(self, request: Any, full_url: str) -> Any:
        self._check_numbers()
        s3_operations.check(request.method, "bucket", self.querystring)
        # Any region tells where a bucket is; in which one it is made is checked by moto.
        anywhere = "location" in self.querystring or request.method == "PUT"
        wrong = self._wrong_region(bucket_matters=not anywhere)
        if wrong:
            return wrong
        if body := s3_operations.constant_answer(request.method, self.querystring):
            self.backend.get_bucket(self.bucket_name)  # which must exist
            return 200, {"content-type": "application/xml"}, body
        return self.bucket_answer(super()._bucket_response, request, full_url)

    def _key_response(self, request: Any, full_url: str) -> Any:
        self._check_numbers()
        s3_operations.check(request.method, "object", self.querystring)
        s3_operations.check_key(self.parse_key_name())
        if wrong := self._wrong_region():
            return wrong
        self.check_conditions(request.method)
        return super()._key_response(request, full_url)

    def _check_numbers(self) -> None:
        for name in _NUMBERS & self.querystring.keys():
            if not re.fullmatch(r"\d{1,10}", self.querystring[name][0], re.ASCII):
                raise S3ClientError("InvalidArgument", f"Provided {name} not an integer.")

    def _wrong_region(self, *, bucket_matters: bool = True) -> Any | None:
        """The answer to a request that is signed for another region than its bucket's."""
        signed = self._signed_region()
        if signed is None:
            return None
        bucket = self.backend.buckets.get(self.bucket_name) if bucket_matters else None
        known = signed in regions.names(get_partition(signed))
        expected = bucket.region_name if bucket else signed if known else regions.HOME
        if signed == expected:
            return None
        code = "AuthorizationHeaderMalformed"
        message = (
            f"The authorization header is malformed; the region '{signed}' is wrong; expecting "
            f"'{expected}'"
        )
        kind, body = forms.error("s3", code, message, str(uuid.uuid4()))
        body = body.replace("<RequestId>", f"<Region>{expected}</Region><RequestId>")
        return 400, {"content-type": kind, "x-amz-bucket-region": expected}, body

    def _signed_region(self) -> str | None:
        stated = self.headers.get("Authorization", "")
        if credential := self.querystring.get("X-Amz-Credential"):
            stated = f"Credential={unquote(credential[0])}"
        found = _SCOPE.search(stated)
        return found[1] if found else None

    # Checksums of what is sent

    def _get_checksum(self, response_headers: dict[str, Any]) -> tuple[str, str | None]:
        """The algorithm and the checksum of the body. S3ClientError when it is not as sent."""
        data = self.body or b""
        self._check_md5(data)
        algorithm, stated = self._stated_checksum()
        if algorithm is None:
            return "", None
        if algorithm not in ALGORITHMS:
            raise S3ClientError("InvalidRequest", f"There is no checksum algorithm {algorithm}.")
        value = encoded(algorithm, data)
        if stated not in (None, value):
            raise S3ClientError(
                "BadDigest",
                f"The {algorithm} you specified did not match the calculated checksum.",
            )
        response_headers[f"x-amz-checksum-{algorithm.lower()}"] = value
        return algorithm, value

    def _stated_checksum(self) -> tuple[str | None, str | None]:
        for header, algorithm in _HEADERS.items():
            if value := self.headers.get(header):
                return algorithm, value
        if trailing := self.headers.get("x-amz-trailer"):
            found = _TRAILER.search(self.raw_body[-200:])
            name = str(trailing).strip().lower()
            if found and found[1].decode() == name and name in _HEADERS:
                return _HEADERS[name], found[2].decode()
        algorithm = self.headers.get("x-amz-sdk-checksum-algorithm")
        return (algorithm.upper() if algorithm else None), None

    def _check_md5(self, data: bytes) -> None:
        stated = self.headers.get("Content-MD5")
        if stated is None:
            return
        try:
            wanted = base64.b64decode(stated, validate=True)
        except (binascii.Error, ValueError):
            wanted = b""
        if len(wanted) != 16:
            raise S3ClientError("InvalidDigest", "The Content-MD5 you specified was invalid.")
        if wanted != hashlib.md5(data, usedforsecurity=False).digest():
            raise S3ClientError(
                "BadDigest", "The Content-MD5 you specified did not match what we received."
            )

    def put_object(self) -> Any:
        answer = super().put_object()
        key = self.backend.get_object(self.bucket_name, self.parse_key_name())
        if key and key.checksum_algorithm:
            key.checksum_type = "FULL_OBJECT"
        return answer

    # What is told

    def get_object(self) -> Any:
        """With a part number, that part alone; moto gives the whole object."""
        part = self._part(self.bucket_name, self.parse_key_name())
        status, sent, body = super().get_object()
        if part is None or status != 200:
            return status, sent, body
        data = body[part.first : part.last + 1]
        sums = {
            header: encoded(algorithm, data)
            for header, algorithm in _HEADERS.items()
            if header in sent  # that of the whole object, which clients hold the part against
        }
        return 206, {**sent, **part.headers, **sums}, data

    def _part(self, bucket_name: str, key_name: str) -> s3_parts.Part | None:
        """What the request asks for by a part number."""
        number = self._get_int_param("partNumber")
        version_id = self.querystring.get("versionId", [None])[0]
        if number is None or "uploadId" in self.querystring:
            return None
        key = self.backend.get_object(bucket_name, key_name, version_id)
        return s3_parts.part_of(key, number) if key else None

    def head_object(
        self, bucket_name: str, query: dict[str, Any], key_name: str, headers: Any
    ) -> Any:
        if query.get("versionId") == ["null"]:
            query = {name: value for name, value in query.items() if name != "versionId"}
        part = self._part(bucket_name, key_name)
        if part:
            query = {name: value for name, value in query.items() if name != "partNumber"}
        status, sent, body = super().head_object(bucket_name, query, key_name, headers)
        key = self.backend.get_object(bucket_name, key_name) if status == 200 else None
        if part and status == 200:
            return 206, {**sent, **part.headers}, body
        if key and key.checksum_algorithm and headers.get("x-amz-checksum-mode") == "ENABLED":
            sent[f"x-amz-checksum-{key.checksum_algorithm.lower()}"] = _told(key)
            sent["x-amz-checksum-type"] = key.checksum_type or "FULL_OBJECT"
        return status, sent, body

    def serialized(self, action_result: Any) -> Any:
        operation = str(self.data.get("Action"))
        if isinstance(action_result.result, dict):
            s3_listing.amend(self, operation, action_result.result)
        status, sent, body = super().serialized(action_result)
        return status, sent, s3_listing.encode(operation, body, self.querystring)


def _is_taken_away(error: Exception) -> bool:
    """Whether another request has ended the upload, or sent the part again, that was being stored.

    moto closes the part's file then. AWS's clients try again, and are told what has become of it.
    """
    return isinstance(error, ValueError) and "closed file" in str(error)


def _refused(code: str, message: str, request_id: str, status: int = 400) -> Any:
    kind, body = forms.error("s3", code, message, request_id)
    return status, {"content-type": kind, "x-amz-request-id": request_id}, body


def _told(key: Any) -> str:
    return (
        f"{key.checksum_value}-{key.checksum_parts}" if key.checksum_parts else key.checksum_value
    )
