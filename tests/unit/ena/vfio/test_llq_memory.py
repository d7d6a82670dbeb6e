"""LLQ memory that the client maps, and the writes to registers whose answers it then awaits."""

from __future__ import annotations

import mmap
import os
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from nitro.ena.constants import Reg
from nitro.ena.device import bar2_size
from nitro.ena.profiles import PROFILES
from nitro.ena.vfio.irqs import Irqs
from nitro.ena.vfio.session import Session
from nitro.ena.vfio.transport import Transport
from tests.unit.ena.driver import Defaults, Driver, Ring, data_descriptor, ipv4_frame
from tests.unit.ena.test_llq import FRAME, negotiate, push
from tests.unit.ena.vfio.client import Client

BAR0, BAR2 = 0, 2


class ServedCard:
    """A driver whose card has a client, too: the other end of `client.socket`."""

    def __init__(self, *, map_llq: bool = True) -> None:
        self.client = Client(map_llq=map_llq)
        self.driver = Driver(bar2=self.client.device.bar2)
        self.client.device = self.driver.device
        self.session = self.client.session = Session(
            self.client.transport, self.driver.device, Irqs(9), self.client.llq
        )
        self.driver.start()

    def queue(self, packets: int) -> Ring:
        """A TX queue whose ring has so many packets that no doorbell has told of, one of a byte
        more than the one before each."""
        ring, driver = self.driver.tx_queue(32), self.driver
        for number in range(packets):
            data = ipv4_frame(bytes(number))
            address = driver.alloc(len(data))
            driver.poke(address, data)
            driver.descriptor(ring, data_descriptor(address, len(data), number))
        return ring

    def await_write(self, offset: int, value: int) -> None:
        """Have the client write to a register; nobody reads the message yet."""
        payload = struct.pack("<QII", offset, BAR0, 4) + value.to_bytes(4, "little")
        self.client.post(10, payload)

    def answered(self) -> list[int]:
        """The numbers of the messages that were answered since the last call."""
        replies, found = self.client.answers(), []
        while replies:
            number, command, size, flags, error = struct.unpack_from("<HHIII", replies)
            assert (flags, error) == (1, 0)
            assert command != 10 or size == 32
            found.append(number)
            replies = replies[size:]
        return found


@pytest.fixture
def card() -> Iterator[ServedCard]:
    made = ServedCard()
    yield made
    made.client.close()


def early(*numbers: int) -> list[int]:
    """Messages that are answered while the card is at work: by the C loop. The model alone answers
    when it comes to them."""
    return list(numbers) if Defaults.loop else []


def test_only_llq_memory_can_be_mapped_and_only_if_asked():
    for asked in (False, True):
        client = Client(map_llq=asked)
        for index in range(9):
            client.post(5, struct.pack("<IIIIQQ", 32, 0, index, 0, 0, 0))
            client.turn()
            error, answer, descriptors = client.reply()
            _, flags, _, _, size, place = struct.unpack("<IIIIQQ", answer)
            mapped = asked and index == BAR2
            assert (error, place, len(descriptors)) == (0, 0, 1 if mapped else 0)
            assert bool(flags & 4) is mapped
            for descriptor in descriptors:
                assert os.fstat(descriptor).st_size == size == bar2_size(PROFILES["c5"])
                os.close(descriptor)
        client.close()


def test_an_entry_written_to_mapped_memory_is_sent(card: ServedCard):
    """The mapping outlives the card's own descriptor, as the client's does."""
    driver, client = card.driver, card.client
    assert negotiate(driver) == 0
    ring = driver.tx_queue(llq=True)
    client.post(5, struct.pack("<IIIIQQ", 32, 0, BAR2, 0, 0, 0))
    client.turn()
    _, _, (descriptor,) = client.reply()
    with mmap.mmap(descriptor, 0) as seen:
        os.close(descriptor)
        driver.bar2 = memoryview(seen)
        push(driver, ring, FRAME, 96)
        push(driver, ring, FRAME, 96)
        driver.bar2.release()
    assert [data for _, data in driver.port.sent] == [FRAME] * 2
    assert not driver.broken


def test_a_write_is_answered_between_packets_and_carried_out_after_them(card: ServedCard):
    ring = card.queue(7)
    ring.tail = 4
    card.driver.ring(ring)
    card.client.post(10, struct.pack("<QII", Reg.INTR_MASK, BAR0, 4) + b"\1\0\0\0")
    card.client.turn()
    assert card.answered() == [1]
    # The stream of messages is at an end of one: from here on the loop looks for more.
    ring.tail = 5
    card.driver.ring(ring)
    card.await_write(ring.doorbell, 7)
    card.await_write(Reg.INTR_MASK, 0)
    card.driver.device.run()
    assert card.answered() == early(2, 3)
    assert len(card.driver.port.sent) == 5
    assert card.driver.device.vectors.management_masked
    assert card.session.has_answered is bool(Defaults.loop)
    card.client.turn()
    assert early(2, 3) + card.answered() == [2, 3]
    assert len(card.driver.port.sent) == 7
    assert not card.driver.device.vectors.management_masked
    assert not card.session.has_answered
    card.client.turn()
    assert len(card.driver.port.sent) == 7
    assert not card.driver.broken


def test_a_write_is_answered_between_frames_that_are_received(card: ServedCard):
    driver = card.driver
    driver.rx_queue(16)
    card.await_write(Reg.INTR_MASK, 1)
    for _ in range(3):
        driver.port.deliver(ipv4_frame())
    driver.device.receive()
    assert card.answered() == []  # what came first is not known to be whole
    card.client.turn()
    assert card.answered() == [1]
    card.await_write(Reg.INTR_MASK, 0)
    for _ in range(3):
        driver.port.deliver(ipv4_frame())
    driver.device.receive()
    assert card.answered() == early(2)
    card.client.turn()
    assert early(2) + card.answered() == [2]
    assert not driver.device.vectors.management_masked


