"""What stands in for building and for machines, so that the real deploy runs in a test."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from moto.backends import get_backend

from nitro.cloud import Cloud, DiskImage, Keep, tags
from nitro.deploy import Deployment, DeployRequest
from nitro.deploy import deploy as real_deploy
from nitro.image import Image
from nitro.ports import Port
from nitro.probe import Metric, ProbePlan, Result, Selection
from nitro.probe.boot import Watch
from nitro.probe.step import StepOutput
from nitro.progress import Reporter, Stage
from nitro.recipe import Recipe
from tests.cloud.authorization import ACCOUNT
from tests.cloud.conftest import REGION, connect
from tests.unit.probe.recorded import recorded
from tests.unit.probe.test_archive import archive
from tests.unit.probe.test_console_result import block_of

RECIPE = Recipe(
    name="bench",
    command=("/usr/bin/true",),
    ports=(Port("tcp", 80),),
    boot_mode="uefi-preferred",
    tags={"team": "kernel"},
)

# What each step's tool prints, by the name of the step.
OUTPUTS = {
    "http": recorded("wrk-4.1.0/ok.txt").replace(
        "64972 requests in 1.10s", "177250 requests in 3.00s"
    )
}


@dataclass
class Prepared:
    """An image that is built already."""

    image: Image
    builder: FakeBuilder
    minimum_memory_mib: int

    def build(self) -> Image:
        self.builder.fail("build", self.image.name)
        self.builder.built.append(self.image.name)
        return self.image


@dataclass
class FakeBuilder:
    """Gives the disk for every recipe but the client's, which gets a small one of its own.

    `fails` maps "prepare client" and the like to what is raised there.
    """

    disk: DiskImage
    fails: dict[str, Exception] = field(default_factory=dict)
    memory_mib: int = 128
    processors: int | None = None
    built: list[str] = field(default_factory=list)
    prepared: list[tuple[str, bool]] = field(default_factory=list)

    def prepare(self, recipe: Recipe, *, locked: bool = False, report: Reporter) -> Prepared:
        self.fail("prepare", recipe.name)
        self.prepared.append((recipe.name, locked))
        disk = self.disk
        if recipe.name == "client":
            disk = client_disk(disk.path.parent)
        image = Image(
            name=recipe.name,
            path=disk.path,
            digest=disk.digest,
            size_bytes=disk.size_bytes,
            manifest_path=disk.path.with_suffix(".json"),
            cached=False,
            build_seconds=1.5,
            minimum_memory_mib=self.memory_mib,
            architecture=recipe.architecture,
            boot_mode=recipe.boot_mode,
            ports=tuple(recipe.ports),
            tags=dict(recipe.tags),
            description=recipe.description,
            processors=self.processors,
        )
        return Prepared(image, self, self.memory_mib)

    def fail(self, stage: str, name: str) -> None:
        if error := self.fails.get(f"{stage} {name}"):
            raise error


def client_disk(folder: Path) -> DiskImage:
    return small_disk(folder / "client.raw", "client")


def small_disk(path: Path, name: str = "bench") -> DiskImage:
    """One block, one part: what is quick to publish."""
    path.write_bytes(name.encode() * 100)
    content = path.read_bytes()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return DiskImage(path, digest, len(content), name)


@dataclass
class FakeProber:
    """An instance that is ready at once. The client's guest sends `outputs` as its results.

    `fails` maps "check", "wait_boot" and "run" to what is raised there. `observer` finds the
    clients, where the account is not that of `connect`.
    """

    observer: Cloud | None = None
    outputs: dict[str, str] = field(default_factory=lambda: dict(OUTPUTS))
    fails: dict[str, Exception] = field(default_factory=dict)
    watched: list[Watch] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    plans: list[ProbePlan] = field(default_factory=list)

    def check(self, plan: ProbePlan) -> None:
        self._fail("check")

    def wait_boot(self, watch: Watch, *, deadline: float, stage: Stage) -> Result:
        self.watched.append(watch)
        self.deadlines.append(deadline)
        self._fail("wait_boot")
        watch.console()
        send_results(self.outputs, self.observer)
        return Result("boot", "boot", {"boot_ready": Metric(2.5, "s", "less")})

    def run(self, plan: ProbePlan, *, report: Reporter) -> list[Result]:
        self.plans.append(plan)
        self._fail("run")
        outputs = {name: StepOutput(out, "", 1e9, 3.1) for name, out in self.outputs.items()}
        return plan.results(outputs)

    def _fail(self, name: str) -> None:
        if error := self.fails.get(name):
            raise error


def clients(observer: Cloud | None = None) -> dict[str, str]:
    """What each client that runs was told, by its id."""
    ec2 = (observer or connect()).ec2
    alive = ec2.describe_instances(
        Filters=[
            {"Name": "instance-state-name", "Values": ["pending", "running"]},
            {"Name": f"tag:{tags.ROLE}", "Values": ["client-*"]},
        ]
    )
    found: dict[str, str] = {}
    for reservation in alive["Reservations"]:
        for raw in reservation["Instances"]:
            answer = ec2.describe_instance_attribute(
                InstanceId=raw["InstanceId"], Attribute="userData"
            )
            told = base64.b64decode(answer["UserData"].get("Value", "")).decode()
            found[raw["InstanceId"]] = told
    return found


def send_results(outputs: dict[str, str], observer: Cloud | None = None) -> None:
    """Act as each client that runs: write the archive to its console."""
    files = {f"{name}.out": out.encode() for name, out in outputs.items()}
    files |= {f"{name}.times": b"1700000000 1.0 4.1\n" for name in outputs}
    region = observer.region if observer else REGION
    for instance_id in clients(observer):
        write_console(instance_id, block_of(archive(files)), region)


def write_console(instance_id: str, text: str, region: str = REGION) -> None:
    """Act as a guest of the account's hypervisor."""
    site = get_backend("ec2")[ACCOUNT][region].site
    site.hypervisor.write_console(instance_id, text.encode())


def request(**options: Any) -> DeployRequest:
    return replace(
        DeployRequest(RECIPE, "c5.large", allow=("198.51.100.0/24",)),
        **options,
    )


def deploy(
    cloud: Cloud,
    disk: DiskImage,
    *,
    keep: Keep = Keep.IMAGE,
    ttl: timedelta | None = None,
    builder: FakeBuilder | None = None,
    prober: FakeProber | None = None,
    report: Reporter | None = None,
    **options: Any,
) -> Deployment:
    """The real deploy of `disk`, with a client that measures HTTP."""
    return real_deploy(
        cloud,
        request(keep=keep, ttl=ttl, **options),
        builder=builder or FakeBuilder(disk),
        prober=prober or FakeProber(),
        report=report or Reporter(),
    )


def running(cloud: Cloud, disk: DiskImage, **options: Any) -> Deployment:
    """An instance of `disk` that was deployed, measured by nobody and kept."""
    return deploy(cloud, disk, keep=Keep.INSTANCE, selection=Selection(), **options)
