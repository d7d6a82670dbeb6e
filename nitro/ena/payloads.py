"""What features and statistics carry, in words: for people who read traces."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from enum import IntEnum, IntFlag

from nitro.ena.constants import Capability, Event, Feature, RxOffload, StatsType, TxOffload

Words = Callable[[int], str]
_TIDY = str.maketrans("_", " ")


def tidy(name: str) -> str:
    """`MAX_QUEUES` as `max queues`."""
    return name.lower().translate(_TIDY)


def flags(kind: type[IntFlag]) -> Words:
    """The names of the bits that are set."""
    return lambda value: _join(f.name or "" for f in kind if value & f) if value else "none"


def _numbered(kind: type[IntEnum]) -> Words:
    """As `flags`, of bits that are numbered by `kind`."""
    return lambda value: _join(n.name for n in kind if value >> n & 1) if value else "none"


def _join(names: Iterable[str]) -> str:
    return " + ".join(map(tidy, names))


def _mac(value: bytes) -> str:
    return value.hex(":")


# A layout, and for each of its fields what it is called and how it is said; "" is passed over.
_FEATURES: dict[int, tuple[str, tuple[str | tuple[str, Callable[..., str]], ...]]] = {
    Feature.DEVICE_ATTRIBUTES: (
        "<6I6sHI",
        (
            "implementation",
            ("version", hex),
            ("features", _numbered(Feature)),
            ("capabilities", flags(Capability)),
            "address bits",
            "",
            ("MAC", _mac),
            "",
            "MTU up to",
        ),
    ),
    Feature.MAX_QUEUES: (
        "<7IHH",
        ("SQs", "depth", "CQs", "depth", "", "", "header", "TX descriptors", "RX descriptors"),
    ),
    Feature.HINTS: (
        "<8H",
        (
            "MMIO read ms",
            "watchdog ms",
            "TX completion ms",
            "missed TX",
            "admin ms",
            "netdev watchdog ms",
            "TX buffers",
            "RX buffers",
        ),
    ),
    Feature.LLQ: (
        "<2I8HBBHHH",
        (
            "queues",
            "depth",
            ("locations", hex),
            "location",
            ("entry sizes", hex),
            "entry size",
            ("descriptors before header", hex),
            "chosen",
            ("strides", hex),
            "stride",
            "version",
            "recommended entry size",
            "wide depth",
            ("flags", hex),
            "burst bytes",
        ),
    ),
    Feature.MAX_QUEUES_EXT: (
        "<B3x9IHH",
        (
            "version",
            "TX SQs",
            "TX CQs",
            "RX SQs",
            "RX CQs",
            "TX depth",
            "TX CQ depth",
            "RX depth",
            "RX CQ depth",
            "header",
            "TX descriptors",
            "RX descriptors",
        ),
    ),
    Feature.RSS_FUNCTION: ("<3I", (("offered", hex), ("selected", hex), ("initial", hex))),
    Feature.OFFLOADS: (
        "<3I",
        (("TX", flags(TxOffload)), ("RX", flags(RxOffload)), ("RX enabled", flags(RxOffload))),
    ),
    Feature.RSS_TABLE: (
        "<HHHBxI",
        ("log2 size from", "to", "now", "single entries", ("entry", hex)),
    ),
    Feature.MTU: ("<I", ("MTU",)),
    Feature.RSS_INPUT: ("<HH", (("sorts", hex), ("sorted", hex))),
    Feature.MODERATION: ("<H", ("µs a unit",)),
    Feature.AENQ: ("<II", (("offered", _numbered(Event)), ("enabled", _numbered(Event)))),
    Feature.LINK: ("<III", ("Mbit/s", ("speeds", hex), ("flags", hex))),
    Feature.HOST_ATTRIBUTES: ("<QQI", (("host info at", hex), ("debug area at", hex), "bytes")),
}
_COUNTERS: dict[int, tuple[str, ...]] = {
    StatsType.BASIC: (
        *("TX bytes", "TX packets", "RX bytes", "RX packets"),
        *("RX drops", "TX drops", "RX overruns"),
    ),
    StatsType.ENI: ("bandwidth in", "bandwidth out", "packets", "connections", "link-local"),
    StatsType.CUSTOMER: ("metrics",),
}


def feature(number: int, payload: bytes) -> str:
    """The fields of a GET answer or a SET request; zeros are left out."""
    if number not in _FEATURES:
        return payload.hex()
    layout, fields = _FEATURES[number]
    said = []
    values = struct.unpack_from(layout, payload.ljust(struct.calcsize(layout), b"\0"))
    for field, value in zip(fields, values, strict=True):
        name, words = (field, str) if isinstance(field, str) else field
        if name and value:
            said.append(f"{name} {words(value)}")
    return ", ".join(said)


def statistics(kind: int, payload: bytes) -> str:
    """The counters of a GET_STATS answer; zeros are left out."""
    names = _COUNTERS.get(kind, ())
    layout = struct.Struct(f"<{len(names)}Q")
    values = layout.unpack_from(payload.ljust(layout.size, b"\0"))
    return ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True) if value)
