"""A packet on its way from a TX ring to the port."""

from __future__ import annotations

from nitro.ena.offload import PLAIN, Buffer


class Packet:
    """Slices of guest memory; `rule` is set when it must be dropped."""

    __slots__ = (
        "completes",
        "first_head",
        "header",
        "length",
        "next_head",
        "parts",
        "req_id",
        "rule",
    )

    def __init__(self) -> None:
        self.header = PLAIN
        self.parts: list[Buffer] = []
        self.length = 0
        self.req_id = 0
        self.completes = False
        self.first_head = 0
        self.next_head = 0
        self.rule: str | None = None
