"""One client's requests, carried out on the device."""

from __future__ import annotations

import errno
import mmap
import os
import struct
from collections.abc import Callable

from nitro.ena.constants import BAR0_SIZE
from nitro.ena.device import Device
from nitro.ena.native.writes import Writes
from nitro.ena.vfio import messages as m
from nitro.ena.vfio.irqs import Irqs
from nitro.ena.vfio.llq_memory import LlqMemory
from nitro.ena.vfio.pci import MSIX_BAR_SIZE, SIZE, ConfigSpace
from nitro.ena.vfio.transport import Transport, close_all

REGIONS = 9
REGION_BAR0, REGION_MSIX, REGION_BAR2, REGION_CONFIG = 0, 1, 2, 7
IRQS = 5
IRQ_MSIX = 2
_REGISTER = struct.pack("<II", REGION_BAR0, 4)
_LLQ_WORD = struct.pack("<II", REGION_BAR2, 8)

# An LLQ entry of 128 bytes at once: what 16 posted writes of a word each have in common.
_WORDS = 16
_ENTRY = struct.Struct("<" + m.POSTED_8.format.removeprefix("<") * _WORDS)
_ENTRY_HEADERS = (m.POSTED_8_HEADER,) * _WORDS
_ENTRY_PLACES = (_LLQ_WORD,) * _WORDS
_VALUES = struct.Struct(f"{_WORDS}Q")


class _RequestError(Exception):
    """A request that is answered with an errno."""

    def __init__(self, number: int) -> None:
        super().__init__(os.strerror(number))
        self.number = number


