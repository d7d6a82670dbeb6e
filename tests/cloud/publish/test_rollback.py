"""Back to an earlier release: all parameters, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.cloud import Cloud
from nitro.errors import InputError, RefusedError
from nitro.progress import Reporter
from nitro.publish import manifest, parameters
from nitro.publish.observe import find_ami
from nitro.publish.release import Release
from nitro.publish.rollback import Target, of_manifest, roll_back
from tests.cloud.conftest import connect, recorded
from tests.cloud.publish.conftest import (
    PARAMETER,
    REGIONS,
    make_release,
    make_source,
    publish_it,
)

pytestmark = pytest.mark.policies("publish")

TWO = REGIONS[:2]


@pytest.fixture
def releases(account: Cloud, tmp_path: Path) -> list[Release]:
    """Two in two regions, one after the other; the manifest of the first is written."""
    made = []
    for number in range(2):
        disk = make_source(tmp_path, content=f"{number}".encode())
        made.append(make_release(disk, version=f"{number}", via="s3", regions=TWO))
        done = publish_it(made[-1])
        document = manifest.of_publication(done, account.account)
        manifest.write(tmp_path / f"{number}.json", document)
    return made


def named(account: Cloud) -> list[str | None]:
    return [parameters.read(account.in_region(region), PARAMETER) for region in TWO]


def ids(account: Cloud, release: Release) -> list[str | None]:
    found = [find_ami(account.in_region(region), release.name) for region in TWO]
    return [image.id if image else None for image in found]


@pytest.mark.extended
def test_parameters_name_the_earlier_release_again(
    account: Cloud, releases: list[Release], tmp_path: Path
) -> None:
    assert named(account) == ids(account, releases[1])
    target = of_manifest(manifest.read(tmp_path / "0.json"))
    flips = roll_back(connect(), target, Reporter())
    assert [flip.cloud.region for flip in flips] == list(TWO)
    assert named(account) == ids(account, releases[0])
    calls = recorded(again := connect())
    assert roll_back(again, target, Reporter()) == []
    assert not any(call.changes for call in calls)


@pytest.mark.extended
def test_a_name_is_enough(account: Cloud, releases: list[Release]) -> None:
    roll_back(connect(), Target(releases[0].name, PARAMETER, TWO), Reporter())
    assert named(account) == ids(account, releases[0])


@pytest.mark.extended
def test_a_release_that_one_region_lacks_changes_none(
    account: Cloud, releases: list[Release]
) -> None:
    gone = ids(account, releases[0])[1]
    account.in_region(TWO[1]).ec2.deregister_image(ImageId=str(gone))
    with pytest.raises(RefusedError, match=f"no AMI .* of ours in {TWO[1]}"):
        roll_back(connect(), Target(releases[0].name, PARAMETER, TWO), Reporter())
    assert named(account) == ids(account, releases[1])


@pytest.mark.extended
def test_a_release_without_a_parameter_cannot_be_gone_back_to(
    releases: list[Release], tmp_path: Path
) -> None:
    found = manifest.read(tmp_path / "0.json")
    found.document["parameter"] = None
    with pytest.raises(InputError, match="without a parameter"):
        of_manifest(found)
