"""Commands that need no cloud: what they print, and their JSON."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import nitro.local
from nitro.image.inspect import GuestFile, Inspection
from nitro.local import Endpoint, Status
from tests.unit.cli.runner import json_of, nitro_


def test_inspect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = (GuestFile("/init", 0o100755, 12, None), GuestFile("/bin/sh", 0o120777, 7, "busybox"))
    found = Inspection(tmp_path / "d", "sha256:00", 100, "6.12", {"VMLINUZ": 50}, files, None)
    monkeypatch.setattr("nitro.image.inspect.inspect", lambda path: found)
    assert "files" not in json_of("inspect", "inspect", "d")
    assert len(json_of("inspect", "inspect", "d", "--files")["files"]) == 2
    assert "120777  7     /bin/sh -> busybox" in nitro_("inspect", "d", "--files").stdout
    assert re.search(r"^kernel +6\.12$", nitro_("inspect", "d").stdout, re.MULTILINE)


def test_local(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    up: list[str] = []
    down = [True, False]
    status = Status(
        Endpoint("http://127.0.0.1:1", "http://10.0.0.1", "us-east-1", "key", "it's secret"),
        7,
        tmp_path,
    )
    monkeypatch.setattr(nitro.local, "up", lambda _report, *, offloads: up.append(offloads))
    monkeypatch.setattr(nitro.local, "down", lambda _report, *, force: down.pop(0))
    monkeypatch.setattr(nitro.local, "status", lambda: status)
    assert json_of("local-status", "local", "up")["endpoint"] == "http://127.0.0.1:1"
    assert up == ["profile"]
    assert nitro_("local", "env").stdout.splitlines() == [
        "unset AWS_PROFILE AWS_SESSION_TOKEN",
        "export AWS_ENDPOINT_URL=http://127.0.0.1:1",
        "export AWS_REGION=us-east-1",
        "export AWS_DEFAULT_REGION=us-east-1",
        "export AWS_ACCESS_KEY_ID=key",
        "export AWS_SECRET_ACCESS_KEY='it'\"'\"'s secret'",
    ]
    assert nitro_("local", "down").stderr == "stopped\n"
    assert nitro_("local", "down").stderr == "it was not running\n"
    monkeypatch.setattr(nitro.local, "status", lambda: Status(None, None, tmp_path))
    assert json_of("local-status", "local", "status")["running"] is False
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
