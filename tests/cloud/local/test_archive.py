"""What outlives the process."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from moto import mock_aws

from nitro.local.aws import Site, archive, install

from .conftest import Account
from .damage import damaged


def restarted(account: Account) -> Site:
    return Site(account.site.store, account.hypervisor, index=account.site.index)


def test_snapshots_and_images_come_back(account: Account) -> None:
    snapshot_id = account.snapshot()
    tags = [{"Key": "nitro:digest", "Value": "sha256:1"}]
    account.ec2.create_tags(Resources=[snapshot_id], Tags=tags)
    specification = {"ResourceType": "image", "Tags": tags}
    image_id = account.image(snapshot_id, BootMode="uefi", TagSpecifications=[specification])
    before = account.ec2.describe_images(ImageIds=[image_id])["Images"]

    with install(restarted(account)), mock_aws():
        assert account.ec2.describe_images(ImageIds=[image_id])["Images"] == before
        (snapshot,) = account.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
        assert snapshot["Tags"] == tags
        listed = account.ebs.list_snapshot_blocks(SnapshotId=snapshot_id)
        assert [block["BlockIndex"] for block in listed["Blocks"]] == [0]
        assert account.run(image_id)["ImageId"] == image_id


@pytest.mark.extended
def test_a_snapshot_whose_disk_is_lost_is_dropped_with_its_images(account: Account) -> None:
    snapshot_id = account.snapshot()
    account.image(snapshot_id)
    account.site.store.delete(snapshot_id)
    with install(restarted(account)), mock_aws():
        assert not account.ec2.describe_snapshots()["Snapshots"]
        assert not account.ec2.describe_images(Owners=["self"])["Images"]


def test_one_bad_record_is_left_out_and_the_others_come_back(account: Account) -> None:
    snapshot_id = account.snapshot()
    image_id = account.image(snapshot_id)
    assert account.site.index
    (path,) = account.site.index.glob("*.json")
    held = json.loads(path.read_text())
    held["images"].append({"id": "ami-1", "registration": {"colour": "red"}})
    held["snapshots"].append({"id": snapshot_id})
    path.write_text(json.dumps(held))
    with install(restarted(account)), mock_aws():
        (image,) = account.ec2.describe_images(Owners=["self"])["Images"]
        assert image["ImageId"] == image_id


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, "\udcff"])
def test_a_file_that_is_no_archive_is_put_aside(account: Account, text: str) -> None:
    account.snapshot()
    assert account.site.index
    (path,) = account.site.index.glob("*.json")
    path.write_bytes(text.encode(errors="surrogateescape"))
    with install(restarted(account)), mock_aws():
        assert account.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []
    assert path.with_suffix(".broken").read_bytes() == text.encode(errors="surrogateescape")


def test_regions_are_told_from_the_files(account: Account) -> None:
    account.snapshot()
    assert account.site.index
    assert archive.regions(account.site.index) == [("123456789012", "us-east-1")]


def test_launch_templates_and_settings_come_back(account: Account) -> None:
    ec2 = account.ec2
    data = {"InstanceType": "t3.micro", "UserData": "aGVsbG8="}
    tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "a", "Value": "b"}]}]
    ec2.create_launch_template(
        LaunchTemplateName="web", LaunchTemplateData=data, TagSpecifications=tags
    )
    named = {"LaunchTemplateName": "web"}
    for number in (2, 3):
        ec2.create_launch_template_version(
            **named, LaunchTemplateData={"InstanceType": "t3.small"}, VersionDescription=f"{number}"
        )
    ec2.modify_launch_template(**named, DefaultVersion="2")
    ec2.delete_launch_template_versions(**named, Versions=["1"])
    ec2.enable_ebs_encryption_by_default()
    ec2.enable_snapshot_block_public_access(State="block-all-sharing")

    def seen() -> list[object]:
        return [
            ec2.describe_launch_templates()["LaunchTemplates"],
            ec2.describe_launch_template_versions(**named)["LaunchTemplateVersions"],
            ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"],
            ec2.get_snapshot_block_public_access_state()["State"],
        ]

    before = seen()
    with install(restarted(account)), mock_aws():
        assert seen() == before
        added = ec2.create_launch_template_version(**named, LaunchTemplateData=data)
        assert added["LaunchTemplateVersion"]["VersionNumber"] == 4
        ec2.delete_launch_template(**named)
    with install(restarted(account)), mock_aws():
        assert ec2.describe_launch_templates()["LaunchTemplates"] == []


def test_records_of_the_wrong_kind_are_left_out(account: Account) -> None:
    account.snapshot()
    assert account.site.index
    (path,) = account.site.index.glob("*.json")
    held = json.loads(path.read_text())
    path.write_text(json.dumps({**held, "launch_templates": [{"id": "lt-1"}], "settings": 5}))
    with install(restarted(account)), mock_aws():
        assert account.ec2.describe_launch_templates()["LaunchTemplates"] == []
        assert len(account.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == 1
    path.write_text(json.dumps({"snapshots": 1, "images": None, "launch_templates": {}}))
    with install(restarted(account)), mock_aws():
        assert account.ec2.describe_images(Owners=["self"])["Images"] == []


def test_a_template_with_a_time_comes_back(account: Account) -> None:
    until = datetime(2030, 1, 2, tzinfo=UTC)
    spot = {"MarketType": "spot", "SpotOptions": {"ValidUntil": until}}
    account.ec2.create_launch_template(
        LaunchTemplateName="until", LaunchTemplateData={"InstanceMarketOptions": spot}
    )
    asked = account.ec2.describe_launch_template_versions
    before = asked(LaunchTemplateName="until")["LaunchTemplateVersions"]
    with install(restarted(account)), mock_aws():
        assert asked(LaunchTemplateName="until")["LaunchTemplateVersions"] == before


def test_whatever_is_wrong_with_a_record_the_next_one_comes_back(account: Account) -> None:
    snapshots = [account.snapshot()]
    account.clock.advance(30)
    started = account.ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    account.ebs.complete_snapshot(SnapshotId=started, ChangedBlocksCount=0)
    account.clock.advance(30)
    images = [account.image(started, name) for name in ("first", "second")]
    for name in ("first", "second"):
        account.ec2.create_launch_template(
            LaunchTemplateName=name, LaunchTemplateData={"InstanceType": "t3.micro"}
        )
    assert account.site.index
    (path,) = account.site.index.glob("*.json")
    held = json.loads(path.read_text())
    for kind, records in held.items():
        if kind != "settings":
            first, second = records
            held[kind] = [*damaged(first), second]
    path.write_text(json.dumps(held))

    def seen() -> list[object]:
        return [
            account.ec2.describe_snapshots(SnapshotIds=[started])["Snapshots"],
            account.ec2.describe_images(ImageIds=images[1:])["Images"],
            account.ec2.describe_launch_templates(LaunchTemplateNames=["second"])[
                "LaunchTemplates"
            ],
        ]

    before = seen()
    assert held["snapshots"][-1]["id"] == started != snapshots[0]
    with install(restarted(account)), mock_aws():
        assert seen() == before
