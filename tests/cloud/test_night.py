"""A night with stand-ins for builds and machines: what it records, resumes, replaces and leaves."""

from __future__ import annotations

import threading
from datetime import date

import pytest

from nitro import recipe as recipes
from nitro.bench import night as nights
from nitro.bench.plan import Plan
from nitro.bench.record import Record
from nitro.bench.schedule import Part
from nitro.bench.sites import sites_of
from nitro.bench.store import FolderStore
from nitro.bench.verdict import check
from nitro.cloud import Keep, Undo
from nitro.errors import InputError, Interrupted, NitroError
from nitro.probe import Result
from nitro.progress import Reporter
from tests.cloud.conftest import everything
from tests.cloud.joint import RECIPE, FakeBuilder, FakeProber, clients, write_console
from tests.cloud.test_client import step_of
from tests.heard import Heard

NIGHT = date(2026, 11, 26)
PAGE = FakeProber().outputs["http"]
TEXT = """
name = "small"
seconds = 3
repetitions = 2
warm_up = 1
{more}
[matrix]
drivers = ["nitro", "kernel"]
types = ["c5.large"]
[[test]]
protocol = "http"
streams = [4, 8]
"""


@pytest.fixture(autouse=True)
def _one_recipe(monkeypatch):
    """Every image is the one that the stand-ins build."""
    load = recipes.load
    monkeypatch.setattr(
        recipes, "load", lambda name: RECIPE if name == "bench" else load(name), raising=False
    )


@pytest.fixture
def record(tmp_path):
    return Record(FolderStore(tmp_path / "record"))


def plan(tmp_path, more=""):
    path = tmp_path / "plan.toml"
    path.write_text(TEXT.format(more=more))
    return Plan.load(path)


def prober(**options):
    return FakeProber(outputs={"http": PAGE, "http-2": PAGE}, **options)


def run(cloud, disk, record, plan, **options):
    return nights.run(
        cloud,
        plan,
        record,
        builder=FakeBuilder(disk),
        night=NIGHT,
        **{"prober": prober(), "report": Reporter(), **options},
    )


def left(cloud):
    found = everything(cloud)
    return {kind: found[kind] for kind in ("instances", "groups", "volumes")}


NOTHING: dict[str, list[str]] = {"instances": [], "groups": [], "volumes": []}


@pytest.mark.extended
def test_a_night_records_every_run_with_its_conditions_and_leaves_nothing(
    cloud, disk, record, tmp_path
):
    done = run(cloud, disk, record, plan(tmp_path))
    assert (done.recorded, done.failed, done.there) == (12, 0, 0)
    assert left(cloud) == NOTHING
    assert len(list(record.store.folder.rglob("*.parquet"))) == 1, "the night is compacted"
    rows = record.query(
        "SELECT driver, streams, phase, count(*) AS n FROM metrics WHERE metric = 'http' "
        "GROUP BY ALL ORDER BY ALL"
    ).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        (driver, streams, phase, count)
        for driver in ("kernel", "nitro")
        for streams in (4, 8)
        for phase, count in (("steady", 2), ("warm-up", 1))
    ]
    one = record.query("SELECT * FROM samples ORDER BY position LIMIT 1").to_pylist()[0]
    assert one["digest"] == disk.digest
    assert one["zone"].startswith("eu-central-1")
    assert one["server"].startswith("i-")
    assert one["peak_bits"] == 10e9
    assert one["raw"] == PAGE.rstrip()
    assert not check(record, "small").failed


@pytest.mark.extended
def test_a_type_whose_allowances_grow_is_limited_and_not_slow(cloud, disk, record, tmp_path):
    counted = [
        f"client pps_allowance_exceeded: 0\nserver bw_in_allowance_exceeded: {n}" for n in (3, 3, 9)
    ]
    readings = {f"allowances-{n}": text for n, text in enumerate(counted)}
    limited = FakeProber(outputs={"http": PAGE, "http-2": PAGE, **readings})
    run(cloud, disk, record, plan(tmp_path), prober=limited)
    assert {one.counters for one in check(record, "small").limited} == {
        ("server bw_in_allowance_exceeded",)
    }
    rows = record.query("SELECT DISTINCT allowances, limited FROM samples ORDER BY limited")
    assert [row["limited"] for row in rows.to_pylist()] == [False, True]
    first, second = (row["allowances"] for row in rows.to_pylist())
    assert first == [
        {"where": "client", "counter": "pps_allowance_exceeded", "count": 0},
        {"where": "server", "counter": "bw_in_allowance_exceeded", "count": 0},
    ]
    assert second[1]["count"] == 6


MIXED = """
name = "mixed"
seconds = 3
repetitions = 1
warm_up = 0
[matrix]
images = ["bench", "osv-httpd"]
types = ["c5.large"]
[[test]]
protocol = "http"
[[test]]
protocol = "http"
images = ["bench"]
streams = [8]
"""


