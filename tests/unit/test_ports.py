"""Ports and forwards: what is written is what is read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.errors import InputError
from nitro.ports import Forward, Port, tcp_numbers

numbers = st.integers(1, 65535)
protocols = st.sampled_from(["tcp", "udp"])
ports = st.builds(Port, protocols, numbers)


@pytest.mark.parametrize(
    ("written", "port"),
    [
        (80, Port("tcp", 80)),
        ("80", Port("tcp", 80)),
        ("tcp:80", Port("tcp", 80)),
        ("udp:53", Port("udp", 53)),
        ("65535", Port("tcp", 65535)),
    ],
)
def test_a_port_is_read_in_every_form(written: int | str, port: Port) -> None:
    assert Port.parse(written) == port


@pytest.mark.parametrize(
    "written",
    [0, -1, 65536, True, 1.0, None, [80], "", "0", "65536", "080", " 80", "80\n", "٨٠", "+80"],
)
def test_anything_that_is_no_number_is_bad_input(written: object) -> None:
    with pytest.raises(InputError) as caught:
        Port.parse(written)
    assert caught.value.what == f"{written!r} is not a port"
    assert "udp:53" in str(caught.value.hint)


@pytest.mark.parametrize(
    "written",
    ["http", "icmp:1", "tcp:", "udp:", ":53", "TCP:80", "tcp:udp:53", "53/udp", "8080:80"],
)
def test_another_protocol_or_form_is_bad_input(written: str) -> None:
    with pytest.raises(InputError, match=f"^'{written}' is not a port"):
        Port.parse(written)


@given(ports)
def test_a_port_that_is_printed_is_read_back(port: Port) -> None:
    assert Port.parse(str(port)) == port
    assert Port.parse(port.to_json()) == port
    assert Port.parse(f"{port.protocol}:{port.number}") == port


@given(st.text(max_size=12) | st.integers())
def test_any_text_is_a_port_or_bad_input(written: str | int) -> None:
    try:
        port = Port.parse(written)
    except InputError:
        return
    assert 0 < port.number < 65536
    assert str(written) in (str(port), f"tcp:{port}")


@given(st.lists(ports))
def test_ports_are_ordered_by_protocol_then_number(unordered: list[Port]) -> None:
    ordered = sorted(unordered)
    numbers = list(tcp_numbers(ordered))
    assert numbers == sorted(numbers)
    assert [port.protocol for port in ordered[: len(numbers)]] == ["tcp"] * len(numbers)


@given(protocols, numbers, numbers)
def test_a_forward_is_read_as_it_is_written(protocol: str, host: int, guest: int) -> None:
    forward = Forward.parse(f"{protocol}:{host}:{guest}")
    assert (forward.protocol, forward.host, forward.guest) == (protocol, host, guest)
    assert Forward.parse(f"{host}:{guest}").protocol == "tcp"


@pytest.mark.parametrize(
    "written", ["", "80", "udp:53", "8080:80:tcp", "0:80", "8080:65536", "icmp:1:1", "a:b", "80:"]
)
def test_a_forward_that_cannot_be_read_is_quoted(written: str) -> None:
    with pytest.raises(InputError, match=f"^'{written}' is not HOST:GUEST"):
        Forward.parse(written)
