"""Objects that were uploaded in parts: what they consist of, and one part of them alone.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html (partNumber)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from moto.s3.exceptions import S3ClientError


@dataclass(frozen=True)
class Part:
    """Where a part of an object lies, in bytes, the last one included; how many there are."""

    first: int
    last: int
    size: int  # of the object
    count: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "content-range": f"bytes {self.first}-{self.last}/{self.size}",
            "content-length": str(self.last + 1 - self.first),
            "x-amz-mp-parts-count": str(self.count),
        }


class Refusal(Exception):
    """An error answer with a status that its code does not imply in moto."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def part_of(key: Any, number: int) -> Part | None:
    """The part of this number; None for an object that was uploaded in one piece.

    Raises Refusal when the object has no such part.
    """
    parts = key.multipart.partlist if key.multipart else ()
    if not 1 <= number <= max(len(parts), 1):
        raise Refusal("InvalidPartNumber", "The requested partnumber is not satisfiable", 416)
    if not parts:
        return None
    sizes = [key.multipart.parts[each].size for each in parts]
    first = sum(sizes[: number - 1])
    return Part(first, first + sizes[number - 1] - 1, sum(sizes), len(sizes))


def algorithm_of(upload: Any | None) -> str | None:
    """Of the checksums of an upload."""
    found = upload.metadata.get("x-amz-checksum-algorithm") if upload else None
    return str(found) if found else None


def checksum_type(upload: Any) -> str:
    """ "COMPOSITE" or "FULL_OBJECT"."""
    default = "FULL_OBJECT" if algorithm_of(upload) == "CRC64NVME" else "COMPOSITE"
    return str(upload.metadata.get("x-amz-checksum-type") or default)


def listed(body: bytes) -> list[dict[str, str]]:
    """The parts that CompleteMultipartUpload lists: element → text."""
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        raise S3ClientError("MalformedXML", "The XML you provided was not well-formed.") from None
    return [
        {_bare(child.tag): (child.text or "").strip('"') for child in part}
        for part in root
        if _bare(part.tag) == "Part"
    ]


def _bare(tag: str) -> str:
    return tag.rpartition("}")[2]
