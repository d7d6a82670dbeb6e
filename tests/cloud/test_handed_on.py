"""What deployments, launches and measurements hand from one part to the next, word by word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nitro.cloud import (
    CleanUpError,
    Cloud,
    DiskImage,
    Instance,
    InstanceType,
    Keep,
    NeverReady,
    Placement,
    Published,
    Via,
    tags,
)
from nitro.cloud.network import Subnet
from nitro.cloud.teardown import Lifetime
from nitro.conditions import GuestReport
from nitro.deploy import DeployRequest, deploy
from nitro.ending import Ending
from nitro.launch_ami import LaunchRequest, launch_ami
from nitro.measure import Measurement, longest_measurement, measure, run_probes
from nitro.ports import Port
from nitro.probe import Boot, Metric, Result, Selection
from nitro.probe.boot import BootFailed
from nitro.probe.tools.http import Http
from nitro.probe.tools.iperf3 import Iperf3
from tests.cloud.answers import Answering, console, instances
from tests.cloud.handed import Handed, shown
from tests.cloud.joint import RECIPE, FakeBuilder, small_disk

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="nothing is called"),
]
SMALL = InstanceType(
    "c5.large", 2, 4096, ("x86_64",), ("uefi", "legacy-bios"), "required", "nitro", False, ""
)
HERE, THERE = Subnet("subnet-1", "vpc-1", "a"), Subnet("subnet-2", "vpc-1", "b")
SERVER = Instance(
    "i-1",
    "c5.large",
    "running",
    "203.0.113.7",
    "10.0.0.7",
    "subnet-2",
    {tags.PORTS: "80 udp:53", tags.DEPLOYMENT: "d-1"},
)
PLACE = Placement("d-1", HERE, "sg-1", None, others=(THERE,))
GUEST = GuestReport("6.1", "ena", "nitro", warnings=("odd\nhot",), endings=(Ending(3, 1.5, True),))
CONSOLE = '{"nitro": "start", "uptime": 1}\nhello\n{"nitro": "exit", "uptime": 2.5, "code": 0}\n'
BOOTED = Result("boot", "boot", {"boot_ready": Metric(2.5, "s", "less")}, raw=CONSOLE)
JOB = RECIPE.model_copy(update={"service": False, "ports": ()})


@pytest.fixture
def bench(tmp_path: Path) -> DiskImage:
    return small_disk(tmp_path / "bench.raw")


class Prober:
    """Notes what it is asked to measure, and looks at the watch as a real one does."""

    def __init__(self, handed: Handed, aws: Answering) -> None:
        self.check = handed.of("check")
        self._waits = handed.of("wait_boot")
        self.run = handed.of("run", [Result("http", "http", raw="host")])
        self._aws = aws

    def __repr__(self) -> str:
        return "prober"

    def wait_boot(self, watch: Any, *, deadline: float, stage: Any) -> Result:
        fields = ("address", "launched", "ends", "ports")
        words = ", ".join(f"{name}={getattr(watch, name)}" for name in fields)
        self._aws.note(f"watch {words}, {watch.larger(7)}, within {deadline:g} s, {shown(stage)}")
        try:
            self._aws.note(f"console {watch.console()!r}")
        except NeverReady as error:
            self._aws.note(f"console: {error.what}, {error.console!r}")
        watch.sleep(1.0)
        return BOOTED


def _published(cloud: Cloud, disk: DiskImage, *_: Any, **__: Any) -> Published:
    return Published(f"snap-{disk.name}", f"ami-{disk.name}", disk.name, cloud.region, 5, True)


def _deploying(handed: Handed, launched: Any = SERVER) -> None:
    handed.stand_in("nitro.deploy.check_image")
    handed.stand_in("nitro.deploy.find_instance_type", SMALL)
    handed.stand_in("nitro.cloud.preflight.check", ["encrypted", "slow"])
    handed.stand_in("nitro.cloud.instance_types.requires")
    handed.stand_in("nitro.cloud.instance_types.processors", 1)
    handed.stand_in("nitro.deploy.publish", _published)
    handed.stand_in("nitro.deploy.new_deployment", "d-1")
    handed.stand_in("nitro.deploy.create_placement", PLACE)
    handed.stand_in("nitro.deploy.launch", launched)
    handed.stand_in("nitro.deploy.run_probes", [BOOTED])
    handed.stand_in("nitro.deploy.read_guest", GUEST)


def test_deployments(aws: Answering, handed: Handed, bench: DiskImage) -> None:
    _deploying(handed)
    prober = Prober(handed, aws)

    def run(cloud: Cloud, options: dict[str, Any], processors: int | None = None) -> object:
        aws.report.timeline.clear()
        builder = FakeBuilder(bench, memory_mib=64, processors=processors)
        asked: Any = {"recipe": RECIPE, "instance_type": "c5.large"} | options
        request = DeployRequest(**asked)
        done = deploy(cloud, request, builder=builder, prober=prober, report=aws.report)
        aws.note(f"built {builder.built}, prepared {builder.prepared}")
        document: Any = done.to_json()
        document["image"]["path"] = "disk"
        return [done.ok, done.name, *json.dumps(document, indent=1).splitlines()]

    reach = {"allow": ("198.51.100.0/24",)}
    options: Any
    for options in (
        {},
        {"selection": Selection(Boot(seconds=9), (Http(),))},
        {"selection": Selection()},
        {"measure_from": "host", **reach},
        {"measure_from": "host", "security_groups": ("sg-2",)},
        {"measure_from": "host"},
        {"measure_from": "host", "selection": Selection(Boot())},
        {"measure_from": "moon"},
        {"keep": Keep.NOTHING},
        {"keep": Keep.INSTANCE},
        {"keep": Keep.INSTANCE, "ttl": timedelta(hours=2)},
        {"ttl": timedelta(hours=2)},
        reach,
        {"allow": ("nowhere",)},
        {"subnet": "subnet-1"},
        {"bucket": "mine"},
        {"via": Via.EBS},
        {"security_groups": ("sg-2",)},
        {"placement_group": "close"},
        {"instance_profile": "reader"},
        {"processors": 2},
        {"locked": True},
        {"recipe": JOB},
        {"recipe": JOB, "selection": Selection(Boot(seconds=5)), **reach},
        {"recipe": JOB, "selection": Selection(Boot(), (Http(),))},
        {"recipe": JOB, "keep": Keep.INSTANCE},
        {"recipe": RECIPE.model_copy(update={"kernel": "osv"}), "ttl": timedelta(hours=1)},
        {
            "recipe": RECIPE.model_copy(update={"kernel": "osv"}),
            "ttl": timedelta(hours=1),
            "keep": Keep.INSTANCE,
        },
    ):
        title = ", ".join(f"{key}={shown(value)}" for key, value in options.items()) or "plain"
        aws.case(title.partition(", env=")[0], run, {}, options)
    aws.case("with processors", run, {}, {}, 4)
    failed = replace(BOOTED, error="slow")
    handed.stand_in("nitro.deploy.run_probes", [failed])
    aws.case("a probe that failed", run, {}, {})
    handed.stand_in("nitro.deploy.run_probes", [])
    aws.case("a job without results", run, {}, {"recipe": JOB})
    handed.stand_in("nitro.deploy.run_probes", BootFailed("no", "console"))
    aws.case("a boot that failed", run, {}, {})
    handed.stand_in("nitro.deploy.run_probes", BootFailed("no", "console", hint="because"))
    aws.case("a boot that failed, and why", run, {}, {})

    def left(_: Cloud, __: object, undo: Any, *___: Any, **____: Any) -> Published:
        def refuse(_: str) -> None:
            raise ValueError("no")

        undo.push("thing", Lifetime.SCRATCH, remove=refuse, id="x")
        return Published("snap-1", "ami-1", "n", "r", 5, False)

    handed.stand_in("nitro.deploy.run_probes", [BOOTED])
    handed.stand_in("nitro.deploy.publish", left)
    aws.case("something left", run, {}, {})
    aws.compare("handed-deploy")


def test_launches_of_amis(aws: Answering, handed: Handed) -> None:
    prober = Prober(handed, aws)
    built = {tags.OWNER: "nitro", tags.MEMORY: "64", "Name": "web", tags.PORTS: "80 udp:53"}

    def run(cloud: Cloud, options: dict[str, Any], tag_map: Any = built, **more: Any) -> object:
        aws.report.timeline.clear()
        image = {"ImageId": "ami-1", "State": "available", "Name": "the image", **more}
        handed.stand_in("nitro.cloud.ami.resolve", image | {"Tags": tags.as_list(tag_map)})
        asked: Any = {"ami": "ami-1", "instance_type": "c5.large"} | options
        request = LaunchRequest(**asked)
        done = launch_ami(cloud, request, prober=prober, report=aws.report)
        return [done.ports, *json.dumps(done.to_json(), indent=1).splitlines()]

    handed.stand_in("nitro.launch_ami.find_instance_type", SMALL)
    handed.stand_in("nitro.launch_ami.check_image")
    handed.stand_in("nitro.cloud.preflight.check", ["encrypted"])
    handed.stand_in("nitro.cloud.instance_types.processors", 1)
    handed.stand_in("nitro.cloud.ami.wait_available")
    handed.stand_in("nitro.launch_ami.new_deployment", "d-1")
    handed.stand_in("nitro.launch_ami.create_placement", PLACE)
    handed.stand_in("nitro.launch_ami.launch", SERVER)
    handed.stand_in("nitro.launch_ami.run_probes", [BOOTED])
    handed.stand_in("nitro.deploy.read_guest", GUEST)
    options: Any
    for options in (
        {},
        {"ports": []},
        {"ports": [Port("udp", 1), Port("tcp", 2)], "allow": ("198.51.100.0/24",)},
        {"allow": ("198.51.100.0/24",)},
        {"allow": ("nowhere",)},
        {"environment": {"A": "b"}},
        {"ttl": timedelta(hours=1)},
        {"subnet": "subnet-1"},
        {"security_groups": ("sg-2",)},
        {"placement_group": "close"},
        {"instance_profile": "reader"},
        {"processors": 2},
    ):
        aws.case(f"{options}", run, {}, options)

    def of(tag_map: dict[str, str], **more: Any) -> Any:
        def call(cloud: Cloud, options: dict[str, Any]) -> object:
            return run(cloud, options, tag_map, **more)

        return call

    ttl, env = {"ttl": timedelta(hours=1)}, {"environment": {"A": "b"}}
    aws.case("pending", of(built, State="pending"), {}, {})
    aws.case("of nitro's name", of(built | {"Name": "nitro-web"}), {}, {})
    aws.case("without a name", of({tags.OWNER: "nitro", tags.BUILDER: "1"}), {}, {})
    aws.case("without any name", of({}, Name=""), {}, {})
    for memory in ("", "0", "00", "64"):
        aws.case(f"memory {memory}", of({tags.OWNER: "nitro", tags.MEMORY: memory}), {}, {})
    aws.case("another's", of({tags.BUILDER: "1"}), {}, ttl | env)
    aws.case("another's with an end", of({}), {}, ttl)
    aws.case("another's with words", of({}), {}, env)
    aws.case("with processors", of(built | {tags.PROCESSORS: "4"}), {}, {})
    aws.compare("handed-launch")


def test_measurements(aws: Answering, handed: Handed, bench: DiskImage) -> None:
    prober = Prober(handed, aws)
    handed.stand_in("nitro.cloud.instance.get", SERVER)
    handed.stand_in("nitro.measure.placement_of", PLACE)
    handed.stand_in("nitro.measure.find_instance_type", SMALL)
    handed.stand_in("nitro.measure.publish", _published)
    handed.stand_in("nitro.measure.run_probes", [BOOTED])

    def run(cloud: Cloud, options: dict[str, Any]) -> object:
        builder = FakeBuilder(bench)
        given: Any = {"selection": None} | options
        done = measure(cloud, "i-1", builder=builder, prober=prober, report=aws.report, **given)
        return done, builder.built, builder.prepared

    for options in (
        {},
        {"selection": Selection(Boot())},
        {"measure_from": "host"},
        {"measure_from": "moon"},
        {"bucket": "mine"},
    ):
        aws.case(f"{options}", run, {}, options)
    handed.stand_in("nitro.measure.run_probes", CleanUpError(["i-9"]))
    aws.case("something left", run, {}, {})
    for selection in (
        Selection(),
        Selection(Boot(seconds=5)),
        Selection(None, (Http(), Iperf3(seconds=60))),
    ):
        aws.case(f"{selection}", lambda _, one: longest_measurement(one), {}, selection)
    aws.compare("handed-measure")


def test_probes_are_run(aws: Answering, handed: Handed) -> None:
    prober = Prober(handed, aws)
    told: list[tuple[int, Result]] = []

    class Running:
        def results(self, on_step: Any) -> list[Result]:
            if on_step:
                for number in (0, 1):
                    on_step(number, Result("http", f"step {number}"))
            return [Result("http", "http")]

    @contextmanager
    def launched(*_: Any, **__: Any) -> Iterator[Running]:
        yield Running()
        aws.note("the client ends")

    handed.stand_in("nitro.client.launched_client", launched)
    handed.stand_in("nitro.measure.read_guest", GUEST)
    handed.stand_in("nitro.measure.conditions", {"kernel": "6.1"})
    handed.stand_in("nitro.measure.larger", "a larger one")
    whole = Measurement(
        SERVER,
        SMALL,
        PLACE,
        Selection(Boot(seconds=9), (Http(),)),
        "instance",
        "ami-2",
        launched=7.0,
    )

    def run(cloud: Cloud, changes: dict[str, Any], listen: bool = False) -> object:
        told.clear()
        with aws.undo(cloud) as undo:
            done = run_probes(
                cloud,
                replace(whole, **changes),
                prober,
                undo,
                aws.report,
                (lambda number, result: told.append((number, result))) if listen else None,
            )
        return done, told

    alive = {"DescribeInstances": instances("running"), "GetConsoleOutput": {}}
    for changes in (
        {},
        {"bucket": "mine"},
        {"selection": Selection(None, (Http(),))},
        {"selection": Selection(Boot()), "client_ami": None},
        {"measure_from": "host", "client_ami": None},
        {"measure_from": "host", "client_ami": None, "server": replace(SERVER, public_ip="")},
        {"first_tcp_port": 80},
        {"first_tcp_port": 80, "server": replace(SERVER, public_ip="")},
        {"ends": True},
        {"watched": False},
    ):
        title = ", ".join(f"{key}={value}" for key, value in changes.items()) or "plain"
        aws.case(title, run, alive, changes)
    aws.case("told", run, alive, {}, True)
    aws.case("planned", run, alive, {}, dry_run=True)
    reason = {"StateReason": {"Message": "why"}}
    for state in ("pending", "stopping", "terminated"):
        answers = {"DescribeInstances": instances(state, **reason), "GetConsoleOutput": {}}
        aws.case(state, run, answers, {})
    ready = '{"nitro": "ready", "uptime": 1}\n'
    answers = {"DescribeInstances": instances("terminated"), "GetConsoleOutput": console(ready)}
    aws.case("ended when it was ready", run, answers, {})
    aws.compare("handed-probes")
