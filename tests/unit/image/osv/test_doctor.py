"""What is said of kernels' drivers."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.image.osv import doctor, store
from tests.unit.image.osv.kernel import build
from tests.unit.image.osv.test_headers import tree


def test_the_drivers_of_each_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    own, none = tmp_path / "own", tmp_path / "none"
    own.write_bytes(build())
    none.write_bytes(build().replace(b"N3aws3enaE", b"N3aws3enbE"))
    store.add("a", own, origin="x", source=tree(tmp_path / "osv", "v0.57.0-1-g0"))
    store.add("b", own, origin="x")
    store.add("c", none, origin="x")
    said = [check.detail.partition("driver: ")[2] for check in doctor.examine()]
    assert said == ["nitro and OSv's own", "OSv's own", "none; nitro kernel add --source adds one"]
    assert all(check.ok for check in doctor.examine())
    assert "one boot in twenty" in doctor.notes(store.find("a").about["drivers"])[0]
    assert "no network" in doctor.notes(store.find("c").about["drivers"])[0]
