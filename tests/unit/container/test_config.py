"""What an image says of itself, as programs really write it."""

from __future__ import annotations

import pytest

from nitro.container.config import Config
from nitro.errors import InputError
from nitro.ports import Port


def config(**run: object) -> Config:
    return Config.model_validate({"config": run})


def test_null_is_empty() -> None:
    assert Config.model_validate({"config": None}).run.cmd == ()
    empty = config(User=None, Env=None, Cmd=None, Volumes=None, ExposedPorts=None)
    assert (empty.run.user, empty.run.cmd, empty.ports) == ("", (), ())


def test_environment_has_a_path() -> None:
    assert config(Env=["A=b=c", "EMPTY=", "=x"]).env == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "A": "b=c",
        "EMPTY": "",
    }
    assert config(Env=["PATH=/app"]).env == {"PATH": "/app"}


def test_ports() -> None:
    exposed: dict[str, object] = {"80/tcp": {}, "53/udp": {}, "8000-8001": {}, "9/sctp": {}}
    assert config(ExposedPorts=exposed).ports == (
        *(Port("tcp", 80), Port("tcp", 8000), Port("tcp", 8001)),
        Port("udp", 53),
    )


@pytest.mark.parametrize("text", ["http", "0", "1-65535", "70000/tcp", "²"])
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(InputError, match="port"):
        assert config(ExposedPorts={text: {}}).ports


def test_signals() -> None:
    found = [config(StopSignal=text).stop_signal for text in ("SIGQUIT", "9", "", "; rm")]
    assert found == ["QUIT", "9", None, None]
