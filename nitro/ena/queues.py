"""Creating and destroying queues: opcodes 1 to 4."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from nitro.ena import llq
from nitro.ena.admin import Command, CommandError
from nitro.ena.completion import RX_WORDS, TX_WORDS, CompletionQueue, FaultyCompletionQueue
from nitro.ena.constants import (
    DIRECTION_RX,
    DIRECTION_TX,
    PLACEMENT_DEVICE,
    PLACEMENT_HOST,
    RX_DOORBELLS,
    TX_DOORBELLS,
    UNMASK,
    AdminStatus,
)
from nitro.ena.context import Context
from nitro.ena.features import Features
from nitro.ena.memory import DmaError, Memory
from nitro.ena.payloads import (
    CREATE_CQ,
    CREATE_CQ_ANSWER,
    CREATE_SQ,
    CREATE_SQ_ANSWER,
    DESTROY_CQ,
    DESTROY_SQ,
)
from nitro.ena.rules import Rules
from nitro.ena.rx import RxQueue
from nitro.ena.tx import TxQueue
from nitro.ena.tx_reader import TxLimits
from nitro.ena.vectors import Vectors

_POLLED = 0xFFFFFFFF
_INTERRUPTS = 1 << 5
_CONTIGUOUS = 1 << 0
_PLACEMENT = 0xF
_PER_PACKET = (0, 1)  # completion policies: always, and where a descriptor asks, as all do


@dataclass(slots=True)
class Queues:
    """The I/O queues of one card, by index; TX and RX queues are numbered apart."""

    completion: dict[int, CompletionQueue] = field(default_factory=dict)
    tx: dict[int, TxQueue] = field(default_factory=dict)
    rx: dict[int, RxQueue] = field(default_factory=dict)

    @property
    def submission(self) -> list[TxQueue | RxQueue]:
        """The queues of both directions."""
        return [*self.tx.values(), *self.rx.values()]

    def attach(self, memory: Memory, rules: Rules) -> None:
        """Look every ring up again in `memory`; the queues that lost theirs stop."""
        for cq in self.completion.values():
            try:
                cq.attach(memory)
            except DmaError as error:
                cq.stop()
                rules.report_violation("dma-address", f"completion queue {cq.index}: {error}")
        for queue in self.submission:
            try:
                queue.attach(memory)
            except DmaError as error:
                queue.stop()
                rules.report_violation("dma-address", f"queue {queue.index}: {error}")

    def clear(self) -> None:
        self.completion.clear()
        self.tx.clear()
        self.rx.clear()


class QueueCommands:
    """Carries out the four commands on `queues`. Each raises CommandError or DmaError."""

    def __init__(
        self,
        context: Context,
        queues: Queues,
        features: Features,
        *,
        vectors: Vectors,
        bar2: memoryview,
    ) -> None:
        self._context, self._queues, self._features = context, queues, features
        self._profile, self._rules, self._faults = context.profile, context.rules, context.faults
        self._vectors, self._bar2 = vectors, bar2

    def create_cq(self, command: Command) -> bytes:
        self._check_firmware()
        wanted = command.read(CREATE_CQ)
        words = wanted["entry_words"] & 0x1F
        number: int = wanted["vector"]
        # Amazon's drivers set the interrupt bit always and say with the vector that they poll.
        interrupts = bool(wanted["interrupt_flags"] & _INTERRUPTS) and number != _POLLED
        if words not in (TX_WORDS, RX_WORDS):
            raise self._refuse("cq-entry-size", f"{words} words")
        vector = self._vectors.get(number) if interrupts else None
        if interrupts and vector is None:
            raise self._refuse("cq-vector", f"vector {number}")
        if not interrupts and number != _POLLED and self._vectors.get(number) is None:
            raise self._refuse("cq-vector", f"vector {number} of a polled queue")
        if self._faults.triggers("create-fails"):
            raise CommandError(AdminStatus.NO_RESOURCES)
        profile = self._profile
        limit = profile.tx_depth if words == TX_WORDS else profile.rx_depth
        depth = self._depth(wanted["depth"], limit)
        address = self._address(wanted["address"], words * 4)
        index = _free(self._queues.completion, 2 * profile.queues)
        place = (index, depth, words, address, vector, self._context.memory)
        if self._faults.active:
            cq: CompletionQueue = FaultyCompletionQueue(*place, faults=self._faults)
        else:
            cq = CompletionQueue(*place)
        self._queues.completion[index] = cq
        unmask = UNMASK + 4 * number if vector is not None else 0
        return CREATE_CQ_ANSWER.pack(index=index, depth=depth, unmask_offset=unmask)

    def destroy_cq(self, command: Command) -> bytes:
        index: int = command.read(DESTROY_CQ)["index"]
        cq = self._queues.completion.get(index)
        if cq is None:
            raise self._refuse("cq-unknown", f"queue {index}")
        if cq.user is not None:
            self._rules.report_violation("cq-in-use", f"queue {index}")
            raise CommandError(AdminStatus.BUSY)
        del self._queues.completion[index]
        return b""

    def create_sq(self, command: Command) -> bytes:
        wanted = command.read(CREATE_SQ)
        direction = wanted["direction_bits"] >> 5
        if not wanted["contiguous_flags"] & _CONTIGUOUS:
            self._rules.report_violation("sq-contiguous")
        if direction not in (DIRECTION_TX, DIRECTION_RX):
            raise self._refuse("sq-direction", f"{direction}")
        policy = wanted["placement_bits"] >> 4 & 0b111
        if policy not in _PER_PACKET:
            raise self._refuse("sq-completion-policy", f"{policy}")
        cq = self._queues.completion.get(wanted["cq_index"])
        if cq is None:
            raise self._refuse("cq-unknown", f"queue {wanted['cq_index']}")
        words = TX_WORDS if direction == DIRECTION_TX else RX_WORDS
        if cq.user is not None or cq.words != words:
            raise self._refuse("sq-cq-shared", f"completion queue {cq.index}")
        if direction == DIRECTION_TX:
            return self._create_tx(wanted, cq)
        return self._create_rx(wanted, cq)

    def destroy_sq(self, command: Command) -> bytes:
        wanted = command.read(DESTROY_SQ)
        index, direction = wanted["index"], wanted["direction_bits"] >> 5
        queues: dict[int, TxQueue] | dict[int, RxQueue]
        queues = self._queues.tx if direction == DIRECTION_TX else self._queues.rx
        if direction not in (DIRECTION_TX, DIRECTION_RX) or index not in queues:
            raise self._refuse("sq-unknown", f"queue {index}, direction {direction}")
        queues.pop(index).cq.user = None
        return b""

    def _create_tx(self, wanted: dict[str, int], cq: CompletionQueue) -> bytes:
        placement = wanted["placement_bits"] & _PLACEMENT
        profile, layout = self._profile, self._features.layout
        wide = layout is not None and layout.entry_size == 256
        limit = profile.llq_wide_depth if wide else profile.tx_depth
        depth = self._depth(wanted["depth"], limit)
        index = _free(self._queues.tx, profile.queues)
        address = wanted["address"]
        entries, offset = None, 0
        if placement == PLACEMENT_DEVICE:
            if layout is None:
                raise self._refuse("sq-placement", "LLQ was not negotiated")
            if address:
                self._rules.report_violation("sq-llq-address", f"{address:#x}")
            ring = llq.ring_size(profile.tx_depth, profile.llq_wide, profile.llq_wide_depth)
            offset = index * ring
            entries = self._bar2[offset : offset + depth * layout.entry_size]
        elif placement == PLACEMENT_HOST and not profile.llq_only:
            layout = None
            address = self._address(address, 16)
        else:
            raise self._refuse("sq-placement", f"placement {placement}")
        queue = TxQueue(
            index,
            depth,
            address,
            cq,
            self._context,
            TxLimits(
                max_descriptors=profile.max_tx_descriptors,
                max_frame=profile.max_mtu + 18,
                offloads=int(profile.tx_offloads),
                meta_required=profile.meta_required or bool(layout and layout.no_meta_caching),
            ),
            layout=layout,
            entries=entries,
        )
        self._queues.tx[index] = queue
        cq.user = queue
        doorbell = TX_DOORBELLS + 4 * index
        return CREATE_SQ_ANSWER.pack(index=index, doorbell_offset=doorbell, llq_offset=offset)

    def _create_rx(self, wanted: dict[str, int], cq: CompletionQueue) -> bytes:
        placement = wanted["placement_bits"] & _PLACEMENT
        if placement != PLACEMENT_HOST:
            raise self._refuse("sq-placement", f"placement {placement} of an RX queue")
        depth = self._depth(wanted["depth"], self._profile.rx_depth)
        index = _free(self._queues.rx, self._profile.queues)
        queue = RxQueue(
            index,
            depth,
            self._address(wanted["address"], 16),
            cq,
            self._context,
        )
        self._queues.rx[index] = queue
        cq.user = queue
        return CREATE_SQ_ANSWER.pack(index=index, doorbell_offset=RX_DOORBELLS + 4 * index)

    def _check_firmware(self) -> None:
        host = self._features.host
        if not host.given:
            self._rules.report_violation("host-info-absent")
            if self._profile.needs_host_info:
                raise CommandError(AdminStatus.UNKNOWN)
        if self._profile.needs_driver_version_2 and host.driver_major != 2:
            raise CommandError(AdminStatus.UNKNOWN)

    def _depth(self, asked: int, limit: int) -> int:
        if asked < 2 or asked & asked - 1 or asked > limit:
            raise self._refuse("ring-depth", f"{asked} entries, at most {limit}")
        return asked // 2 if self._faults.triggers("depth-smaller") and asked > 2 else asked

    def _address(self, address: int, entry_size: int) -> int:
        if address % entry_size:
            raise self._refuse("ring-alignment", f"{address:#x}")
        return address

    def _refuse(self, rule: str, detail: str) -> CommandError:
        self._rules.report_violation(rule, detail)
        return CommandError(AdminStatus.ILLEGAL, detail)


def _free(taken: Container[int], n: int) -> int:
    """The lowest index below `n` that is not taken. Raises CommandError if there is none."""
    for index in range(n):
        if index not in taken:
            return index
    raise CommandError(AdminStatus.NO_RESOURCES)
