"""From the port into RX buffers, without a copy where that can be.

The queue of a frame is known only once its headers are read, so each frame is read straight into
the buffers of the queue that took the last one, which is nearly always right, and moved if it was
not. A TCP segment longer than the posted buffers is cut, and what lies behind the cut is copied.

Checksums: a port may hand over frames whose checksum the sending kernel left to its card. For
frames of a size that exists on a cable the sum is completed here, so that a guest may check
it. Whole TCP segments (up to 64 KiB, which no cable carries) are passed with the verdict
"checked" and an unfinished sum; `checksum_fallback.py` notices a guest that checks it all the same.
Frames that the port vouches for in neither way are checked (`verify.py`).
"""

from __future__ import annotations

from nitro.ena.checksum_fallback import ChecksumFallback
from nitro.ena.completion import STATUS_BUFFER, STATUS_LAST
from nitro.ena.constants import RxOffload
from nitro.ena.context import Context
from nitro.ena.headers import PEEK, STATUS_L4_CHECKED, Classifier, Flow
from nitro.ena.native.loop import End
from nitro.ena.native.receiver import Receiver
from nitro.ena.offload import (
    GSO_NONE,
    HEADER,
    HEADER_SIZE,
    NEEDS_CSUM,
    Buffer,
    Offload,
    TcpHeaders,
    finish_checksum,
    finish_checksum_in_pieces,
    gso_type,
    skip_bytes,
)
from nitro.ena.ports import DescriptorPort, Port
from nitro.ena.rss import Rss
from nitro.ena.rx import Buffers, RxQueue
from nitro.ena.verify import verdict

MAX_FRAME = 65535 + 18 + 4
_DISCARD_LIMIT = 4096
_SMALL_PIECE = 256
_FEW = 2  # buffers that the port gets at first: each takes time


