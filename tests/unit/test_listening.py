"""What a guest says that its programs listen on."""

from __future__ import annotations

import json

import pytest

from nitro import listening
from nitro.console import milestones

ANY6 = "0" * 32


def table(*sockets: str, ipv6_only: tuple[int, ...] = ()) -> listening.Listening:
    said = {"nitro": "listening", "uptime": 9, "sockets": sockets, "ipv6_only": ipv6_only}
    found = listening.read(milestones(json.dumps(said)))
    assert found
    return found


@pytest.mark.parametrize(
    ("socket", "shown"),
    [
        ("0100007F:1F90", "127.0.0.1:8080"),
        ("00000000:0050", "0.0.0.0:80"),
        (f"{ANY6}:0050", "[::]:80"),
        ("B80D01200000000067452301EFCDAB89:0050", "[2001:db8::123:4567:89ab:cdef]:80"),
    ],
)
def test_addresses_are_read_as_the_kernel_writes_them(socket: str, shown: str) -> None:
    assert [str(one) for one in table(socket).listeners] == [shown]


@pytest.mark.parametrize("socket", ["00000000:1F90", f"{ANY6}:1F90", "0F02000A:1F90"])
def test_a_port_that_others_reach_is_not_lacking(socket: str) -> None:
    assert table(socket).lacks([8080]) is None


@pytest.mark.parametrize(
    "socket",
    ["0100007F:1F90", f"{ANY6[:-8]}01000000:1F90", "0000000000000000FFFF00000100007F:1F90"],
)
def test_a_socket_of_the_loopback_serves_nobody(socket: str) -> None:
    lacks = table(socket).lacks([8080])
    assert lacks
    assert "which only the guest itself reaches; make it listen on 0.0.0.0" in lacks


def test_another_port_is_named() -> None:
    assert table("00000000:2382").lacks([8080]) == (
        "the program listens on 0.0.0.0:9090, not on port 8080"
    )
    assert table().lacks([80]) == "the program listens on no TCP port, not on 80"


def test_ipv6_alone_is_named() -> None:
    lacks = table(f"{ANY6}:1F90", ipv6_only=(8080,)).lacks([8080])
    assert lacks
    assert lacks.startswith("the program listens on port 8080 for IPv6 only")


def test_the_last_table_counts_and_nonsense_is_skipped() -> None:
    lines = [
        '{"nitro":"listening","uptime":1,"sockets":["00000000:0050"],"ipv6_only":[]}',
        '{"nitro":"listening","uptime":2,"sockets":["x",5,"00000000:0051"],"ipv6_only":["a"]}',
        '{"nitro":"start","uptime":3}',
    ]
    found = listening.read(milestones("\n".join(lines)))
    assert found
    assert [one.port for one in found.listeners] == [81]
    assert found.ipv6_only == ()
    assert listening.read([]) is None
    odd = milestones('{"nitro":"listening","uptime":1,"sockets":7}')
    assert listening.read(odd) == listening.Listening((), ())