class Session:
    """Requests in, replies out through `transport`.

    `llq` is LLQ memory for the client to map; None: no region can be mapped. If one can, QEMU waits
    for the answer to every write to a register instead of posting it: which is better depends on
    the guest (docs/ena-device.md).
    """

    def __init__(
        self, transport: Transport, device: Device, irqs: Irqs, llq: LlqMemory | None = None
    ) -> None:
        self._transport, self._device, self._irqs = transport, device, irqs
        self._config = ConfigSpace(irqs.count, llq=bool(device.bar2))
        device.set_bus_master(self._config.bus_master)
        self._llq = device.bar2.cast("Q")
        self._shared = llq
        self._attached: tuple[int, ...] = ()
        self._writes: Writes | None = None
        if device.loop is not None:
            client = transport.fileno()
            self._writes = Writes(
                device.loop, device.client, device.bar2, client, awaited=llq is not None
            )
        self._handlers: dict[int, Callable[[m.Message], bytes]] = {
            m.Command.VERSION: self._version,
            m.Command.DMA_MAP: self._dma_map,
            m.Command.DMA_UNMAP: self._dma_unmap,
            m.Command.GET_INFO: self._get_info,
            m.Command.GET_REGION_INFO: self._get_region_info,
            m.Command.GET_IRQ_INFO: self._get_irq_info,
            m.Command.SET_IRQS: self._set_irqs,
            m.Command.REGION_READ: self._region_read,
            m.Command.REGION_WRITE: self._region_write,
            m.Command.DEVICE_RESET: self._reset,
        }

    def handle(self, message: m.Message) -> None:
        """Carry out one request and answer it. Raises Disconnected."""
        handler = self._handlers.get(message.command)
        try:
            if handler is None:
                raise _RequestError(errno.ENOTSUP)
            if message.descriptors and message.command not in (
                m.Command.DMA_MAP,
                m.Command.SET_IRQS,
            ):
                close_all(message.descriptors)
            answer = m.reply(message, handler(message)) if message.wants_reply else handler(message)
        except _RequestError as error:
            answer = m.failure(message, error.number)
        if message.wants_reply:
            self._transport.send(answer, self._attached)
        self._attached = ()

    def posted(self, data: memoryview) -> int:
        """Carry out the posted writes to registers and LLQ memory that `data` begins with, up to
        one that is not as it should be; returns their length. With mapped LLQ memory the C loop
        does so with awaited writes to registers, too, and answers them before.

        Nearly all messages are these. Sixteen make an LLQ entry, so they come faster than messages
        could be handled one by one, and QEMU would keep any number waiting, a read of a register
        behind them.
        """
        if self._writes is not None:
            stored = self._writes.store(data)
            self.carry_out_answered()
            return stored
        done, end = 0, len(data) - m.POSTED_4.size
        while done <= end:
            header, offset, where, value = m.POSTED_4.unpack_from(data, done)
            if header == m.POSTED_4_HEADER:
                if where != _REGISTER or offset & 3 or offset >= BAR0_SIZE:
                    break
                self._device.write(offset, value)
                done += m.POSTED_4.size
            elif header == m.POSTED_8_HEADER and (stored := self._store(data[done:])):
                done += stored
            else:
                break
        return done

    @property
    def has_answered(self) -> bool:
        """Whether writes to registers were answered that are still to be carried out."""
        return self._writes is not None and self._writes.listed

    def carry_out_answered(self) -> bool:
        """Carry them out, before whatever came after them; returns whether there were any."""
        if self._writes is None or not self._writes.listed:
            return False
        for offset, value in self._writes.registers():
            self._device.write(offset, value)
        return True

    def _store(self, data: memoryview) -> int:
        """The same for nothing but writes to LLQ memory."""
        llq, done = self._llq, 0
        while len(data) - done >= _ENTRY.size and self._store_entry(data[done:]):
            done += _ENTRY.size
        if done:
            return done
        whole = len(data) // m.POSTED_8.size * m.POSTED_8.size
        for header, offset, where, value in m.POSTED_8.iter_unpack(data[:whole]):
            word = offset >> 3
            if where != _LLQ_WORD or header != m.POSTED_8_HEADER or offset & 7 or word >= len(llq):
                break
            llq[word] = value
            done += m.POSTED_8.size
        return done

    def _store_entry(self, data: memoryview) -> bool:
        """Store the words of the first 16 messages, if they are in a row and as they should be."""
        fields = _ENTRY.unpack_from(data)
        first, word = fields[1], fields[1] >> 3
        if (
            fields[0::4] != _ENTRY_HEADERS
            or fields[2::4] != _ENTRY_PLACES
            or fields[1::4] != tuple(range(first, first + 8 * _WORDS, 8))
            or first & 7
            or word + _WORDS > len(self._llq)
        ):
            return False
        self._llq[word : word + _WORDS] = memoryview(_VALUES.pack(*fields[3::4])).cast("Q")
        return True

    def _version(self, message: m.Message) -> bytes:
        major = m.parse_version(message.payload)
        if major != 0:
            raise _RequestError(errno.EINVAL)
        # Bundled writes are not offered: told of them, QEMU 11.1 queues every message.
        return m.version_payload({"max_msg_fds": 8, "max_data_xfer_size": m.MAX_SIZE // 2})

    # Guest memory.

    def _dma_map(self, message: m.Message) -> bytes:
        try:
            _, flags, offset, address, size = _unpack(m.DMA_MAP, message.payload)
            if len(message.descriptors) > 1 or not size or address + size > 1 << 64:
                raise _RequestError(errno.EINVAL)
            # Memory without a descriptor (ROM, other devices) cannot be mapped: not for DMA.
            if message.descriptors and flags & m.DMA_READABLE:
                self._map(message.descriptors[0], flags, offset, address, size)
        finally:
            close_all(message.descriptors)
        return b""

    def _map(self, descriptor: int, flags: int, offset: int, address: int, size: int) -> None:
        writable = bool(flags & m.DMA_WRITABLE)
        access = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        try:
            mapping = mmap.mmap(descriptor, size, mmap.MAP_SHARED, access, offset=offset)
        except (OSError, ValueError, OverflowError) as error:
            raise _RequestError(errno.EINVAL) from error
        try:
            self._device.memory.map(address, memoryview(mapping), writable=writable)
        except ValueError as error:
            raise _RequestError(errno.EEXIST) from error

    def _dma_unmap(self, message: m.Message) -> bytes:
        _, flags, address, size = _unpack(m.DMA_UNMAP, message.payload)
        if flags & m.DMA_UNMAP_ALL:
            self._device.memory.clear()
        else:
            self._device.memory.unmap(address, size)
        return bytes(message.payload[: m.DMA_UNMAP.size])

    # What the device is.

    def _get_info(self, message: m.Message) -> bytes:
        flags = m.DEVICE_RESETS | m.DEVICE_IS_PCI
        return m.DEVICE_INFO.pack(m.DEVICE_INFO.size, flags, REGIONS, IRQS)

    def _get_region_info(self, message: m.Message) -> bytes:
        index = _unpack(m.REGION_INFO, message.payload)[2]
        if index >= REGIONS:
            raise _RequestError(errno.EINVAL)
        flags = m.REGION_READABLE | m.REGION_WRITABLE
        sizes = {
            REGION_BAR0: BAR0_SIZE,
            REGION_MSIX: MSIX_BAR_SIZE,
            REGION_BAR2: len(self._device.bar2),
            REGION_CONFIG: SIZE,
        }
        size = sizes.get(index, 0)
        if index == REGION_BAR2 and self._shared is not None:
            flags |= m.REGION_MAPPABLE
            self._attached = (self._shared.descriptor,)
        return m.REGION_INFO.pack(m.REGION_INFO.size, flags if size else 0, index, 0, size, 0)

    def _get_irq_info(self, message: m.Message) -> bytes:
        index = _unpack(m.IRQ_INFO, message.payload)[2]
        if index >= IRQS:
            raise _RequestError(errno.EINVAL)
        count = self._irqs.count if index == IRQ_MSIX else 0
        flags = m.IRQ_EVENTFD | m.IRQ_NO_RESIZE if count else 0
        return m.IRQ_INFO.pack(m.IRQ_INFO.size, flags, index, count)

    def _set_irqs(self, message: m.Message) -> bytes:
        try:
            _, flags, index, start, count = _unpack(m.IRQ_SET, message.payload)
            if index >= IRQS or (index == IRQ_MSIX and start + count > self._irqs.count):
                raise _RequestError(errno.EINVAL)
            if not flags & m.IRQ_TRIGGER:
                raise _RequestError(errno.ENOTSUP)
        except _RequestError:
            close_all(message.descriptors)
            raise
        if index != IRQ_MSIX:
            close_all(message.descriptors)
        elif flags & m.IRQ_DATA_EVENTFD:
            self._irqs.set(start, count, message.descriptors)
        elif flags & m.IRQ_DATA_NONE and count == 0:
            self._irqs.disable()
        else:
            self._trigger(message, flags, start, count)
        return b""

    def _trigger(self, message: m.Message, flags: int, start: int, count: int) -> None:
        """The client raises vectors itself: all of the range, or those marked by a byte each."""
        marks = bytes(message.payload[m.IRQ_SET.size :])
        if flags & m.IRQ_DATA_BOOL and len(marks) < count:
            raise _RequestError(errno.EINVAL)
        for number in range(count):
            if flags & m.IRQ_DATA_NONE or marks[number]:
                self._irqs.raise_vector(start + number)

    # Registers.

    def _region_read(self, message: m.Message) -> bytes:
        offset, region, count = _unpack(m.REGION_ACCESS, message.payload)
        if count > m.MAX_SIZE // 2:
            raise _RequestError(errno.EINVAL)
        if region == REGION_CONFIG:
            data = self._config.read(offset, count)
        elif region == REGION_BAR0 and count == 4 and not offset % 4 and offset < BAR0_SIZE:
            data = self._device.read(offset).to_bytes(4, "little")
        elif region == REGION_BAR2 and self._device.bar2:
            data = bytes(self._device.bar2[offset : offset + count]).ljust(count, b"\0")
        elif region in (REGION_BAR0, REGION_MSIX):
            data = bytes(count)
        else:
            raise _RequestError(errno.EINVAL)
        return m.REGION_ACCESS.pack(offset, region, count) + data

    def _region_write(self, message: m.Message) -> bytes:
        self._write(message.payload)
        return bytes(message.payload[: m.REGION_ACCESS.size])

    def _write(self, payload: memoryview) -> None:
        offset, region, count = _unpack(m.REGION_ACCESS, payload)
        data = payload[m.REGION_ACCESS.size : m.REGION_ACCESS.size + count]
        if len(data) < count:
            raise _RequestError(errno.EINVAL)
        if region == REGION_BAR2 and self._device.bar2:
            if offset + count <= len(self._device.bar2):
                self._device.bar2[offset : offset + count] = data
        elif region == REGION_BAR0:
            if count == 4 and not offset % 4 and offset < BAR0_SIZE:
                self._device.write(offset, int.from_bytes(data, "little"))
            else:
                self._device.rules.report_violation(
                    "register-width", f"{count} bytes at {offset:#x}"
                )
        elif region == REGION_CONFIG:
            self._config.write(offset, bytes(data))
            self._device.set_bus_master(self._config.bus_master)
        elif region != REGION_MSIX:
            raise _RequestError(errno.EINVAL)

    def _reset(self, message: m.Message) -> bytes:
        self._config.reset()
        self._device.set_bus_master(self._config.bus_master)
        self._device.power_on()
        return b""


def _unpack(layout: struct.Struct, payload: memoryview) -> tuple[int, ...]:
    """Fixed fields at the start of a payload; too short a payload is answered with EINVAL."""
    if len(payload) < layout.size:
        raise _RequestError(errno.EINVAL)
    return layout.unpack_from(payload)
