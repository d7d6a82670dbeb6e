"""What is answered at and beside the bounds of times, numbers and names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from moto.ec2.models import ec2_backends

from nitro.local.aws import vmimport
from nitro.local.store import BLOCK_SIZE
from nitro.local.weather import Forecast
from nitro.local.weather.conditions import Conditions
from tests.cloud.local.conftest import BUCKET, REGION
from tests.cloud.local.tour import Tour, filters, tagged
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
DISK = {"Format": "RAW", "UserBucket": {"S3Bucket": BUCKET, "S3Key": "disk.raw"}}


def test_imports_in_time(tour: Tour, monkeypatch: pytest.MonkeyPatch) -> None:
    account = tour.account
    account.add_role()
    account.upload(b"x" * 1000)
    tasks = "ec2.describe_import_snapshot_tasks"
    for what, conditions in (
        ("fair", Conditions()),
        ("slow", Conditions(import_factor=2)),
        ("failing", Conditions(imports_failing=1)),
    ):
        account.site.forecast = Forecast(conditions)
        tour.text += f"\n---- {what}\n"
        task = tour("ec2.import_snapshot", DiskContainer=DISK)["ImportTaskId"]
        for seconds in (1.99, 0.01, 2.99, 0.01, 0.01, 4.89, 0.09, 0.01, 5, 5):
            tour.after(seconds)
            tour(tasks, ImportTaskIds=[task])
    account.site.forecast = Forecast(Conditions())
    for error in (OSError(28, "No space left on device"), RuntimeError("x")):

        def fails(*_: Any, error: Exception = error) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(account.site.store, "create", fails)
            task = tour("ec2.import_snapshot", DiskContainer=DISK)["ImportTaskId"]
            tour.after(10)
            tour(tasks, ImportTaskIds=[task])
    both = [DISK, {**DISK, "DeviceName": "/dev/sdp"}]
    task = tour("ec2.import_image", DiskContainers=both)["ImportTaskId"]
    for seconds in (1.99, 0.01, 7.99, 0.01):
        tour.after(seconds)
        tour("ec2.describe_import_image_tasks", ImportTaskIds=[task])
    many = [DISK] * 12
    task = tour("ec2.import_image", DiskContainers=many)["ImportTaskId"]
    tour.after(10)
    tour("ec2.describe_import_image_tasks", ImportTaskIds=[task])
    compare(HERE / "bounds-imports.txt", tour.text)


def test_roles_of_imports(tour: Tour) -> None:
    account, iam = tour.account, tour.account.iam
    assume = {
        "Effect": "Allow",
        "Principal": {"Service": "vmie.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:Externalid": "vmimport"}},
    }
    where = ("123456789012", "aws")
    other: list[Any] = [{"Condition": {"StringEquals": {"STS:ExternalId": ["x", "vmimport"]}}}]
    other += [{"Condition": {"StringEquals": {"sts:Externalid": "x"}}}, {"Condition": {}}]
    other += [{"Condition": {"StringLike": {"sts:Externalid": "vmimport"}}}, {"Effect": "Deny"}]
    other += [{"Principal": {"Service": ["x", "vmie.amazonaws.com"]}}, {"Principal": {"AWS": "*"}}]
    other += [{"Principal": {"Service": "ec2.amazonaws.com"}}, {"Principal": {}}]
    lines = []
    for number, change in enumerate([{}, *other]):
        for kind in ("list", "one", "second"):
            statement = {**assume, **change}
            statements: Any = {"list": [statement], "one": statement}.get(
                kind, [{"Effect": "Deny"}, statement]
            )
            document = json.dumps({"Version": "2012-10-17", "Statement": statements})
            name = f"r{number}{kind}"
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
            lines.append(f"{kind} {change}: {vmimport.usable(*where, name)}")
    lines.append(f"none: {vmimport.usable(*where, 'none')}")
    arn = "arn:aws:s3:::disks/a"
    read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": arn}
    changes: tuple[dict[str, Any], ...] = (
        *({}, {"Effect": "Deny"}, {"Action": "s3:Get*"}, {"Action": ["a:b", "S3:GETOBJECT"]}),
        *(
            {"Action": "s3:Put*"},
            {"Action": ["s3:PutObject"]},
            {"Resource": "*"},
            {"Resource": ["arn:aws:s3:::x", arn]},
        ),
        *({"Resource": "arn:aws:s3:::disks"}, {"Resource": "arn:aws:s3:::disks/*"}),
        {"Resource": "arn:aws:s3:::Disks/a"},
    )
    for number, change in enumerate(changes):
        for kind in ("inline", "managed"):
            name = f"p{number}{kind}"
            document = json.dumps({"Version": "2012-10-17", "Statement": [{**read, **change}]})
            iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
            if kind == "inline":
                iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document)
            else:
                made = iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]
                iam.attach_role_policy(RoleName=name, PolicyArn=made["Arn"])
            lines.append(f"{kind} {change}: {vmimport.may(*where, name, 's3:GetObject', arn)}")
    lines.append(f"none: {vmimport.may(*where, 'none', 's3:GetObject', arn)}")
    made = iam.create_policy(
        PolicyName="two",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [read]}),
    )["Policy"]["Arn"]
    deny = json.dumps({"Version": "2012-10-17", "Statement": [{**read, "Effect": "Deny"}]})
    for default in (False, True):
        iam.create_policy_version(PolicyArn=made, PolicyDocument=deny, SetAsDefault=default)
        name = f"two{default}"
        iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
        iam.attach_role_policy(RoleName=name, PolicyArn=made)
        lines.append(f"{default}: {vmimport.may(*where, name, 's3:GetObject', arn)}")
    assert account.region == REGION
    compare(HERE / "bounds-roles.txt", "".join(f"{line}\n" for line in lines))


def test_blocks_and_tags(tour: Tour) -> None:
    account = tour.account
    tags = [{"Key": f"k{n}", "Value": ""} for n in range(51)]
    for count in (49, 50, 51):
        made = tour("ebs.start_snapshot", VolumeSize=1, Tags=tags[:count])
    account.ebs.start_snapshot(VolumeSize=1, ClientToken="t")
    tour("ebs.start_snapshot", VolumeSize=1, ClientToken="t")
    tour("ebs.start_snapshot", VolumeSize=1, ClientToken="t", Tags=[{"Key": "a", "Value": "b"}])
    tour("ebs.start_snapshot", VolumeSize=1, ClientToken="t", Encrypted=True)
    disk = account.snapshot(b"a" * (3 * BLOCK_SIZE))
    for index in range(3, 101):
        account.site.store.write(disk, index, b"x" * BLOCK_SIZE)
    for size, start in ((100, 0), (100, 1), (101, 0), (102, 0)):
        page = account.ebs.list_snapshot_blocks(
            SnapshotId=disk, MaxResults=size, StartingBlockIndex=start
        )
        found = [each["BlockIndex"] for each in page["Blocks"]]
        tour.note(f"{size} from {start}", [found[0], found[-1], len(found), "NextToken" in page])
    assert not made
    image = account.image(disk)
    many = [{"Key": f"k{n}", "Value": "v"} for n in range(50)]
    begun = account.run(image)["InstanceId"]
    account.ec2.describe_instances()
    tour("ec2.create_tags", Resources=[begun], Tags=many[:49])
    tour("ec2.create_tags", Resources=[begun], Tags=[many[0], many[49]])
    tour("ec2.create_tags", Resources=[begun], Tags=[{"Key": "more", "Value": "x"}])
    tour("ec2.describe_tags", Filters=filters(("resource-id", begun)))
    tour("ec2.delete_tags", Resources=[begun], Tags=[{"Key": "k1", "Value": ""}, {"Key": "k2"}])
    tour("ec2.delete_tags", Resources=[begun], Tags=[{"Key": "none"}, {"Key": "k3", "Value": "v"}])
    tour("ec2.delete_tags", Resources=[begun], DryRun=True)
    tour("ec2.delete_tags", Resources=[begun])
    tour("ec2.describe_tags", Filters=filters(("resource-id", begun)))
    compare(HERE / "bounds-tags.txt", tour.text)


def test_types_in_pages(tour: Tour) -> None:
    account = tour.account
    types, offerings = "ec2.describe_instance_types", "ec2.describe_instance_type_offerings"
    found = account.ec2.describe_instance_types(MaxResults=5)
    tour.note("five types", [len(found["InstanceTypes"]), "NextToken" in found])
    for name in (types, offerings):
        key = "InstanceTypes" if name == types else "InstanceTypeOfferings"
        kinds = filters(("instance-type", "c5.large,c5.xlarge,t3.micro,t3.nano,c5.*metal,m5.large"))
        method = getattr(account.ec2, name.partition(".")[2])
        page: dict[str, Any] = {}
        for number in range(3):
            more = {"NextToken": page["NextToken"]} if page else {}
            page = method(Filters=kinds, MaxResults=5, **more)
            tour.note(f"{name}, page {number}", sorted(each["InstanceType"] for each in page[key]))
            if "NextToken" not in page:
                break
    both = filters(("instance-type", "c5.*"), ("bare-metal", "true"))
    page = account.ec2.describe_instance_types(Filters=both, MaxResults=5)
    tour.note("by two filters", [each["InstanceType"] for each in page["InstanceTypes"]])
    tour(types, InstanceTypes=["c99.large"])
    tour(offerings, LocationType="moon")
    zones = filters(("instance-type", "c5.large"), ("location", "us-east-1a"))
    tour(offerings, LocationType="availability-zone", Filters=zones)
    tour(offerings, LocationType="region", Filters=filters(("location", "us-east-1")), MaxResults=5)
    compare(HERE / "bounds-types.txt", tour.text)


def test_copies_and_launch_templates(tour: Tour) -> None:
    account = tour.account
    disk = account.snapshot()
    image = account.image(disk, Description="first")
    account.ec2.create_tags(Resources=[image], Tags=[{"Key": "team", "Value": "kernel"}])
    home = {"SourceRegion": REGION}
    for _ in range(20):
        account.ec2.copy_snapshot(SourceSnapshotId=disk, **home)
    tour("ec2.copy_snapshot", SourceSnapshotId=disk, **home)
    tour("ec2.copy_image", SourceImageId=image, Name="one too many", **home)
    tour.after(account.site.pace.copy_snapshot - 0.01)
    tour("ec2.copy_snapshot", SourceSnapshotId=disk, **home)
    tour.after(0.01)
    copied = tour("ec2.copy_snapshot", SourceSnapshotId=disk, **home)["SnapshotId"]
    tour("ec2.describe_snapshots", SnapshotIds=[copied])
    for more in ({}, {"CopyImageTags": True}, {"CopyImageTags": False, "Description": ""}):
        given = {"TagSpecifications": tagged("image", own="x")} if more else {}
        copy = tour("ec2.copy_image", SourceImageId=image, Name="copy", **home, **more, **given)
        tour("ec2.describe_images", ImageIds=[copy["ImageId"]])
    account.clock.advance(10)
    for _ in range(4):
        made = account.ec2.create_volume(Size=1, AvailabilityZone=f"{REGION}a")["VolumeId"]
        for _ in range(5):
            account.ec2.create_snapshot(VolumeId=made)
    tour("ec2.create_snapshot", VolumeId=made)
    tour("ec2.copy_snapshot", SourceSnapshotId=disk, **home)
    named = {"LaunchTemplateName": "one"}
    data = {"LaunchTemplateData": {"InstanceType": "t3.micro", "ImageId": image}}
    account.ec2.create_launch_template(**named, **data)
    for number in range(2, 5):
        account.ec2.create_launch_template_version(
            **named, SourceVersion="$Latest", LaunchTemplateData={"KeyName": str(number)}
        )
    version = "ec2.describe_launch_template_versions"
    bounds: tuple[dict[str, Any], ...] = (
        *({"MinVersion": a, "MaxVersion": b} for a, b in (("2", "3"), ("3", "2"), ("4", "5"))),
        *({"MinVersion": a} for a in ("0", "4", "5", "-1")),
        *({"MaxVersion": b} for b in ("0", "1", "x")),
        *({"Versions": [v]} for v in ("$Default", "$Latest", "4", "5", "$Other")),
    )
    for asked in bounds:
        tour(version, **named, **asked)
    tour("ec2.delete_launch_template_versions", **named, Versions=["2", "4", "1", "4"])
    tour(version, **named)
    tour("ec2.modify_launch_template", **named)
    tour("ec2.modify_launch_template", **named, DefaultVersion="3")
    tour("ec2.delete_launch_template_versions", **named, Versions=["1", "3"])
    one = {"MinCount": 1, "MaxCount": 1}
    for template in ({"Version": "3"}, {"Version": "$Default"}, {"Version": "9"}):
        tour("ec2.run_instances", LaunchTemplate={**named, **template}, DryRun=True, **one)
    backend: Any = ec2_backends["123456789012"][REGION]
    tour.note("templates", sorted(backend.launch_template_name_to_ids))
    compare(HERE / "bounds-copies.txt", tour.text)


def test_keys_by_their_arns(tour: Tour) -> None:
    account = tour.account
    key = account.kms.create_key()["KeyMetadata"]
    arn = key["Arn"]
    account.kms.create_alias(AliasName="alias/mine", TargetKeyId=key["KeyId"])
    names = [arn, arn.replace(REGION, "eu-west-1"), arn.replace("123456789012", "210987654321")]
    names += ["arn:", "arn:aws:kms", f"arn:aws:kms:{REGION}", f"arn:aws:kms:{REGION}:123456789012"]
    names += [f"arn:aws:kms:{REGION}:123456789012:alias/mine", f"{arn}:more", f"{arn[:-1]}"]
    for name in names:
        tour("kms.describe_key", KeyId=name)
        tour("ec2.modify_ebs_default_kms_key_id", KmsKeyId=name)
        tour("kms.disable_key", KeyId=name)
        tour("ec2.modify_ebs_default_kms_key_id", KmsKeyId=name)
        account.kms.enable_key(KeyId=key["KeyId"])
    tour("kms.create_alias", AliasName="alias/aws/mine", TargetKeyId=key["KeyId"])
    tour("kms.create_alias", AliasName="alias/awsome", TargetKeyId=arn)
    compare(HERE / "bounds-keys.txt", tour.text)


def test_a_full_disk(tour: Tour, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of volumes from snapshots, their growth and their snapshots; and what cannot be kept."""
    account = tour.account
    disk = account.snapshot()
    here = {"AvailabilityZone": f"{REGION}a"}
    volume = account.ec2.create_volume(SnapshotId=disk, **here)["VolumeId"]

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        for name in ("make", "grow"):
            patch.setattr(account.site.volumes, name, full)
        tour("ec2.create_volume", SnapshotId=disk, **here)
        tour("ec2.create_volume", Size=1, **here)
        tour("ec2.modify_volume", VolumeId=volume, Size=2)
        lost = tour("ec2.create_snapshot", VolumeId=volume)["SnapshotId"]
    tour("ec2.describe_volumes")
    tour("ec2.describe_volumes_modifications")
    tour.after(account.site.pace.complete_snapshot)
    tour("ec2.describe_snapshots", SnapshotIds=[lost])
    tour("ec2.modify_volume", VolumeId=volume, Size=2)
    tour("ec2.create_snapshot", VolumeId=volume)
    assert account.site.index
    path = account.site.index / f"123456789012-{REGION}.json"
    image = account.image(disk)
    backend: Any = ec2_backends["123456789012"][REGION]
    kept = backend.amis[image].registration
    for wrong in (None, {"x": {1}}):
        backend.amis[image].registration = wrong or kept
        backend.amis[image].launch_permissions = [{"Group": {1}}] if wrong is None else []
        tour("ec2.create_tags", Resources=[disk], Tags=[{"Key": f"k{bool(wrong)}", "Value": ""}])
        held = json.loads(path.read_text())
        tour.note("kept", [len(held["images"]), [each["tags"] for each in held["snapshots"]]])
    compare(HERE / "bounds-full-disk.txt", tour.text)
