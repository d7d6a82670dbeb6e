"""Tags of every kind of resource: given when it is made and later, shown, filtered by, taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .conftest import Account, error_code

FIRST = [{"Key": "first", "Value": "1"}]
LATER = [{"Key": "later", "Value": "two words"}]


@dataclass(frozen=True)
class Kind:
    """A kind of resource: how one is made with tags, and which call lists them."""

    make: Callable[[Account, list[Any]], str]
    listing: str  # as "describe_volumes Volumes VolumeId"; nested lists by dots


def volume(account: Account, given: list[Any]) -> str:
    made = account.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, TagSpecifications=given)
    return str(made["VolumeId"])


def snapshot(account: Account, given: list[Any]) -> str:
    held = account.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    made = account.ec2.create_snapshot(VolumeId=held, TagSpecifications=given)
    return str(made["SnapshotId"])


def image(account: Account, given: list[Any]) -> str:
    return account.image(account.snapshot(), TagSpecifications=given)


def instance(account: Account, given: list[Any]) -> str:
    return str(
        account.run(account.image(account.snapshot()), TagSpecifications=given)["InstanceId"]
    )


def interface(account: Account, given: list[Any]) -> str:
    subnet = account.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    made = account.ec2.create_network_interface(SubnetId=subnet, TagSpecifications=given)
    return str(made["NetworkInterface"]["NetworkInterfaceId"])


def group(account: Account, given: list[Any]) -> str:
    made = account.ec2.create_security_group(
        GroupName="g", Description="d", TagSpecifications=given
    )
    return str(made["GroupId"])


def rule(account: Account, given: list[Any]) -> str:
    made = account.ec2.authorize_security_group_ingress(
        GroupId=group(account, []),
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 1,
                "ToPort": 1,
                "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
            }
        ],
        TagSpecifications=given,
    )
    return str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])


def key_pair(account: Account, given: list[Any]) -> str:
    return str(account.ec2.create_key_pair(KeyName="k", TagSpecifications=given)["KeyPairId"])


def imported_key_pair(account: Account, given: list[Any]) -> str:
    public = Ed25519PrivateKey.generate().public_key()
    text = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    made = account.ec2.import_key_pair(KeyName="i", PublicKeyMaterial=text, TagSpecifications=given)
    return str(made["KeyPairId"])


def template(account: Account, given: list[Any]) -> str:
    made = account.ec2.create_launch_template(
        LaunchTemplateName="temp",
        LaunchTemplateData={"InstanceType": "c5.large"},
        TagSpecifications=given,
    )
    return str(made["LaunchTemplate"]["LaunchTemplateId"])


def placement_group(account: Account, given: list[Any]) -> str:
    made = account.ec2.create_placement_group(
        GroupName="p", Strategy="cluster", TagSpecifications=given
    )
    return str(made["PlacementGroup"]["GroupId"])


def address(account: Account, given: list[Any]) -> str:
    made = account.ec2.allocate_address(Domain="vpc", TagSpecifications=given)
    return str(made["AllocationId"])


def vpc(account: Account, given: list[Any]) -> str:
    made = account.ec2.create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=given)
    return str(made["Vpc"]["VpcId"])


def subnet(account: Account, given: list[Any]) -> str:
    made = account.ec2.create_subnet(
        VpcId=vpc(account, []), CidrBlock="10.1.0.0/24", TagSpecifications=given
    )
    return str(made["Subnet"]["SubnetId"])


def snapshot_import(account: Account, given: list[Any]) -> str:
    account.add_role()
    account.upload(b"disk")
    return str(account.begin_import(TagSpecifications=given)["ImportTaskId"])


def image_import(account: Account, given: list[Any]) -> str:
    account.add_role()
    account.upload(b"disk")
    made = account.ec2.import_image(
        DiskContainers=[
            {"Format": "RAW", "UserBucket": {"S3Bucket": "disks", "S3Key": "disk.raw"}}
        ],
        TagSpecifications=given,
    )
    return str(made["ImportTaskId"])


KINDS = {
    "elastic-ip": Kind(address, "describe_addresses Addresses AllocationId"),
    "image": Kind(image, "describe_images Images ImageId"),
    "import-image-task": Kind(
        image_import, "describe_import_image_tasks ImportImageTasks ImportTaskId"
    ),
    "import-snapshot-task": Kind(
        snapshot_import, "describe_import_snapshot_tasks ImportSnapshotTasks ImportTaskId"
    ),
    "instance": Kind(instance, "describe_instances Reservations.Instances InstanceId"),
    "key-pair": Kind(key_pair, "describe_key_pairs KeyPairs KeyPairId"),
    "key-pair, imported": Kind(imported_key_pair, "describe_key_pairs KeyPairs KeyPairId"),
    "launch-template": Kind(template, "describe_launch_templates LaunchTemplates LaunchTemplateId"),
    "network-interface": Kind(
        interface, "describe_network_interfaces NetworkInterfaces NetworkInterfaceId"
    ),
    "placement-group": Kind(placement_group, "describe_placement_groups PlacementGroups GroupId"),
    "security-group": Kind(group, "describe_security_groups SecurityGroups GroupId"),
    "security-group-rule": Kind(
        rule, "describe_security_group_rules SecurityGroupRules SecurityGroupRuleId"
    ),
    "snapshot": Kind(snapshot, "describe_snapshots Snapshots SnapshotId"),
    "subnet": Kind(subnet, "describe_subnets Subnets SubnetId"),
    "volume": Kind(volume, "describe_volumes Volumes VolumeId"),
    "vpc": Kind(vpc, "describe_vpcs Vpcs VpcId"),
}


def not_ours(tag: dict[str, str]) -> bool:
    return not tag["Key"].startswith("aws:")


def listed(account: Account, kind: Kind, *filters: tuple[str, str]) -> dict[str, list[Any]]:
    """The tags of each resource that a call lists, by its id."""
    call, path, id_ = kind.listing.split()
    found = [
        getattr(account.ec2, call)(
            Filters=[{"Name": name, "Values": [value]} for name, value in filters]
        )
    ]
    for name in path.split("."):
        found = [inner for outer in found for inner in outer[name]]
    return {
        each[id_]: list(filter(not_ours, each.get("TagSet", each.get("Tags", []))))
        for each in found
    }


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("name", KINDS)
def test_tags_are_given_shown_filtered_by_and_taken(account: Account, name: str) -> None:
    kind, type_ = KINDS[name], name.partition(",")[0]
    made = kind.make(account, [{"ResourceType": type_, "Tags": FIRST}])
    assert listed(account, kind)[made] == FIRST
    account.ec2.create_tags(Resources=[made], Tags=LATER)
    both = sorted(FIRST + LATER, key=str)
    assert sorted(listed(account, kind)[made], key=str) == both
    for filtered in (("tag:later", "two*"), ("tag-key", "later")):
        assert list(listed(account, kind, filtered)) == [made]
    assert made not in listed(account, kind, ("tag:later", "three"))
    of_kind = [{"Name": "resource-type", "Values": [type_]}]
    told = list(filter(not_ours, account.ec2.describe_tags(Filters=of_kind)["Tags"]))
    assert [(each["ResourceType"], each["ResourceId"]) for each in told] == [(type_, made)] * 2
    account.ec2.delete_tags(Resources=[made], Tags=[{"Key": "first"}])
    assert listed(account, kind)[made] == LATER
    account.ec2.delete_tags(Resources=[made], Tags=[{"Key": "later", "Value": "another"}])
    assert listed(account, kind)[made] == LATER
    account.ec2.delete_tags(Resources=[made])
    assert listed(account, kind)[made] == []
    assert not list(filter(not_ours, account.ec2.describe_tags()["Tags"]))


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(
    ("id_", "code"),
    [
        ("import-snap-0123456789abcdef0", "InvalidConversionTaskId.Malformed"),
        ("import-ami-0123456789abcdef0", "InvalidConversionTaskId.Malformed"),
        ("eipalloc-0123456789abcdef0", "InvalidAllocationID.NotFound"),
        ("key-0123456789abcdef0", "InvalidKeyPair.NotFound"),
        ("pg-0123456789abcdef0", "InvalidPlacementGroup.Unknown"),
        ("sgr-0123456789abcdef0", "InvalidSecurityGroupRuleId.NotFound"),
        ("eni-0123456789abcdef0", "InvalidNetworkInterfaceID.NotFound"),
        ("vol-0123456789abcdef0", "InvalidVolume.NotFound"),
        ("nonsense", "InvalidID"),
    ],
)
def test_what_is_not_there_has_no_tags(account: Account, id_: str, code: str) -> None:
    good = volume(account, [])
    create, delete = account.ec2.create_tags, account.ec2.delete_tags
    assert error_code(lambda: create(Resources=[good, id_], Tags=FIRST)) == code
    assert error_code(lambda: delete(Resources=[good, id_], Tags=FIRST)) == code
    assert account.ec2.describe_tags()["Tags"] == []


def test_what_was_deleted_has_none_any_more(account: Account) -> None:
    made = volume(account, [{"ResourceType": "volume", "Tags": FIRST}])
    account.ec2.delete_volume(VolumeId=made)
    assert account.ec2.describe_tags()["Tags"] == []
    code = error_code(lambda: account.ec2.create_tags(Resources=[made], Tags=LATER))
    assert code == "InvalidVolume.NotFound"


def test_a_resource_has_fifty_beside_those_of_the_system(account: Account) -> None:
    made = instance(account, [{"ResourceType": "instance", "Tags": FIRST}])
    create = account.ec2.create_tags
    create(Resources=[made], Tags=[{"Key": f"k{n}", "Value": ""} for n in range(48)])
    create(Resources=[made], Tags=[{"Key": "first", "Value": "again"}, *LATER])
    code = error_code(lambda: create(Resources=[made], Tags=[{"Key": "one more", "Value": ""}]))
    assert code == "TagLimitExceeded"
    account.ec2.delete_tags(Resources=[made])
    (of_system,) = account.instance(made)["Tags"]
    assert of_system["Key"].startswith("aws:")


def test_a_dry_run_changes_no_tags(account: Account) -> None:
    snapshot, tags = account.snapshot(), [{"Key": "a", "Value": "b"}]
    asked: dict[str, Any] = {"Resources": [snapshot], "Tags": tags}
    account.ec2.create_tags(**{**asked, "Tags": [{"Key": "kept", "Value": "x"}]})
    assert error_code(lambda: account.ec2.create_tags(**asked, DryRun=True)) == "DryRunOperation"
    assert error_code(lambda: account.ec2.delete_tags(Resources=[snapshot], DryRun=True)) == (
        "DryRunOperation"
    )
    assert [each["Key"] for each in account.ec2.describe_tags()["Tags"]] == ["kept"]
