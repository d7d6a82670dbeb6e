"""Pairs that die, are taken back, find no room or are in another region."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nitro.bench import budget, pairs
from nitro.bench.plan import Plan
from nitro.bench.record import Record
from nitro.cloud import Cloud, DiskImage, tags
from nitro.errors import InputError, NitroError
from nitro.local.aws import Site
from nitro.local.hypervisor import NullHypervisor, State
from nitro.local.weather import Conditions, Forecast
from tests.cloud.conftest import REGION, connect, refuse
from tests.cloud.joint import FakeProber, send_results
from tests.cloud.policed import make_role
from tests.cloud.test_night import NOTHING, PAGE, TEXT, left, prober, run
from tests.cloud.test_night import _one_recipe as _one_recipe
from tests.cloud.test_night import record as record

pytestmark = pytest.mark.policies("deploy", "bench")

OTHER = "us-east-1"


def plan(more: str = "", matrix: str = "") -> Plan:
    text = TEXT.format(more=more).replace("[matrix]", f"[matrix]\n{matrix}")
    text = text.replace('["nitro", "kernel"]', '["nitro"]')
    if "types" in matrix:
        text = text.replace('types = ["c5.large"]\n[[', "[[")
    return Plan.model_validate(tomllib.loads(text))


def rows(record: Record, sql: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = record.query(sql).to_pylist()
    return found


@pytest.mark.extended
def test_what_the_spot_market_takes_is_measured_again(
    site: Site, cloud: Cloud, disk: DiskImage, record: Record
) -> None:
    site.forecast = Forecast(Conditions(seed=1, spot_taken=0.4))
    done = run(cloud, disk, record, plan('market = "spot"'))
    assert site.forecast.happened["spot instance taken"] >= 2
    assert (done.recorded, done.failed) == (6, 0)
    assert left(cloud) == NOTHING
    [found] = rows(record, "SELECT DISTINCT market FROM samples")
    assert found == {"market": "spot"}


def test_a_market_that_takes_all_ends_in_failed_runs(
    site: Site,
    cloud: Cloud,
    disk: DiskImage,
    record: Record,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pairs, "_TAKEN", 1)
    site.forecast = Forecast(Conditions(spot_taken=1))
    one = plan('market = "spot"').model_copy(update={"repetitions": 1, "warm_up": 0})
    done = run(cloud, disk, record, one)
    assert (done.recorded, done.failed) == (0, 2)
    sql = "SELECT DISTINCT contains(error, 'Spot instance termination') AS found FROM samples"
    assert rows(record, sql) == [{"found": True}]
    assert left(cloud) == NOTHING


class Failing(FakeProber):
    """The `number`th client reports that its tools failed."""

    def __init__(self, number: int, meanwhile: Callable[[], object] = lambda: None) -> None:
        super().__init__(outputs={"http": PAGE, "http-2": PAGE})
        self.left, self.meanwhile = number, meanwhile

    def wait_boot(self, watch: Any, **options: Any) -> Any:
        self.left -= 1
        good = self.outputs
        if self.left == 0:
            self.outputs = dict.fromkeys(good, "unable to connect")
        try:
            return super().wait_boot(watch, **options)
        finally:
            if self.left == 0:
                self.meanwhile()
            self.outputs = good


def end_servers(hypervisor: NullHypervisor) -> None:
    """The servers power themselves off."""
    for reservation in connect().ec2.describe_instances()["Reservations"]:
        for raw in reservation["Instances"]:
            if tags.from_list(raw["Tags"])[tags.ROLE].startswith("server"):
                hypervisor.guests[raw["InstanceId"]].state = State.OFF


@pytest.mark.extended
def test_runs_that_failed_as_their_server_ended_are_made_again(
    hypervisor: NullHypervisor, cloud: Cloud, disk: DiskImage, record: Record
) -> None:
    failing = Failing(2, lambda: end_servers(hypervisor))
    done = run(cloud, disk, record, plan(), prober=failing)
    assert (done.recorded, done.failed) == (6, 0)
    assert left(cloud) == NOTHING


@pytest.mark.extended
def test_runs_that_failed_beside_a_server_that_lives_have_failed(
    cloud: Cloud, disk: DiskImage, record: Record
) -> None:
    done = run(cloud, disk, record, plan(), prober=Failing(2))
    assert (done.recorded, done.failed) == (4, 2)


def without_room(cloud: Cloud, refused: Callable[[str, str], bool]) -> list[str]:
    """Refuse starts for want of capacity, by role and subnet; returns the subnets of the others."""
    started: list[str] = []

    def check(params: Any, **_: Any) -> None:
        named = {spec["ResourceType"]: spec["Tags"] for spec in params["TagSpecifications"]}
        role = tags.from_list(named["instance"])[tags.ROLE].partition("-")[0]
        if refused(role, params["SubnetId"]):
            error = {"Code": "InsufficientInstanceCapacity", "Message": "no room"}
            raise ClientError({"Error": error}, "RunInstances")  # type: ignore[typeddict-item]
        started.append(f"{role} {params['SubnetId']}")

    cloud.session.events.register("before-parameter-build.ec2.RunInstances", check)
    return started


@pytest.mark.extended
def test_a_pair_moves_to_another_zone_when_its_own_has_no_room_for_the_client(
    cloud: Cloud, disk: DiskImage, record: Record
) -> None:
    tried: list[str] = []

    def refused(role: str, subnet: str) -> bool:
        if role == "server":
            tried.append(subnet)
        return role == "client" and subnet == tried[0]

    started = without_room(cloud, refused)
    done = run(cloud, disk, record, plan())
    assert (done.recorded, done.failed) == (6, 0)
    assert not any(one == f"client {tried[0]}" for one in started)
    assert len(rows(record, "SELECT DISTINCT server FROM samples")) == 1
    assert left(cloud) == NOTHING


@pytest.mark.extended
def test_without_room_anywhere_the_runs_have_failed(
    cloud: Cloud, disk: DiskImage, record: Record
) -> None:
    without_room(cloud, lambda role, _: role == "client")
    done = run(cloud, disk, record, plan())
    assert (done.recorded, done.failed) == (0, 6)
    [found] = rows(record, "SELECT DISTINCT error FROM samples")
    assert "no capacity for c5.large" in found["error"]
    assert left(cloud) == NOTHING


def dead() -> FakeProber:
    """No server ever comes up."""
    return FakeProber(fails={"wait_boot": NitroError("the server never came up")})


def server_starts(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, *, hours: Callable[[int], float] = lambda _: 1
) -> list[str]:
    """Let each start of a server that is tried take so long, by its number; returns their roles."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(budget, "time", SimpleNamespace(monotonic=lambda: clock.now))
    tried: list[str] = []

    def note(params: Any, **_: Any) -> None:
        named = {spec["ResourceType"]: spec["Tags"] for spec in params["TagSpecifications"]}
        role = tags.from_list(named["instance"])[tags.ROLE]
        if role.startswith("server"):
            clock.now += 3600 * hours(len(tried))
            tried.append(role)

    cloud.session.events.register_first("before-parameter-build.ec2.RunInstances", note)
    return tried


