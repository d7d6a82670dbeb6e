"""The receive side of a card, for the C loop."""

from __future__ import annotations

from collections.abc import Iterable
from ctypes import addressof, memset, sizeof

from nitro.ena.headers import Flow
from nitro.ena.native.loop import Loop
from nitro.ena.ports import DescriptorPort
from nitro.ena.rx import Buffers, RxQueue
from nitro.ena.state import FLOWS, QUEUES, ClientState, FlowState, ReceiverState, address_of


class Receiver:
    """Takes frames of flows that the model has classified from the port.

    What does not fit the buffers of a frame lands in `overflow`, its virtio-net header in
    `header`. `state` says what the last call of `receive` did.
    """

    def __init__(
        self,
        loop: Loop,
        port: DescriptorPort,
        client: ClientState,
        header: bytearray,
        overflow: memoryview,
        *,
        max_descriptors: int,
        status_mask: int,
        hashed: bool,
    ) -> None:
        self._loop, self._port = loop, port
        self._flows = (FlowState * FLOWS)()
        self._scratch = bytearray(len(overflow))
        self._header, self._overflow = header, overflow
        self._queues: list[RxQueue] = []
        self.state = ReceiverState(
            header=address_of(header),
            overflow=address_of(overflow),
            overflow_bytes=len(overflow),
            flows=addressof(self._flows),
            scratch=address_of(self._scratch),
            client=addressof(client),
            max_descriptors=max_descriptors,
            status_mask=status_mask & 0xFFFFFFFF,
            hashed=hashed,
        )

    def forget(self) -> None:
        """Flows are told apart in another way, or go elsewhere."""
        memset(addressof(self._flows), 0, sizeof(self._flows))

    def changed(self, queues: Iterable[RxQueue]) -> None:
        """These are the queues from now on."""
        self._queues = list(queues)  # keeps what the structure points to
        self.state.queue[:] = [0] * QUEUES
        for queue in self._queues:
            self.state.queue[queue.index] = addressof(queue.buffers.state)
        self.state.watched = False
        self.forget()

    def remember(self, head: bytes, flow: Flow, queue: int) -> None:
        """Frames that begin like `head` are of this flow and go to this queue."""
        place = addressof(self.state)
        self._loop.remember(place, head, len(head), flow.status, flow.hash, queue)

    def receive(self, buffers: Buffers, budget: int, usual: int) -> int:
        """Take up to `budget` frames, with `usual` of the queue's buffers for each at first; says
        how it ended (`End`)."""
        place, queue = addressof(self.state), addressof(buffers.state)
        end: int = self._loop.receive(place, queue, self._port.fileno(), budget, usual)
        return end

    @property
    def told(self) -> list[int]:
        """The queues that got completions, the first one first."""
        found: list[int] = self.state.tell[: self.state.told]
        return found
