"""vfio-user, message by message."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.ena.constants import Reg
from nitro.ena.memory import DmaError
from nitro.ena.vfio.messages import ProtocolError
from nitro.ena.vfio.transport import Disconnected
from tests.unit.ena.vfio.client import Client

BAR0, MSIX, BAR2, CONFIG = 0, 1, 2, 7


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client()
    yield made
    made.close()


def test_version_is_0_0(client: Client):
    answer = client.version(write_multiple=True)
    assert answer[:4] == bytes(4)
    assert answer[-1] == 0
    # QEMU 11.1 would queue every message if it were told that writes may be bundled.
    assert json.loads(answer[4:-1]) == {
        "capabilities": {"max_msg_fds": 8, "max_data_xfer_size": 512 << 10}
    }


def test_another_major_version_is_refused(client: Client):
    client.version(1, expect=errno.EINVAL)


def test_device_info(client: Client):
    assert struct.unpack("<4I", client.call(4, bytes(16))) == (16, 3, 9, 5)


def test_regions(client: Client):
    sizes = {}
    for index in range(9):
        answer = client.call(5, struct.pack("<IIIIQQ", 32, 0, index, 0, 0, 0))
        _, flags, _, _, size, _ = struct.unpack("<IIIIQQ", answer)
        sizes[index] = size
        # A region that can be mapped, even one, makes QEMU wait for the answer to every write.
        assert flags == (3 if size else 0)
    assert sizes == {0: 0x4000, 1: 0x2000, 2: 1 << 20, 3: 0, 4: 0, 5: 0, 6: 0, 7: 4096, 8: 0}
    client.call(5, struct.pack("<IIIIQQ", 32, 0, 9, 0, 0, 0), expect=errno.EINVAL)


def test_a_card_without_llq_has_no_bar_2():
    client = Client("t4g")
    answer = client.call(5, struct.pack("<IIIIQQ", 32, 0, BAR2, 0, 0, 0))
    assert struct.unpack("<IIIIQQ", answer)[4] == 0
    client.read(BAR2, 0, 4, expect=errno.EINVAL)
    client.close()


def test_configuration_space(client: Client):
    vendor, device = struct.unpack("<HH", client.read(CONFIG, 0, 4))
    assert (vendor, device) == (0x1D0F, 0xEC20)
    assert client.read(CONFIG, 9, 3) == bytes((0, 0, 2))
    capabilities, at = {}, client.read(CONFIG, 0x34, 1)[0]
    while at:
        kind, following = client.read(CONFIG, at, 2)
        capabilities[kind], at = at, following
    assert set(capabilities) == {0x10, 0x11}
    (control,) = struct.unpack("<H", client.read(CONFIG, capabilities[0x11] + 2, 2))
    assert control & 0x7FF == 8


def test_only_the_command_register_takes_writes(client: Client):
    client.write(CONFIG, 0, b"\xff\xff")
    client.write(CONFIG, 4, b"\x06\x00")
    assert client.read(CONFIG, 0, 2) == b"\x0f\x1d"
    client.write(BAR0, Reg.INTR_MASK, bytes(4))
    assert not client.device.rules.broken


def test_registers(client: Client):
    assert client.read(BAR0, Reg.VERSION, 4) == b"\x0a\0\0\0"


@pytest.mark.parametrize(("offset", "size"), [(0x4C, 2), (0x4E, 4), (0x4000, 4), (0, 8)])
def test_odd_register_writes_break_a_rule(client: Client, offset: int, size: int):
    client.write(BAR0, offset, bytes(size))
    assert client.device.rules.broken["register-width"] == 1


def test_posted_writes_are_not_answered(client: Client):
    client.post(10, struct.pack("<QIII", Reg.INTR_MASK, BAR0, 4, 0), flags=1 << 4)
    client.turn()
    assert client.device.vectors.management_masked is False
    assert client.read(BAR0, Reg.VERSION, 4)


def test_several_messages_in_one_read(client: Client):
    for _ in range(3):
        client.post(10, struct.pack("<QIII", 0x48, BAR0, 4, 0), flags=1 << 4)
    client.turn()
    assert client.device.rules.broken["unknown-register"] == 3


def test_messages_of_one_read_are_carried_out_in_order(client: Client):
    def access(command: int, flags: int, data: bytes = b"") -> bytes:
        payload = struct.pack("<QII", Reg.INTR_MASK, BAR0, 4) + data
        return struct.pack("<HHIII", 1, command, 16 + len(payload), flags, 0) + payload

    read = access(9, 0)
    client._ident = 1
    client.socket.send(access(10, 1 << 4, bytes(4)) + read + access(10, 1 << 4, b"\1\0\0\0") + read)
    client.turn()
    answers = client.socket.recv(1 << 12)
    assert [answers[at + 32] for at in (0, 36)] == [0, 1]


def test_a_message_in_two_pieces(client: Client):
    payload = struct.pack("<QII", Reg.VERSION, BAR0, 4)
    data = struct.pack("<HHIII", 1, 9, 32, 0, 0) + payload
    client._ident = 1
    client.socket.send(data[:20])
    client.turn()
    client.socket.send(data[20:])
    client.turn()
    assert client.reply()[1][16:] == b"\x0a\0\0\0"


def test_memory_is_mapped_and_unmapped(client: Client):
    guest = client.map(0x100000, 0x10000)
    guest[0x10:0x14] = b"here"
    assert bytes(client.device.memory.view(0x100010, 4)) == b"here"
    client.device.memory.view(0x100020, 4)[:] = b"back"
    assert guest[0x20:0x24] == b"back"
    client.call(3, struct.pack("<IIQQ", 24, 0, 0x100000, 0x10000))
    with pytest.raises(DmaError):
        client.device.memory.view(0x100010, 4)


def test_memory_beside_what_is_unmapped_stays(client: Client):
    for address in (0x10000, 0x100000, 0x110000):
        client.map(address, 0x10000)
    client.call(3, struct.pack("<IIQQ", 24, 0, 0x100000, 0x10000))
    for address in (0x10000, 0x110000):
        assert len(client.device.memory.view(address, 0x10000)) == 0x10000


def test_all_memory_is_unmapped_at_once(client: Client):
    client.map(0x100000, 0x10000)
    client.map(0x200000, 0x10000)
    client.call(3, struct.pack("<IIQQ", 24, 2, 0, 0))
    for address in (0x100000, 0x200000):
        with pytest.raises(DmaError):
            client.device.memory.view(address, 4)


def test_memory_over_memory_is_refused(client: Client):
    client.map(0x100000, 0x10000)
    client.map(0x108000, 0x10000, expect=errno.EEXIST)


def test_memory_longer_than_its_file_is_refused(client: Client):
    descriptor = os.memfd_create("short")
    os.ftruncate(descriptor, 4096)
    payload = struct.pack("<IIQQQ", 32, 3, 0, 0, 1 << 20)
    client.call(2, payload, fds=[descriptor], expect=errno.EINVAL)
    os.close(descriptor)


def test_memory_without_a_descriptor_is_not_for_dma(client: Client):
    client.call(2, struct.pack("<IIQQQ", 32, 1, 0, 0xC0000, 0x1000))
    with pytest.raises(DmaError):
        client.device.memory.view(0xC0000, 4)


def test_read_only_memory_is_not_for_dma(client: Client):
    client.map(0xF0000, 0x1000, flags=1)
    with pytest.raises(DmaError):
        client.device.memory.view(0xF0000, 4)


def test_descriptors_are_not_leaked(client: Client):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        client.map(0x100000, 0x1000).close()
        client.call(3, struct.pack("<IIQQ", 24, 0, 0x100000, 0x1000))
        eventfd = os.eventfd(0)
        client.call(8, struct.pack("<IIIII", 20, 0x24, 2, 0, 1), fds=[eventfd])
        client.call(8, struct.pack("<IIIII", 20, 0x21, 2, 0, 0))
        client.call(4, bytes(16), fds=[eventfd])
        os.close(eventfd)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_vector_set_without_an_eventfd_loses_the_one_it_had(client: Client):
    eventfd = os.eventfd(0, os.EFD_NONBLOCK)
    client.call(8, struct.pack("<IIIII", 20, 0x24, 2, 3, 1), fds=[eventfd])
    client.call(8, struct.pack("<IIIII", 20, 0x24, 2, 3, 1))
    client.irqs.raise_vector(3)
    with pytest.raises(BlockingIOError):
        os.eventfd_read(eventfd)
    os.close(eventfd)


@pytest.mark.parametrize(
    ("offset", "address", "size", "error"),
    [
        (0, (1 << 64) - 0x1000, 0x1000, 0),
        (0, (1 << 64) - 0x1000, 0x2000, errno.EINVAL),
        ((1 << 64) - 0x1000, 0x1000, 0x1000, errno.EINVAL),
        ((1 << 63) - 0x1000, 0x1000, 0x1000, errno.EINVAL),
        (0, 0x1000, 0, errno.EINVAL),
        (0, 0, (1 << 64) - 1, errno.EINVAL),
    ],
)
def test_mappings_at_the_edge_of_64_bits(
    client: Client, offset: int, address: int, size: int, error: int
):
    descriptor = os.memfd_create("guest")
    os.ftruncate(descriptor, 0x2000)
    payload = struct.pack("<IIQQQ", 32, 3, offset, address, size)
    client.call(2, payload, fds=[descriptor], expect=error)
    os.close(descriptor)


def test_interrupts_reach_the_eventfd(client: Client):
    assert struct.unpack("<4I", client.call(7, struct.pack("<4I", 16, 0, 2, 0)))[3] == 9
    eventfd = os.eventfd(0, os.EFD_NONBLOCK)
    client.call(8, struct.pack("<IIIII", 20, 0x24, 2, 3, 1), fds=[eventfd])
    client.irqs.raise_vector(3)
    client.irqs.raise_vector(2)
    assert os.eventfd_read(eventfd) == 1
    client.call(8, struct.pack("<IIIII", 20, 0x21, 2, 3, 1))
    assert os.eventfd_read(eventfd) == 1
    client.call(8, struct.pack("<IIIII", 20, 0x22, 2, 2, 2) + b"\1\0")
    client.call(8, struct.pack("<IIIII", 20, 0x22, 2, 2, 2) + b"\0\1")
    assert os.eventfd_read(eventfd) == 1
    client.call(8, struct.pack("<IIIII", 20, 0x21, 2, 0, 0))
    client.irqs.raise_vector(3)
    with pytest.raises(BlockingIOError):
        os.eventfd_read(eventfd)
    os.close(eventfd)


@pytest.mark.parametrize(
    ("flags", "index", "start", "count", "expected"),
    [
        (0x24, 2, 8, 2, errno.EINVAL),
        (0x24, 9, 0, 1, errno.EINVAL),
        (0x0C, 2, 0, 1, errno.ENOTSUP),
        (0x22, 2, 0, 4, errno.EINVAL),
    ],
)
def test_bad_interrupt_requests(
    client: Client, flags: int, index: int, start: int, count: int, expected: int
):
    client.call(8, struct.pack("<IIIII", 20, flags, index, start, count), expect=expected)


def test_an_interrupt_that_is_none_has_no_description(client: Client):
    for index, expected in ((4, 0), (5, errno.EINVAL)):
        client.call(7, struct.pack("<4I", 16, 0, index, 0), expect=expected)


def test_registers_read_in_other_sizes_are_zero(client: Client):
    """Only words are registers; firmware that reads a byte or eight gets an answer all the same."""
    assert client.read(BAR0, Reg.VERSION, 4) != bytes(4)
    assert client.read(BAR0, Reg.VERSION, 8) == bytes(8)
    assert client.read(BAR0, Reg.VERSION + 1, 1) == bytes(1)


def test_an_llq_entry_comes_in_posted_writes(client: Client):
    entry = bytes(range(128))
    for at in (*range(0, 128, 8), 1 << 20):  # the last one lies past the end
        piece = entry[at : at + 8].ljust(8, b"!")
        client.post(10, struct.pack("<QII", at, BAR2, 8) + piece, flags=1 << 4)
    client.turn()
    assert client.read(BAR2, 0, 128) == entry


def test_a_driver_that_leaves_bus_mastering_to_the_firmware_breaks_no_rule(client: Client):
    """FreeBSD's and OSv's own do."""
    ask = struct.pack("<I", 1)
    client.write(BAR0, Reg.MMIO_REG_READ, ask)
    client.write(CONFIG, 4, b"\x02\x00")
    client.call(13)  # the machine's reset: its firmware sets the card up anew
    client.write(BAR0, Reg.MMIO_REG_READ, ask)
    assert not client.device.rules.broken
    client.write(CONFIG, 4, b"\x02\x00")
    client.write(BAR0, Reg.MMIO_REG_READ, ask)
    assert set(client.device.rules.broken) == {"bus-master-off"}


def test_device_reset(client: Client):
    client.write(BAR0, Reg.INTR_MASK, bytes(4))
    client.call(13)
    assert client.device.vectors.management_masked


# Input that is no vfio-user.


@pytest.mark.parametrize("command", [0, 6, 11, 12, 14, 15, 16, 999])
def test_commands_that_are_not_served(client: Client, command: int):
    client.call(command, bytes(64), expect=errno.ENOTSUP)


@pytest.mark.parametrize("command", [2, 3, 5, 7, 8, 9, 10])
def test_short_payloads(client: Client, command: int):
    client.call(command, b"\0\0", expect=errno.EINVAL)


def test_a_write_shorter_than_it_says(client: Client):
    client.call(10, struct.pack("<QII", 0, BAR0, 64) + b"abc", expect=errno.EINVAL)


def test_a_read_that_is_too_long(client: Client):
    client.read(CONFIG, 0, 1 << 30, expect=errno.EINVAL)


def test_accesses_past_the_end(client: Client):
    assert client.read(BAR2, (1 << 20) - 2, 4) == bytes(4)
    client.write(BAR2, (1 << 20) - 2, b"abcd")
    assert client.read(BAR2, (1 << 20) - 2, 2) == bytes(2)
    client.write(BAR2, (1 << 20) - 4, b"abcd")
    assert client.read(BAR2, (1 << 20) - 4, 4) == b"abcd"
    assert client.read(CONFIG, 1 << 40, 4) == bytes(4)
    client.read(5, 0, 4, expect=errno.EINVAL)
    client.write(5, 0, bytes(4), expect=errno.EINVAL)


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<HHIII", 1, 4, 8, 0, 0),
        struct.pack("<HHIII", 1, 4, 1 << 30, 0, 0),
        struct.pack("<HHIII", 1, 4, 16, 1, 0),
    ],
)
def test_bytes_that_are_no_messages(client: Client, data: bytes):
    client.socket.send(data)
    with pytest.raises(ProtocolError):
        client.turn()


def test_version_without_json(client: Client):
    client.post(1, bytes(4) + b"{nonsense\0")
    with pytest.raises(ProtocolError):
        client.turn()


def test_the_client_leaves(client: Client):
    client.socket.close()
    with pytest.raises(Disconnected):
        client.turn()


PAYLOADS = st.binary(max_size=40) | st.builds(
    lambda offset, region, count, data: struct.pack("<QII", offset, region, count) + data,
    st.integers(0, 0x4010) | st.integers(0, (1 << 64) - 1),
    st.integers(0, 10),
    st.integers(0, 16) | st.integers(0, (1 << 32) - 1),
    st.binary(max_size=16),
)


@pytest.mark.extended
@given(st.lists(st.tuples(st.integers(0, 16), PAYLOADS), max_size=30))
def test_whatever_a_client_sends_is_survived(messages: list[tuple[int, bytes]]):
    client = Client()
    try:
        for command, payload in messages:
            client.post(command, payload, flags=1 << 4)  # and wants no answer
            with contextlib.suppress(ProtocolError):
                client.turn()
        assert client.read(BAR0, Reg.VERSION, 4) == b"\x0a\0\0\0"
    finally:
        client.close()
