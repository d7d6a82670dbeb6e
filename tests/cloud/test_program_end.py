"""Deployments of programs that end: some are meant to, the others have failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nitro.cloud import Cloud, DiskImage, Keep
from nitro.deploy import ProgramEnd
from nitro.errors import InputError, ProbeError
from nitro.local.hypervisor import NullHypervisor
from nitro.probe import Boot, Selection, boot, parse
from nitro.recipe import Recipe
from tests.cloud.conftest import connect, everything
from tests.cloud.joint import RECIPE, FakeBuilder, FakeProber, deploy, small_disk


@pytest.fixture
def disk(tmp_path: Path) -> DiskImage:
    return small_disk(tmp_path / "bench.raw")


def ending(hypervisor: NullHypervisor, status: int) -> FakeProber:
    """Guests whose program ends with `status`, watched by the real wait."""

    class Ending(FakeProber):
        def wait_boot(self, watch: Any, *, deadline: float, stage: Any) -> Any:
            start = '{"nitro":"start","uptime":2.0,"command":"job"}'
            end = f'{{"nitro":"exit","uptime":2.4,"code":{status},"restart":false}}'
            for instance_id in hypervisor.guests:
                said = "\r\n".join(["booting", start, "41 + 1 = 42", end, ""])
                hypervisor.write_console(instance_id, said.encode())
                hypervisor.stop(instance_id)
            return boot.wait(watch, deadline=deadline, stage=stage)

    return Ending()


JOB = RECIPE.model_copy(update={"ports": (), "service": False})


def test_the_output_of_a_program_that_is_meant_to_end_is_returned(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    done = deploy(cloud, disk, prober=ending(hypervisor, 0), recipe=JOB)
    assert done.program == ProgramEnd(0, 0.4, "41 + 1 = 42")
    assert done.ok
    assert done.to_json()["program"] == {"status": 0, "seconds": 0.4, "output": "41 + 1 = 42"}


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("recipe", [JOB, RECIPE])
def test_a_program_that_ends_badly_fails_the_deployment(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor, recipe: Recipe
) -> None:
    boot_only = Selection(Boot())
    with pytest.raises(ProbeError, match=r"ended with status 3 after 0\.4 s") as failure:
        deploy(cloud, disk, prober=ending(hypervisor, 3), recipe=recipe, selection=boot_only)
    assert getattr(failure.value, "console", "") == "41 + 1 = 42"
    assert everything(connect())["instances"] == []


def test_packages_whose_scripts_did_not_run_are_named(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = [{"name": "nginx-common", "sha256": "0"}, {"name": "other", "sha256": "1"}]
    disk.path.with_suffix(".json").write_text(json.dumps({"packages": packages}))
    monkeypatch.setattr("nitro.image.missing.making", lambda pairs: [name for name, _ in pairs])
    recipe = RECIPE.model_copy(update={"packages": ("nginx",)})
    options: dict[str, Any] = {"recipe": recipe, "selection": Selection(Boot())}
    with pytest.raises(ProbeError, match=r"with status 3 .*; package scripts .*: nginx-common;"):
        deploy(cloud, disk, prober=ending(hypervisor, 3), **options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"keep": Keep.INSTANCE}, "no instance is left to keep"),
        ({"selection": parse(["iperf3"])}, "is not measured"),
    ],
)
def test_a_program_that_is_meant_to_end_is_neither_kept_nor_measured(
    cloud: Cloud, disk: DiskImage, options: dict[str, Any], says: str
) -> None:
    builder = FakeBuilder(disk)
    with pytest.raises(InputError, match=says):
        deploy(cloud, disk, builder=builder, recipe=JOB, **options)
    assert builder.prepared == []
