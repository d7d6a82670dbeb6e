"""A packet on its way from a TX ring to the port."""

from __future__ import annotations

from nitro.ena.offload import PLAIN, Buffer


class Packet:
    """Slices of guest memory; `rule` is set when it must be dropped.

    `w1` is the second word of the first data descriptor, `inline` the bytes of headers that lie in
    an LLQ entry. The heads are counters of ring entries. Whoever reads a packet from its ring sets
    what is declared here and has no value yet.
    """

    __slots__ = (
        "completes",
        "first_head",
        "has_meta",
        "header",
        "inline",
        "length",
        "next_head",
        "parts",
        "req_id",
        "rule",
        "w1",
    )
    completes: bool
    w1: int
    inline: int
    req_id: int
    first_head: int
    next_head: int

    def __init__(self) -> None:
        self.header = PLAIN
        self.parts: list[Buffer] = []
        self.length = 0
        self.has_meta = False
        self.rule: str | None = None
