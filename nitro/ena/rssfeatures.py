"""The three RSS features of the admin queue: hash function, hash input, indirection table."""

from __future__ import annotations

import struct
from collections.abc import Callable

from nitro.ena.admin import Command, CommandError
from nitro.ena.constants import AdminStatus
from nitro.ena.context import Context
from nitro.ena.payloads import RSS_FUNCTION, RSS_INPUT, RSS_KEY, RSS_TABLE
from nitro.ena.rss import (
    CRC32,
    DEFAULT_KEY,
    KEY_SIZE,
    LOG_SIZE,
    PROTOCOLS,
    SUPPORTED_FIELDS,
    TABLE_SIZE,
    TOEPLITZ,
    Rss,
)

_FUNCTIONS = {1 << TOEPLITZ: TOEPLITZ, 1 << CRC32: CRC32}
_SORTS = 0b110  # layers 3 and 4
_INPUT_BYTES = PROTOCOLS * 4
_USE_BUFFER = 0xFFFFFFFF


class RssFeatures:
    """Reads and writes `rss` as the driver asks; `changed` is called after each change."""

    def __init__(
        self,
        context: Context,
        rss: Rss,
        changed: Callable[[], None],
        *,
        queue_exists: Callable[[int], bool],
    ) -> None:
        self._memory, self._rules = context.memory, context.rules
        self._rss, self._changed = rss, changed
        self.default_table: list[int] | None = None
        self._queue_exists = queue_exists

    def reset(self) -> None:
        self._rss.configure(
            key=DEFAULT_KEY, function=TOEPLITZ, initial=0, fields=dict(SUPPORTED_FIELDS)
        )
        self._rss.table = self.default_table
        self._changed()

    def get_function(self, command: Command) -> bytes:
        if command.has_control_buffer:
            buffer = command.control_buffer(self._memory, RSS_KEY.size)
            buffer[:] = RSS_KEY.pack(words=KEY_SIZE // 4, key=self._rss.key[::-1])
        return RSS_FUNCTION.pack(
            offered=sum(_FUNCTIONS),
            selected=1 << self._rss.function,
            initial=self._rss.initial,
        )

    def set_function(self, command: Command) -> bytes:
        wanted = command.read_feature(RSS_FUNCTION)
        selected, initial = wanted["selected"], wanted["initial"]
        if selected not in _FUNCTIONS:
            raise self._refuse(f"hash function {selected:#x}")
        key = None
        if command.has_control_buffer:
            given = RSS_KEY.unpack(command.control_buffer(self._memory, RSS_KEY.size))
            if given["words"] > KEY_SIZE // 4:
                raise self._refuse(f"a hash key of {given['words']} words")
            key = given["key"][::-1] if given["words"] else None
        self._rss.configure(key=key, function=_FUNCTIONS[selected], initial=initial)
        self._changed()
        return b""

    def get_input(self, command: Command) -> bytes:
        if command.has_control_buffer:
            buffer = command.control_buffer(self._memory, 2 * _INPUT_BYTES)
            buffer[:] = _pack_fields(SUPPORTED_FIELDS) + _pack_fields(self._rss.fields)
        return RSS_INPUT.pack(sorts=_SORTS, sorted=_SORTS)

    def set_input(self, command: Command) -> bytes:
        buffer = command.control_buffer(self._memory, 2 * _INPUT_BYTES)
        words = struct.unpack_from(f"<{2 * PROTOCOLS}H", buffer, _INPUT_BYTES)[::2]
        fields = {}
        for protocol, wanted in enumerate(words):
            supported = SUPPORTED_FIELDS.get(protocol, 0)
            if wanted & ~supported:
                raise self._refuse(f"hash fields {wanted:#x} of protocol {protocol}")
            fields[protocol] = wanted
        self._rss.configure(fields=fields)
        self._changed()
        return b""

    def get_table(self, command: Command) -> bytes:
        size = TABLE_SIZE if self._rss.table is None else len(self._rss.table)
        if command.has_control_buffer:
            table = self._rss.table or [0] * TABLE_SIZE
            buffer = command.control_buffer(self._memory, size * 4)
            buffer[:] = b"".join(struct.pack("<HH", entry, 0) for entry in table)
        return RSS_TABLE.pack(
            min_log_size=1,
            max_log_size=LOG_SIZE,
            log_size=size.bit_length() - 1,
            single_entries=1,
            index=_USE_BUFFER,
        )

    def set_table(self, command: Command) -> bytes:
        wanted = command.read_feature(RSS_TABLE)
        log_size, index = wanted["log_size"], wanted["index"]
        if index != _USE_BUFFER:
            table = list(self._rss.table or [0] * TABLE_SIZE)
            if index >= len(table):
                raise self._refuse(f"indirection entry {index}")
            table[index] = wanted["queue"]
        else:
            if not 1 <= log_size <= LOG_SIZE:
                raise self._refuse(f"an indirection table of 2^{log_size} entries")
            buffer = command.control_buffer(self._memory, 4 << log_size)
            table = [entry for entry, _ in struct.iter_unpack("<HH", buffer)]
        for entry in sorted(set(table)):
            if not self._queue_exists(entry):
                self._rules.report_violation("rss-table-entry", f"queue {entry}")
        self._rss.table = table
        self._changed()
        return b""

    def update_entry(self, value: int) -> None:
        """The single-entry register: u16 index, u16 queue."""
        index, queue = value & 0xFFFF, value >> 16
        if self._rss.table is None or index >= len(self._rss.table):
            self._rules.report_violation("rss-table-entry", f"entry {index}")
            return
        self._rss.table = list(self._rss.table)
        self._rss.table[index] = queue
        self._changed()

    def _refuse(self, detail: str) -> CommandError:
        self._rules.report_violation("feature-value", detail)
        return CommandError(AdminStatus.ILLEGAL, detail)


def _pack_fields(fields: dict[int, int]) -> bytes:
    return b"".join(struct.pack("<HH", fields.get(p, 0), 0) for p in range(PROTOCOLS))
