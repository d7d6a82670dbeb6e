"""Receive-side scaling: the hash of a flow and the queue that it picks.

Toeplitz and CRC32 over addresses and ports; frames that are not IP fall into bucket 0. The key
arrives in the control buffer in reverse byte order, as FreeBSD and DPDK store it (Linux does
not, so its hashes differ from a Toeplitz calculator's but spread as well).

Cards whose key cannot be set have one hash: the smaller address and the smaller port come first,
so that both directions of a flow meet in one queue, and only 16 bits count. Source: the hash
calculator of amzn-ec2-ena-utilities.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

KEY_SIZE = 40
TOEPLITZ, CRC32 = 1, 2
LOG_SIZE = 7
TABLE_SIZE = 1 << LOG_SIZE

# Field bits of the hash input, and its protocol indices.
FIELD_L2_DA, FIELD_L2_SA, FIELD_L3_DA, FIELD_L3_SA, FIELD_L4_DP, FIELD_L4_SP = (
    1 << bit for bit in range(6)
)
L2 = FIELD_L2_DA | FIELD_L2_SA
L3 = FIELD_L3_DA | FIELD_L3_SA
L4 = FIELD_L4_DP | FIELD_L4_SP
TCP4, UDP4, TCP6, UDP6, IP4, IP6, IP4_FRAGMENT, NOT_IP, TCP6_EXT, IP6_EXT = range(10)
PROTOCOLS = 16
SUPPORTED_FIELDS: dict[int, int] = {
    TCP4: L3 | L4,
    UDP4: L3 | L4,
    TCP6: L3 | L4,
    UDP6: L3 | L4,
    IP4: L3,
    IP6: L3,
    IP4_FRAGMENT: L3,
    NOT_IP: L2,
}

# The key of Microsoft's RSS verification suite: as good as any, and known to every reader.
DEFAULT_KEY = bytes.fromhex(
    "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa"
)


# The key of cards that take no other: the words of the one above in another order.
FIXED_KEY = bytes.fromhex(
    "beac01fa6a42b73b8030f20c77cb2da3ae7b30b4d0ca2bcb43a38fb04167253d255b0ec26d5a56da"
)
FIXED_INITIAL = 0xFFFFFFFF


class Toeplitz:
    """The hash of Microsoft's RSS specification, with one table per input byte."""

    def __init__(self, key: bytes) -> None:
        bits = int.from_bytes(key, "big")
        width = len(key) * 8
        self._tables: list[list[int]] = []
        for position in range(len(key) - 4):
            windows = [bits >> (width - 32 - position * 8 - b) & 0xFFFFFFFF for b in range(8)]
            table = [0] * 256
            for byte in range(256):
                value = 0
                for b in range(8):
                    if byte & 0x80 >> b:
                        value ^= windows[b]
                table[byte] = value
            self._tables.append(table)

    def hash(self, data: bytes) -> int:
        value = 0
        for table, byte in zip(self._tables, data, strict=False):
            value ^= table[byte]
        return value


@lru_cache(maxsize=4)
def toeplitz(key: bytes) -> Toeplitz:
    """The hash with `key`; its tables take a while to make."""
    return Toeplitz(key)


class Rss:
    """Key, function, input and table of one card; `fixed` if all but the table is fixed."""

    def __init__(self, *, fixed: bool = False) -> None:
        self._fixed = fixed
        self.key = DEFAULT_KEY
        self.function = TOEPLITZ
        self.initial = 0
        self.fields = dict(SUPPORTED_FIELDS)
        self.table: list[int] | None = None
        self._toeplitz: Toeplitz | None = None

    def configure(
        self,
        *,
        key: bytes | None = None,
        function: int | None = None,
        initial: int | None = None,
        fields: dict[int, int] | None = None,
    ) -> None:
        """Change what is given."""
        if key is not None:
            self.key, self._toeplitz = key, None
        self.function = self.function if function is None else function
        self.initial = self.initial if initial is None else initial
        self.fields = self.fields if fields is None else fields

    def hash(self, protocol: int, addresses: bytes, ports: bytes) -> int:
        """Hash of a flow: `addresses` is source then destination, `ports` likewise (or empty)."""
        if self._fixed:
            return _fixed_hash(addresses, ports)
        wanted = self.fields.get(protocol, 0)
        data = _select(addresses, wanted, FIELD_L3_SA, FIELD_L3_DA)
        data += _select(ports, wanted, FIELD_L4_SP, FIELD_L4_DP)
        return self._compute(data) if data else 0

    def _compute(self, data: bytes) -> int:
        if self.function == CRC32:
            return zlib.crc32(data, self.initial)
        if self._toeplitz is None:
            self._toeplitz = toeplitz(self.key)
        return self.initial ^ self._toeplitz.hash(data)

    def queue(self, value: int) -> int | None:
        """The RX queue of a hash; None if the table was never programmed."""
        if self.table is None:
            return None
        return self.table[value & len(self.table) - 1]


def _fixed_hash(addresses: bytes, ports: bytes) -> int:
    value = FIXED_INITIAL ^ toeplitz(FIXED_KEY).hash(_ordered(addresses) + _ordered(ports))
    return value & 0xFFFF | (value & 0xFFFF) << 16


def _ordered(pair: bytes) -> bytes:
    """The smaller half first."""
    half = len(pair) // 2
    one, other = pair[:half], pair[half:]
    return one + other if one <= other else other + one


def _select(data: bytes, wanted: int, source: int, destination: int) -> bytes:
    half = len(data) // 2
    chosen = data[:half] if wanted & source else b""
    return chosen + data[half:] if wanted & destination else chosen