PRICED = 'prices = { "c5.large" = 10.0 }\nmax_cost'  # with its client 20 dollars an hour


@pytest.mark.extended
@pytest.mark.parametrize(
    ("bound", "cause"),
    [
        ("max_hours = 3", "taken"),
        ("max_hours = 1", "dead"),
        ("max_hours = 1", "no room"),
        (f"{PRICED} = 15", "dead"),
    ],
    ids=["spot market", "hours", "zones", "money"],
)
def test_no_run_is_tried_again_beyond_the_budget(
    site: Site,
    cloud: Cloud,
    disk: DiskImage,
    record: Record,
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
    cause: str,
) -> None:
    tried = server_starts(cloud, monkeypatch)
    if cause == "taken":
        site.forecast = Forecast(Conditions(spot_taken=1))
        bound += '\nmarket = "spot"'
    if cause == "no room":
        without_room(cloud, lambda role, _: role == "client")
    made = dead() if cause == "dead" else prober()
    done = run(cloud, disk, record, plan(bound), prober=made)
    assert (done.recorded, done.failed, done.left_out) == (0, 0, 6)
    assert len(tried) == (3 if cause == "taken" else 1)
    assert left(cloud) == NOTHING
    # Nothing of them is in the record, so the night can go on.
    site.forecast = Forecast(Conditions())
    assert run(connect(), disk, record, plan()).recorded == 6


