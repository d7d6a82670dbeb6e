"""What each admin command does."""

from __future__ import annotations

import struct
from collections.abc import Callable

from nitro.ena.admin import Command, CommandError
from nitro.ena.aenq import EventQueue
from nitro.ena.constants import AdminStatus, Capability, Event, Opcode, StatsType
from nitro.ena.context import Context
from nitro.ena.features import Features
from nitro.ena.payloads import BASIC_STATS, CUSTOMER_METRICS, ENI_STATS, GET_STATS
from nitro.ena.queues import QueueCommands, Queues
from nitro.ena.vectors import Vectors


class Commands:
    """Carries out admin commands; `changed` is called when queues came or went."""

    def __init__(
        self,
        context: Context,
        features: Features,
        queues: Queues,
        *,
        vectors: Vectors,
        events: EventQueue,
        changed: Callable[[], None],
        bar2: memoryview,
    ) -> None:
        self._context, self._events, self._features = context, events, features
        self._changed = changed
        self._link_report = False
        self._link_group = False
        create = QueueCommands(context, queues, features, vectors=vectors, bar2=bar2)
        self._handlers: dict[int, Callable[[Command], bytes]] = {
            Opcode.CREATE_SQ: create.create_sq,
            Opcode.DESTROY_SQ: create.destroy_sq,
            Opcode.CREATE_CQ: create.create_cq,
            Opcode.DESTROY_CQ: create.destroy_cq,
            Opcode.GET_FEATURE: features.get,
            Opcode.SET_FEATURE: self._set_feature,
            Opcode.GET_STATS: self._get_stats,
        }

    def reset(self) -> None:
        self._link_group = False

    def execute(self, command: Command) -> bytes | None:
        """The completion's payload; None if there is to be no completion. Raises CommandError."""
        if not self._events.depth:
            self._context.rules.report_violation("aenq-absent")
            if self._context.profile.needs_aenq:
                raise CommandError(AdminStatus.UNKNOWN)
        faults = self._context.faults
        if faults.triggers("admin-timeout"):
            return None
        if command.opcode == Opcode.GET_STATS and faults.triggers("stats-timeout"):
            return None
        handler = self._handlers.get(command.opcode)
        if handler is None:
            raise CommandError(AdminStatus.BAD_OPCODE)
        payload = handler(command)
        if command.opcode <= Opcode.DESTROY_CQ:
            self._changed()
        return payload

    def take_link_report(self) -> bool:
        """True once after the driver enabled link events: it waits to hear the state."""
        due, self._link_report = self._link_report, False
        return due

    def _set_feature(self, command: Command) -> bytes:
        payload = self._features.set(command)
        enabled = bool(self._events.groups >> Event.LINK_CHANGE & 1)
        self._link_report |= enabled and not self._link_group
        self._link_group = enabled
        return payload

    def _get_stats(self, command: Command) -> bytes:
        kind = command.read(GET_STATS)["type"]
        capabilities = self._context.profile.capabilities
        if kind == StatsType.BASIC:
            return self._context.counters.pack(BASIC_STATS)
        if kind == StatsType.ENI and capabilities & Capability.ENI_STATS:
            return self._context.counters.pack(ENI_STATS)
        if kind == StatsType.CUSTOMER and capabilities & Capability.CUSTOMER_METRICS:
            return self._customer_metrics(command)
        raise CommandError(AdminStatus.UNSUPPORTED, f"statistics {kind}")

    def _customer_metrics(self, command: Command) -> bytes:
        wanted = command.read(GET_STATS)["metrics"]
        values = self._context.counters.customer_metrics()
        if not command.has_control_buffer:
            # Linux first asks without a buffer, to learn which metrics there are.
            return CUSTOMER_METRICS.pack(metrics=(1 << len(values)) - 1)
        given = [(bit, value) for bit, value in enumerate(values) if wanted >> bit & 1]
        data = b"".join(struct.pack("<Q", value) for _, value in given)
        if data:
            command.control_buffer(self._context.memory, len(data))[:] = data
        return CUSTOMER_METRICS.pack(metrics=sum(1 << bit for bit, _ in given))
