"""What is answered of instances and their volumes, and what their hypervisor is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nitro.local.hypervisor import State
from nitro.local.weather import Forecast
from nitro.local.weather.conditions import Conditions
from tests.cloud.local.conftest import Account
from tests.cloud.local.tour import Tour, filters, tagged
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
KEY = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA me"
NOBODY = "i-0123456789abcdef0"
ONE = {"InstanceType": "c5.large", "MinCount": 1, "MaxCount": 1}


@pytest.fixture
def image(account: Account, tour: Tour) -> str:
    return account.image(account.snapshot())


def add_profile(account: Account, name: str = "reader") -> None:
    account.iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    account.iam.create_instance_profile(InstanceProfileName=name)
    account.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def test_a_rich_instance(tour: Tour, image: str) -> None:
    account = tour.account
    add_profile(account)
    account.ec2.create_placement_group(GroupName="close")
    account.ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=KEY)
    subnet = account.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    group = account.ec2.create_security_group(GroupName="web", Description="web")["GroupId"]
    account.ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=80, ToPort=81, CidrIp="0.0.0.0/0"
    )
    asked = {
        **ONE,
        "ImageId": image,
        "KeyName": "mine",
        "UserData": "NITRO=1\n",
        "IamInstanceProfile": {"Name": "reader"},
        "MetadataOptions": {"HttpTokens": "required", "InstanceMetadataTags": "enabled"},
        "Placement": {"GroupName": "close", "AvailabilityZone": "us-east-1a"},
        "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 1},
        "Monitoring": {"Enabled": True},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "EbsOptimized": True,
        "NetworkInterfaces": [
            {
                "DeviceIndex": 0,
                "SubnetId": subnet,
                "Groups": [group],
                "AssociatePublicIpAddress": True,
                "Description": "the first",
            }
        ],
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3"}},
            {
                "DeviceName": "/dev/sdb",
                "Ebs": {"VolumeSize": 5, "VolumeType": "io1", "Iops": 150, "Encrypted": True},
            },
            {"DeviceName": "/dev/sdc", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": False}},
        ],
        "TagSpecifications": [*tagged("instance", Name="one"), *tagged("volume", Name="disk")],
        "ClientToken": "t",
    }
    [begun] = tour("ec2.run_instances", **asked)["Instances"]
    ids = {"InstanceIds": [begun["InstanceId"]]}
    tour("ec2.describe_instances", **ids)
    tour.guest(begun["InstanceId"])
    tour("ec2.describe_volumes")
    tour("ec2.describe_instance_status", **ids)
    tour("ec2.run_instances", **asked)
    tour("ec2.run_instances", **{**asked, "UserData": "other"})
    tour("ec2.describe_iam_instance_profile_associations")
    tour("ec2.describe_network_interfaces")
    account.hypervisor.guests[begun["InstanceId"]].state = State.OFF
    tour("ec2.describe_instances", **ids)
    tour("ec2.describe_volumes")
    tour("ec2.run_instances", **asked)
    tour.note("released", account.hypervisor.released)
    compare(HERE / "instance.txt", tour.text)


def test_refused_launches(tour: Tour, image: str) -> None:
    account = tour.account
    subnet = account.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    other = account.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    far = account.ec2.create_security_group(GroupName="far", Description="x", VpcId=other)
    disk = account.image_snapshot(image)
    arm = account.image(disk, "arm", Architecture="arm64")
    plain = account.image(disk, "plain", EnaSupport=False)
    uefi = account.image(disk, "uefi", BootMode="uefi")
    old = account.image(disk, "old", VirtualizationType="paravirtual")
    pending = account.ec2.register_image(
        Name="new",
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": disk}}],
    )["ImageId"]
    account.ec2.create_placement_group(GroupName="close")

    def device(**ebs: Any) -> dict[str, Any]:
        return {"BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "Ebs": ebs}]}

    tour.each(
        "ec2.run_instances",
        {"ImageId": "ami-0123456789abcdef0"},
        {"ImageId": pending},
        {"ImageId": arm},
        {"ImageId": plain},
        {"ImageId": uefi, "InstanceType": "c4.large"},
        {"ImageId": old},
        {"ImageId": "resolve:ssm:/none"},
        {"InstanceType": "c99.large"},
        {"MinCount": 0},
        {"MinCount": 2},
        {"MinCount": 600, "MaxCount": 600},
        {
            "MinCount": 600,
            "MaxCount": 600,
            "InstanceMarketOptions": {"MarketType": "spot"},
        },
        {"InstanceType": "hpc7a.12xlarge", "InstanceMarketOptions": {"MarketType": "spot"}},
        {"KeyName": "none"},
        {"IamInstanceProfile": {"Name": "none"}},
        {"IamInstanceProfile": {"Arn": "arn:aws:iam::123456789012:instance-profile/none"}},
        {"SecurityGroups": ["none"]},
        {"SecurityGroupIds": ["sg-0123456789abcdef0"]},
        {"SecurityGroupIds": [far["GroupId"]], "SubnetId": subnet},
        {"SubnetId": "subnet-0123456789abcdef0"},
        {"Placement": {"GroupName": "none"}},
        {"Placement": {"GroupName": "close"}, "InstanceType": "t3.micro"},
        {"CpuOptions": {"CoreCount": 3, "ThreadsPerCore": 1}},
        {"CpuOptions": {"CoreCount": 1}},
        {"UserData": "x" * 16385},
        {"PrivateIpAddress": "1.2.3.4", "SubnetId": subnet},
        {"PrivateIpAddress": "172.31.0.3", "SubnetId": subnet},
        {"PrivateIpAddress": "x", "SubnetId": subnet},
        {"PrivateIpAddress": "172.31.0.9", "SubnetId": subnet, "MinCount": 2, "MaxCount": 2},
        device(VolumeType="gp2"),
        device(SnapshotId=disk, VolumeSize=1, VolumeType="gp3", Iops=100),
        device(VolumeSize=1, VolumeType="io1"),
        device(VolumeSize=1, Throughput=200),
        {"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "NoDevice": ""}], "DryRun": True},
        {"HibernationOptions": {"Configured": True}},
        {"LaunchTemplate": {"LaunchTemplateName": "none"}},
        {"DryRun": True},
        ImageId=image,
        **ONE,
    )
    account.hypervisor.fails = "no memory"
    [begun] = tour("ec2.run_instances", ImageId=image, **ONE)["Instances"]
    tour("ec2.describe_instances", InstanceIds=[begun["InstanceId"]])
    compare(HERE / "refused-launches.txt", tour.text)


def test_the_states_of_an_instance(tour: Tour, image: str) -> None:
    account = tour.account
    begun = account.run(image)["InstanceId"]
    ids = {"InstanceIds": [begun]}
    seen: list[dict[str, Any]] = []

    def look() -> None:
        tour("ec2.describe_instances", **ids)
        told = {"IncludeAllInstances": True, **ids}
        tour("ec2.describe_instance_status", **told)
        seen.append(told)

    look()
    tour("ec2.start_instances", **ids)
    tour("ec2.reboot_instances", **ids)
    account.hypervisor.write_console(begun, b"hello\r\n" + b"x" * 70_000)
    tour("ec2.get_console_output", InstanceId=begun)
    account.hypervisor.guests[begun].state = State.STARTING
    tour("ec2.stop_instances", Force=True, **ids)
    look()
    for operation in ("reboot", "start", "stop"):
        tour(f"ec2.{operation}_instances", **ids)
    tour("ec2.modify_instance_attribute", InstanceId=begun, InstanceType={"Value": "c5.xlarge"})
    tour("ec2.modify_instance_attribute", InstanceId=begun, InstanceType={"Value": "t4g.micro"})
    tour("ec2.start_instances", **ids)
    look()
    tour.guest(begun)
    account.hypervisor.guests[begun].state = State.OFF
    look()
    tour("ec2.start_instances", **ids)
    stop = {"InstanceId": begun, "DisableApiStop": {"Value": True}}
    account.ec2.modify_instance_attribute(**stop)
    tour("ec2.stop_instances", **ids)
    keep = {"InstanceId": begun, "DisableApiTermination": {"Value": True}}
    account.ec2.modify_instance_attribute(**keep)
    tour("ec2.terminate_instances", **ids)
    for name in ("disableApiStop", "disableApiTermination"):
        tour("ec2.describe_instance_attribute", InstanceId=begun, Attribute=name)
    account.ec2.modify_instance_attribute(InstanceId=begun, DisableApiTermination={"Value": False})
    tour("ec2.terminate_instances", DryRun=True, **ids)
    tour("ec2.terminate_instances", **ids)
    look()
    tour("ec2.terminate_instances", **ids)
    for operation in ("reboot", "start", "stop", "terminate"):
        tour(f"ec2.{operation}_instances", InstanceIds=[NOBODY])
    tour("ec2.get_console_output", InstanceId=NOBODY)
    for operation in ("reboot", "start", "stop", "monitor"):
        tour(f"ec2.{operation}_instances", **ids)
    compare(HERE / "instance-states.txt", tour.text)


def test_what_changes_of_an_instance(tour: Tour, image: str) -> None:
    account = tour.account
    add_profile(account)
    add_profile(account, "writer")
    begun = account.run(image)["InstanceId"]
    other = account.ec2.create_security_group(GroupName="web", Description="web")["GroupId"]
    of_it = {"InstanceId": begun}
    modify, metadata = "ec2.modify_instance_attribute", "ec2.modify_instance_metadata_options"
    changes: list[dict[str, Any]] = [
        {"Groups": [other]},
        {"Groups": ["sg-0123456789abcdef0"]},
        {"UserData": {"Value": b"data"}},
        {"EnaSupport": {"Value": False}},
        {"SriovNetSupport": {"Value": "simple"}},
        {"EbsOptimized": {"Value": True}},
        {"SourceDestCheck": {"Value": False}},
        {"InstanceInitiatedShutdownBehavior": {"Value": "terminate"}},
        {"Attribute": "instanceType", "Value": "c5.xlarge"},
        {
            "BlockDeviceMappings": [
                {"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": False}}
            ]
        },
        {
            "BlockDeviceMappings": [
                {"DeviceName": "/dev/sdz", "Ebs": {"DeleteOnTermination": False}}
            ]
        },
        {"UserData": {"Value": b"x" * 16385}},
    ]
    tour("ec2.describe_instances", InstanceIds=[begun])
    for state in ("running", "stopped"):
        if state == "stopped":
            tour("ec2.stop_instances", InstanceIds=[begun])
        tour.each(modify, *changes, **of_it)
        tour("ec2.describe_instances", InstanceIds=[begun])
    for name in ("userData", "groupSet", "blockDeviceMapping", "ebsOptimized", "enaSupport"):
        tour("ec2.describe_instance_attribute", Attribute=name, **of_it)
    tour.each(
        metadata,
        {"HttpTokens": "required", "HttpPutResponseHopLimit": 5},
        {"HttpEndpoint": "disabled"},
        {"InstanceMetadataTags": "enabled", "HttpTokens": "optional"},
        {"InstanceId": NOBODY},
        **of_it,
    )
    tour("ec2.monitor_instances", InstanceIds=[begun])
    tour("ec2.describe_instances", InstanceIds=[begun])
    tour("ec2.unmonitor_instances", InstanceIds=[begun])
    tour("ec2.get_password_data", **of_it)
    tour("ec2.get_instance_uefi_data", **of_it)
    profile = "iam_instance_profile"
    tour.each(
        f"ec2.associate_{profile}",
        {"IamInstanceProfile": {}},
        {"IamInstanceProfile": {"Name": "none"}},
        {"IamInstanceProfile": {"Name": "reader"}},
        {"IamInstanceProfile": {"Name": "writer"}},
        **of_it,
    )
    [held] = tour(f"ec2.describe_{profile}_associations")["IamInstanceProfileAssociations"]
    writer = "arn:aws:iam::123456789012:instance-profile/writer"
    replaced = tour(
        f"ec2.replace_{profile}_association",
        AssociationId=held["AssociationId"],
        IamInstanceProfile={"Arn": writer},
    )["IamInstanceProfileAssociation"]
    by_id = {"AssociationId": replaced["AssociationId"]}
    tour(f"ec2.describe_{profile}_associations", AssociationIds=[held["AssociationId"]])
    tour(f"ec2.describe_{profile}_associations", Filters=filters(("instance-id", begun)))
    tour(f"ec2.disassociate_{profile}", **by_id)
    tour(f"ec2.disassociate_{profile}", **by_id)
    tour(f"ec2.describe_{profile}_associations")
    compare(HERE / "instance-changes.txt", tour.text)


def test_credits_and_what_an_account_says(tour: Tour, image: str) -> None:
    account = tour.account
    slow = account.run(image, InstanceType="t3.micro")["InstanceId"]
    old = account.run(
        image, InstanceType="t2.micro", CreditSpecification={"CpuCredits": "unlimited"}
    )["InstanceId"]
    fast = account.run(image)["InstanceId"]
    tour("ec2.describe_instance_credit_specifications")
    tour("ec2.describe_instance_credit_specifications", InstanceIds=[fast])
    tour("ec2.describe_instance_credit_specifications", InstanceIds=[slow, old])
    modify = "ec2.modify_instance_credit_specification"
    for instance, wanted in ((slow, "standard"), (fast, "standard"), (old, "some")):
        tour(modify, InstanceCreditSpecifications=[{"InstanceId": instance, "CpuCredits": wanted}])
    account.ec2.terminate_instances(InstanceIds=[old])
    tour("ec2.describe_instance_credit_specifications")
    for family in ("t2", "t3", "t4g"):
        tour("ec2.get_default_credit_specification", InstanceFamily=family)
    for name in (
        *("serial_console_access_status", "instance_metadata_defaults", "allowed_images_settings"),
    ):
        tour(f"ec2.get_{name}")
    tour("ec2.describe_account_attributes")
    tour("ec2.describe_account_attributes", AttributeNames=["default-vpc", "max-instances"])
    tour("ec2.describe_availability_zones", ZoneNames=["us-east-1a"])
    tour("ec2.describe_regions", RegionNames=["us-east-1", "af-south-1"])
    tour("ec2.describe_regions", RegionNames=["moon-1"])
    tour("ec2.describe_instance_type_offerings", LocationType="outpost")
    kinds = {"Filters": filters(("instance-type", "c5.large,c5.xlarge,c5.metal"))}
    tour("ec2.describe_instance_type_offerings", MaxResults=5, **kinds)
    tour("ec2.describe_instance_types", InstanceTypes=["c5.large"])
    compare(HERE / "account.txt", tour.text)


def test_images_of_instances(tour: Tour, image: str) -> None:
    account = tour.account
    sdb = {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3", "Iops": 4000}}
    begun = account.run(image, BlockDeviceMappings=[sdb])["InstanceId"]
    plain = tour("ec2.create_image", InstanceId=begun, Name="plain")["ImageId"]

    def changed(device: str, **ebs: Any) -> dict[str, Any]:
        return {"BlockDeviceMappings": [{"DeviceName": device, "Ebs": ebs}]}

    rich = tour(
        "ec2.create_image",
        InstanceId=begun,
        Name="rich",
        Description="of it",
        NoReboot=True,
        BlockDeviceMappings=[
            {"DeviceName": "/dev/sdb", "NoDevice": ""},
            {"DeviceName": "/dev/sdc", "Ebs": {"VolumeSize": 2}},
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 7, "VolumeType": "gp3"}},
        ],
        TagSpecifications=[*tagged("image", Name="rich"), *tagged("snapshot", Name="disk")],
    )["ImageId"]
    tour.each(
        "ec2.create_image",
        {"InstanceId": NOBODY},
        {"Name": "plain"},
        {"TagSpecifications": tagged("volume", a="b")},
        {"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "NoDevice": ""}]},
        changed("/dev/sdb", SnapshotId=account.image_snapshot(image)),
        changed("/dev/sdb", VolumeSize=1),
        changed("/dev/sdc", VolumeType="gp2"),
        InstanceId=begun,
        Name="new",
    )
    tour("ec2.describe_images", ImageIds=[plain, rich])
    tour("ec2.describe_snapshots", OwnerIds=["self"])
    tour.after(3)
    tour("ec2.describe_images", ImageIds=[plain, rich])
    tour("ec2.describe_snapshots", OwnerIds=["self"])
    tour("ec2.terminate_instances", InstanceIds=[begun])
    tour("ec2.create_image", InstanceId=begun, Name="late")
    compare(HERE / "instance-images.txt", tour.text)


def test_a_day_without_capacity(tour: Tour, image: str) -> None:
    account = tour.account
    account.site.forecast = Forecast(Conditions(full_zones=("a", "b"), spot_taken=1.0))
    subnets = account.ec2.describe_subnets()["Subnets"]
    of_zone = {each["AvailabilityZone"]: each["SubnetId"] for each in subnets}
    run = {"ImageId": image, "DryRun": False, **ONE}
    tour.each(
        "ec2.run_instances",
        {"Placement": {"AvailabilityZone": "us-east-1a"}},
        {"SubnetId": of_zone["us-east-1b"]},
        {"NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": of_zone["us-east-1a"]}]},
        **run,
    )
    free = account.run(image)
    tour.note("the first zone with room", free["Placement"]["AvailabilityZone"])
    spot = {"InstanceMarketOptions": {"MarketType": "spot"}}
    taken = account.run(image, **spot)["InstanceId"]
    account.instance(taken)
    tour("ec2.describe_instances", InstanceIds=[taken])
    account.site.forecast = Forecast(Conditions(full_zones=tuple("abcdef")))
    tour("ec2.run_instances", **run)
    compare(HERE / "capacity.txt", tour.text)
