"""The summary of a deployment, whose words are partly a guest's."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.cli import summary
from nitro.deploy import Deployment, InstanceReport


def test_what_the_guest_says_of_its_driver_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    instance = InstanceReport(
        "i-1",
        "c5.large",
        nic="\x1b]0;mine\x07ena",
        driver="ker\x9b2Jnel",
        fallback="no link\x1b]52;c;eA==\x1b\\ on\u202e eth0",
        accelerator="tcg",
        public_ip="",
        private_ip="10.0.0.4",
    )
    image: Any = SimpleNamespace(digest="sha256:00", size_bytes=1, path=Path("x"))
    published: Any = SimpleNamespace(
        snapshot_id="snap-1", ami_id="ami-1", ami_name="x", region="r", reused=True
    )
    summary.show(Deployment("d-1", "x", image, published, instance), as_json=False)
    shown = capsys.readouterr().out
    assert "ena, kernel driver (the nitro driver: no link on\ufffd eth0)" in shown
    assert "no public address" in shown
    assert all(c.isprintable() or c == "\n" for c in shown)
