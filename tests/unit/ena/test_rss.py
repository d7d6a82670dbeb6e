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