@pytest.mark.extended
def test_linux_and_osv_are_measured_in_one_night(cloud, disk, record, tmp_path):
    (tmp_path / "plan.toml").write_text(MIXED)
    done = run(cloud, disk, record, Plan.load(tmp_path / "plan.toml"))
    assert (done.recorded, done.failed) == (3, 0)
    rows = record.query("SELECT image, streams FROM samples ORDER BY image, streams").to_pylist()
    assert [(row["image"], row["streams"]) for row in rows] == [
        ("bench", 1),
        ("bench", 8),
        ("osv-httpd", 1),
    ]
    assert left(cloud) == NOTHING


@pytest.mark.extended
def test_a_test_of_an_image_without_its_port_is_refused(cloud, disk, record, tmp_path):
    text = MIXED.replace('"osv-httpd"', '"osv-iperf3"')
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(InputError, match=r"http: .*the recipe osv-iperf3 .*name the images"):
        run(cloud, disk, record, Plan.load(tmp_path / "plan.toml"))
    assert left(cloud) == NOTHING


@pytest.mark.extended
def test_a_night_that_is_run_again_adds_nothing(cloud, disk, record, tmp_path):
    run(cloud, disk, record, plan(tmp_path))
    ids = record.ids("small", NIGHT)
    again = run(
        cloud, disk, record, plan(tmp_path), prober=prober(fails={"wait_boot": ValueError()})
    )
    assert (again.recorded, again.there) == (0, 12)
    assert record.ids("small", NIGHT) == ids


@pytest.mark.extended
def test_an_interrupted_night_goes_on_where_it_ended(cloud, disk, record, tmp_path):
    stopping = prober()
    launched = iter(range(100))
    wait = stopping.wait_boot

    def wait_boot(watch, **options):
        if next(launched) == 3:
            raise KeyboardInterrupt
        return wait(watch, **options)

    stopping.wait_boot = wait_boot
    with pytest.raises(Interrupted):
        run(cloud, disk, record, plan(tmp_path), prober=stopping)
    assert left(cloud) == NOTHING
    before = record.ids("small", NIGHT)
    assert len(before) == 6
    done = run(cloud, disk, record, plan(tmp_path))
    assert (done.recorded, done.there) == (6, 6)
    assert before < record.ids("small", NIGHT)


@pytest.mark.extended
def test_a_pair_that_dies_is_replaced_and_the_night_goes_on(cloud, disk, record, tmp_path):
    dying = prober()
    wait, calls = dying.wait_boot, []

    def wait_boot(watch, **options):
        calls.append(watch)
        if len(calls) == 2:
            raise NitroError("i-1 is terminated before it was ready")
        return wait(watch, **options)

    dying.wait_boot = wait_boot
    done = run(cloud, disk, record, plan(tmp_path), prober=dying)
    assert (done.recorded, done.failed) == (12, 0)
    assert left(cloud) == NOTHING
    servers = record.query("SELECT count(DISTINCT server) AS n FROM samples").to_pylist()
    assert servers == [{"n": 2}]


@pytest.mark.extended
def test_a_client_that_dies_has_told_its_steps_and_the_next_one_runs_the_rest(
    cloud, disk, record, tmp_path
):
    telling, told = prober(), []
    wait = telling.wait_boot

    def wait_boot(watch, **options):
        [(client, plan)] = clients().items()
        told.append(plan.count("wrk "))
        # One dies after the first of two steps, another one after the last.
        if steps := {1: ["http"], 3: ["http", "http-2"]}.get(len(told)):
            for name in (*steps, *(f"allowances-{n}" for n in range(len(steps) + 1))):
                write_console(client, step_of(name, PAGE.encode()))
            cloud.ec2.terminate_instances(InstanceIds=[client])
            return Result("boot", "boot")
        return wait(watch, **options)

    telling.wait_boot = wait_boot
    done = run(cloud, disk, record, plan(tmp_path), prober=telling)
    assert (done.recorded, done.failed) == (12, 0)
    assert told == [2, 1, 2, 2, 2, 2, 2]  # runs of each client
    rows = record.query("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM samples").to_pylist()
    assert rows == [{"n": 12, "ids": 12}]
    assert left(cloud) == NOTHING


@pytest.mark.extended
def test_a_machine_that_never_works_is_recorded_as_failed(cloud, disk, record, tmp_path):
    dead = prober(fails={"wait_boot": NitroError("the server never came up")})
    done = run(cloud, disk, record, plan(tmp_path), prober=dead)
    assert (done.recorded, done.failed) == (0, 12)
    assert left(cloud) == NOTHING
    verdict = check(record, "small")
    assert len(verdict.failed) == 4
    assert verdict.failed[0].error == "the server never came up"


@pytest.mark.extended
def test_a_night_stays_within_its_budget(cloud, disk, record, tmp_path):
    money = 'max_cost = 0.000001\nprices = { "c5.large" = 900.0 }'
    done = run(cloud, disk, record, plan(tmp_path, money), report=(heard := Heard()))
    assert done.left_out >= 8
    assert heard.notes == [f"{done.left_out} runs had no room in the plan's budget"]
    assert done.recorded + done.left_out == 12
    more = run(cloud, disk, record, plan(tmp_path, "max_hours = 0.0000001"))
    assert more.left_out >= 8
    assert more.there == done.recorded
    assert more.recorded + more.left_out + more.there == 12


