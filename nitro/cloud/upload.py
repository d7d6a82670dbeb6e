"""The disk's way into the bucket: in parts with checksums, to an object of this run alone.

What a killed run has uploaded is not used again, because it cannot be told from the upload of
a run that is still alive. What proves the content is the read-back of the snapshot.
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
from nitro.cloud.session import Cloud
from nitro.cloud.storage import Bucket, image_key
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


def upload_disk(cloud: Cloud, bucket: Bucket, disk: DiskImage, run: tags.Run, stage: Stage) -> int:
    """Put the disk into the bucket, as the object of this run. Returns the bytes sent."""
    key = image_key(disk.digest, run.id)
    stage.status("hashing")
    parts = _parts(disk.path, disk.size_bytes)
    upload_id = cloud.s3.create_multipart_upload(
        **bucket.address,
        Key=key,
        ChecksumAlgorithm="SHA256",
        Tagging=tags.as_query(tags.image_tags(disk.name, disk.digest, run.tags)),
    )["UploadId"]

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
    etags: dict[int, str] = {}
    for part, etag in _all(send, parts):
        etags[part.number] = etag
        sent += part.size
        stage.progress(sent, disk.size_bytes)
    cloud.s3.complete_multipart_upload(
        **bucket.address,
        Key=key,
        UploadId=upload_id,
        MultipartUpload={
            "Parts": [
                {
                    "PartNumber": part.number,
                    "ETag": etags[part.number],
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


def parts_of(size: int) -> int:
    """In how many parts a disk of `size` bytes is uploaded."""
    return -(-size // _step(size))


def _step(size: int) -> int:
    return max(PART_SIZE, -(-size // MOST_PARTS))


def _parts(path: Path, size: int) -> list[Part]:
    step = _step(size)
    found = []
    for number, offset in enumerate(range(0, size, step), start=1):
        data = _read(path, offset, min(step, size - offset))
        sha256 = base64.b64encode(hashlib.sha256(data).digest()).decode()
        found.append(Part(number, offset, len(data), sha256))
    return found


def _read(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb") as file:
        return os.pread(file.fileno(), size, offset)
