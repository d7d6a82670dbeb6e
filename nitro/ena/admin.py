"""The admin queue: fetches commands, has them carried out, writes completions.

It does not know what the commands mean; see `commands.py` and `features.py`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from nitro.ena.constants import AdminStatus
from nitro.ena.context import Context
from nitro.ena.layout import Layout
from nitro.ena.memory import DmaError, Memory
from nitro.ena.payloads import CONTROL_BUFFER, FEATURE
from nitro.ena.trace import Trace

ENTRY_SIZE = 64
PAYLOAD_SIZE = 56


class CommandError(Exception):
    """A command that fails with `status`."""

    def __init__(self, status: AdminStatus, detail: str = "") -> None:
        super().__init__(f"{status.name} {detail}")
        self.status, self.detail = status, detail


class Command:
    """A submission entry, copied once: the driver may change the ring while it is carried out."""

    __slots__ = ("entry", "flags", "id", "opcode")

    def __init__(self, entry: bytes) -> None:
        self.entry = entry
        word, self.opcode, self.flags = struct.unpack_from("<HBB", entry)
        self.id = word & 0xFFF

    def read(self, layout: Layout) -> dict[str, Any]:
        """The fields of the whole entry."""
        return layout.unpack(self.entry)

    def read_feature(self, layout: Layout) -> dict[str, Any]:
        """The fields of what SET_FEATURE sets."""
        return layout.unpack(self.entry, FEATURE.size)

    @property
    def has_control_buffer(self) -> bool:
        return bool(self.read(CONTROL_BUFFER)["control_length"])

    def control_buffer(self, memory: Memory, size: int) -> memoryview:
        """The `size` bytes that the control buffer must have room for. Raises CommandError.

        Drivers set the "indirect" flag and yet give the buffer's own address, so the flag says
        nothing and the length everything.
        """
        fields = self.read(CONTROL_BUFFER)
        length: int = fields["control_length"]
        if length < size:
            raise CommandError(AdminStatus.ILLEGAL, f"control buffer of {length} bytes")
        return memory.view(fields["control_address"], size)


Execute = Callable[[Command], "bytes | None"]


class AdminQueue:
    """Submission and completion ring. `execute` returns the payload, None for no completion."""

    def __init__(self, context: Context, execute: Execute) -> None:
        self._memory, self._rules = context.memory, context.rules
        self._execute = _traced(execute, context.trace) if context.trace else execute
        self.reset()

    def reset(self) -> None:
        self.sq_base = self.sq_depth = 0
        self.cq_base = self.cq_depth = 0
        self._head = self._tail = self._completed = 0

    def set_submission(self, depth: int, base: int) -> None:
        """Start the submission ring anew; depth 0 turns it off."""
        self.sq_depth, self.sq_base = depth, base
        self._head = self._tail = 0

    def set_completion(self, depth: int, base: int) -> None:
        """Start the completion ring anew; depth 0 turns it off."""
        self.cq_depth, self.cq_base = depth, base
        self._completed = 0

    @property
    def ready(self) -> bool:
        return bool(self.sq_depth and self.cq_depth)

    def doorbell(self, tail: int) -> None:
        if not self.ready:
            self._rules.report_violation("admin-queue-absent")
            return
        if (tail - self._head & 0xFFFF) > self.sq_depth:
            self._rules.report_violation("admin-tail", f"{tail:#x}, head {self._head:#x}")
            return
        self._tail = tail & 0xFFFF

    def run(self) -> bool:
        """Carry out what the doorbell announced; True if a completion was written."""
        completed = False
        try:
            # A command may disable the queue or reset the card: look again each time.
            while self.ready and self._head != self._tail:
                command = self._fetch()
                if command is None:
                    self._tail = self._head
                    break
                completed |= self._carry_out(command)
        except DmaError as error:
            self._rules.report_violation("dma-address", f"admin queue: {error}")
            self._tail = self._head
        return completed

    def _fetch(self) -> Command | None:
        slot = self._head % self.sq_depth
        phase = 1 ^ (self._head // self.sq_depth & 1)
        command = Command(bytes(self._memory.view(self.sq_base + slot * ENTRY_SIZE, ENTRY_SIZE)))
        if command.flags & 1 != phase:
            self._rules.report_violation("admin-phase", f"slot {slot}")
            return None
        if command.flags & ~0b111:
            self._rules.report_violation("admin-reserved", f"flags {command.flags:#x}")
        self._head = self._head + 1 & 0xFFFF
        return command

    def _carry_out(self, command: Command) -> bool:
        status = AdminStatus.SUCCESS
        payload: bytes | None = b""
        try:
            payload = self._execute(command)
        except CommandError as error:
            status = error.status
        except DmaError as error:
            self._rules.report_violation("dma-address", f"control buffer: {error}")
            status = AdminStatus.ILLEGAL
        if payload is None:
            return False
        self._complete(command, status, payload)
        return True

    def _complete(self, command: Command, status: AdminStatus, payload: bytes) -> None:
        slot = self._completed % self.cq_depth
        phase = 1 ^ (self._completed // self.cq_depth & 1)
        entry = self._memory.view(self.cq_base + slot * ENTRY_SIZE, ENTRY_SIZE).cast("Q")
        words = struct.unpack("<7Q", payload.ljust(PAYLOAD_SIZE, b"\0"))
        for at, word in enumerate(words):
            entry[1 + at] = word
        entry[0] = command.id | status << 16 | phase << 24 | self._head << 48
        self._completed = self._completed + 1 & 0xFFFF


def _traced(execute: Execute, trace: Trace) -> Execute:
    """`execute` with each admin command and its completion in the trace."""

    def run(command: Command) -> bytes | None:
        trace.event("command", id=command.id, opcode=command.opcode, entry=command.entry)
        told = {"id": command.id, "opcode": command.opcode}
        try:
            payload = execute(command)
        except (CommandError, DmaError) as error:
            trace.event("completion", **told, error=str(error))
            raise
        trace.event("completion", **told, payload=payload)
        return payload

    return run
