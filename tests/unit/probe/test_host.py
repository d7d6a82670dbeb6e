"""Measuring from this machine: programs of the tools' names stand in for them."""

from pathlib import Path

import pytest

from nitro.errors import ProbeError
from nitro.measure import select_probes
from nitro.probe import Selection, ToolProber, host, step
from nitro.probe.plan import build
from nitro.probe.tools.http import Http
from nitro.probe.tools.iperf3 import Iperf3
from nitro.probe.tools.netperf import Netperf
from tests.unit.probe.recorded import DATA


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A folder that alone is the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(folder, name, text):
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_missing_tools_are_named_before_anything_runs(path):
    program(path, "wrk", f"echo ran >{path}/ran")
    with pytest.raises(ProbeError, match="no iperf3, netperf on PATH; install"):
        host.run(build([Http(), Iperf3(), Netperf()], "127.0.0.1"))
    assert not (path / "ran").exists()


@pytest.mark.extended
def test_each_step_runs_and_is_judged_by_its_output(path):
    # Both exit codes lie, the other way round.
    program(path, "wrk", f"/bin/cat {DATA}/wrk-4.1.0/ok.txt; exit 1")
    program(path, "iperf3", f"/bin/cat {DATA}/iperf3-3.12/busy.json; exit 0")
    http, iperf3 = host.run(build([Http(seconds=1), Iperf3(direction="in")], "127.0.0.1"))
    assert http.ok
    assert http.metrics["http"].value == 59083.39
    assert not iperf3.ok
    assert "busy" in (iperf3.error or "")


@pytest.mark.extended
def test_a_tool_that_hangs_is_stopped_at_its_deadline(path, monkeypatch):
    monkeypatch.setattr(step, "SLACK", -0.5)
    program(path, "wrk", "echo started; exec /bin/sleep 60")
    [result] = host.run(build([Http(seconds=1)], "127.0.0.1"))
    assert (result.error or "").startswith("http: stopped at its deadline of 0.5 s")
    assert result.raw == "started"
    assert result.seconds < 10


def test_a_tool_that_cannot_be_started_says_why(path):
    (path / "wrk").write_text("#!/no/such/shell\n")
    (path / "wrk").chmod(0o755)
    [result] = host.run(build([Http()], "127.0.0.1"))
    assert "No such file" in (result.error or "")


def test_tools_are_missed_before_there_is_anything_to_measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    wanted = Selection(None, (Iperf3(),))
    with pytest.raises(ProbeError, match="no iperf3 on PATH"):
        select_probes(wanted, [], "host", ToolProber())
    assert select_probes(wanted, [], "instance", ToolProber()) == wanted
