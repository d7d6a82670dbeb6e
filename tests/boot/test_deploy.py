"""One command from a recipe to a measured instance, as a user sees it."""

from __future__ import annotations

import functools
import json
import os
import shlex
import shutil
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from nitro import debian
from nitro.paths import resource

from .commands import Nitro, eventually

pytestmark = pytest.mark.boot


@pytest.fixture(scope="module")
def deployed(nitro: Nitro) -> Any:
    return nitro.json("deploy", "--instance", "c5.large")


def test_the_result_tells_the_whole_way(deployed: Any):
    assert deployed["image"]["digest"].startswith("sha256:")
    assert deployed["image"]["size_bytes"] <= 20_000_000
    assert Path(deployed["image"]["path"]).stat().st_size == deployed["image"]["size_bytes"]
    assert deployed["snapshot"]["id"].startswith("snap-")
    assert deployed["snapshot"]["via"] == "s3-import"
    assert deployed["snapshot"]["bytes_uploaded"] == deployed["image"]["size_bytes"]
    assert deployed["ami"]["name"].startswith("bench-")
    assert deployed["instance"]["type"] == "c5.large"
    card = {key: deployed["instance"][key] for key in ("nic", "driver", "fallback")}
    assert card == {"nic": "ena", "driver": "nitro", "fallback": None}
    assert deployed["instance"]["accelerator"] in {"tcg", "kvm"}
    assert deployed["instance"]["public_ip"].startswith("127.")
    stages = [span["stage"] for span in deployed["timeline"]]
    assert stages[:3] == ["check", "build", "publish"]
    assert {"boot", "measure", "clean up"} <= set(stages)


def test_every_probe_measured_something(deployed: Any):
    assert {p["tool"] for p in deployed["probes"]} == {"boot", "iperf3", "netperf", "http"}
    metrics: dict[str, Any] = {}
    for probe in deployed["probes"]:
        assert probe["ok"], probe["error"]
        metrics |= probe["metrics"]
    assert metrics["tcp_in"]["unit"] == "bit/s"
    assert metrics["tcp_in"]["value"] > 1e6
    assert metrics["tcp_out"]["value"] > 1e6
    assert metrics["tcp_rr"]["value"] > 10
    assert metrics["http"]["value"] > 10
    assert 0 < metrics["boot_ready"]["value"] < 120


def test_nothing_but_images_stays(nitro: Nitro, deployed: Any):
    assert nitro.left() == []
    kinds = {r["kind"]: r for r in nitro.json("ls")}
    assert kinds["image"]["digest"]
    assert kinds["snapshot"]["digest"]


def test_a_second_deploy_uploads_nothing(nitro: Nitro, deployed: Any):
    again = nitro.json("deploy", "--instance", "c5.large", "--probe", "boot")
    assert again["snapshot"] == {**deployed["snapshot"], "bytes_uploaded": 0}
    assert again["ami"] == deployed["ami"]
    assert again["instance"]["id"] != deployed["instance"]["id"]


def test_udp_and_many_streams_from_another_instance(nitro: Nitro, deployed: Any):
    udp, tcp = "iperf3:udp=5M,seconds=1,direction=in", "iperf3:streams=3,seconds=1,direction=out"
    probes = nitro.json("deploy", "--instance", "c5.large", "--probe", udp, "--probe", tcp)[
        "probes"
    ]
    assert [probe["ok"] for probe in probes] == [True, True]
    assert 0 < probes[0]["metrics"]["udp_in"]["value"] < 6e6
    assert len(json.loads(probes[1]["raw"])["end"]["streams"]) == 3


