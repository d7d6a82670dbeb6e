"""The policy for publishing allows what the commands call, and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nitro.cloud import Cloud
from nitro.errors import NitroError
from nitro.progress import Reporter
from nitro.publish import manifest, parameters
from nitro.publish.observe import find_ami
from nitro.publish.rollback import of_manifest, roll_back
from nitro.publish.source import Source
from nitro.publish.verify import verify
from tests.cloud.authorization import asked_by
from tests.cloud.conftest import connect, refuse
from tests.cloud.publish.conftest import (
    FRIEND,
    REGIONS,
    make_release,
    make_source,
    publish_it,
)
from tests.cloud.test_policies import assert_needed

pytestmark = pytest.mark.policies("publish")

TWO = list(REGIONS[:2])


@pytest.mark.slow
def test_publishing_needs_all_of_its_policy(
    account: Cloud, disk: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = connect()
    asked = asked_by(user)
    keys = {
        region: account.in_region(region).kms.create_key()["KeyMetadata"]["Arn"] for region in TWO
    }
    shared: dict[str, Any] = {"share": {"accounts": [FRIEND]}, "deprecate": "9d", "protect": True}
    first = make_release(disk, regions=TWO, via="s3", kms_keys=keys, **shared)
    done = publish_it(first, user)
    path = tmp_path / "release.json"
    manifest.write(path, manifest.of_publication(done, account.account))
    halfway = make_release(disk, regions=TWO[:1], via="s3", version="6", parameter=None)
    broken = connect()
    refuse(broken, "s3.CompleteMultipartUpload", "MethodNotAllowed")
    assert publish_it(halfway, broken).failed  # leaves an upload
    publish_it(halfway, user)
    plain = make_release(disk, regions=TWO, via="s3", kms_keys=keys)
    publish_it(plain, user)  # taken back: sharing, deprecation, protection
    publish_it(make_release(disk, regions=TWO, via="ebs", version="2", kms_keys=keys), user)
    roll_back(user, of_manifest(manifest.read(path)), Reporter())
    unnamed(account, manifest.read(path))
    newer = make_source(tmp_path, content=b"newer")
    publish_it(make_release(newer, regions=TWO, via="ebs", version="3", keep=1), user)
    verify(user, manifest.read(path), Reporter(), sample=1)
    public(account)
    publish_it(
        make_release(newer, regions=TWO[:1], via="ebs", version="4", share={"public": True}), user
    )
    a_flip_that_fails(user, newer, monkeypatch)
    assert_needed("publish", asked)


def unnamed(account: Cloud, released: manifest.Manifest) -> None:
    """Nothing names the first release any more, so that retention removes it."""
    for region in TWO:
        assert find_ami(account.in_region(region), released.name)
        account.in_region(region).ssm.delete_parameter(Name=str(released.document["parameter"]))
        account.in_region(region).ssm.put_parameter(Name="any", Value="x", Type="String")
        account.in_region(region).ec2.create_launch_template(
            LaunchTemplateName="servers", LaunchTemplateData={"InstanceType": "c5.large"}
        )


def public(account: Cloud) -> None:
    cloud = account.in_region(TWO[0])
    cloud.ec2.disable_image_block_public_access()
    cloud.ec2.disable_snapshot_block_public_access()


def a_flip_that_fails(user: Cloud, disk: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new parameter is deleted again when another region cannot have it."""
    monkeypatch.setattr(parameters, "DEADLINE", 0.01)
    refuse(user, "ssm.PutParameter", "ParameterLimitExceeded")
    with pytest.raises(NitroError, match="no parameter"):
        publish_it(
            make_release(disk, regions=TWO, via="ebs", version="5", parameter="/other"), user
        )