def wait_behind(card: ServedCard, *first: bytes) -> Ring:
    """A card that looks for awaited writes, a packet that it is to send, and messages that it has
    not read: `first`, then an awaited write."""
    ring = card.queue(1)
    card.await_write(Reg.INTR_MASK, 1)
    card.client.turn()
    assert card.answered() == [1]
    card.driver.ring(ring)
    for data in first:
        card.client.socket.send(data)
    card.await_write(Reg.INTR_MASK, 0)
    return ring


READ = struct.pack("<HHIIIQII", 9, 9, 32, 0, 0, Reg.VERSION, BAR0, 4)
ODD = struct.pack("<HHIIIQIIH", 9, 10, 34, 0, 0, Reg.INTR_MASK, BAR0, 2, 0)
BEYOND = struct.pack("<HHIIIQIII", 9, 10, 36, 0, 0, 0x4000, BAR0, 4, 0)
POSTED = struct.pack("<HHIIIQIII", 9, 10, 36, 1 << 4, 0, Reg.INTR_MASK, BAR0, 4, 1)
CRAMPED = struct.pack("<HHIIIQIII", 9, 10, 36, 0, 0, Reg.INTR_MASK, BAR0, 8, 0)


@pytest.mark.parametrize("first", [READ, ODD, BEYOND])
def test_whatever_else_comes_first_is_done_first(card: ServedCard, first: bytes):
    wait_behind(card, first)
    card.driver.device.run()
    assert len(card.driver.port.sent) == 1
    assert card.answered() == []
    card.client.turn()
    assert card.answered() == [9, 2]
    assert not card.driver.device.vectors.management_masked


def test_without_a_mapping_a_write_is_answered_when_it_has_been_carried_out():
    card = ServedCard(map_llq=False)
    wait_behind(card)
    card.driver.device.run()
    assert len(card.driver.port.sent) == 1
    assert card.answered() == []
    card.client.turn()
    assert card.answered() == [2]
    card.client.close()


def test_a_posted_write_is_not_answered(card: ServedCard):
    wait_behind(card, POSTED)
    card.driver.device.run()
    assert card.answered() == []
    card.client.turn()
    assert card.answered() == [2]


def test_a_write_that_is_not_as_it_should_be_is_left_to_the_model(card: ServedCard):
    wait_behind(card, CRAMPED)
    card.driver.device.run()
    assert card.answered() == []
    card.client.turn()
    number, _, _, flags, _ = struct.unpack_from("<HHIII", card.client.answers())
    assert (number, flags & 1 << 5) == (9, 1 << 5)


def test_a_message_in_two_pieces_is_not_taken_for_others(card: ServedCard):
    """The second piece would read as an awaited write."""
    inner = struct.pack("<HHIIIQII", 9, 10, 36, 0, 0, Reg.INTR_MASK, BAR0, 4)
    outer = struct.pack("<HHIIIQII", 8, 10, 32 + 36, 1 << 4, 0, 0, BAR2, 36)
    ring = card.queue(1)
    card.client.socket.send(outer)
    card.client.turn()
    card.driver.ring(ring)
    card.client.socket.send(inner + b"\1\0\0\0")
    card.driver.device.run()
    card.client.turn()
    assert len(card.driver.port.sent) == 1
    assert card.answered() == []
    assert bytes(card.driver.bar2[:36]) == inner + b"\1\0\0\0"


def test_descriptors_that_wait_are_not_lost(card: ServedCard):
    ring = card.queue(1)
    card.await_write(Reg.INTR_MASK, 1)
    card.client.turn()
    card.driver.ring(ring)
    descriptor = os.memfd_create("guest")
    os.ftruncate(descriptor, 4096)
    card.client.post(2, struct.pack("<IIQQQ", 32, 3, 0, 1 << 40, 4096), fds=[descriptor])
    os.close(descriptor)
    card.await_write(Reg.INTR_MASK, 0)
    card.driver.device.run()
    assert card.answered() == [1]
    card.client.turn()
    card.client.turn()
    assert card.answered() == [2, 3]
    assert len(card.driver.memory.view(1 << 40, 4096)) == 4096


def test_a_client_that_is_slow_to_read_its_answers_loses_none(card: ServedCard):
    """Its socket takes a few; the rest is answered as it reads."""
    connection = card.client.transport._socket
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    ring = card.queue(1)
    card.await_write(Reg.INTR_MASK, 1)
    card.client.turn()
    assert card.answered() == [1]
    card.driver.ring(ring)
    numbers = range(2, 42)
    for number in numbers:
        card.await_write(Reg.INTR_MASK, number & 1)
    card.driver.device.run()
    got = card.answered()
    assert got == early(*numbers[: len(got)])
    assert len(got) < len(numbers)
    with ThreadPoolExecutor(1) as reader:
        rest = reader.submit(card.client.exactly, 32 * (len(numbers) - len(got)))
        card.client.turn()
        assert list(rest.result()[::32]) == list(numbers[len(got) :])
    assert card.driver.device.vectors.management_masked


def test_the_next_client_begins_anew(card: ServedCard):
    ring = card.queue(1)
    card.await_write(Reg.INTR_MASK, 1)
    card.client.turn()
    card.driver.ring(ring)
    card.await_write(Reg.INTR_MASK, 0)
    card.driver.device.run()
    assert card.session.has_answered is bool(Defaults.loop)
    again = Session(
        Transport(card.client.transport._socket), card.driver.device, Irqs(9), card.client.llq
    )
    assert not again.has_answered
    assert not again.carry_out_answered()
