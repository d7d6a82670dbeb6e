"""The host info page: what a driver says about itself and its system."""

from __future__ import annotations

from dataclasses import dataclass

from nitro.ena.constants import OsType
from nitro.ena.memory import Memory
from nitro.ena.payloads import HOST_INFO


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
        page = HOST_INFO.unpack(bytes(memory.view(address, HOST_INFO.size)))
        return cls(
            os_type=page["os_type"],
            distribution=_text(page["distribution"]),
            kernel=_text(page["kernel"]),
            driver_version=page["driver_version"],
            features=page["driver_features"],
        )

    @property
    def given(self) -> bool:
        return self.os_type != 0

    @property
    def driver_major(self) -> int:
        return self.driver_version & 0xFF

    @property
    def takes_merged_segments(self) -> bool:
        """Whether the system's stack copes with received segments longer than the MTU.

        FreeBSD's does not: it sums TCP itself, and the sum of such a segment is unfinished. Nor
        does OSv's with its own driver, which says that it is Linux and names no kernel.
        """
        return self.os_type == OsType.LINUX and bool(self.kernel)


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("ascii", "replace")
