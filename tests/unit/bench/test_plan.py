"""Plans become cells and a shuffled order that is the same again; what is no plan is refused."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import get_args

import pytest

from nitro.bench.plan import Plan, Protocol, selection
from nitro.errors import InputError

DIGEST = "sha256:443efffcaae0305c0c4ba27c6be000dbd6b7e54731565eea5cd6428be2146ccd"  # of TEXT
NIGHT = date(2026, 11, 26)
TEXT = """
name = "small"
seed = 7
seconds = 2
repetitions = 3
warm_up = 1

[matrix]
drivers = ["nitro", "kernel"]
types = ["c5.large", "c6in.large"]

[[test]]
protocol = "iperf3-tcp"
streams = [1, 4]

[[test]]
protocol = "netperf-tcp-rr"
message_bytes = [1, 64]
"""


@pytest.fixture
def plan(tmp_path):
    return load(tmp_path, TEXT)


def load(folder, text):
    path = folder / "plan.toml"
    path.write_text(text)
    return Plan.load(path)


def test_cells_are_all_combinations_with_keys_of_their_own(plan):
    cells = plan.cells("eu-west-1")
    assert len(cells) == 2 * 2 * (2 * 2 + 2)  # drivers, types, directions by streams and sizes
    keys = {cell.key for cell in cells}
    assert len(keys) == len(cells)
    assert "c5.large eu-west-1 bench nitro iperf3-tcp in" in keys
    assert "c6in.large eu-west-1 bench kernel iperf3-tcp out streams=4" in keys
    assert "c5.large eu-west-1 bench kernel netperf-tcp-rr bytes=64" in keys


MIXED = TEXT.replace("[matrix]", '[matrix]\nimages = ["bench", "osv-iperf3"]').replace(
    "message_bytes", 'images = ["bench"]\nmessage_bytes'
)


def test_a_test_may_be_of_some_of_the_images(tmp_path, plan):
    cells = load(tmp_path, MIXED).cells("eu-west-1")
    found = {(cell.machine.image, cell.test.protocol) for cell in cells}
    assert found == {
        ("bench", "iperf3-tcp"),
        ("bench", "netperf-tcp-rr"),
        ("osv-iperf3", "iperf3-tcp"),
    }


def test_the_digest_of_a_plan_stays_when_keys_are_added_that_it_does_not_use(plan, tmp_path):
    assert plan.digest == DIGEST
    assert load(tmp_path, MIXED).digest != DIGEST


def test_a_plan_of_too_many_runs_is_refused_before_they_are_dealt_out(tmp_path):
    sizes = f"message_bytes = [{', '.join(map(str, range(16, 9016)))}]"
    streams = f"streams = [{', '.join(map(str, range(1, 129)))}]"
    with pytest.raises(InputError, match=r"the plan has 36,\d{3},\d{3} runs; at most 1,000,000"):
        load(tmp_path, TEXT.replace("streams = [1, 4]", f"{streams}\n{sizes}"))


def test_every_repetition_runs_every_cell_once_before_the_next_begins(plan):
    tasks = list(plan.tasks("eu-west-1", NIGHT))
    count = len(plan.cells("eu-west-1"))
    assert [task.position for task in tasks] == list(range(4 * count))
    for repetition in range(4):
        part = tasks[repetition * count : (repetition + 1) * count]
        assert {task.repetition for task in part} == {repetition}
        assert len({task.cell for task in part}) == count


def test_the_order_is_shuffled_by_seed_and_night_and_is_the_same_again(plan):
    order = [task.cell.key for task in plan.tasks("eu-west-1", NIGHT)]
    assert order == [task.cell.key for task in plan.tasks("eu-west-1", NIGHT)]
    assert order != [task.cell.key for task in plan.tasks("eu-west-1", date(2026, 11, 27))]
    other = plan.model_copy(update={"seed": 8})
    assert order != [task.cell.key for task in other.tasks("eu-west-1", NIGHT)]
    assert Counter(order) == Counter(t.cell.key for t in other.tasks("eu-west-1", NIGHT))


def test_the_digest_changes_with_the_plan(plan):
    assert plan.digest != plan.model_copy(update={"seconds": 3}).digest


def test_every_test_becomes_one_step_of_the_tool(tmp_path):
    text = TEXT + "\n".join(
        f'[[test]]\nprotocol = "{protocol}"\n{more}'
        for protocol, more in {
            "iperf3-udp": 'rates = ["100M"]\nmessage_bytes = [1400]',
            "netperf-tcp-stream": "message_bytes = [1400]",
            "netperf-tcp-crr": "",
            "netperf-udp-rr": "",
            "http": "streams = [8]",
        }.items()
    )
    commands = {
        cell.test: [step.command for step in selection(cell.test, 2).plan("192.0.2.1").steps]
        for cell in load(tmp_path, text).cells("eu-west-1")
    }
    assert all(len(found) == 1 for found in commands.values())
    text = "\n".join(found[0] for found in commands.values())
    for words in (
        *("--udp --bitrate 100M --length 1400", "--parallel 4", "--reverse", "-t TCP_CRR"),
        *("-t UDP_RR", "-t TCP_STREAM -l 2 -- -P ,12866 -m 1400", "-r 64,64", "-c 8"),
    ):
        assert words in text


AMIS = '[amis.debian]\nids = { eu-west-1 = "ami-0123456789abcdef0" }\n'


def test_a_matrix_may_have_regions_and_amis_which_have_one_driver(plan, tmp_path):
    more = f'{AMIS}[matrix]\nimages = ["bench", "debian"]\nregions = ["eu-west-1"]'
    found = load(tmp_path, TEXT.replace("[matrix]", more))
    assert found.regions("us-east-1") == ("eu-west-1",)
    machines = found.machines("us-east-1")
    assert {(one.image, one.driver, one.region) for one in machines} == {
        ("bench", "nitro", "eu-west-1"),
        ("bench", "kernel", "eu-west-1"),
        ("debian", "own", "eu-west-1"),
    }
    assert len(machines) == 2 * 3
    assert found.recipes == ["bench"]
    assert plan.machines("eu-west-1") == [one for one in machines if one.image == "bench"]
    spot = load(tmp_path, TEXT.replace("seed = 7", 'seed = 7\nmarket = "spot"'))
    assert len({plan.digest, found.digest, spot.digest}) == 3


def test_a_test_under_an_mtu_is_a_cell_of_its_own_and_sets_it_at_the_client(tmp_path):
    text = TEXT.replace("streams = [1, 4]", 'directions = ["in"]\nmtu = [1500, 9001]')
    cells = load(tmp_path, text).cells("eu-west-1")
    assert "c5.large eu-west-1 bench nitro iperf3-tcp in mtu=1500" in {cell.key for cell in cells}
    steps = {cell.test.mtu: selection(cell.test, 2).plan("192.0.2.1").steps for cell in cells}
    assert steps[9001][0].command.startswith("at-mtu 9001 iperf3 ")
    assert not steps[None][0].command.startswith("at-mtu")
    assert (steps[1500][0].name, steps[1500][0].port) == ("iperf3-tcp-in", 5201)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("[matrix]", "[matrix"), "TOML"),
        (("seconds = 2", "second = 2"), "unknown key 'second'"),
        (('"c5.large", "c6in.large"', ""), "matrix.types"),
        (('"nitro", "kernel"', '"ported"'), "matrix.drivers.0"),
        (("[1, 4]", "[0]"), "test.0.streams.0"),
        (("repetitions = 3", "repetitions = 0"), "repetitions"),
        (('"iperf3-tcp"', '"iperf3-udp"'), "rates"),
        (('"iperf3-tcp"\n', '"iperf3-tcp"\nrates = ["1M"]\n'), "rates"),
        (('"netperf-tcp-rr"\n', '"netperf-tcp-rr"\nstreams = [2]\n'), "streams"),
        (('"netperf-tcp-rr"', '"http"'), "message_bytes"),
        (('"netperf-tcp-rr"\n', '"netperf-udp-rr"\nmtu = [1500]\n'), "UDP has no mtu"),
        (("[1, 4]", "[1]\nmtu = [100]"), "test.0.mtu.0"),
        (("[1, 4]", '[1]\nimages = ["other"]'), "images has 'other'"),
        (('name = "small"', 'name = "../x"'), "name"),
        (("seed = 7", 'market = "free"'), "market"),
        (("[matrix]", '[matrix]\nregions = ["europe"]'), "matrix.regions.0"),
        (("[matrix]", f"{AMIS}[matrix]"), "amis has 'debian'"),
        (
            ("[matrix]", f'{AMIS}[matrix]\nimages = ["debian"]\nregions = ["us-east-1"]'),
            "us-east-1",
        ),
        (("[matrix]", AMIS.replace("ami-0", "AMI") + "[matrix]"), "amis.debian.ids.eu-west-1"),
    ],
)
def test_what_is_no_plan_is_refused_by_the_key(tmp_path, change, says):
    assert change[0] in TEXT
    with pytest.raises(InputError) as error:
        load(tmp_path, TEXT.replace(*change))
    assert says in str(error.value)
    assert "plan.toml" in str(error.value)


@pytest.mark.parametrize("protocol", get_args(Protocol))
def test_a_plan_is_read_back_from_the_json_that_a_job_has(tmp_path, protocol):
    path = tmp_path / "plan.toml"
    rates = 'rates = ["1M"]' if protocol == "iperf3-udp" else ""
    path.write_text(
        'name = "job"\n[matrix]\ntypes = ["c5.large"]\n'
        f'[[test]]\nprotocol = "{protocol}"\n{rates}\n'
    )
    plan = Plan.load(path)
    read = Plan.model_validate_json(plan.model_dump_json())
    assert (read, read.digest) == (plan, plan.digest)


def test_a_plan_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        Plan.load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("test", "says"),
    [
        ('protocol = "http"\ndirections = ["in"]', "http goes both ways: leave directions out"),
        ('protocol = "netperf-udp-rr"\ndirections = ["out"]', "leave directions out"),
        ('protocol = "iperf3-tcp"\nmessage_bytes = [16, 15]', "from 16 to 1048576, not 15"),
        ('protocol = "netperf-udp-rr"\nmessage_bytes = [65508]', "from 1 to 65507, not 65508"),
        (
            'protocol = "iperf3-udp"\nrates = ["1M"]\nmessage_bytes = [65508]',
            "from 16 to 65507, not 65508",
        ),
    ],
)
def test_what_a_tool_would_refuse_is_refused_with_the_plan(tmp_path, test, says):
    path = tmp_path / "plan.toml"
    path.write_text(f'name = "odd"\n[matrix]\ntypes = ["c5.large"]\n[[test]]\n{test}\n')
    with pytest.raises(InputError, match=says):
        Plan.load(path)


@pytest.mark.parametrize(
    ("protocol", "least", "most"),
    [
        ("iperf3-tcp", 16, 1 << 20),
        ("iperf3-udp", 16, 65_507),
        ("netperf-tcp-rr", 1, 1 << 20),
        ("netperf-udp-rr", 1, 65_507),
        ("netperf-tcp-stream", 1, 1 << 20),
    ],
)
def test_the_tools_take_all_sizes_that_a_plan_may_have(tmp_path, protocol, least, most):
    path = tmp_path / "plan.toml"
    rates = 'rates = ["1M"]\n' if protocol == "iperf3-udp" else ""
    path.write_text(
        f'name = "sizes"\n[matrix]\ntypes = ["c5.large"]\n[[test]]\nprotocol = "{protocol}"\n'
        f"message_bytes = [{least}, {most}]\n{rates}"
    )
    plan = Plan.load(path)
    tests = {task.cell.test for task in plan.tasks("eu-west-1", NIGHT)}
    assert {test.message_bytes for test in tests} == {least, most}
    assert all(selection(test, plan.seconds).probes for test in tests)
