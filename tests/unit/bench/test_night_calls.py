"""What a night asks of images, regions and pairs, call by call, with stand-ins for all."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.bench import images, night, sites
from nitro.bench.budget import Budget, BudgetSpent
from nitro.bench.images import Image
from nitro.bench.plan import Plan
from nitro.bench.record import Record
from nitro.bench.schedule import Part
from nitro.bench.store import FolderStore
from nitro.bench.work import Work
from nitro.cloud import ApiError, teardown
from nitro.cloud.network import Subnet
from nitro.errors import InputError, Interrupted, NitroError
from nitro.ports import Port
from nitro.probe import Result
from tests.heard import Heard
from tests.said import told
from tests.transcripts import compare
from tests.unit.bench.calls import KIND, NIGHT, REGION, cloud_of, new_log, plan

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"


def test_images(monkeypatch: pytest.MonkeyPatch) -> None:
    log, text = new_log(), ""

    @dataclass(frozen=True)
    class Recipe:
        name: str
        driver: str = "nitro"
        architecture: str = "x86_64"
        boot_mode: str = "uefi"
        ports: tuple[Any, ...] = ()

        def model_copy(self, *, update: dict[str, Any]) -> Recipe:
            return replace(self, **update)

    ports = (Port.parse("80"),)
    built = SimpleNamespace(title="built", digest="sha256:1", processors=3)
    prepared = SimpleNamespace(
        title="prepared", minimum_memory_mib=512, build=log.of("build", built)
    )
    builder: Any = SimpleNamespace(title="builder", prepare=log.of("prepare", prepared))
    load = log.of("load", lambda n: Recipe(n, ports=ports))
    monkeypatch.setattr("nitro.bench.images.recipes.load", load)
    monkeypatch.setattr(images, "client_recipe", lambda: Recipe("client"))
    monkeypatch.setattr("nitro.bench.images.instance_types.requires", log.of("requires"))
    monkeypatch.setattr(images, "disk_of", log.of("disk_of", SimpleNamespace(title="disk")))
    done = SimpleNamespace(ami_id="ami-9")
    monkeypatch.setattr(images, "publish", log.of("publish", done))
    described = SimpleNamespace(title="described")
    monkeypatch.setattr(images, "check_image", log.of("check_image"))
    monkeypatch.setattr(images, "compose_script", log.of("compose_script"))
    undo: Any = SimpleNamespace(title="undo")
    absent = ApiError("none", hint=None, code="InvalidAMIID.NotFound")
    refused = ApiError("no", hint="h", code="UnauthorizedOperation")
    own = {"own": {"ids": {REGION: "ami-12345678"}, "start": "run"}}
    there = {"images": ["bench", "own"], "types": ["c5.large", "t3.micro"]}
    other = replace(KIND, name="t3.micro")
    for what, answer, more in (
        ("recipes", described, {}),
        ("recipes and an AMI", described, {"matrix": there, "amis": own}),
        ("an AMI that is not there", absent, {"matrix": there, "amis": own}),
        ("an AMI that is refused", refused, {"matrix": there, "amis": own}),
        ("no port", described, {"test": [{"protocol": "iperf3-tcp"}]}),
        (
            *("another region's AMI", described),
            {"matrix": there, "amis": {"own": {"ids": {"us-east-1": "ami-12345678"}}}},
        ),
    ):
        monkeypatch.setattr(images, "describe", log.of("describe", answer))
        heard = Heard()
        found = told(
            images.published,
            *(cloud_of(), plan(**more), iter([KIND, other])),
            builder=builder,
            undo=undo,
            bucket="b",
            report=heard,
        )
        text += f"{what}: {found}\n{log.take()}  {[*heard.stages]}\n"
    monkeypatch.setattr(images, "describe", log.of("describe", described))
    monkeypatch.setattr(images, "compose_script", log.of("script", InputError("long", hint="cut")))
    found = told(
        images.published,
        *(cloud_of(), plan(matrix=there, amis=own), [KIND]),
        builder=builder,
        undo=undo,
        bucket=None,
        report=Heard(),
    )
    text += f"a script that is too long: {found}\n{log.take()}"
    compare(HERE / "calls-images.txt", text)


def test_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    log, text = new_log(), ""
    monkeypatch.setattr("nitro.bench.sites.preflight.check", log.of("check", ["a note"]))
    monkeypatch.setattr(
        sites, "find_instance_type", log.of("find", lambda _, name: replace(KIND, name=name))
    )
    regions = log.of("regions_of", ["us-east-1", "eu-west-1"])
    monkeypatch.setattr("nitro.bench.sites.garbage.regions_of", regions)
    monkeypatch.setattr(sites, "published", log.of("published", {}))
    builder: Any = SimpleNamespace(title="builder")
    undo: Any = SimpleNamespace(title="undo")
    for named in ([], ["eu-west-1"], ["us-east-1"], ["us-east-1", "eu-west-1"], ["us-east-9"]):
        for subnet, bucket in ((None, None), ("subnet-1", None), (None, "b"), ("subnet-1", "b")):
            one = plan(matrix={"types": ["c5.large", "t3.micro"], "regions": named})
            try:
                found = sites.sites_of(cloud_of(), one, subnet=subnet, bucket=bucket)
            except InputError as error:
                text += f"{named} {subnet} {bucket}: {error}\n{log.take()}"
                continue
            told_ = [(s.cloud.region, list(s.types), s.subnet, s.bucket) for s in found]
            text += f"{named} {subnet} {bucket}: {told_}\n{log.take()}"
    [site] = sites.sites_of(cloud_of(), plan(), subnet="subnet-1", bucket="b")
    log.take()
    for more in (
        {},
        {"placement": "cluster"},
        {"placement_group": "rack"},
        {"market": "spot"},
    ):
        for clusters in (False, True):
            other = replace(site, types={"c5.large": replace(KIND, clusters=clusters)})
            heard = Heard()
            text += f"{more} {clusters}: {told(other.check, plan(**more), 5, heard)}\n{log.take()}"
            text += f"  {heard.notes}\n"
    text += told(site.published, plan(), builder, undo, Heard()) + f"\n{log.take()}"
    compare(HERE / "calls-regions.txt", text)


SUBNETS = [Subnet(f"subnet-{n}", f"vpc-{n}", f"{REGION}{n}") for n in "ab"]
OK = [Result("http", "http")]


@contextmanager
def no_claims(*_: Any) -> Iterator[None]:
    yield


def test_nights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = ""
    cases: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
        ("a night", {}, {}),
        ("two at once", {"clients_at_once": 2}, {}),
        ("two at once of one pair", {"clients_at_once": 2, "pairs_at_once": 1}, {}),
        ("three pairs, two at once", {"clients_at_once": 2, "pairs_at_once": 3}, {}),
        ("a part", {"max_cost": 9, "clients_at_once": 2}, {"part": Part(1, 2)}),
        ("for money", {"max_cost": 9, "max_hours": 2}, {"subnet": "s", "bucket": "b"}),
        ("images are there", {"market": "spot"}, {"images": {REGION: "its images"}}),
        ("a group", {"placement_group": "rack"}, {}),
        ("left over", {}, {"abandoned": ["d-0", "d-9"]}),
        ("left over, and it stays", {}, {"abandoned": ["d-0"], "stays": True}),
        ("spent", {}, {"outcome": BudgetSpent("used up")}),
        ("failed", {}, {"outcome": NitroError("no server")}),
        ("interrupted", {}, {"outcome": Interrupted("stop")}),
        ("all was told", {}, {"outcome": None}),
    )
    for number, (what, more, options) in enumerate(cases):
        with monkeypatch.context() as patch:
            record = Record(FolderStore(tmp_path / str(number)))
            text += f"---- {what}\n{_night(patch, record, plan(**more), **options)}"
            if what == "a night":
                text += f"---- again\n{_night(patch, record, plan(**more), **options)}"
                part = {"part": Part(0, 2)}
                text += f"---- a part again\n{_night(patch, record, plan(**more), **part)}"
    compare(HERE / "calls-nights.txt", text)


def _night(patch: pytest.MonkeyPatch, record: Record, one: Plan, **options: Any) -> str:
    log = new_log()
    lock = threading.Lock()
    outcome = options.pop("outcome", "well")
    images_ = {
        (m.image, m.driver): Image("ami-1", f"sha256:{m.driver}") for m in one.machines(REGION)
    }
    cloud = cloud_of()
    site = SimpleNamespace(
        title="site",
        cloud=cloud,
        types={"c5.large": KIND},
        subnet=options.get("subnet"),
        bucket=options.get("bucket"),
        check=log.of("site.check"),
        published=log.of("site.published", images_),
    )
    here = SimpleNamespace(subnet=SimpleNamespace(zone=f"{REGION}a"))
    measurement = SimpleNamespace(placement=here, server=SimpleNamespace(id="i-1"))

    class FakePairs:
        def __init__(self, *args: Any, **more: Any) -> None:
            log.of("Pairs")(*args, **more)
            self.types, self.launched = {"c5.large": KIND}, set[Any]()
            self.images, self.cloud = images_, cloud

        @contextmanager
        def group(self, _undo: Any) -> Iterator[None]:
            log.lines.append("group {")
            yield
            log.lines.append("}")

        def measure(self, machine: Any, work: Work, report: Any, is_spent: Any) -> Any:
            with lock:
                self.launched.add(machine)
            work.begin()
            log.lines.append(f"measure {machine.driver} {len(work.left)} {is_spent()}")
            report.note(f"note of {type(report).__name__}")
            if isinstance(outcome, Exception):
                raise outcome
            if outcome is None:
                for number, _ in enumerate(list(work.left)):
                    work.take(measurement, number, replace(OK[0], started=1e9))  # type: ignore[arg-type]
                return None
            return measurement, [replace(OK[0], started=1e9) for _ in work.left]

    real = teardown.Undo

    def undo(*args: Any, **more: Any) -> Any:
        log.of("Undo")(*args, **more)
        return real(*args, **more)

    numbers = itertools.count(1)
    patch.setattr(night, "sites_of", log.of("sites_of", [site]))
    patch.setattr(night, "prices_of", log.of("prices_of", {(REGION, "c5.large"): 1.0}))
    patch.setattr(night, "new_deployment", lambda: f"d-{next(numbers)}")
    patch.setattr(night, "claimed", lambda *a: log.of("claimed")(*a[1:]) or no_claims())
    patch.setattr(night, "abandoned", log.of("abandoned", options.pop("abandoned", [])))
    patch.setattr(night, "forget", lambda *a: log.of("forget")(*a[1:]))
    left = [SimpleNamespace(title=d, deployment=d) for d in ("d-0", "d-1", "d-9")]
    patch.setattr(night, "inventory", log.of("inventory", left))
    stays = [left[0]] if options.pop("stays", False) else []
    patch.setattr(night, "remove", log.of("remove", ([], stays)))
    patch.setattr(night, "create_placement", log.of("create_placement", SimpleNamespace()))
    patch.setattr(night, "find_subnets", log.of("find_subnets", SUBNETS))
    patch.setattr(night, "Pairs", FakePairs)
    patch.setattr(night, "Undo", undo)
    budget = Budget
    patch.setattr(night, "Budget", lambda *a: log.of("Budget")(*a) or budget(*a))
    compact = Record.compact
    patch.setattr(Record, "compact", lambda s, *a: log.of("compact")(*a) or compact(s, *a))
    heard = Heard()
    if given := options.pop("images", None):
        options["images"] = dict.fromkeys(given, images_)
    done = told(
        night.run,
        *(cloud, one, record),
        builder=SimpleNamespace(title="builder"),
        prober=SimpleNamespace(title="prober"),
        report=heard,
        night=NIGHT,
        **options,
    )
    lines = sorted(log.lines) if one.clients_at_once > 1 else log.lines
    text = "".join(f"  {line}\n" for line in lines)
    text += f"{done}\n{sorted(heard.notes)} {[*heard.stages]}\n"
    if "measure" in heard.stages:
        text += f"{heard.stages['measure'].progresses}\n"
    if record.plans():
        names = "driver, error, zone, server, digest, placement, market, repetition, seconds"
        for row in record.query(f"SELECT {names} FROM samples ORDER BY ALL").to_pylist():
            text += f"  {row}\n"
    return text
