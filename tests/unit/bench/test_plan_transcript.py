"""What a plan becomes: its machines, the order of its runs, what clients run, and its errors."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from nitro.bench.plan import Plan, Task, selection
from nitro.bench.schedule import Part, groups, lifetime, rounds, selected
from nitro.errors import InputError
from nitro.measure import longest_measurement
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
NIGHT = date(2026, 11, 26)
REGION = "eu-west-1"
PLAN = """
name = "nightly"
seed = 7
seconds = 5
repetitions = 2
max_cost = 12.5
max_hours = 3
pairs_at_once = 2
clients_at_once = 2
placement = "cluster"
market = "spot"

[prices]
"c5.large" = 0.096

[amis.amazon]
start = "systemctl start iperf3"
[amis.amazon.ids]
eu-west-1 = "ami-0123456789abcdef0"
us-east-1 = "ami-0fedcba9876543210"

[matrix]
images = ["bench", "amazon", "bench"]
drivers = ["nitro", "kernel"]
types = ["c6in.large", "c5.large"]
regions = ["us-east-1", "eu-west-1"]

[[test]]
protocol = "iperf3-tcp"
streams = [4, 1]
message_bytes = [1400]
mtu = [1500, 9001]

[[test]]
protocol = "iperf3-udp"
directions = ["out"]
rates = ["100M", "1G"]
images = ["bench"]

[[test]]
protocol = "netperf-udp-rr"
message_bytes = [1, 64]
images = ["amazon"]