@pytest.mark.extended
def test_servers_that_have_ended_still_count_in_later_groups(
    cloud: Cloud, disk: DiskImage, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = server_starts(cloud, monkeypatch)
    two = plan(f"{PRICED} = 50\npairs_at_once = 1", 'types = ["c5.large", "c5.xlarge"]')
    two = two.model_copy(
        update={"repetitions": 1, "warm_up": 0, "prices": {"c5.large": 10.0, "c5.xlarge": 10.0}}
    )
    done = run(cloud, disk, record, two, prober=dead())
    # 40 dollars for two attempts in the first group, 20 for the one of the second.
    assert len(tried) == 3
    assert (done.failed, done.left_out) == (2, 2)


@pytest.mark.extended
def test_a_server_that_no_zone_has_room_for_costs_nothing(
    cloud: Cloud, disk: DiskImage, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_starts(cloud, monkeypatch, hours=lambda number: number == 0)
    without_room(cloud, lambda role, _: role == "server")
    done = run(cloud, disk, record, plan(f"{PRICED} = 15"))
    assert (done.failed, done.left_out) == (6, 0)


def count_clusters(cloud: Cloud) -> list[int]:
    """How many placement groups are there at the creation of each."""
    counted: list[int] = []

    def count(**_: Any) -> None:
        counted.append(len(connect().ec2.describe_placement_groups()["PlacementGroups"]))

    cloud.session.events.register("before-parameter-build.ec2.CreatePlacementGroup", count)
    return counted


@pytest.mark.extended
@pytest.mark.parametrize(
    ("code", "times", "most"),
    [("InvalidPlacementGroup.InUse", 3, 0), ("UnauthorizedOperation", 1, 1)],
)
def test_the_cluster_of_a_pair_that_died_is_removed_before_the_next_one_is_made(
    cloud: Cloud, disk: DiskImage, record: Record, code: str, times: int, most: int
) -> None:
    """AWS refuses that while an instance of it ends; what cannot be removed goes with the group."""
    counted = count_clusters(cloud)
    refused = refuse(cloud, "ec2.DeletePlacementGroup", code, times=times)
    done = run(cloud, disk, record, plan('placement = "cluster"'), prober=dead())
    assert (done.recorded, done.failed) == (0, 6)
    assert len(counted) == 6  # three repetitions, each tried twice
    assert max(counted) == most
    assert len(refused) == times
    assert cloud.ec2.describe_placement_groups()["PlacementGroups"] == []
    assert left(cloud) == NOTHING


@pytest.mark.extended
def test_each_pair_has_a_cluster_of_its_own_in_a_zone_with_room(
    hypervisor: NullHypervisor, cloud: Cloud, disk: DiskImage, record: Record
) -> None:
    tried: list[str] = []

    def refused(role: str, subnet: str) -> bool:
        tried.append(subnet)
        return subnet == tried[0]

    without_room(cloud, refused)
    both = plan('placement = "cluster"', 'types = ["c5.xlarge", "c5.large"]')
    done = run(cloud, disk, record, both)
    assert (done.recorded, done.failed) == (12, 0)
    groups: dict[str, set[str]] = {}
    for one in hypervisor.guests.values():
        groups.setdefault(one.guest.instance_type, set()).add(one.guest.placement_group)
    assert all(len(names) == 1 for names in groups.values())
    assert len(set.union(*groups.values()) - {""}) == 2
    assert rows(record, "SELECT DISTINCT placement FROM samples") == [{"placement": "cluster"}]
    assert left(cloud) == NOTHING
    assert cloud.ec2.describe_placement_groups()["PlacementGroups"] == []


def test_a_type_that_is_never_in_a_cluster_is_refused(
    cloud: Cloud, disk: DiskImage, record: Record
) -> None:
    with pytest.raises(InputError, match=r"t3\.micro cannot be in a cluster placement group"):
        run(cloud, disk, record, plan('placement = "cluster"', 'types = ["t3.micro"]'))


class Everywhere(FakeProber):
    """Clients of both regions send their results."""

    def wait_boot(self, watch: Any, **options: Any) -> Any:
        send_results(self.outputs, connect().in_region(OTHER))
        return super().wait_boot(watch, **options)


@pytest.mark.extended
def test_a_night_in_two_regions(cloud: Cloud, disk: DiskImage, record: Record) -> None:
    admin = connect().in_region(OTHER)
    make_role(admin)  # as `nitro doctor --fix` there
    both = plan(matrix=f'regions = ["{REGION}", "{OTHER}"]')
    there = Everywhere(outputs={"http": PAGE, "http-2": PAGE})
    done = run(cloud, disk, record, both, prober=there)
    assert (done.recorded, done.failed) == (12, 0)
    assert left(cloud) == left(cloud.in_region(OTHER)) == NOTHING
    sql = "SELECT region, zone[:-2] AS zone, count(*) AS n FROM samples GROUP BY ALL ORDER BY ALL"
    assert rows(record, sql) == [
        {"region": region, "zone": region, "n": 6} for region in (REGION, OTHER)
    ]
    assert not list(Path(record.store.root).rglob("running/**/*.json"))
