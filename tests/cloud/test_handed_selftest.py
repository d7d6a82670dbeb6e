"""What a selftest hands to its parts, and what it says of what comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nitro.check import Check
from nitro.cloud import Cloud, Published, Resource, Written
from nitro.deploy import Deployment, InstanceReport
from nitro.errors import Interrupted, NitroError
from nitro.probe import Result
from nitro.progress import Reporter
from nitro.selftest import Report, Selftest, SelftestCheck
from tests.cloud.answers import Answering
from tests.cloud.handed import Handed
from tests.cloud.joint import RECIPE, FakeBuilder, FakeProber, small_disk

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="nothing is called"),
]
STAGES = ("import snapshot", "read back", "register AMI", "launch server", "boot", "measure")
WELL = [Check("credentials", True, "arn of 123456789012"), Check("region", True, "here")]


def test_selftests(aws: Answering, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    handed = Handed(aws, monkeypatch)
    disk = small_disk(tmp_path / "disk.raw")
    builder = FakeBuilder(disk)
    image = builder.prepare(RECIPE, report=Reporter()).build()

    def deployment(driver: str, fallback: str | None, *results: Result) -> Deployment:
        card = InstanceReport("i-1", "c5.large", "ena", driver, fallback, "nitro", "", "")
        published = Published("snap-2", "ami-2", "bench", "r", 5, False)
        return Deployment("d-1", "bench", image, published, card, list(results))

    def deploying(outcome: Any, stages: dict[str, float], fails: str = "") -> Any:
        def deploy(cloud: Cloud, *_: Any, report: Reporter, **__: Any) -> Any:
            for title, seconds in stages.items():
                try:
                    with report.stage(title):
                        cloud.sleep(seconds)
                        if title == fails:
                            raise outcome
                except NitroError:
                    if title != "boot":
                        raise
                    with report.stage("clean up"):
                        raise
            report.note("deployed")
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        return deploy

    listed: list[list[Resource]] = []

    def inventory(*_: Any) -> list[Resource]:
        return listed.pop(0) if len(listed) > 1 else listed[0]

    def run(cloud: Cloud, changes: dict[str, Any], found: list[list[Resource]]) -> object:
        listed[:] = found
        given: Any = {
            "cloud_name": "aws",
            "recipe": RECIPE.model_copy(update={"env": {"A": "b"}}),
            "instance_type": "c5.large",
            "budget": 1.0,
            "builder": FakeBuilder(disk),
            "prober": FakeProber(),
            "report": aws.report,
        }
        test = Selftest(cloud, **(given | changes))
        report = test.run()
        aws.note(f"ok {report.ok}, {report.usd:.6f} USD")
        document: Any = report.to_json() | {"nitro": ""}
        return json.dumps(document, indent=1).splitlines()

    ok, bad = Result("http", "http"), Result("iperf3", "iperf3", error="no route")
    all_stages = dict.fromkeys(STAGES, 30.0)
    kept = Resource("image", "ami-0")
    none: list[list[Resource]] = [[kept]]
    handed.stand_in("nitro.cloud.doctor.examine", WELL)
    handed.stand_in("nitro.selftest.inventory", inventory)
    handed.stand_in("nitro.cloud.direct.write_snapshot", Written("snap-1", 3, None))
    handed.stand_in("nitro.cloud.verify.compare", 2)
    good = deploying(deployment("nitro", None, ok, ok), all_stages)
    handed.stand_in("nitro.selftest.deploy", good)
    aws.case("well", run, {}, {}, none)
    options = {"allow": ("0.0.0.0/0",), "subnet": "subnet-1", "bucket": "mine"}
    aws.case("with options", run, {}, options, none)
    aws.case("here", run, {}, {"cloud_name": "local", "budget": 0.0, "instance_type": "x"}, none)
    aws.case("no price", run, {}, {"instance_type": "x"}, none)
    for budget in (0.0, 0.00005, 0.18782, 0.18785, 0.2):
        aws.case(f"budget {budget}", run, {}, {"budget": budget}, none)
    left = [[kept], [kept, Resource("image", "ami-9"), Resource("volume", "vol-9")]]
    aws.case("something left", run, {}, {}, left)
    for title, (outcome, stages, fails) in {
        "slow": (deployment("nitro", None, ok), dict.fromkeys(STAGES, 100.0), ""),
        "another driver": (deployment("kernel", None, ok), all_stages, ""),
        "a fallback": (deployment("nitro", "no reset", ok), all_stages, ""),
        "a failing probe": (deployment("nitro", None, ok, bad, bad), all_stages, ""),
        "no probe": (deployment("nitro", None), all_stages, ""),
        "no import": (
            NitroError("no role", hint="make it"),
            {"import snapshot": 1.0},
            "import snapshot",
        ),
        "no launch": (
            NitroError("no room"),
            dict.fromkeys(STAGES[:4], 1.0),
            "launch server",
        ),
        "no boot": (NitroError("no word", hint="look"), dict.fromkeys(STAGES[:5], 90.0), "boot"),
        "no result": (NitroError("no word"), all_stages, "measure"),
        "nothing done": (NitroError("no recipe"), {}, ""),
        "interrupted": (Interrupted("stop"), dict.fromkeys(STAGES[:1], 1.0), ""),
    }.items():
        handed.stand_in("nitro.selftest.deploy", deploying(outcome, stages, fails))
        aws.case(title, run, {}, {}, none)
    handed.stand_in("nitro.selftest.deploy", good)
    handed.stand_in("nitro.cloud.verify.compare", NitroError("differs", hint="why"))
    aws.case("another disk", run, {}, {}, none)
    handed.stand_in("nitro.cloud.verify.compare", Interrupted("stop"))
    aws.case("interrupted early", run, {}, {}, none)
    broken = {"builder": FakeBuilder(disk, fails={"prepare selftest-00000001": NitroError("no")})}
    aws.case("not built", run, {}, broken, none)
    handed.stand_in("nitro.cloud.doctor.examine", [Check("credentials", False, "none", "log in")])
    aws.case("nobody", run, {}, {}, none)
    wrong = [WELL[0], Check("region", False, "off", "turn it on")]
    handed.stand_in("nitro.cloud.doctor.examine", wrong)
    handed.stand_in("nitro.cloud.verify.compare", 2)
    aws.case("a region that is off", run, {}, {}, none)
    report = Report("aws", "r", "t", 1.0, [SelftestCheck("a", "b", "not run", "c", usd=0.00004)])
    aws.case("not run", lambda _: (report.ok, report.usd, report.to_json()["checks"]), {})
    aws.compare("handed-selftest")
