"""`nitro selftest`, in fair weather and in bad: what each check says, costs and leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nitro.cloud import Cloud
from nitro.errors import InputError, NitroError, ProbeError
from nitro.local.weather import FAIR, Conditions
from nitro.progress import Reporter
from nitro.selftest import Report, Selftest
from tests.cloud.conftest import NOTHING, everything
from tests.cloud.joint import RECIPE, FakeBuilder, FakeProber, small_disk
from tests.cloud.weather import endpoint
from tools.schemas import adapter

DEPLOYING = ["import", "register", "launch", "boot", "driver", "probes"]
CHECKS = [
    *("identity", "region", "permissions", "direct snapshots", "bucket", "role vmimport", "subnet"),
    *("encryption", "vCPU quota", "direct snapshot", *DEPLOYING, "clean-up"),
]


def selftest(cloud: Cloud, disk_folder: Path, **options: Any) -> Selftest:
    whole = {
        "cloud_name": "aws",
        "recipe": RECIPE,
        "instance_type": "c5.large",
        "budget": 1.0,
        "builder": FakeBuilder(small_disk(disk_folder / "disk.raw")),
        "prober": FakeProber(),
        "report": Reporter(),
        **options,
    }
    return Selftest(cloud, **whole)


def fly(folder: Path, conditions: Conditions = FAIR, **options: Any) -> tuple[Report, Any]:
    """The report of a selftest, and what is left of it."""
    with endpoint(conditions, folder / "blocks") as day:
        observer = day.connect(fair=True)
        prober = options.pop("prober", FakeProber(observer))
        found = selftest(day.connect(), folder, prober=prober, **options).run()
        return found, everything(observer)


def outcomes(found: Report) -> dict[str, str]:
    return {check.name: check.outcome for check in found.checks}


@pytest.mark.extended
def test_on_a_fair_day_every_check_passes_and_nothing_is_left(tmp_path: Path) -> None:
    found, left = fly(tmp_path)
    assert [*outcomes(found)] == CHECKS
    # The null hypervisor's guest says nothing of its driver.
    assert {n: o for n, o in outcomes(found).items() if o != "ok"} == {"driver": "failed"}
    assert left == NOTHING
    spent = {check.name: check.usd for check in found.checks if check.usd}
    assert [*spent] == ["direct snapshot", "probes"]
    assert 0 < found.usd < 0.02


@pytest.mark.extended
def test_the_report_is_a_document_without_the_account(tmp_path: Path) -> None:
    found, _ = fly(tmp_path)
    text = json.dumps(found.to_json())
    adapter("selftest").validate_json(text)
    assert "123456789012" not in text
    assert "(account)" in text


@pytest.mark.extended
def test_what_the_budget_does_not_cover_is_not_run(tmp_path: Path) -> None:
    found, left = fly(tmp_path, budget=0.001)
    not_run = [check for check in found.checks if check.outcome == "not run"]
    assert [check.name for check in not_run] == DEPLOYING
    assert "the budget has 0.00 left" in not_run[0].came
    assert outcomes(found)["direct snapshot"] == "ok"
    assert left == NOTHING


@pytest.mark.extended
def test_on_the_local_nitro_nothing_costs(tmp_path: Path) -> None:
    found, _ = fly(tmp_path, cloud_name="local", instance_type="c6i.large", budget=0.0)
    assert outcomes(found)["probes"] == "ok"
    assert {check.usd for check in found.checks if check.name == "probes"} == {0.0}


def test_a_type_without_a_known_price_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the price of m5\.24xlarge is not known"):
        fly(tmp_path, instance_type="m5.24xlarge")


@pytest.mark.extended
@pytest.mark.parametrize(
    ("day", "first_failure", "not_run"),
    [
        (Conditions(full_zones=tuple("abcdef")), "launch", ["boot", "driver", "probes"]),
        (Conditions(imports_failing=1), "import", DEPLOYING[1:]),
        (Conditions(throttled_apis={"ebs:POST": 1}), "direct snapshot", []),
        (Conditions(throttled_apis={"sts:GetCallerIdentity": 1}), "identity", []),
    ],
    ids=["no capacity", "failing imports", "EBS throttled", "no identity"],
)
def test_in_foul_weather_the_check_that_failed_says_why(
    tmp_path: Path, day: Conditions, first_failure: str, not_run: list[str]
) -> None:
    found, left = fly(tmp_path, day)
    by_name = outcomes(found)
    assert next(name for name, outcome in by_name.items() if outcome == "failed") == first_failure
    assert [name for name, outcome in by_name.items() if outcome == "not run"] == not_run
    assert all(check.came for check in found.checks)
    assert left == NOTHING


@pytest.mark.extended
def test_ordinary_faults_fail_no_check(tmp_path: Path) -> None:
    day = Conditions(seed=3, throttled=0.1, ids_late=1, ids_late_seconds=2, import_factor=5)
    found, left = fly(tmp_path, day)
    assert [name for name, outcome in outcomes(found).items() if outcome != "ok"] == ["driver"]
    assert left == NOTHING


@pytest.mark.extended
def test_a_failing_probe_and_a_failing_boot_have_their_own_checks(tmp_path: Path) -> None:
    with endpoint(FAIR, tmp_path / "blocks") as day:
        observer = day.connect(fair=True)
        for prober, name in (
            (FakeProber(observer, fails={"wait_boot": ProbeError("no network")}), "boot"),
            (FakeProber(observer, outputs={"http": "no figures"}), "probes"),
        ):
            found = selftest(day.connect(), tmp_path, prober=prober).run()
            assert outcomes(found)[name] == "failed"
            assert everything(observer) == NOTHING


class BrokenBuilder(FakeBuilder):
    def prepare(self, recipe: Any, **options: Any) -> Any:
        raise NitroError(f"{recipe.name}: no room", hint="make some")


def test_what_cannot_be_built_is_said_by_the_checks_that_need_it(tmp_path: Path) -> None:
    found, left = fly(tmp_path, builder=BrokenBuilder(small_disk(tmp_path / "disk.raw")))
    failed = {c.name: (c.came, c.remedy) for c in found.checks if c.outcome == "failed"}
    assert [*failed] == ["direct snapshot", "import"]
    for came, remedy in failed.values():
        assert came.startswith("selftest-")
        assert came.endswith(": no room")
        assert remedy == "make some"
    assert left == NOTHING
