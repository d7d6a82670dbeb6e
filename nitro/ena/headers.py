"""What the card reads of a received frame: protocols and flow, from its first bytes."""

from __future__ import annotations

from nitro.ena import rss
from nitro.ena.offload import TCP, UDP

PEEK = 128

# Protocol indices and flags of the status word of RX completions.
L3_IPV4, L3_IPV6 = 8, 11
L4_TCP, L4_UDP = 12, 13
STATUS_FRAGMENT = 1 << 15
STATUS_L4_CHECKED = 1 << 16

_IPV4, _IPV6, _VLAN = b"\x08\x00", b"\x86\xdd", b"\x81\x00"
_PLAIN_IPV4 = b"\x08\x00\x45"
_CACHE_LIMIT = 4096
_KIND4 = {TCP: (L4_TCP, rss.TCP4), UDP: (L4_UDP, rss.UDP4)}
_KIND6 = {TCP: (L4_TCP, rss.TCP6), UDP: (L4_UDP, rss.UDP6)}


class Flow:
    """`status`: bits for the completion; `hash`: the RSS hash, 0 (bucket 0) if not IP."""

    __slots__ = ("hash", "status")

    def __init__(self, status: int = 0, value: int = 0) -> None:
        self.status, self.hash = status, value


NOT_IP = Flow()


class Classifier:
    """Tells flows apart and remembers the common kind: IPv4 without options, with ports if TCP or
    UDP."""

    def __init__(self, hasher: rss.Rss) -> None:
        self._hasher = hasher
        self._cache: dict[bytes, Flow] = {}

    def forget(self) -> None:
        """Key, function or input of the hash changed."""
        self._cache.clear()

    def classify(self, head: bytes) -> Flow:
        """The flow of a frame that begins with `head` (`PEEK` bytes, or all of a short frame)."""
        plain = head[12:15] == _PLAIN_IPV4 and len(head) >= 42
        if not plain or head[20] & 0x3F or head[21]:
            return self._parse(head)
        key = head[23:24] + head[26 : 38 if head[23] in _KIND4 else 34]
        flow = self._cache.get(key)
        if flow is None:
            flow = self._parse(head)
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            self._cache[key] = flow
        return flow

    def _parse(self, head: bytes) -> Flow:
        l3 = 18 if head[12:14] == _VLAN else 14
        ethertype = head[l3 - 2 : l3]
        if ethertype == _IPV4 and len(head) >= l3 + 20 and head[l3] >> 4 == 4:
            return self._ipv4(head, l3, l3 + (head[l3] & 0x0F) * 4)
        if ethertype == _IPV6 and len(head) >= l3 + 40 and head[l3] >> 4 == 6:
            return self._ipv6(head, l3, l3 + 40)
        return NOT_IP

    def _ipv4(self, head: bytes, l3: int, l4: int) -> Flow:
        addresses = head[l3 + 12 : l3 + 20]
        if head[l3 + 6] & 0x3F or head[l3 + 7]:  # more fragments, or an offset
            value = self._hasher.hash(rss.IP4_FRAGMENT, addresses, b"")
            return Flow(L3_IPV4 | STATUS_FRAGMENT, value)
        l4_index, kind = _KIND4.get(head[l3 + 9], (0, rss.IP4))
        return self._with_ports(head, l4, L3_IPV4, l4_index, kind, addresses, rss.IP4)

    def _ipv6(self, head: bytes, l3: int, l4: int) -> Flow:
        l4_index, kind = _KIND6.get(head[l3 + 6], (0, rss.IP6))
        return self._with_ports(head, l4, L3_IPV6, l4_index, kind, head[l3 + 8 : l4], rss.IP6)

    def _with_ports(
        self,
        head: bytes,
        l4: int,
        l3_index: int,
        l4_index: int,
        kind: int,
        addresses: bytes,
        ip: int,
    ) -> Flow:
        if not l4_index or len(head) < l4 + 4:
            return Flow(l3_index, self._hasher.hash(ip, addresses, b""))
        value = self._hasher.hash(kind, addresses, head[l4 : l4 + 4])
        return Flow(l3_index | l4_index << 8 | STATUS_L4_CHECKED, value)
