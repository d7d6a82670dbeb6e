"""Commands that need no cloud: what they print, and their JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import nitro.local
from nitro import __version__
from nitro.cli import app, options
from nitro.errors import NitroError
from nitro.image.inspect import GuestFile, Inspection
from nitro.local import Endpoint, Status
from nitro.local.weather import Conditions
from nitro.local.weather.conditions import draw
from tests.unit.cli.runner import json_of, nitro_


def test_inspect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = (GuestFile("/init", 0o100755, 12, None), GuestFile("/bin/sh", 0o120777, 7, "busybox"))
    found = Inspection(tmp_path / "d", "sha256:00", 100, "6.12", {"VMLINUZ": 50}, files, None)
    monkeypatch.setattr("nitro.image.inspect.inspect", lambda path: found)
    assert "files" not in json_of("inspect", "inspect", "d")
    assert len(json_of("inspect", "inspect", "d", "--files")["files"]) == 2
    assert "120777  7     /bin/sh -> busybox" in nitro_("inspect", "d", "--files").stdout
    assert re.search(r"^kernel +6\.12$", nitro_("inspect", "d").stdout, re.MULTILINE)


def test_inspect_shows_names_that_are_no_text(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = (GuestFile("/\x1b]52;c;eA==\x07a\nb\udcff", 0o100755, 12, None),)
    found = Inspection(tmp_path / "d", "sha256:00", 1, "\x1b[2J6.12", {}, files, None)
    monkeypatch.setattr("nitro.image.inspect.inspect", lambda path: found)
    shown = nitro_("inspect", "d", "--files").stdout
    assert shown.splitlines()[1:] == ["100755  12    /a\ufffdb\ufffd"]
    assert json_of("inspect", "inspect", "d", "--files")["files"][0]["path"] == (
        "/\x1b]52;c;eA==\x07a\nb\ufffd"
    )
    assert re.search(r"^kernel +6\.12$", nitro_("inspect", "d").stdout, re.MULTILINE)


def test_a_failure_is_told_without_escape_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        error = NitroError("\x1b]0;mine\x07no disk", hint="\x9b2Janother")
        error.console = "\x1b[Hpanic"  # type: ignore[attr-defined]
        raise error

    monkeypatch.setattr("nitro.image.inspect.inspect", fail)
    monkeypatch.setattr(options, "verbose", False)
    told = "panic\nnitro: no disk\n       another\n"
    assert nitro_("inspect", "d", code=1).stderr == told
    verbose = CliRunner().invoke(app, ["inspect", "d", "-v"]).stderr
    assert verbose.startswith("Traceback")
    assert verbose.endswith(told)
    assert "\x1b" not in verbose


def test_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert nitro_("--version").stdout == f"nitro {__version__}\n"


def test_policy() -> None:
    assert json.loads(nitro_("policy", "role").stdout)["Version"] == "2012-10-17"


def test_local(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    up: list[tuple[str, bool, dict[str, str], Conditions | None]] = []
    down = [True, False]
    status = Status(
        Endpoint("http://127.0.0.1:1", "certificate", "us-east-1", "key", "it's secret"),
        7,
        tmp_path,
    )
    monkeypatch.setattr(
        nitro.local,
        "up",
        lambda _report, *, offloads, map_llq, shapes, weather: up.append(
            (offloads, map_llq, shapes, weather)
        ),
    )
    monkeypatch.setattr(nitro.local, "down", lambda _report, *, force: down.pop(0))
    monkeypatch.setattr(nitro.local, "status", lambda: status)
    assert json_of("local-status", "local", "up")["endpoint"] == "http://127.0.0.1:1"
    nitro_("local", "up", "--offloads", "all", "--map-llq", "--weather", "7")
    nitro_("local", "up", "--shape", "c5.large:in=500M", "--shape", "t3.micro:packets=20K")
    shapes = {"c5.large": "in=500M", "t3.micro": "packets=20K"}
    assert up == [
        ("profile", False, {}, None),
        ("all", True, {}, draw(7)),
        ("profile", False, shapes, None),
    ]
    for wrong in (
        ["c5.lage:in=1M"],
        ["c9.large:in=1M"],
        ["c5.large:in=soon"],
        ["c5.large:in=1M", "c5.large:in=2M"],
    ):
        nitro_("local", "up", *(word for one in wrong for word in ("--shape", one)), code=2)
    assert len(up) == 3
    assert nitro_("local", "up", "--weather", "rain", code=2).stderr.startswith("nitro: weather")
    assert nitro_("local", "env").stdout.splitlines() == [
        "unset AWS_PROFILE AWS_SESSION_TOKEN",
        "export AWS_ENDPOINT_URL=http://127.0.0.1:1",
        "export AWS_REGION=us-east-1",
        "export AWS_DEFAULT_REGION=us-east-1",
        "export AWS_ACCESS_KEY_ID=key",
        "export AWS_SECRET_ACCESS_KEY='it'\"'\"'s secret'",
    ]
    told = nitro_("local", "down").stderr
    assert told.endswith("stopped\n")
    assert "volumes, networks and key pairs are gone" in told
    assert nitro_("local", "down").stderr == "it was not running\n"
    monkeypatch.setattr(nitro.local, "status", lambda: Status(None, None, tmp_path))
    assert json_of("local-status", "local", "status")["running"] is False
    assert "`nitro local up` starts it" in nitro_("local", "env", code=2).stderr
    assert re.search(r"^running +False$", nitro_("local", "status").stdout, re.MULTILINE)


def test_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    served: list[dict[str, Any]] = []
    monkeypatch.setattr("nitro.ena.serve.serve", lambda socket, **kw: served.append(kw))
    monkeypatch.setattr("nitro.ena.explain.explain", lambda trace: iter(["one", "two"]))
    nitro_("device", "serve", "--socket", "s", "--port", "tap:x", "--no-llq", "--queues", "2")
    assert served[0]["llq"] is False
    assert served[0]["queues"] == 2
    assert json_of("device-explain", "device", "explain", "t") == ["one", "two"]
    assert nitro_("device", "explain", "t").stdout == "one\ntwo\n"