@pytest.mark.extended
def test_no_more_servers_run_than_the_plan_says(cloud, disk, record, tmp_path):
    watching, running = prober(), []
    wait = watching.wait_boot

    def wait_boot(watch, **options):
        running.append(len(left(cloud)["instances"]))
        return wait(watch, **options)

    watching.wait_boot = wait_boot
    done = run(cloud, disk, record, plan(tmp_path, "pairs_at_once = 1"), prober=watching)
    assert done.recorded == 12
    assert set(running) == {2}  # a server and its client
    servers = record.query("SELECT DISTINCT driver, server FROM samples").to_pylist()
    assert len(servers) == 2


@pytest.mark.extended
def test_as_many_clients_measure_at_a_time_as_the_plan_says_each_beside_a_server_of_its_own(
    cloud, disk, record, tmp_path
):
    meeting, watching, seen = threading.Barrier(2, timeout=30), prober(), []
    wait = watching.wait_boot

    def wait_boot(watch, **options):
        seen.append(len(clients()))
        meeting.wait()  # for the other client
        return wait(watch, **options)

    watching.wait_boot = wait_boot
    done = run(cloud, disk, record, plan(tmp_path, "clients_at_once = 2"), prober=watching)
    assert (done.recorded, done.failed) == (12, 0)
    assert max(seen) == 2
    servers = record.query("SELECT driver, count(DISTINCT server) AS n FROM samples GROUP BY 1")
    assert {row["n"] for row in servers.to_pylist()} == {1}
    assert left(cloud) == NOTHING


@pytest.mark.extended
def test_an_interrupt_ends_all_clients(cloud, disk, record, tmp_path):
    meeting, stopping = threading.Barrier(2, timeout=30), prober()

    def wait_boot(watch, **options):
        if meeting.wait() == 0:
            raise KeyboardInterrupt
        for _ in range(10_000):
            watch.sleep(0.001)

    stopping.wait_boot = wait_boot
    with pytest.raises(Interrupted):
        run(cloud, disk, record, plan(tmp_path, "clients_at_once = 2"), prober=stopping)
    assert left(cloud) == NOTHING
    assert run(cloud, disk, record, plan(tmp_path)).recorded == 12


@pytest.mark.extended
def test_each_part_of_a_night_measures_its_machines(cloud, disk, record, tmp_path):
    halves = [run(cloud, disk, record, plan(tmp_path), part=Part(index, 2)) for index in (0, 1)]
    assert [half.recorded for half in halves] == [6, 6]
    drivers = record.query("SELECT driver, count(*) AS n FROM samples GROUP BY ALL ORDER BY ALL")
    assert drivers.to_pylist() == [{"driver": "kernel", "n": 6}, {"driver": "nitro", "n": 6}]
    assert left(cloud) == NOTHING


@pytest.mark.extended
def test_a_part_with_published_images_needs_no_recipe(cloud, disk, record, tmp_path, monkeypatch):
    """The file that a plan names is where the night was submitted, not where its jobs run."""
    small = plan(tmp_path)
    [site] = sites_of(cloud, small, subnet=None, bucket=None)
    with Undo(keep=Keep.IMAGE, report=Reporter()) as undo:
        images = site.published(small, FakeBuilder(disk), undo, Reporter())

    def no_recipe(name: str) -> None:
        raise InputError(f"{name}: no such recipe")

    monkeypatch.setattr(recipes, "load", no_recipe)
    done = run(cloud, disk, record, small, part=Part(1, 2), images={cloud.region: images})
    assert (done.recorded, done.failed) == (6, 0)


@pytest.mark.extended
def test_an_instance_ends_itself_after_the_nights_bound(cloud, disk, record, tmp_path):
    seen = []
    watching = prober()
    wait = watching.wait_boot

    def wait_boot(watch, **options):
        for reservation in cloud.ec2.describe_instances()["Reservations"]:
            for one in reservation["Instances"]:
                tags = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
                seen.append("nitro:expires" in tags)
        return wait(watch, **options)

    watching.wait_boot = wait_boot
    run(cloud, disk, record, plan(tmp_path, "max_hours = 2"), prober=watching)
    assert seen
    assert all(seen)


@pytest.mark.extended
def test_a_type_that_is_not_there_is_refused_before_anything_is_made(cloud, disk, record, tmp_path):
    wrong = plan(tmp_path).model_copy(
        update={"matrix": plan(tmp_path).matrix.model_copy(update={"types": ("c5.lage",)})}
    )
    with pytest.raises(InputError, match=r"no instance type 'c5\.lage'"):
        run(cloud, disk, record, wrong)
    assert left(cloud) == NOTHING