def test_measuring_from_this_machine(
    nitro: Nitro, deployed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    command = debian.tree(debian.Wanted(("iperf3",))).program("iperf3")
    tool = tmp_path / "iperf3"
    tool.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    words = ("--instance", "c5.large", "--from", "host", "--probe", "iperf3:seconds=1")
    into, out = nitro.json("deploy", *words)["probes"]
    assert into["metrics"]["tcp_in"]["value"] > 1e6
    assert out["metrics"]["tcp_out"]["value"] > 1e6


def test_a_shaped_type_is_limited_by_its_allowance_and_a_killed_night_goes_on(
    nitro: Nitro, tmp_path: Path
):
    """One of its two tests is recorded while its client runs the other."""
    (tmp_path / "plan.toml").write_text(
        'name = "shaped"\nseconds = 2\nrepetitions = 1\nwarm_up = 0\n'
        '[matrix]\ndrivers = ["kernel"]\ntypes = ["c5.xlarge"]\n'
        '[[test]]\nprotocol = "iperf3-tcp"\ndirections = ["in"]\nmtu = [1500]\n'
        '[[test]]\nprotocol = "netperf-tcp-rr"\n'
    )
    nitro.run("local", "up", "--shape", "c5.xlarge:in=8M")
    where = ("--record", str(tmp_path / "record"))
    words = ("bench", "run", str(tmp_path / "plan.toml"), *where, "--json")
    killed = nitro.start(*words)
    [first] = eventually(lambda: list((tmp_path / "record/samples").rglob("[!.]*.parquet")))
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert parquet.read_metadata(first).num_rows == 1
    rest = json.loads(nitro.run(*words).stdout)
    assert rest["there"] + rest["recorded"] == 2
    assert rest["failed"] == 0
    assert nitro.left() == []
    [verdict] = json.loads(nitro.run("bench", "check", "--json", *where).stdout)
    assert verdict["ok"]
    [limited] = verdict["limited"]
    assert limited["counters"] == ["server bw_in_allowance_exceeded"]
    rates = "SELECT value FROM metrics WHERE metric = 'tcp_in'"
    [row] = json.loads(nitro.run("bench", "query", "--json", *where, rates).stdout)
    assert 1e6 < row["value"] < 9e6
    sized = "SELECT raw FROM samples WHERE mtu = 1500"
    [row] = json.loads(nitro.run("bench", "query", "--json", *where, sized).stdout)
    assert '"tcp_mss_default":\t1448' in row["raw"]  # what the MTU leaves, with timestamps
    assert nitro.left() == []


def page_of(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/", timeout=5) as answer:
        return str(answer.read().decode())


def test_one_changed_byte_changes_everything(nitro: Nitro, tmp_path: Path):
    shutil.copytree(resource("amis"), tmp_path / "amis")
    page = tmp_path / "amis/httpd/index.html"
    found = []
    for text in ("served: 1", "served: 2"):
        page.write_text(text)
        kept = nitro.json("launch", str(tmp_path / "amis/httpd.toml"), "--instance", "t3.micro")
        address = kept["instance"]["public_ip"]
        assert eventually(functools.partial(page_of, address)) == text
        found.append((kept["image"]["digest"], kept["snapshot"]["id"], kept["ami"]["id"]))
        nitro.run("destroy", kept["deployment"])
    assert all(first != second for first, second in zip(*found, strict=True))
    assert nitro.left() == []


def test_ephemeral_leaves_nothing_of_its_own(nitro: Nitro, tmp_path: Path):
    (tmp_path / "once.toml").write_text(
        'command = ["/bin/sh", "-c", "echo only once"]\nservice = false\n'
    )
    before = {r["id"] for r in nitro.json("ls")}
    words = ("deploy", str(tmp_path / "once.toml"), "--instance", "t3.micro", "--ephemeral")
    assert nitro.json(*words)["leftovers"] == []
    assert {r["id"] for r in nitro.json("ls")} <= before


def test_a_dry_run_changes_nothing(nitro: Nitro, tmp_path: Path):
    (tmp_path / "dry.toml").write_text('command = ["/bin/sh", "-c", "echo dry"]\n')
    before = nitro.json("ls")
    words = ("deploy", str(tmp_path / "dry.toml"), "--instance", "t3.micro", "--dry-run")
    plan = nitro.json(*words)
    calls = [call.partition("(")[0] for call in plan["calls"]]
    for call in ("ec2:ImportSnapshot", "ec2:RegisterImage", "ec2:RunInstances"):
        assert call in calls
    assert "ec2:TerminateInstances" in calls
    assert nitro.json("ls") == before


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--instance", "c5.lage"), 2, "c5.large"),
        (("--instance", "t2.nano"), 3, "t2.nano"),
        (("--instance", "m6g.large"), 3, "arm64"),
        (("no-such", "--instance", "c5.large"), 2, "no recipe 'no-such'"),
        (("--instance", "c5.large", "--from", "mars"), 2, "mars"),
        (("hello", "--instance", "c5.large", "--allow", "all"), 2, "'all' is not a range"),
    ],
)
def test_bad_input_is_refused_before_anything_is_made(
    nitro: Nitro, words: tuple[str, ...], code: int, says: str
):
    before = nitro.json("ls")
    done = nitro.run("deploy", *words, code=code)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert nitro.json("ls") == before


@pytest.mark.parametrize("moment", ["upload", "register AMI", "publish", "launch server"])
def test_ctrl_c_leaves_nothing(nitro: Nitro, tmp_path: Path, moment: str):
    """Interrupted right after the line that says that `moment` is over."""
    text = f"interrupted after {moment}"
    (tmp_path / "stop.toml").write_text(
        f'command = ["/bin/sh", "-c", "echo {text}; sleep 60"]\nports = [9]\n'
    )
    before = {r["id"] for r in nitro.json("ls")}
    words = ("deploy", str(tmp_path / "stop.toml"), "--instance", "t3.micro", "--probe", "boot")
    process = nitro.start(*words)
    assert process.stderr
    for line in process.stderr:
        if line.strip().startswith(f"{moment}: done"):
            os.kill(process.pid, signal.SIGINT)
            break
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "interrupted" in err
    assert {r["id"] for r in nitro.json("ls")} <= before


def test_an_instance_that_is_never_ready_is_shown_with_its_console(nitro: Nitro, tmp_path: Path):
    (tmp_path / "deaf.toml").write_text(
        'command = ["/bin/sh", "-c", "echo nobody listens; sleep 600"]\nports = [9]\n'
    )
    before = {r["id"] for r in nitro.json("ls")}
    words = ("deploy", str(tmp_path / "deaf.toml"), "--instance", "t3.micro")
    done = nitro.run(*words, "--probe", "boot:seconds=20", code=4)
    assert "no `ready` on the console within 20 s" in done.stderr
    assert "nobody listens" in done.stderr
    # Only the verified snapshot is kept, for the next try.
    (kept,) = {r["id"] for r in nitro.json("ls")} - before
    assert kept.startswith("snap-")
