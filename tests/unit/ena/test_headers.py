"""What the card reads of received frames."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from nitro.ena import rss
from nitro.ena.headers import NOT_IP, STATUS_FRAGMENT, STATUS_L4_CHECKED, Classifier
from tests.unit.ena.driver import MAC, PEER, ipv4_frame

ADDRESSES = bytes(range(1, 33))


def ipv6_frame(protocol: int) -> bytes:
    ip = struct.pack(">IHBB", 6 << 28, 20, protocol, 64) + ADDRESSES
    return MAC + PEER + b"\x86\xdd" + ip + b"\x00\x01\x00\x02" + bytes(16)


def toeplitz(data: bytes) -> int:
    return rss.Toeplitz(rss.DEFAULT_KEY).hash(data)


def test_tcp_over_ipv4():
    flow = Classifier(rss.Rss()).classify(ipv4_frame())
    assert flow.status == 8 | 12 << 8 | STATUS_L4_CHECKED
    assert flow.hash == toeplitz(bytes((10, 0, 0, 1, 10, 0, 0, 2)) + struct.pack(">HH", 1000, 2000))


def test_udp_over_ipv4():
    assert Classifier(rss.Rss()).classify(ipv4_frame(protocol=17)).status >> 8 & 31 == 13


def test_fragments_have_no_ports():
    frame = bytearray(ipv4_frame())
    frame[20] = 0x20
    flow = Classifier(rss.Rss()).classify(bytes(frame))
    assert flow.status == 8 | STATUS_FRAGMENT
    assert flow.hash == toeplitz(bytes((10, 0, 0, 1, 10, 0, 0, 2)))


def test_other_protocols_over_ip_have_no_ports():
    frame = bytearray(ipv4_frame())
    frame[23] = 1
    flow = Classifier(rss.Rss()).classify(bytes(frame))
    assert flow.status == 8
    assert flow.hash == toeplitz(bytes((10, 0, 0, 1, 10, 0, 0, 2)))


def test_pings_of_one_host_are_one_flow_whatever_their_checksums():
    classifier = Classifier(rss.Rss())
    first, second = (ipv4_frame(protocol=1, ports=(0x0800, n)) for n in (1, 2))
    assert classifier.classify(first) is classifier.classify(second)


@given(
    st.lists(
        st.tuples(
            st.sampled_from((1, 6, 17, 47)),
            st.sampled_from((1, 2)),
            st.sampled_from(((1, 2), (1, 3), (2, 1))),
            st.sampled_from((0, 0x20, 0x40)),
        )
    )
)
def test_what_was_seen_before_changes_no_flow(
    packets: list[tuple[int, int, tuple[int, int], int]],
) -> None:
    remembers = Classifier(rss.Rss())
    for protocol, host, ports, fragment in packets:
        source = bytes((10, 0, 0, host))
        frame = bytearray(ipv4_frame(protocol=protocol, source=source, ports=ports))
        frame[20] = fragment
        seen = remembers.classify(bytes(frame))
        fresh = Classifier(rss.Rss()).classify(bytes(frame))
        assert (seen.status, seen.hash) == (fresh.status, fresh.hash)


def test_ipv6():
    classifier = Classifier(rss.Rss())
    assert classifier.classify(ipv6_frame(6)).hash == toeplitz(ADDRESSES + b"\x00\x01\x00\x02")
    ping = classifier.classify(ipv6_frame(58))
    assert (ping.status, ping.hash) == (11, toeplitz(ADDRESSES))


def test_vlan_tags_are_stepped_over():
    frame = ipv4_frame()
    tagged = frame[:12] + b"\x81\x00\x00\x05" + frame[12:]
    classifier = Classifier(rss.Rss())
    assert classifier.classify(tagged).hash == classifier.classify(frame).hash


def test_arp_goes_to_bucket_0():
    assert Classifier(rss.Rss()).classify(bytes(12) + b"\x08\x06" + bytes(28)) is NOT_IP


def test_a_new_key_counts_after_forgetting():
    hasher = rss.Rss()
    classifier = Classifier(hasher)
    before = classifier.classify(ipv4_frame()).hash
    hasher.configure(key=bytes(range(40)))
    classifier.forget()
    assert classifier.classify(ipv4_frame()).hash != before


@given(st.binary(max_size=128))
def test_any_bytes(head: bytes):
    flow = Classifier(rss.Rss()).classify(head)
    assert 0 <= flow.hash < 1 << 32