[[test]]
protocol = "http"
streams = [64]
"""
SMALL = """
name = "small"
[matrix]
types = ["c5.large"]
[[test]]
protocol = "netperf-tcp-stream"
[[test]]
protocol = "netperf-tcp-crr"
"""


def _load(folder: Path, text: str) -> Plan:
    path = folder / "plan.toml"
    path.write_text(text)
    return Plan.load(path)


def _order(tasks: list[Task]) -> str:
    return "".join(f"  {one.position} {one.repetition} {one.cell.key}\n" for one in tasks)


def test_runs(tmp_path: Path) -> None:
    text = ""
    for source in (PLAN, SMALL):
        plan = _load(tmp_path, source)
        text += f"{plan.model_dump_json(indent=1)}\n{plan.digest}\n"
        text += f"recipes {plan.recipes}, regions {plan.regions(REGION)}\n"
        for part in (Part(), Part(1, 3)):
            machines = part.machines(plan, REGION)
            text += f"part {part}: {len(machines)} machines\n"
            text += "".join(f"  {one}\n" for one in machines)
        for image in plan.matrix.images:
            text += f"{image}\n"
            for test in plan.tests(image):
                [step] = selection(test, plan.seconds).plan("server").steps
                text += f"  {step.name} {step.seconds:g}: {step.command}\n"
        tasks = Part().tasks(plan, REGION, NIGHT)
        text += f"{len(tasks)} runs\n{_order(tasks[:5])}{_order(tasks[-3:])}"
        text += f"the next night\n{_order(Part().tasks(plan, REGION, date(2026, 11, 27))[:3])}"
        text += f"servers live {lifetime(plan, tasks)}\n"
        bare = plan.model_copy(update={"max_hours": None})
        text += f"without a bound {lifetime(bare, tasks)}, at most {lifetime(bare, tasks * 50)}\n"
        for number, group in enumerate(groups(tasks, plan.pairs_at_once)):
            text += f"group {number}: {len(group)} runs\n"
            for side in rounds(group):
                sizes = [len(one) for one in side]
                text += f"  clients at a time with {sizes} runs; the first: {side[0][0].position}\n"
        some = next(groups(tasks, 1))
        text += f"one client: {longest_measurement(selected(plan, some[:3]))}\n"
        many = [Task(one.cell, 0, at) for at, one in enumerate(some * 12)]
        text += f"many: {[[len(one) for one in side] for side in rounds(many)]}\n"
    compare(HERE / "runs.txt", text)


CHANGES = {
    'name = "small"': [
        'name = "Small"',
        "name = 1",
        "name = 2026-11-26",
        "",
        'name = "small"\nrepetition = 2',
    ],
    "[matrix]": [
        *(f"{line}\n[matrix]" for line in ("seed = '1'", "seconds = 0", "seconds = 3601")),
        *(f"{line}\n[matrix]" for line in ("repetitions = 0", "repetitions = 10001")),
        *(f"{line}\n[matrix]" for line in ("warm_up = -1", "warm_up = 101", "max_hours = 169")),
        *(f"{line}\n[matrix]" for line in ("max_cost = 0", "max_cost = inf", "max_hours = nan")),
        *(f"{line}\n[matrix]" for line in ("pairs_at_once = 0", "clients_at_once = 101")),
        *(f"{line}\n[matrix]" for line in ("market = 'x'", "placement_group = ''", "amis = []")),
        "placement = 'cluster'\nplacement_group = 'rack'\n[matrix]",
        "[prices]\n'c7.large' = 1\n[matrix]",
        "[prices]\n'c5.large' = -1\n[matrix]",
        "[amis.x.ids]\neu-west-1 = 'ami-01234567'\n[matrix]",
        "[amis.x.ids]\neu-west-1 = 'x'\n[matrix]\nimages = ['x']",
        "[amis.x.ids]\na = 'ami-01234567'\n[matrix]\nimages = ['x']\nregions = ['us-east-1']",
        "[amis.x]\nids = {}\n[matrix]\nimages = ['x']",
        "[[matrix]]",
        "repetitions = 10000\n[matrix]\ndrivers = ['nitro', 'kernel']\nregions = ['eu-west-1']",
    ],
    'types = ["c5.large"]': [
        *("", 'types = "c5.large"', "types = []", "types = ['']", "types = [1]"),
        *(f"types = ['a']\n{line}" for line in ("images = []", "drivers = ['x']", "colour = 1")),
        *(f"types = ['a']\n{line}" for line in ("regions = ['here']", "images = {}")),
    ],
    'protocol = "netperf-tcp-stream"': [
        *("", 'protocol = "ping"', 'protocol = "iperf3-udp"', "colour = 1"),
        *(f'protocol = "iperf3-tcp"\n{line}' for line in ("rates = ['1M']", "streams = [129]")),
        *(f'protocol = "iperf3-tcp"\n{line}' for line in ("streams = 4", "streams = ['4']")),
        *(f'protocol = "iperf3-tcp"\n{line}' for line in ("message_bytes = [15]", "mtu = [575]")),
        *(f'protocol = "iperf3-tcp"\n{line}' for line in ("mtu = [9002]", "directions = ['up']")),
        *(f'protocol = "iperf3-tcp"\n{line}' for line in ("directions = []", "images = ['x']")),
        *(f'protocol = "iperf3-udp"\n{line}' for line in ("rates = ['0']", "rates = ['1T']")),
        'protocol = "iperf3-udp"\nrates = ["1M"]\nmtu = [1500]',
        'protocol = "iperf3-udp"\nrates = ["1M"]\nmessage_bytes = [65508]',
        'protocol = "netperf-udp-rr"\nmessage_bytes = [65508]',
        'protocol = "netperf-tcp-rr"\nmessage_bytes = [0]',
        'protocol = "netperf-tcp-rr"\nstreams = [2]',
        'protocol = "netperf-tcp-rr"\ndirections = ["in"]',
        'protocol = "http"\nmessage_bytes = [1]',
        'protocol = "http"\ndirections = ["out"]',
    ],
    SMALL: [
        "",
        "test = 2026-11-26\n" + SMALL.partition("[[")[0],
        "test = 1\n" + SMALL.partition("[[")[0],
    ],
}


def test_errors(tmp_path: Path) -> None:
    text = ""
    for old, others in CHANGES.items():
        for new in others:
            shown = json.dumps(new[:120]) if old != SMALL else json.dumps(new[:40])
            try:
                _load(tmp_path, SMALL.replace(old, new, 1))
                text += f"{shown}: taken\n"
            except InputError as error:
                what = error.what.replace(f"{tmp_path}/", "")
                text += f"{shown}:\n  {what}\n  {error.hint}\n"
    compare(HERE / "plan-errors.txt", text)
