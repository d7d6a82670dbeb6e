"""When the server of a deployment ends itself, whatever becomes of its deployment."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from pathlib import Path

import pytest

from nitro.client import BOOT_WITHIN
from nitro.cloud import Cloud, DiskImage
from nitro.cloud.launch import RUNNING_DEADLINE
from nitro.errors import InputError
from nitro.local.hypervisor import NullHypervisor
from nitro.probe import Boot, Selection
from nitro.probe.tools.http import Http
from tests.cloud.conftest import NOTHING, everything
from tests.cloud.joint import RECIPE, deploy, running, small_disk


@pytest.fixture
def disk(tmp_path: Path) -> DiskImage:
    return small_disk(tmp_path / "bench.raw")


def server_expires(hypervisor: NullHypervisor) -> float | None:
    """When the server was told to end itself, in Unix time."""
    server, *_ = hypervisor.guests.values()  # it starts before the client
    told = server.guest.user_data or b""
    found = re.search(rb"^NITRO_EXPIRES=(\d+)$", told, re.MULTILINE)
    return float(found[1]) if found else None


@pytest.mark.extended
def test_a_server_outlives_every_deadline_and_not_much_more(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    before = time.time()
    deploy(cloud, disk, selection=Selection(Boot(seconds=600), (Http(seconds=60),)))
    expires = server_expires(hypervisor)
    assert expires
    deadlines = 2 * RUNNING_DEADLINE + 600 + BOOT_WITHIN + 60
    assert deadlines < expires - before < deadlines + 3600


@pytest.mark.extended
@pytest.mark.parametrize(("ttl", "ends"), [(None, False), (timedelta(hours=2), True)])
def test_a_server_that_is_kept_ends_itself_only_when_it_was_told_to(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor, ttl: timedelta | None, ends: bool
) -> None:
    running(cloud, disk, ttl=ttl)
    assert (server_expires(hypervisor) is not None) is ends


def test_osv_does_not_end_itself(cloud: Cloud, disk: DiskImage) -> None:
    osv = RECIPE.model_copy(update={"kernel": "osv:mine"})
    with pytest.raises(InputError, match="OSv does not end by itself"):
        running(cloud, disk, recipe=osv, ttl=timedelta(hours=2))
    assert everything(cloud) == NOTHING
    assert running(cloud, disk, recipe=osv).ok
