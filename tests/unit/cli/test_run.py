"""`nitro run`: what it refuses before anything is built."""

from __future__ import annotations

import socket

import pytest
from typer.testing import CliRunner

from nitro.cli import app


@pytest.fixture(autouse=True)
def _nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("the image is built before the options are checked")

    monkeypatch.setattr("nitro.image.build", refuse, raising=False)


def refused(*forwards: str) -> str:
    options = [word for forward in forwards for word in ("--forward", forward)]
    done = CliRunner().invoke(app, ["run", "hello", *options])
    assert done.exit_code == 2
    return done.stderr


def test_a_forward_that_cannot_be_read_is_named() -> None:
    said = refused("80")
    assert "--forward '80' is not HOST:GUEST" in said
    assert "udp:5353:53 for UDP" in said


@pytest.mark.parametrize(
    ("protocol", "kind"), [("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)]
)
def test_a_port_that_is_taken_is_named(protocol: str, kind: socket.SocketKind) -> None:
    with socket.socket(type=kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            taken.listen()
        number = taken.getsockname()[1]
        said = refused(f"{protocol}:{number}:80")
    assert f"port {number} of this machine: Address already in use" in said


@pytest.mark.parametrize("prefix", ["", "udp:"])
def test_a_port_of_this_machine_leads_to_one_port_of_the_guest(prefix: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    assert "forwarded twice" in refused(f"{prefix}{number}:80", f"{prefix}{number}:81")
