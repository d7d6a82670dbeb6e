"""The disk's way into the bucket: in parts with checksums, resumed if it was cut off before.

Resuming compares MD5 entity tags, which S3 gives to parts in buckets without KMS keys; with
KMS nothing is resumed. What proves the content is not this but the read-back of the snapshot.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from nitro.cloud import tags
from nitro.cloud.disk import DiskImage
from nitro.cloud.errors import ApiError
from nitro.cloud.session import Cloud
from nitro.cloud.storage import Bucket, image_key, uploads
from nitro.progress import Stage

PART_SIZE = 8 * 1024 * 1024  # bytes; S3 takes 5 MiB to 5 GiB
MOST_PARTS = 10_000
WORKERS = 4


@dataclass(frozen=True)
class Part:
    """A piece of the disk, hashed."""

    number: int  # from 1
    offset: int
    size: int
    sha256: str  # base64, as S3 takes it
    md5: bytes


def upload_disk(cloud: Cloud, bucket: Bucket, disk: DiskImage, stage: Stage) -> int:
    """Put the disk into the bucket. Returns the bytes sent; 0 when it was there already."""
    key = image_key(disk.digest)
    stage.status("hashing")
    parts = _parts(disk.path, disk.size_bytes)
    if not bucket.new and _holds(cloud, bucket, key, parts):
        return 0
    present: dict[int, str] = {}
    upload_id = None if bucket.new else next(iter(uploads(cloud, bucket, key)), None)
    if upload_id:
        present = _present(cloud, bucket, key, upload_id, parts)
    else:
        upload_id = cloud.s3.create_multipart_upload(
            **bucket.address,
            Key=key,
            ChecksumAlgorithm="SHA256",
            Tagging=tags.as_query(tags.image_tags(disk.name, disk.digest)),
        )["UploadId"]
    missing = [part for part in parts if part.number not in present]

    def send(part: Part) -> tuple[Part, str]:
        answer = cloud.s3.upload_part(
            **bucket.address,
            Key=key,
            UploadId=upload_id,
            PartNumber=part.number,
            Body=_read(disk.path, part.offset, part.size),
            ChecksumSHA256=part.sha256,
        )
        return part, answer["ETag"]

    sent = 0
    for part, etag in _all(send, missing):
        present[part.number] = etag
        sent += part.size
        stage.progress(disk.size_bytes - sum(p.size for p in missing) + sent, disk.size_bytes)
    cloud.s3.complete_multipart_upload(
        **bucket.address,
        Key=key,
        UploadId=upload_id,
        MultipartUpload={
            "Parts": [
                {
                    "PartNumber": part.number,
                    "ETag": present[part.number],
                    "ChecksumSHA256": part.sha256,
                }
                for part in parts
            ]
        },
    )
    return sent


def _all(
    work: Callable[[Part], tuple[Part, str]], parts: Sequence[Part]
) -> Iterator[tuple[Part, str]]:
    """Do `work` on all parts, a few at a time; on failure none is still under way."""
    with ThreadPoolExecutor(WORKERS) as pool:
        futures: list[Future[tuple[Part, str]]] = [pool.submit(work, part) for part in parts]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _holds(cloud: Cloud, bucket: Bucket, key: str, parts: Sequence[Part]) -> bool:
    """Whether the very disk was uploaded before and not removed."""
    try:
        found = cloud.s3.head_object(**bucket.address, Key=key)
    except ApiError as error:
        if error.absent:
            return False
        raise
    return str(found["ETag"]).strip('"') == _whole_etag(parts)


def _present(
    cloud: Cloud, bucket: Bucket, key: str, upload: str, parts: Sequence[Part]
) -> dict[int, str]:
    """Part number → ETag of what an earlier attempt left and is the same here."""
    pages = cloud.s3.get_paginator("list_parts").paginate(
        **bucket.address, Key=key, UploadId=upload
    )
    there = {
        part["PartNumber"]: (part["Size"], part["ETag"])
        for page in pages
        for part in page.get("Parts", [])
    }
    return {
        part.number: there[part.number][1]
        for part in parts
        if part.number in there
        and there[part.number][0] == part.size
        and there[part.number][1].strip('"') == part.md5.hex()
    }


def _parts(path: Path, size: int) -> list[Part]:
    step = max(PART_SIZE, -(-size // MOST_PARTS))
    found = []
    for number, offset in enumerate(range(0, size, step), start=1):
        data = _read(path, offset, min(step, size - offset))
        sha256 = base64.b64encode(hashlib.sha256(data).digest()).decode()
        md5 = hashlib.md5(data, usedforsecurity=False).digest()
        found.append(Part(number, offset, len(data), sha256, md5))
    return found


def _whole_etag(parts: Sequence[Part]) -> str:
    """The entity tag S3 gives to an object made of these parts."""
    joined = b"".join(part.md5 for part in parts)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _read(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb") as file:
        return os.pread(file.fileno(), size, offset)
