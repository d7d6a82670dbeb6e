"""Uploads in parts: the checksums of the parts, and of the object that they become.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.s3.exceptions import NoSuchUpload, S3ClientError

from nitro.local.aws import s3_parts
from nitro.local.aws.checksums import composite, encoded


class UploadActions:
    """Part of the S3 responses; see `nitro.local.aws.s3`."""

    backend: Any
    bucket_name: str
    headers: Any  # of werkzeug, or a dict
    parse_key_name: Any
    querystring: Mapping[str, Any]
    _get_checksum: Any
    _get_int_param: Any

    def upload_part_copy(self) -> Any:
        self._known_upload()
        return super().upload_part_copy()  # type: ignore[misc]

    def upload_part(self) -> Any:
        algorithm, value = self._get_checksum({})
        upload = self._known_upload()
        wanted = s3_parts.algorithm_of(upload)
        if wanted and algorithm and algorithm != wanted:
            raise S3ClientError(
                "InvalidRequest",
                f"Checksum Type mismatch occurred, expected checksum Type: {wanted.lower()}, "
                f"actual checksum Type: {algorithm.lower()}",
            )
        answer = super().upload_part()  # type: ignore[misc]
        if wanted:
            part = upload.parts[self._get_int_param("partNumber")]
            part.checksum_algorithm, part.checksum_value = (
                wanted,
                value or encoded(wanted, part.value),
            )
        return answer

    def _key_response_post(
        self, request: Any, body: bytes, bucket_name: str, query: dict[str, Any], key_name: str
    ) -> Any:
        if "uploads" in query:
            self._check_upload_checksums()
        upload = self.upload()
        if "uploadId" in query and not self._is_completed(key_name):
            upload = self._known_upload()
        whole = self._whole_checksum(upload, body) if upload else None
        answer = super()._key_response_post(  # type: ignore[misc]
            request, body, bucket_name, query, key_name
        )
        if upload and answer[0] == 200:
            key = self.backend.get_object(bucket_name, key_name)
            if key.acl is None:
                key.set_acl(self.backend.get_bucket(bucket_name).acl)
        return answer if whole is None else self._completed(answer, whole)

    def _is_completed(self, key_name: str) -> bool:
        """Whether the object is what the upload became: the request came before."""
        key = self.backend.get_object(self.bucket_name, key_name)
        upload = key.multipart if key else None
        return upload is not None and upload.id == self.querystring["uploadId"][0]

    def _check_upload_checksums(self) -> None:
        algorithm = self.headers.get("x-amz-checksum-algorithm")
        kind = self.headers.get("x-amz-checksum-type")
        sums = bool(algorithm and algorithm.startswith("SHA") and kind == "FULL_OBJECT")
        if sums or (algorithm, kind) == ("CRC64NVME", "COMPOSITE"):
            raise S3ClientError(
                "InvalidRequest",
                f"The {kind} checksum type cannot be used with the {algorithm} checksum algorithm.",
            )
        if kind and not algorithm:
            raise S3ClientError("InvalidRequest", "A checksum type needs a checksum algorithm.")

    def _whole_checksum(self, upload: Any, body: bytes) -> tuple[str, str, str] | None:
        """Algorithm, type and value for the finished object, checked against what was sent."""
        algorithm = s3_parts.algorithm_of(upload)
        if algorithm is None:
            return None
        kind, values, data = s3_parts.checksum_type(upload), [], []
        for listed in s3_parts.listed(body):
            number = int(listed.get("PartNumber", "0"))
            part = upload.parts.get(number)
            if part is None:
                return None  # which moto refuses
            stated = listed.get(f"Checksum{algorithm}")
            if stated is None and kind == "COMPOSITE":
                raise S3ClientError(
                    "InvalidRequest",
                    f"The upload was created using a {algorithm.lower()} checksum. The complete "
                    "request must include the checksum for each part. It was missing for part "
                    f"{number} in the request.",
                )
            if stated not in (None, part.checksum_value):
                raise S3ClientError(
                    "InvalidPart", f"The checksum of part {number} is not that of its upload."
                )
            values.append(part.checksum_value)
            data.append(part.value)
        value = (
            composite(algorithm, values)
            if kind == "COMPOSITE"
            else encoded(algorithm, b"".join(data))
        )
        stated = self.headers.get(f"x-amz-checksum-{algorithm.lower()}")
        if stated not in (None, value):
            raise S3ClientError("BadDigest", f"The {algorithm} of the object is not as specified.")
        return algorithm, kind, value

    def _completed(self, answer: Any, whole: tuple[str, str, str]) -> Any:
        status, headers, body = answer
        algorithm, kind, value = whole
        key = self.backend.get_object(self.bucket_name, self.parse_key_name())
        if status != 200 or key is None:
            return answer
        key.checksum_algorithm, key.checksum_type = algorithm, kind
        key.checksum_value, _, parts = value.partition("-")
        key.checksum_parts = int(parts or 0)
        told = (
            f"<Checksum{algorithm}>{value}</Checksum{algorithm}><ChecksumType>{kind}</ChecksumType>"
        )
        text = body.decode() if isinstance(body, bytes) else body
        end = "</CompleteMultipartUploadResult>"
        return status, headers, text.replace(end, told + end)

    def _known_upload(self) -> Any:
        """Raises NoSuchUpload."""
        upload = self.upload()
        if upload is None:
            raise NoSuchUpload(upload_id=self.querystring["uploadId"][0])
        return upload

    def upload(self) -> Any | None:
        """The upload in parts that the request names."""
        bucket = self.backend.buckets.get(self.bucket_name)
        identifier = self.querystring.get("uploadId", [""])[0]
        return bucket.multiparts.get(identifier) if bucket else None
