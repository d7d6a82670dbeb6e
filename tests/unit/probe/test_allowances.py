"""The ENA driver's allowance counters: how the client reads them, and how far they moved."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nitro.paths import resource
from nitro.probe.allowances import OUTPUT_BYTES, Allowance, growth, read
from nitro.probe.plan import build
from nitro.probe.step import StepOutput
from nitro.probe.tools.http import Http
from tests.unit.probe.recorded import recorded

SCRIPT = resource("amis") / "client" / "allowances"
# As `ethtool -S` prints them of the kernel's driver; nitro's has the same names.
ETHTOOL = """NIC statistics:
     tx_timeout: 0
     bw_in_allowance_exceeded: 12
     bw_out_allowance_exceeded: 0
     pps_allowance_exceeded: 3
     conntrack_allowance_exceeded: 0
     linklocal_allowance_exceeded: 0
     conntrack_allowance_available: 136812
     queue_0_tx_cnt: 77
"""


def run_script(folder: Path, *arguments: str, **environment: str) -> str:
    """The script between an `ethtool` and a `wget` that answer as a machine's would."""
    (folder / "devices/lo").mkdir(parents=True, exist_ok=True)
    (folder / "devices/eth0").mkdir(exist_ok=True)
    (folder / "stats").write_text(ETHTOOL)
    for name, words in (
        ("ethtool", f'[ "$2" = eth0 ] && exec cat {folder}/stats; exit 1'),
        ("wget", f'echo "$*" >{folder}/asked; cat {folder}/page'),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{words}\n")
        (folder / name).chmod(0o755)
    path = {"PATH": f"{folder}:{os.environ['PATH']}", "NETWORK_DEVICES": f"{folder}/devices"}
    done = subprocess.run(
        ["/bin/sh", SCRIPT, *arguments], env=path | environment, capture_output=True, text=True
    )
    return done.stdout


def test_the_client_reads_its_own_counters_and_the_servers(tmp_path):
    as_cgi = run_script(tmp_path, GATEWAY_INTERFACE="CGI/1.1")
    head, _, page = as_cgi.partition("\n\n")
    assert head == "Content-Type: text/plain"
    (tmp_path / "page").write_text(page.replace(": 12", ": 40"))
    found = read(run_script(tmp_path, "fd00::9"))
    assert (tmp_path / "asked").read_text().split()[-1] == "http://[fd00::9]/allowances"
    assert found["client", "bw_in_allowance_exceeded"] == 12
    assert found["server", "bw_in_allowance_exceeded"] == 40
    assert len(found) == 10


def test_a_server_that_does_not_tell_leaves_the_clients_counters(tmp_path):
    (tmp_path / "page").write_text("<html>404</html>")
    assert {where for where, _ in read(run_script(tmp_path, "10.0.0.9"))} == {"client"}


def test_each_step_has_what_moved_between_the_readings_around_it():
    plan = build([Http(), Http(port=8080)], "10.0.0.9", allowances=True)
    names = [line.split()[0] for line in plan.text().splitlines()]
    assert names == ["wait", "allowances-0", "http", "allowances-1", "http-2", "allowances-2"]
    page = recorded("wrk-4.1.0/ok.txt")
    outputs = {step.name: StepOutput(page, "", 0.0, 3.0) for step in plan.steps}
    for number, count in enumerate((5, 5, 9)):
        text = f"client pps_allowance_exceeded: {count}\n"
        outputs[f"allowances-{number}"] = StepOutput(text, "", 0.0, 0.1)
    first, second = plan.results(outputs)
    assert first.allowances == (Allowance("client", "pps_allowance_exceeded", 0),)
    assert second.allowances == (Allowance("client", "pps_allowance_exceeded", 4),)
    del outputs["allowances-1"]
    assert [result.allowances for result in plan.results(outputs)] == [(), ()]


def test_a_plan_without_readings_is_as_before():
    plan = build([Http()], "10.0.0.9")
    assert "allowances" not in plan.text()
    more = build([Http()], "10.0.0.9", allowances=True)
    assert more.deadline > plan.deadline
    assert more.output_bytes == plan.output_bytes + 2 * OUTPUT_BYTES


def test_a_counter_that_began_anew_counts_from_zero():
    key = ("server", "pps_allowance_exceeded")
    assert growth({key: 100}, {key: 7}) == (Allowance(*key, 7),)


@given(st.text(), st.integers(0, 10**20), st.integers(0, 10**20))
def test_whatever_is_printed_gives_counts_that_the_record_can_hold(text, before, after):
    line = "server pps_allowance_exceeded: {}\n{}"
    first, second = (read(line.format(count, text)) for count in (before, after))
    for one in growth(first, second):
        assert 0 <= one.count < 2**63
    if max(before, after) < 2**63:
        key = ("server", "pps_allowance_exceeded")
        moved = after - before if after >= before else after
        assert Allowance(*key, moved) in growth(first, second)
