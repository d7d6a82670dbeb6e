"""The checksums that S3 knows, of bytes at once.

CRC-32C and CRC-64/NVME are not in Python's library; a table for two bytes at a time makes about
20 MB/s. Polynomials: RFC 3720, and the NVM Express NVM Command Set Specification, 5.2.1.3.4.
"""

from __future__ import annotations

import array
import base64
import functools
import hashlib
import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Final

_CRC32C, _CRC64NVME = 0x82F63B78, 0x9A6C9329AC4BC9B5  # reflected

_DIGESTS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "CRC32C": lambda data: _crc(data, _CRC32C, 32).to_bytes(4, "big"),
    "CRC64NVME": lambda data: _crc(data, _CRC64NVME, 64).to_bytes(8, "big"),
    "SHA1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
}

ALGORITHMS = tuple(_DIGESTS)


def digest(algorithm: str, data: bytes) -> bytes:
    """KeyError for an algorithm that is not in `ALGORITHMS`."""
    return _DIGESTS[algorithm](data)


def encoded(algorithm: str, data: bytes) -> str:
    """As S3 writes it: in base64."""
    return base64.b64encode(digest(algorithm, data)).decode()


def composite(algorithm: str, parts: list[str]) -> str:
    """The checksum of the checksums of an object's parts; S3 ends it with `-` and their number."""
    joined = b"".join(base64.b64decode(part) for part in parts)
    return f"{encoded(algorithm, joined)}-{len(parts)}"


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    table, ones = _table(polynomial), (1 << bits) - 1
    crc = ones
    even = len(data) & ~1
    words = array.array("H", data[:even])
    if sys.byteorder == "big":
        words.byteswap()
    for word in words:
        crc = table[(crc ^ word) & 0xFFFF] ^ (crc >> 16)
    for byte in data[even:]:
        crc = _shifted(crc ^ byte, polynomial, 8)
    return crc ^ ones


@functools.cache
def _table(polynomial: int) -> list[int]:
    """What each value of the low 16 bits comes to."""
    return [_shifted(value, polynomial, 16) for value in range(1 << 16)]


def _shifted(crc: int, polynomial: int, count: int) -> int:
    for _ in range(count):
        crc = (crc >> 1) ^ (polynomial if crc & 1 else 0)
    return crc