class RxPath:
    """The receive side of one card: its queues, RSS and port."""

    def __init__(
        self,
        context: Context,
        port: Port,
        hasher: Rss,
        queues: dict[int, RxQueue],
    ) -> None:
        profile = context.profile
        self._queues = queues
        self.classifier = Classifier(hasher)
        self._port, self._rss = port, hasher
        self._counters, self._trace, self._faults = context.counters, context.trace, context.faults
        self._max_descriptors = profile.max_rx_descriptors
        self._needs_table = profile.rss_needs_programming
        checked = profile.rx_offloads & RxOffload.L4_V4_CSUM
        self._status_mask = ~0 if checked else ~STATUS_L4_CHECKED
        self._hashed = bool(profile.rx_offloads & RxOffload.HASH)
        self._fallback = ChecksumFallback()
        self._last: Buffers | None = None
        self._header = bytearray(HEADER_SIZE)
        self._now = 0.0  # of the turn, seconds
        self._overflow = memoryview(bytearray(MAX_FRAME))
        self._usual = _FEW
        self._fast: Receiver | None = None
        if context.loop is not None and self._trace is None and isinstance(port, DescriptorPort):
            self._fast = Receiver(
                context.loop,
                port,
                context.client,
                self._header,
                self._overflow,
                max_descriptors=self._max_descriptors,
                status_mask=self._status_mask,
                hashed=self._hashed,
            )

    def changed(self) -> None:
        """Queues came or went."""
        self._last = None
        self._usual = _FEW
        self._fallback = ChecksumFallback()
        if self._fast is not None:
            self._fast.changed(self._queues.values())

    def forget(self) -> None:
        """The hash or the indirection table changed."""
        self.classifier.forget()
        if self._fast is not None:
            self._fast.forget()

    def discard(self) -> None:
        """Throw away what waits at the port, as a card without receive buffers does."""
        for _ in range(_DISCARD_LIMIT):
            if not self._port.receive(self._header, [self._overflow]):
                return

    def run(self, now: float, budget: int) -> bool:
        """Take up to `budget` frames. False if there were no buffers for the next one."""
        self._now = now
        while budget > 0:
            buffers = self._last
            if buffers is None or not len(buffers):
                buffers = self._any_buffers()
                if buffers is None:
                    return False
            if self._fast is not None and not self._faults.active:
                end = self._receive(self._fast, buffers, budget)
                if end == End.DONE:
                    break
                budget -= self._fast.state.frames
                if end != End.PORT:
                    continue
            views = self._views(buffers, self._usual)
            parts: list[Buffer] = [*views, self._overflow]
            length = self._port.receive(self._header, parts)
            if not length:
                break
            self._deliver(buffers, views, length)
            budget -= 1
        return True

    def _receive(self, fast: Receiver, buffers: Buffers, budget: int) -> int:
        """Have the C loop take frames, and deliver the last one if it leaves it to the model."""
        end, done = fast.receive(buffers, budget, self._usual), fast.state
        if done.packets:
            self._counters.rx_packets += done.packets
            self._counters.rx_bytes += done.bytes
            buffers = self._last = self._queues[done.last].buffers
            for index in fast.told:
                vector = self._queues[index].cq.vector
                if vector is not None:
                    vector.post_rx(self._now)
        if end == End.FRAME:
            self._deliver(buffers, self._views(buffers, done.views), done.length)
        elif end == End.WATCH:
            self._watch(done.hash, done.sequence, gso_type(self._header) != GSO_NONE)
        return end

    def _any_buffers(self) -> Buffers | None:
        for queue in self._queues.values():
            if len(queue.buffers) and not queue.stopped:
                return queue.buffers
        return None

    def _deliver(self, buffers: Buffers, views: list[memoryview], length: int) -> None:
        first = views[0]
        single = len(first) >= length
        if single or len(first) >= PEEK:
            head = bytes(first[: PEEK if length > PEEK else length])
        else:
            head = b"".join(self._pieces(views, length))[:PEEK]
        flow = known = self.classifier.classify(head)
        if self._trace is not None:
            self._trace.frame("in", self._pieces(views, length))
        header = self._header
        if header[0] & NEEDS_CSUM:
            whole = gso_type(header) != GSO_NONE
            if not whole:
                self._finish(views, length, single)
            self._watch(flow.hash, _sequence(header, head), whole)
        elif not header[0] and flow.status & self._status_mask & STATUS_L4_CHECKED:
            frame = first[:length] if single else b"".join(self._pieces(views, length))
            flow = Flow(verdict(flow.status, frame), flow.hash)
        target = self._target(flow)
        if target is None:
            self._counters.rx_drops += 1
            return
        self._last = target
        if self._fast is not None:
            self._fast.remember(head, known, target.queue.index)
        if target is not buffers:
            self._move(target, self._pieces(views, length), flow)
            return
        room = length if single else sum(map(len, views))
        if room < length:
            room = self._take_more(buffers, views, length, room)
        if room >= length:
            self._complete(buffers, views, length, flow)
        else:
            self._spill(buffers, views, length, room, flow)

    def _watch(self, flow: int, sequence: int, whole: bool) -> None:
        """Look out for a guest that does not believe "checked"."""
        if self._fallback.seen(flow, sequence, self._now, whole=whole):
            self._port.accept(checksums=False, segments=False)
        if self._fast is not None:
            self._fast.state.watched = self._fallback.watches

    def _pieces(self, views: list[memoryview], length: int) -> list[memoryview]:
        """The frame as it lies in the buffers and the overflow."""
        pieces = []
        for view in (*views, self._overflow):
            piece = view[:length]
            pieces.append(piece)
            length -= len(piece)
            if length <= 0:
                break
        return pieces

    def _finish(self, views: list[memoryview], length: int, single: bool) -> None:
        """Complete the checksum of a frame in place."""
        *_, start, offset = HEADER.unpack(self._header)
        if single:
            finish_checksum(views[0][:length], start, offset)
        else:
            finish_checksum_in_pieces(self._pieces(views, length), start, offset)

    def _target(self, flow: Flow) -> Buffers | None:
        """The buffers for a flow; None if the frame is to be dropped."""
        index = self._rss.queue(flow.hash)
        if index is None:
            if self._needs_table and len(self._queues) > 1:
                return None
            index = min(self._queues)
        queue = self._queues.get(index)
        if queue is None or queue.stopped or not queue.takes(flow.hash):
            return None
        return queue.buffers

    def _take_more(self, buffers: Buffers, views: list[memoryview], length: int, room: int) -> int:
        """Move what lies in the overflow into the buffers behind `views`, which have `room` bytes,
        and add them to it; returns the new room. The next frames get as many at once."""
        for view in self._views(buffers)[len(views) :]:
            size = min(len(view), length - room)
            view[:size] = self._overflow[:size]
            left = length - room - size
            self._overflow[:left] = self._overflow[size : size + left]
            room += len(view)
            views.append(view)
            if room >= length:
                break
        self._usual = max(self._usual, len(views))
        return room

    def _complete(self, buffers: Buffers, views: list[memoryview], length: int, flow: Flow) -> None:
        """Tell the driver of a frame in the first of `buffers`, which begin with `views`."""
        queue = buffers.queue
        pieces = []
        rest = length
        for view, req_id in zip(views, buffers.ids(len(views)), strict=True):
            size = len(view)
            if size >= rest:
                pieces.append((rest, req_id))
                break
            pieces.append((size, req_id))
            rest -= size
        cq = queue.cq
        status = flow.status & self._status_mask | STATUS_LAST | STATUS_BUFFER
        cq.put_frame(pieces, status, flow.hash if self._hashed else 0, queue.index)
        buffers.drop(len(pieces))
        self._counters.rx_packets += 1
        self._counters.rx_bytes += length
        if cq.vector is not None:
            cq.vector.post_rx(self._now)

    def _spill(
        self,
        buffers: Buffers,
        views: list[memoryview],
        length: int,
        room: int,
        flow: Flow,
    ) -> None:
        """A TCP segment did not fit: what did becomes one, what did not is copied into others."""
        offload = Offload.parse(self._header)
        tcp = TcpHeaders.find(offload, views[0]) if offload.gso_type else None
        if tcp is None or (size := _whole(room - tcp.end, offload.segment_size)) <= 0:
            self._drop_overrun()
            return
        head = bytes(views[0][: tcp.end])
        kept = tcp.end + size
        rest = bytearray().join(skip_bytes(self._pieces(views, length), kept))
        tcp.write(views[0], kept, 0, number=0, last=False)
        self._complete(buffers, views, kept, flow)
        self._store_segments(buffers, tcp, head, rest, offload, flow, skipped=size, number=1)

    def _move(self, buffers: Buffers, pieces: list[memoryview], flow: Flow) -> None:
        """Copy a frame that lies elsewhere into `buffers`, cutting it if it is too long."""
        frame = bytearray().join(pieces)
        if len(frame) <= sum(map(len, self._views(buffers))):
            self._store(buffers, frame, flow)
            return
        offload = Offload.parse(self._header)
        tcp = TcpHeaders.find(offload, frame) if offload.gso_type else None
        if tcp is None:
            self._drop_overrun()
            return
        head, payload = bytes(frame[: tcp.end]), frame[tcp.end :]
        self._store_segments(buffers, tcp, head, payload, offload, flow, skipped=0, number=0)

    def _store_segments(
        self,
        buffers: Buffers,
        tcp: TcpHeaders,
        head: bytes,
        payload: bytearray,
        offload: Offload,
        flow: Flow,
        *,
        skipped: int,
        number: int,
    ) -> None:
        """Store `payload` behind `head` in as few segments as `buffers` allow."""
        room = sum(map(len, self._views(buffers)))
        size = _whole(room - tcp.end, offload.segment_size)
        if size <= 0:
            self._drop_overrun()
            return
        for frame in tcp.cut(head, payload, size, skipped=skipped, number=number):
            self._store(buffers, frame, flow)

    def _views(self, buffers: Buffers, most: int | None = None) -> list[memoryview]:
        """The next buffers, at most `most` or as many as a frame may take."""
        views = buffers.peek(self._max_descriptors if most is None else most)
        if self._faults.active and self._faults.triggers("rx-many-buffers"):
            return [view[:_SMALL_PIECE] for view in views]
        return views

    def _store(self, buffers: Buffers, frame: bytearray, flow: Flow) -> None:
        views = self._views(buffers)
        done = 0
        for view in views:
            if done >= len(frame):
                break
            size = min(len(view), len(frame) - done)
            view[:size] = frame[done : done + size]
            done += size
        if done < len(frame):
            self._drop_overrun()
        else:
            self._complete(buffers, views, len(frame), flow)

    def _drop_overrun(self) -> None:
        self._counters.rx_drops += 1
        self._counters.rx_overruns += 1


def _sequence(header: bytearray, head: bytes) -> int:
    """TCP's sequence number, given a virtio-net header that says where TCP begins."""
    l4 = header[6] | header[7] << 8
    return int.from_bytes(head[l4 + 4 : l4 + 8], "big")


def _whole(room: int, segment_size: int) -> int:
    """The largest multiple of the segment size that fits into `room` bytes."""
    return room // segment_size * segment_size if segment_size else 0
