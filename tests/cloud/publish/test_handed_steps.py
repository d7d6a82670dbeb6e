"""What the steps of a plan hand to the parts that carry them out, and how their work is stopped."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse, HTTPHeaders

from nitro.cloud import Cloud
from nitro.errors import Interrupted, NitroError
from nitro.progress import Reporter
from nitro.publish import steps
from nitro.publish.access import Access
from nitro.publish.execute import Brake, execute
from nitro.publish.observe import RegionState, of_image
from nitro.publish.plan import PublishPlan
from nitro.publish.regional import RegionReporter
from nitro.publish.release import Release
from nitro.publish.source import Source
from tests.cloud.answers import DENIED, FAILED, Answering, Refused
from tests.cloud.handed import Handed
from tests.cloud.publish.conftest import make_release
from tests.cloud.publish.test_answers_regions import HOME, image

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="no policy allows answers that a test has made up"),
]
AWAY, PROTECT = "us-east-1", "EnableImageDeregistrationProtection"
LATER = datetime(2030, 6, 30, tzinfo=UTC)


@pytest.fixture
def wanted(disk: Source) -> Release:
    return make_release(disk, regions=[HOME, AWAY], deprecate="90d")


def removal(**changes: Any) -> steps.RemoveImage:
    whole: dict[str, Any] = {
        "region": HOME,
        "image_id": "ami-9",
        "snapshot_id": "snap-9",
        "protected": False,
        "why": "old",
        "retires": True,
    }
    return steps.RemoveImage(**(whole | changes))


def test_steps(aws: Answering, handed: Handed, wanted: Release) -> None:
    made = image(wanted)
    for place, outcome in {
        "nitro.publish.make.write_snapshot": "snap-2",
        "nitro.publish.make.import_snapshot": "snap-3",
        "nitro.publish.make.register": "ami-1",
        "nitro.publish.make.copy": "ami-1",
        "nitro.cloud.ami.wait_available": None,
        "nitro.cloud.ami.describe": made,
        "nitro.publish.readback.compare": 2,
        "nitro.publish.access.change_image": None,
        "nitro.publish.access.change_snapshot": None,
        "nitro.publish.parameters.flip_all": None,
    }.items():
        handed.stand_in(place, outcome)
    calls = (
        *("CreateTags", "EnableImageDeprecation", "DisableImageDeprecation", "DeregisterImage"),
        *("EnableImageDeregistrationProtection", "DisableImageDeregistrationProtection"),
        "DeleteSnapshot",
    )

    def run(
        cloud: Cloud,
        todo: Sequence[steps.Step],
        states: dict[str, RegionState],
        of: Release = wanted,
        report: Reporter = aws.report,
    ) -> object:
        there = states or {HOME: RegionState(HOME, key="arn:key")}
        plan = PublishPlan(of, there, tuple(todo), {})
        clouds = {region: cloud.in_region(region) for region in there}
        found = execute(plan, clouds, Brake(), report, bucket="mine")
        return [
            (one.region, one.ami and one.ami.id, one.error and one.error.what, one.changed)
            for one in found
        ]

    answers: Any = {call: {} for call in calls}
    one, two = Access(frozenset({"1"})), Access(frozenset({"2"}))
    pending = of_image(image(wanted, 1, "pending"))  # type: ignore[arg-type]
    ready = of_image(made)  # type: ignore[arg-type]
    here = {HOME: RegionState(HOME, ami=ready)}
    register = steps.Register(region=HOME)
    settings = [
        steps.Prove(region=HOME),
        steps.ShareImage(region=HOME, add=one, remove=two),
        steps.ShareSnapshot(region=HOME, add=two, remove=one),
        steps.Deprecate(region=HOME, at=None),
        steps.Deprecate(region=HOME, at=LATER),
        steps.DoNotDeprecate(region=HOME),
        steps.Protect(region=HOME, on=True),
        steps.Protect(region=HOME, on=False),
        steps.Finish(region=HOME, tags={"a": "b"}),
        removal(retires=False),
        steps.RemoveSnapshot(region=HOME, snapshot_id="snap-8"),
    ]
    write = steps.Write(region=HOME, blocks=2, block_size=1)
    import_ = steps.Import(region=HOME, size=1, parts=1)
    todo: Sequence[steps.Step]
    for title, todo, states in (
        ("nothing", [], here),
        ("nothing, and nothing there", [], {}),
        ("pending", [], {HOME: RegionState(HOME, ami=pending)}),
        ("written", [write, register, *settings], {}),
        ("imported", [import_, register], {}),
        ("a snapshot that is there", [steps.Register(region=HOME, snapshot_id="snap-7")], {}),
        ("settings", settings, here),
        ("copied", [steps.Copy(region=AWAY, source=HOME)], here | {AWAY: RegionState(AWAY)}),
        ("flipped", [steps.Flip(region=HOME, name="/p", before="ami-0")], here),
        ("retired", [removal(), removal(protected=True, snapshot_id="")], here),
        ("failed before", [], {HOME: RegionState(HOME, error=NitroError("down"))}),
    ):
        aws.case(title, run, answers, todo, states)
    none = replace(wanted, settings=wanted.settings.model_copy(update={"deprecate": None}))
    aws.case(
        "not to be deprecated", run, answers, [steps.Deprecate(region=HOME, at=None)], here, none
    )
    for code in ("InvalidAMIID.NotFound", "Strange"):
        gone = answers | {"CreateTags": Refused(code)}
        aws.case(f"retired: {code}", run, gone, [removal(protected=True)], here)
    flip = steps.Flip(region=HOME, name="/p", before=None)
    failing = answers | {"DisableImageDeprecation": FAILED}
    aws.case("a failure flips nothing", run, failing, [settings[5], flip, removal()], here)
    down = {HOME: RegionState(HOME, error=NitroError("down", hint="wait")), AWAY: RegionState(AWAY)}
    copies = [steps.Copy(region=AWAY, source=HOME)]
    aws.case("nothing to copy", run, answers, copies, down, wanted, Reporter())
    for via in ("auto", "ebs"):
        denied = aws.cloud({"DeleteSnapshot": DENIED})

        def refuse(*_: object, denied: Cloud = denied) -> None:
            denied.ec2.delete_snapshot(SnapshotId="snap-1")

        other = replace(wanted, settings=wanted.settings.model_copy(update={"via": via}))
        handed.stand_in("nitro.publish.make.write_snapshot", refuse)
        both = answers | {"DeleteSnapshot": DENIED}
        aws.case(f"writing denied, via {via}", run, both, [write, register], {}, other)
    handed.stand_in("nitro.publish.make.write_snapshot", Interrupted("stop"))
    aws.case("interrupted", run, answers, [write], {})
    handed.stand_in("nitro.publish.make.write_snapshot", ZeroDivisionError("a defect"))
    aws.case("a defect", run, answers, [write], {})
    aws.compare("steps")


def test_a_brake_stops_the_next_call(aws: Answering) -> None:
    def answer(**_: object) -> object:
        told = {"ResponseMetadata": {"HTTPStatusCode": 200}, "Volumes": []}
        return AWSResponse("", 200, HTTPHeaders(), None), told

    def work(cloud: Cloud, pull: bool) -> object:
        brake = Brake()
        events: Any = cloud.session.events
        events.register_last("before-call", answer)
        with brake.attached(events):
            other = cloud.in_region(AWAY)
            found = [len(other.ec2.describe_volumes()["Volumes"])]
            if pull:
                brake.pull()
            try:
                found.append(len(other.ec2.describe_volumes()["Volumes"]))
            except Interrupted as error:
                aws.note(f"interrupted: {error}")
        found.append(len(cloud.in_region("eu-west-1").ec2.describe_volumes()["Volumes"]))
        return found

    for pull in (False, True):
        aws.case(f"pulled {pull}", work, {"DescribeVolumes": None}, pull)
    aws.compare("brake")


def test_an_interrupt_stops_the_other_regions(
    aws: Answering, handed: Handed, wanted: Release
) -> None:
    made: list[str] = []
    begun, pulled = threading.Event(), threading.Event()
    cloud = aws.cloud({"DisableImageDeprecation": None, PROTECT: None})

    def answer(model: Any, **_: object) -> object:
        made.append(model.name)
        begun.set()
        pulled.wait(2)
        told = {"ResponseMetadata": {"HTTPStatusCode": 200}}
        return AWSResponse("", 200, HTTPHeaders(), None), told

    def interrupt(*_: object) -> str:
        begun.wait(2)
        raise KeyboardInterrupt

    brake = Brake()
    pull = brake.pull

    def pull_and_tell() -> None:
        pull()
        pulled.set()

    brake.pull = pull_and_tell  # type: ignore[method-assign]
    handed.stand_in("nitro.publish.make.write_snapshot", interrupt)
    todo = (
        steps.DoNotDeprecate(region=AWAY),
        steps.Protect(region=AWAY, on=True),
        steps.Write(region=HOME, blocks=1, block_size=1),
    )
    there = RegionState(AWAY, ami=of_image(image(wanted)))  # type: ignore[arg-type]
    plan = PublishPlan(wanted, {HOME: RegionState(HOME), AWAY: there}, todo, {})
    events: Any = cloud.session.events
    events.register_last("before-call", answer)
    with brake.attached(events), pytest.raises(KeyboardInterrupt):
        execute(plan, {one: cloud.in_region(one) for one in (HOME, AWAY)}, brake, Reporter())
    assert made == ["DisableImageDeprecation"]


def test_regions_report_together(aws: Answering) -> None:
    def tell(cloud: Cloud, seconds: float, fail: bool) -> object:
        report = RegionReporter(region=HOME, outer=aws.report, shared=aws.stage)
        with report.stage("outer") as stage:
            stage.progress(1e6, 2e6)
            stage.progress(3, None, "blocks")
            stage.status("waits")
            report.note("a note")
            with report.stage("inner"):
                cloud.sleep(seconds)
                if fail:
                    raise NitroError("no")
        return [span.stage for span in report.timeline]

    for seconds in (0.99, 1.0):
        for fail in (False, True):
            aws.case(f"{seconds} s, fails {fail}", tell, {}, seconds, fail)
    aws.compare("regional")
