"""What releases send to AWS, region by region: every call with all that it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.cloud import Cloud
from nitro.progress import Reporter
from nitro.publish import manifest, verify
from nitro.publish.rollback import of_manifest, roll_back
from tests.cloud.conftest import connect
from tests.cloud.publish.conftest import (
    FRIEND,
    REGIONS,
    make_release,
    make_source,
    publish_it,
)
from tests.cloud.sent import Sent
from tests.transcripts import compare

HERE = Path(__file__).parent / "transcripts"
ORGANIZATION = f"arn:aws:organizations::{FRIEND}:organization/o-0123456789"
UNIT = f"arn:aws:organizations::{FRIEND}:ou/o-0123456789/ou-abcd-01234567"
TWO = REGIONS[:2]

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="the account is of no interest here"),
]


def test_a_release_through_s3_and_back(sent: Sent, account: Cloud, tmp_path: Path) -> None:
    text = ""
    for number in range(2):
        disk = make_source(tmp_path, content=f"{number}".encode())
        wanted = make_release(disk, version=f"{number}", via="s3", regions=TWO)
        done = publish_it(wanted, sent.listen(connect()))
        manifest.write(tmp_path / f"{number}.json", manifest.of_publication(done, account.account))
        text += sent.text(f"release {number}")
    publish_it(wanted, sent.listen(connect()))
    text += sent.text("published again")
    first = manifest.read(tmp_path / "0.json")
    verify.verify(sent.listen(connect()), first, Reporter(), sample=2)
    text += sent.text("release 0 verified")
    roll_back(sent.listen(connect()), of_manifest(first), Reporter())
    compare(HERE / "through-s3.txt", text + sent.text("back to release 0"))


def test_a_shared_release_replaces_an_earlier_one(
    sent: Sent, account: Cloud, tmp_path: Path
) -> None:
    keys = {region: _key(account, region) for region in TWO}
    text = ""
    for number in range(2):
        wanted = make_release(
            make_source(tmp_path, content=f"{number}".encode()),
            version=f"{number}",
            regions=TWO,
            via="ebs",
            ami_name="{recipe} {version}",
            kms_keys=keys,
            share={
                "accounts": [FRIEND, "123123123123"],
                "organizations": [ORGANIZATION],
                "units": [UNIT],
            },
            deprecate="90d",
            protect=True,
            keep=1,
            remove_shared=True,
            tags={"team": "images"},
        )
        publish_it(wanted, sent.listen(connect()))
        text += sent.text(f"release {number}")
    compare(HERE / "shared.txt", text)


def test_settings_that_change(sent: Sent, account: Cloud, tmp_path: Path) -> None:
    ec2 = account.in_region(TWO[0]).ec2
    ec2.disable_image_block_public_access()
    ec2.disable_snapshot_block_public_access()
    disk = make_source(tmp_path)
    publish_it(make_release(disk, regions=TWO[:1], share={"public": True}, deprecate="90d"))
    changed = make_release(
        disk, regions=TWO[:1], share={"accounts": [FRIEND]}, tags={"x": "y"}, protect=True
    )
    publish_it(changed, sent.listen(connect()))
    text = sent.text("shared with one account in place of everybody")
    publish_it(make_release(disk, regions=TWO[:1]), sent.listen(connect()))
    compare(HERE / "settings.txt", text + sent.text("shared with nobody"))


def _key(account: Cloud, region: str) -> str:
    return account.in_region(region).kms.create_key()["KeyMetadata"]["Arn"]
