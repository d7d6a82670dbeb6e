"""The Toeplitz hash against the vectors of Microsoft's "Verifying the RSS Hash Calculation"."""

from __future__ import annotations

import ipaddress
import zlib

import pytest

from nitro.ena.rss import CRC32, DEFAULT_KEY, IP4, TCP4, Rss, Toeplitz

# source address and port, destination address and port, hash of addresses, hash with ports
IPV4 = [
    ("66.9.149.187", 2794, "161.142.100.80", 1766, 0x323E8FC2, 0x51CCC178),
    ("199.92.111.2", 14230, "65.69.140.83", 4739, 0xD718262A, 0xC626B0EA),
    ("24.19.198.95", 12898, "12.22.207.184", 38024, 0xD2D0A5DE, 0x5C2B394A),
    ("38.27.205.30", 48228, "209.142.163.6", 2217, 0x82989176, 0xAFC7327F),
    ("153.39.163.191", 44251, "202.188.127.2", 1303, 0x5D1809C5, 0x10E828A2),
]
IPV6 = [
    ("3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766, 0x2CC18CD5, 0x40207D3D),
    ("3ffe:501:8::260:97ff:fe40:efab", 14230, "ff02::1", 4739, 0x0F0C461C, 0xDDE51BBF),
    (
        "3ffe:1900:4545:3:200:f8ff:fe21:67cf",
        44251,
        "fe80::200:f8ff:fe21:67cf",
        38024,
        0x4B61E985,
        0x02D1FEEF,
    ),
]


@pytest.mark.parametrize(("source", "sport", "destination", "dport", "ip", "tcp"), IPV4 + IPV6)
def test_published_vectors(
    source: str, sport: int, destination: str, dport: int, ip: int, tcp: int
):
    addresses = b"".join(ipaddress.ip_address(a).packed for a in (source, destination))
    ports = sport.to_bytes(2, "big") + dport.to_bytes(2, "big")
    hasher = Toeplitz(DEFAULT_KEY)
    assert hasher.hash(addresses) == ip
    assert hasher.hash(addresses + ports) == tcp


def test_crc32_over_the_same_input():
    hasher = Rss()
    hasher.configure(function=CRC32, initial=0xFFFFFFFF)
    assert hasher.hash(TCP4, b"abcdefgh", b"ijkl") == zlib.crc32(b"abcdefghijkl", 0xFFFFFFFF)


def test_fields_choose_the_input():
    hasher = Rss()
    with_ports = hasher.hash(TCP4, b"abcdefgh", b"ijkl")
    hasher.configure(fields={**hasher.fields, TCP4: hasher.fields[IP4]})
    assert hasher.hash(TCP4, b"abcdefgh", b"ijkl") == hasher.hash(IP4, b"abcdefgh", b"")
    assert hasher.hash(TCP4, b"abcdefgh", b"ijkl") != with_ports


def test_no_table_no_queue():
    hasher = Rss()
    assert hasher.queue(5) is None
    hasher.table = [3, 4]
    assert [hasher.queue(n) for n in range(4)] == [3, 4, 3, 4]


KEY = bytes.fromhex(
    "77d1c934a4c9bd876e35dd17b2e3239e396d8a932a95b4723ab37f568edeb60197af3b2f3a70e704"
)
# What the published calculator of AWS prints: from, to, and the hash on cards of a fixed key, of
# one set by DPDK or FreeBSD, and of one set by Linux.
PUBLISHED = [
    (("1.2.3.4", 7000), ("1.2.3.5", 7000), 0x50705070, 0xA9828BD4, 0x5B5EB8E5),
    (("10.0.0.2", 2000), ("10.0.0.1", 1000), 0xC9BBC9BB, 0x1B185D2D, 0xF9FE9AE6),
    (("192.168.1.9", 5201), ("10.0.0.7", 40000), 0xAFA0AFA0, 0x9A5DDD01, 0x4AD122C0),
]


@pytest.mark.parametrize(("source", "target", "fixed", "dpdk", "linux"), PUBLISHED)
def test_flows_hash_as_on_aws(
    source: tuple[str, int], target: tuple[str, int], fixed: int, dpdk: int, linux: int
):
    addresses = b"".join(ipaddress.ip_address(end[0]).packed for end in (source, target))
    ports = b"".join(end[1].to_bytes(2, "big") for end in (source, target))
    assert Rss(fixed=True).hash(TCP4, addresses, ports) == fixed
    back = addresses[4:] + addresses[:4], ports[2:] + ports[:2]
    assert Rss(fixed=True).hash(TCP4, *back) == fixed
    hasher = Rss()
    hasher.configure(key=KEY, initial=0)
    assert hasher.hash(TCP4, addresses, ports) == dpdk
    hasher.configure(key=KEY[::-1], initial=0xFFFFFFFF)
    assert hasher.hash(TCP4, addresses, ports) == linux
