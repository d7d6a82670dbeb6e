"""Instances whose states are what their hypervisor says."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from nitro.local.aws import launch
from nitro.local.hypervisor import GuestStatus, PortRange, State

from .conftest import Account, error_code


@pytest.fixture
def image_id(account: Account) -> str:
    return account.image(account.snapshot())


def state(account: Account, instance_id: str) -> str:
    return str(account.instance(instance_id)["State"]["Name"])


@pytest.mark.extended
def test_an_instance_runs_when_its_guest_does(account: Account, image_id: str) -> None:
    begun = account.run(image_id)
    assert begun["State"]["Name"] == "pending"
    running = account.instance(begun["InstanceId"])
    assert running["State"]["Name"] == "running"
    assert {"Key": "aws:local:accelerator", "Value": "none"} in running["Tags"]


@pytest.mark.extended
def test_the_guest_is_what_was_asked_for(account: Account, image_id: str) -> None:
    begun = account.run(
        image_id,
        UserData="NITRO=1\n\nplan",
        MetadataOptions={"HttpTokens": "required", "InstanceMetadataTags": "enabled"},
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "one"}]}],
    )
    guest = account.hypervisor.guests[begun["InstanceId"]].guest
    assert guest.user_data == b"NITRO=1\n\nplan"
    assert (guest.vcpus, guest.memory_mib, guest.boot_mode) == (2, 4096, "legacy-bios")
    (disk,) = guest.disks
    assert (disk.device_name, disk.size_bytes) == ("/dev/xvda", 1024**3)
    assert disk.snapshot_id
    assert account.site.store.read(disk.snapshot_id, 0).rstrip(b"\0") == b"disk"
    assert guest.private_ip == begun["PrivateIpAddress"]
    assert guest.public_ip == begun["PublicIpAddress"]
    assert guest.mac == begun["NetworkInterfaces"][0]["MacAddress"]
    assert guest.metadata_tokens_required
    assert guest.metadata_tags == {"Name": "one"}


@pytest.mark.extended
def test_a_launch_enlarges_the_root_disk_and_adds_empty_ones(
    account: Account, image_id: str
) -> None:
    begun = account.run(
        image_id,
        BlockDeviceMappings=[
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 2}},
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 6}},
        ],
    )
    root, data = account.hypervisor.guests[begun["InstanceId"]].guest.disks
    assert (root.device_name, root.size_bytes) == ("/dev/xvda", 6 * 1024**3)
    assert root.snapshot_id
    assert (data.device_name, data.size_bytes) == ("/dev/sdf", 2 * 1024**3)
    assert data.snapshot_id is None
    mappings = account.instance(begun["InstanceId"])["BlockDeviceMappings"]
    assert {m["DeviceName"]: m["Ebs"]["VolumeId"] for m in mappings} == {
        "/dev/xvda": root.volume_id,
        "/dev/sdf": data.volume_id,
    }


def test_a_disk_without_a_size_or_smaller_than_its_snapshot_is_refused(
    account: Account, image_id: str
) -> None:
    refused = {
        "MissingParameter": {"DeviceName": "/dev/sdf", "Ebs": {"VolumeType": "gp3"}},
        "InvalidBlockDeviceMapping": {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 0}},
    }
    for code, mapping in refused.items():
        assert error_code(partial(account.run, image_id, BlockDeviceMappings=[mapping])) == code


@pytest.mark.extended
def test_an_instance_starts_again_when_its_image_is_gone(account: Account, image_id: str) -> None:
    instance_id = account.run(image_id)["InstanceId"]
    account.ec2.stop_instances(InstanceIds=[instance_id])
    assert state(account, instance_id) == "stopped"
    account.ec2.deregister_image(ImageId=image_id)
    account.ec2.start_instances(InstanceIds=[instance_id])
    assert state(account, instance_id) == "running"


@pytest.mark.extended
def test_public_addresses_are_this_machines_and_unique(account: Account, image_id: str) -> None:
    addresses = {account.run(image_id)["PublicIpAddress"] for _ in range(3)}
    assert len(addresses) == 3
    assert all(address.startswith("127.") for address in addresses)


@pytest.mark.extended
def test_an_address_that_is_used_again_keeps_its_mac(account: Account, image_id: str) -> None:
    (subnet, *_) = account.ec2.describe_subnets()["Subnets"]
    where = {"SubnetId": subnet["SubnetId"], "PrivateIpAddress": "172.31.0.77"}
    first = account.run(image_id, **where)
    account.ec2.terminate_instances(InstanceIds=[first["InstanceId"]])
    assert state(account, first["InstanceId"]) == "terminated"
    second = account.run(image_id, **where)
    other = account.run(image_id)
    macs = [
        account.hypervisor.guests[instance["InstanceId"]].guest.mac
        for instance in (first, second, other)
    ]
    assert macs[0] == macs[1] == "02:00:ac:1f:00:4d"
    assert macs[2] != macs[0]


def test_terminating_takes_time_and_leaves_nothing(account: Account, image_id: str) -> None:
    instance_id = account.run(image_id)["InstanceId"]
    group_id = account.instance(instance_id)["SecurityGroups"][0]["GroupId"]
    assert (
        error_code(lambda: account.ec2.delete_security_group(GroupId=group_id))
        == "DependencyViolation"
    )
    (change,) = account.ec2.terminate_instances(InstanceIds=[instance_id])["TerminatingInstances"]
    assert change["CurrentState"]["Name"] == "shutting-down"
    ended = account.instance(instance_id)
    assert ended["State"]["Name"] == "terminated"
    assert ended["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert "PublicIpAddress" not in ended
    assert not account.ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert not account.ec2.describe_volumes()["Volumes"]
    assert account.hypervisor.released == [instance_id]
    (again,) = account.ec2.terminate_instances(InstanceIds=[instance_id])["TerminatingInstances"]
    assert again["CurrentState"]["Name"] == "terminated"


@pytest.mark.parametrize(("behaviour", "final"), [("terminate", "terminated"), ("stop", "stopped")])
def test_a_guest_that_powers_off_ends_as_asked(
    account: Account, image_id: str, behaviour: str, final: str
) -> None:
    begun = account.run(image_id, InstanceInitiatedShutdownBehavior=behaviour)
    assert state(account, begun["InstanceId"]) == "running"
    account.hypervisor.guests[begun["InstanceId"]].state = State.OFF
    ended = account.instance(begun["InstanceId"])
    assert ended["State"]["Name"] == final
    assert ended["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_a_guest_that_cannot_start_is_terminated_and_says_why(
    account: Account, image_id: str
) -> None:
    account.hypervisor.fails = "no memory"
    ended = account.instance(account.run(image_id)["InstanceId"])
    assert ended["State"]["Name"] == "terminated"
    assert ended["StateReason"]["Code"] == "Server.InternalError"
    assert "no memory" in ended["StateReason"]["Message"]


@pytest.mark.extended
def test_stop_and_start(account: Account, image_id: str) -> None:
    instance_id = account.run(image_id)["InstanceId"]
    private = account.instance(instance_id)["PrivateIpAddress"]
    account.ec2.stop_instances(InstanceIds=[instance_id])
    stopped = account.instance(instance_id)
    assert stopped["State"]["Name"] == "stopped"
    assert "PublicIpAddress" not in stopped
    account.ec2.start_instances(InstanceIds=[instance_id])
    started = account.instance(instance_id)
    assert started["State"]["Name"] == "running"
    assert started["PrivateIpAddress"] == private
    assert started["PublicIpAddress"].startswith("127.")


@pytest.mark.extended
def test_a_stopped_instance_can_be_terminated(account: Account, image_id: str) -> None:
    instance_id = account.run(image_id)["InstanceId"]
    account.ec2.stop_instances(InstanceIds=[instance_id])
    assert state(account, instance_id) == "stopped"
    account.ec2.terminate_instances(InstanceIds=[instance_id])
    assert state(account, instance_id) == "terminated"


def test_wrong_moments_are_refused(account: Account, image_id: str) -> None:
    instance_id = account.run(image_id)["InstanceId"]
    account.ec2.terminate_instances(InstanceIds=[instance_id])
    for name in ("stop_instances", "start_instances", "reboot_instances"):
        call = partial(getattr(account.ec2, name), InstanceIds=[instance_id])
        assert error_code(call) == "IncorrectInstanceState"


@pytest.mark.extended
def test_protected_instances_stay(account: Account, image_id: str) -> None:
    instance_id = account.run(image_id)["InstanceId"]
    account.ec2.modify_instance_attribute(
        InstanceId=instance_id, DisableApiTermination={"Value": True}
    )
    code = error_code(lambda: account.ec2.terminate_instances(InstanceIds=[instance_id]))
    assert code == "OperationNotPermitted"


def test_a_token_makes_a_launch_idempotent(account: Account, image_id: str) -> None:
    first = account.run(image_id, ClientToken="once")["InstanceId"]
    assert account.run(image_id, ClientToken="once")["InstanceId"] == first
    assert len(account.hypervisor.guests) == 1
    other = error_code(lambda: account.run(image_id, ClientToken="once", InstanceType="c5.xlarge"))
    assert other == "IdempotentParameterMismatch"
    account.ec2.terminate_instances(InstanceIds=[first])
    assert state(account, first) == "terminated"
    late = error_code(lambda: account.run(image_id, ClientToken="once"))
    assert late == "IdempotentInstanceTerminated"


@pytest.mark.extended
def test_the_console_is_the_guests(account: Account, image_id: str) -> None:
    instance_id = account.run(image_id)["InstanceId"]
    assert account.ec2.get_console_output(InstanceId=instance_id).get("Output", "") == ""
    account.hypervisor.write_console(instance_id, b"x" * 70_000 + b"the end")
    output = account.ec2.get_console_output(InstanceId=instance_id, Latest=True)["Output"]
    assert len(output) == 64 * 1024
    assert output.endswith("the end")
    account.ec2.terminate_instances(InstanceIds=[instance_id])
    assert state(account, instance_id) == "terminated"
    kept = account.ec2.get_console_output(InstanceId=instance_id)["Output"]
    assert kept.endswith("the end")


def test_security_groups_open_ports_also_later(account: Account, image_id: str) -> None:
    group_id = account.ec2.create_security_group(GroupName="web", Description="of a test")[
        "GroupId"
    ]

    def permission(port: int) -> dict[str, Any]:
        return {
            "GroupId": group_id,
            "IpProtocol": "tcp",
            "FromPort": port,
            "ToPort": port,
            "CidrIp": "0.0.0.0/0",
        }

    account.ec2.authorize_security_group_ingress(**permission(80))
    instance_id = account.run(image_id, SecurityGroupIds=[group_id])["InstanceId"]

    def opened() -> frozenset[PortRange]:
        return account.hypervisor.guests[instance_id].guest.open_ports

    assert opened() == {PortRange("tcp", 80, 80)}
    account.ec2.authorize_security_group_ingress(**permission(443))
    assert opened() == {PortRange("tcp", 80, 80), PortRange("tcp", 443, 443)}
    account.ec2.revoke_security_group_ingress(**permission(80))
    assert opened() == {PortRange("tcp", 443, 443)}


@pytest.mark.extended
def test_a_guest_that_is_still_starting_is_pending(
    account: Account, image_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    starting = GuestStatus(State.STARTING)
    monkeypatch.setattr(account.hypervisor, "status", lambda _: starting)
    instance_id = account.run(image_id)["InstanceId"]
    assert state(account, instance_id) == "pending"


@pytest.mark.extended
def test_a_network_interface_can_be_described_at_launch(account: Account, image_id: str) -> None:
    (subnet, *_) = account.ec2.describe_subnets()["Subnets"]
    interface = {
        "DeviceIndex": 0,
        "SubnetId": subnet["SubnetId"],
        "AssociatePublicIpAddress": True,
    }
    begun = account.run(image_id, NetworkInterfaces=[interface])
    assert begun["SubnetId"] == subnet["SubnetId"]
    assert begun["PublicIpAddress"].startswith("127.")
    account.ec2.terminate_instances(InstanceIds=[begun["InstanceId"]])
    assert state(account, begun["InstanceId"]) == "terminated"
    assert not account.ec2.describe_network_interfaces()["NetworkInterfaces"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"KeyName": "none"}, "InvalidKeyPair.NotFound"),
        ({"IamInstanceProfile": {"Name": "none"}}, "InvalidParameterValue"),
        ({"IamInstanceProfile": {"Arn": "arn:aws:iam::123456789012:instance-profile/none"}},
         "InvalidParameterValue"),
        ({"InstanceType": "t4g.micro"}, "InvalidParameterValue"),
    ],
)  # fmt: skip
def test_what_a_launch_names_must_exist_for_a_dry_run_too(
    account: Account, options: dict[str, Any], code: str
) -> None:
    image = account.image(account.snapshot())
    assert error_code(lambda: account.run(image, **options)) == code
    assert error_code(lambda: account.run(image, **options, DryRun=True)) == code
    assert error_code(lambda: account.run(image, DryRun=True)) == "DryRunOperation"
    none = "ami-00000000000000000"
    assert error_code(lambda: account.run(none, DryRun=True)) == "InvalidAMIID.NotFound"


@pytest.mark.extended
def test_a_launch_takes_a_key_and_a_profile_that_exist(account: Account) -> None:
    account.ec2.create_key_pair(KeyName="key")
    made = account.iam.create_instance_profile(InstanceProfileName="web")["InstanceProfile"]
    image = account.image(account.snapshot())
    for profile in ({"Name": "web"}, {"Arn": made["Arn"]}):
        instance = account.run(image, KeyName="key", IamInstanceProfile=profile)
        assert instance["KeyName"] == "key"
        guest = account.hypervisor.guests[instance["InstanceId"]].guest
        assert (guest.key_name, guest.public_key.split()[0]) == ("key", "ssh-rsa")
        assert guest.profile is not None
        assert guest.profile.arn == made["Arn"]
        assert guest.interface_id == instance["NetworkInterfaces"][0]["NetworkInterfaceId"]


@pytest.mark.extended
def test_an_image_that_asks_for_tokens_gives_instances_that_do(account: Account) -> None:
    image = account.image(account.snapshot(), ImdsSupport="v2.0")
    options = account.instance(account.run(image)["InstanceId"])["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 2)
    chosen = account.run(image, MetadataOptions={"HttpTokens": "optional"})["InstanceId"]
    assert account.instance(chosen)["MetadataOptions"]["HttpTokens"] == "optional"


@pytest.mark.parametrize(
    "ebs",
    [
        {"VolumeType": "io1"},
        {"VolumeType": "gp2", "Iops": 500},
        {"VolumeType": "gp3", "Iops": 1},
        {"VolumeSize": 70000},
        {"VolumeType": "sc1"},
    ],
)
def test_a_launch_with_a_volume_that_cannot_be_makes_nothing(
    account: Account, ebs: dict[str, Any]
) -> None:
    image_id = account.image(account.snapshot())
    mapping = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 8, **ebs}}
    code = error_code(lambda: account.run(image_id, BlockDeviceMappings=[mapping]))
    assert code in ("InvalidParameterValue", "InvalidParameterCombination", "MissingParameter")
    assert account.ec2.describe_instances()["Reservations"] == []


def test_a_launch_with_a_volume_of_asked_speed(account: Account) -> None:
    image_id = account.image(account.snapshot())
    ebs = {"VolumeSize": 8, "VolumeType": "io2", "Iops": 5000}
    account.run(image_id, BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": ebs}])
    volumes = {each["VolumeType"]: each for each in account.ec2.describe_volumes()["Volumes"]}
    assert volumes["io2"]["Iops"] == 5000


def test_a_launch_that_fails_leaves_nothing_behind(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it fails of, and the account goes on."""
    image_id = account.image(account.snapshot())
    free = account.ec2.describe_subnets()["Subnets"]
    calls = iter(range(3))
    real = launch.guest_of

    def breaks(*arguments: Any) -> Any:
        assert next(calls) < 1, "the second instance"
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(launch, "guest_of", breaks)
        assert error_code(lambda: account.run(image_id, MaxCount=2, MinCount=2)) == "InternalError"
    assert account.ec2.describe_instances()["Reservations"] == []
    assert account.ec2.describe_volumes()["Volumes"] == []
    assert account.ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    assert account.ec2.describe_subnets()["Subnets"] == free
    assert account.run(image_id)["State"]["Name"] == "pending"


def test_a_launch_into_another_network_than_its_groups_is_refused(account: Account) -> None:
    image_id = account.image(account.snapshot())
    vpc = account.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    made = account.ec2.create_security_group(GroupName="o", Description="d", VpcId=vpc)["GroupId"]
    subnet = account.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    nic = {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [made]}
    for options in ({"SecurityGroupIds": [made]}, {"NetworkInterfaces": [nic]}):
        code = error_code(lambda options=options: account.run(image_id, **options))  # type: ignore[misc]
        assert code == "InvalidParameter"
    assert account.ec2.describe_instances()["Reservations"] == []
