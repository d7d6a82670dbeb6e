"""What is answered of tags, keys, placement groups, launch templates, and what there is none of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

from nitro.local.aws import absent
from tests.cloud.local.tour import Tour, filters, tagged
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"


def test_tags_and_keys(tour: Tour) -> None:
    account = tour.account
    snapshot = account.snapshot()
    image = account.image(snapshot)
    tags = [{"Key": "Name", "Value": "one"}, {"Key": "empty"}]
    ids = {"Resources": [image, snapshot]}
    tour("ec2.create_tags", Tags=tags, **ids)
    tour.each(
        "ec2.create_tags",
        {"Resources": []},
        {"Resources": ["x"]},
        {"Resources": [snapshot, "vol-0123456789abcdef0"]},
        {"Tags": [{"Key": "aws:x", "Value": "y"}]},
        {"Tags": [{"Key": "k" * 128, "Value": "v" * 257}]},
        {"Tags": [{"Key": f"k{n}", "Value": ""} for n in range(49)]},
        {"DryRun": True},
        Tags=tags,
        **ids,
    )
    tour("ec2.create_tags", Tags=[{"Key": f"k{n}", "Value": ""} for n in range(48)], **ids)
    tour("ec2.delete_tags", Tags=[{"Key": f"k{n}"} for n in range(48)], **ids)
    tour("ec2.describe_tags")
    tour("ec2.delete_tags", Resources=[image], Tags=[{"Key": "Name", "Value": "two"}])
    tour("ec2.delete_tags", Resources=[image], Tags=[{"Key": "empty"}])
    tour("ec2.describe_tags", Filters=filters(("resource-type", "image")))
    tour("ec2.describe_tags", Filters=filters(("key", "N*"), ("resource-id", snapshot)))
    tour("ec2.delete_tags", Resources=[snapshot])
    tour("ec2.describe_tags")
    kinds = ("ami", "acl", "dopt", "eipalloc", "eni", "i", "igw", "import-ami", "import-snap")
    others = ("key", "lt", "pg", "rtb", "sg", "sgr", "snap", "subnet", "vol", "vpc", "fl")
    for kind in (*kinds, *others):
        tour("ec2.create_tags", Resources=[f"{kind}-0123456789abcdef0"], Tags=tags)
    for more in ({}, {"KeyType": "ed25519"}, {"KeyType": "rsa", "KeyFormat": "pem"}):
        made = account.ec2.create_key_pair(KeyName=f"k{len(more)}", **more)
        tour.note("key pair", [made["KeyName"], made["KeyPairId"], made["KeyMaterial"][:20]])
    tour("ec2.create_key_pair", KeyName="k0")
    tour("ec2.describe_key_pairs", KeyNames=["k0"])
    tour("ec2.describe_key_pairs", KeyNames=["none"])
    tour("ec2.delete_key_pair", KeyName="k0")
    tour("ec2.import_key_pair", KeyName="bad", PublicKeyMaterial=b"no key")
    compare(HERE / "tags.txt", tour.text)


def test_placement_groups(tour: Tour) -> None:
    account = tour.account
    create, describe = "ec2.create_placement_group", "ec2.describe_placement_groups"
    one = tour(
        create, GroupName="one", TagSpecifications=tagged("placement-group", Name="1")
    )["PlacementGroup"]["GroupId"]  # fmt: skip
    two = tour(create, GroupName="two", Strategy="spread")["PlacementGroup"]["GroupId"]
    tour.each(create, {}, {"GroupName": "one"}, {"GroupName": "three", "DryRun": True})
    tour(describe)
    for asked in (
        {"GroupNames": ["two"]},
        {"GroupNames": ["none"]},
        {"GroupIds": [one]},
        {"GroupIds": [two]},
        {"GroupIds": ["pg-0123456789abcdef0"]},
        {"Filters": filters(("strategy", "cluster"))},
        {"Filters": filters(("tag:Name", "1"))},
    ):
        tour(describe, **asked)
    image = account.image(account.snapshot())
    begun = account.run(image, Placement={"GroupName": "one"})["InstanceId"]
    tour("ec2.delete_placement_group", GroupName="one")
    tour("ec2.delete_placement_group", GroupName="two")
    account.ec2.terminate_instances(InstanceIds=[begun])
    account.ec2.describe_instances()
    tour("ec2.delete_placement_group", GroupName="one")
    tour("ec2.delete_placement_group", GroupName="one")
    compare(HERE / "placement-groups.txt", tour.text)


def test_launch_templates(tour: Tour) -> None:
    account = tour.account
    image = account.image(account.snapshot())
    made = tour(
        "ec2.create_launch_template",
        LaunchTemplateName="one",
        VersionDescription="first",
        LaunchTemplateData={
            "ImageId": image,
            "InstanceType": "c5.large",
            "UserData": "ZGF0YQ==",
            "TagSpecifications": tagged("instance", Name="of it"),
        },
        TagSpecifications=tagged("launch-template", team="kernel"),
    )["LaunchTemplate"]["LaunchTemplateId"]
    other = {"LaunchTemplateName": "two", "LaunchTemplateData": {"InstanceType": "t3.micro"}}
    tour("ec2.create_launch_template", **other)
    tour("ec2.create_launch_template", **other)
    of_it = {"LaunchTemplateId": made}
    version, versions = "ec2.create_launch_template_version", "launch_template_versions"
    data = {"LaunchTemplateData": {"InstanceType": "c5.xlarge"}}
    tour(version, **of_it, **data, SourceVersion="1", VersionDescription="second")
    tour(version, LaunchTemplateName="one", **data)
    tour.each(
        version, {"SourceVersion": "9", **of_it}, {}, {"LaunchTemplateId": "lt-0", **of_it}, **data
    )
    tour(version, LaunchTemplateName="one", **of_it, **data)
    tour("ec2.modify_launch_template", DefaultVersion="2", **of_it)
    tour("ec2.modify_launch_template", DefaultVersion="9", **of_it)
    tour.each(
        "ec2.describe_launch_templates",
        {},
        {"LaunchTemplateIds": [made]},
        {"LaunchTemplateNames": ["two"]},
        {"LaunchTemplateNames": ["none"]},
        {"LaunchTemplateIds": ["lt-0123456789abcdef0"]},
    )
    tour.each(
        f"ec2.describe_{versions}",
        {},
        {"Versions": ["$Latest"]},
        {"Versions": ["$Default", "$Latest"]},
        {"Versions": ["1"]},
        of_it,
        {"Versions": ["1", "$Latest"], **of_it},
        {"Versions": ["9"], **of_it},
        {"MinVersion": "2", **of_it},
        {"MaxVersion": "2", **of_it},
        {"MinVersion": "2", "MaxVersion": "2", **of_it},
        {"MinVersion": "x", **of_it},
        {"LaunchTemplateName": "two"},
    )
    tour(f"ec2.delete_{versions}", Versions=["1", "2", "8", "x"], **of_it)
    tour(version, LaunchTemplateName="one", **data)
    tour(f"ec2.describe_{versions}", LaunchTemplateName="one")
    one = {"MinCount": 1, "MaxCount": 1}
    for wanted in ({**of_it}, {"Version": "2", **of_it}, {"Version": "$Latest", **of_it}, {}):
        begun = tour("ec2.run_instances", LaunchTemplate=wanted, DryRun=True, **one)
        assert not begun
    begun = account.ec2.run_instances(LaunchTemplate={**of_it, "Version": "2"}, **one)
    [found] = begun["Instances"]
    told = account.instance(found["InstanceId"])
    tour.note("launched", [told["InstanceType"], told["ImageId"], told["Tags"]])
    tour.guest(found["InstanceId"])
    tour("ec2.delete_launch_template", **of_it)
    tour("ec2.delete_launch_template", **of_it)
    tour("ec2.delete_launch_template", LaunchTemplateName="two")
    compare(HERE / "launch-templates.txt", tour.text)


def test_what_there_is_none_of(tour: Tour) -> None:
    ids: dict[str, Any] = {name: parameter for name, (parameter, _) in absent._WITH_IDS.items()}
    client = tour.account.ec2
    for name in absent.HONOURED:
        method = xform_name(name)
        if not hasattr(client, method):
            continue
        shape = client.meta.service_model.operation_model(name).input_shape
        if shape.required_members:
            continue
        tour(f"ec2.{method}")
        if name in ids:
            tour(f"ec2.{method}", **{ids[name]: ["x-0123456789abcdef0"]})
    compare(HERE / "absent.txt", tour.text)
