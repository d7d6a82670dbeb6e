"""The host info page: what a driver says about itself and its system."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from nitro.ena.constants import OsType
from nitro.ena.memory import Memory

SIZE = 196
_WHOLE_SEGMENT_SYSTEMS = (OsType.LINUX, OsType.FREEBSD)


@dataclass(frozen=True, slots=True)
class HostInfo:
    """The fields that the card looks at; zero and empty before the driver set any."""

    os_type: int = 0
    distribution: str = ""
    kernel: str = ""
    driver_version: int = 0
    features: int = 0

    @classmethod
    def read(cls, memory: Memory, address: int) -> HostInfo:
        """Read the page at `address`. Raises DmaError."""
        page = bytes(memory.view(address, SIZE))
        (os_type,) = struct.unpack_from("<I", page, 0)
        (driver_version,) = struct.unpack_from("<I", page, 172)
        (features,) = struct.unpack_from("<I", page, 192)
        return cls(os_type, _text(page[4:132]), _text(page[136:168]), driver_version, features)

    @property
    def given(self) -> bool:
        return self.os_type != 0

    @property
    def driver_major(self) -> int:
        return self.driver_version & 0xFF

    @property
    def takes_whole_segments(self) -> bool:
        """Whether the system's stack copes with received segments longer than the MTU."""
        return self.os_type in _WHOLE_SEGMENT_SYSTEMS


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("ascii", "replace")
