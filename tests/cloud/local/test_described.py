"""What EC2 tells of every resource, whatever was asked for: clients read it without looking."""

from __future__ import annotations

import pytest

from .conftest import Account, error_code

# https://docs.aws.amazon.com/cli/latest/reference/ec2/describe-instances.html#examples
OF_INSTANCES = {
    *("AmiLaunchIndex", "Architecture", "BlockDeviceMappings", "CapacityReservationSpecification"),
    *("ClientToken", "CpuOptions", "CurrentInstanceBootMode", "EbsOptimized", "EnaSupport"),
    *("EnclaveOptions", "HibernationOptions", "Hypervisor", "ImageId", "InstanceId"),
    *("InstanceType", "LaunchTime", "MaintenanceOptions", "MetadataOptions", "Monitoring"),
    *("NetworkInterfaces", "NetworkPerformanceOptions", "Operator", "Placement"),
    *("PlatformDetails", "PrivateDnsName", "PrivateDnsNameOptions", "PrivateIpAddress"),
    *("ProductCodes", "PublicDnsName", "RootDeviceName", "RootDeviceType", "SecurityGroups"),
    *("SourceDestCheck", "State", "StateTransitionReason", "SubnetId", "UsageOperation"),
    *("UsageOperationUpdateTime", "VirtualizationType", "VpcId"),
}


@pytest.mark.extended
def test_instances(account: Account) -> None:
    image = account.image(account.snapshot())
    launched = account.run(image)
    found = account.instance(launched["InstanceId"])
    assert found.keys() >= OF_INSTANCES
    assert found["HibernationOptions"] == {"Configured": False}
    assert found["EnclaveOptions"] == {"Enabled": False}
    assert found["Operator"] == {"Managed": False}
    assert found["PrivateDnsNameOptions"] == {
        "HostnameType": "ip-name",
        "EnableResourceNameDnsARecord": False,
        "EnableResourceNameDnsAAAARecord": False,
    }
    assert found["CpuOptions"] == {"CoreCount": 1, "ThreadsPerCore": 2}
    assert found["StateTransitionReason"] == ""


@pytest.mark.extended
def test_cores_are_those_of_the_launch_or_of_the_type(account: Account) -> None:
    image = account.image(account.snapshot())
    asked = {"CoreCount": 2, "ThreadsPerCore": 1}
    id_ = account.run(image, InstanceType="c5.xlarge", CpuOptions=asked)["InstanceId"]
    assert account.instance(id_)["CpuOptions"] == asked
    id_ = account.run(image, InstanceType="c5.xlarge")["InstanceId"]
    account.ec2.stop_instances(InstanceIds=[id_])
    account.hypervisor.stop(id_)
    assert account.instance(id_)["StateTransitionReason"].startswith("User initiated (20")
    account.ec2.modify_instance_attribute(InstanceId=id_, InstanceType={"Value": "c5.large"})
    assert account.instance(id_)["CpuOptions"] == {"CoreCount": 1, "ThreadsPerCore": 2}


@pytest.mark.extended
def test_an_instance_without_a_public_address_has_an_empty_name_for_it(account: Account) -> None:
    image, subnet = account.image(account.snapshot()), account.ec2.describe_subnets()["Subnets"][0]
    bare = {"DeviceIndex": 0, "SubnetId": subnet["SubnetId"], "AssociatePublicIpAddress": False}
    id_ = account.run(image, NetworkInterfaces=[bare])["InstanceId"]
    found = account.instance(id_)
    assert found["PublicDnsName"] == ""
    assert "PublicIpAddress" not in found
    assert "Association" not in found["NetworkInterfaces"][0]


@pytest.mark.extended
def test_an_instance_that_has_ended_has_no_address(account: Account) -> None:
    id_ = account.run(account.image(account.snapshot()))["InstanceId"]
    account.ec2.terminate_instances(InstanceIds=[id_])
    account.hypervisor.stop(id_)
    found = account.instance(id_)
    assert found["State"]["Name"] == "terminated"
    assert "PrivateIpAddress" not in found
    assert (found["PrivateDnsName"], found["PublicDnsName"]) == ("", "")
    assert found["NetworkInterfaces"] == found["BlockDeviceMappings"] == []


@pytest.mark.parametrize(("asked", "kind"), [({}, "rsa"), ({"KeyType": "ed25519"}, "ed25519")])
def test_key_pairs(account: Account, asked: dict[str, str], kind: str) -> None:
    account.ec2.create_key_pair(KeyName="k", **asked)
    (found,) = account.ec2.describe_key_pairs()["KeyPairs"]
    assert found["KeyType"] == kind


def test_volumes(account: Account) -> None:
    account.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)
    (found,) = account.ec2.describe_volumes()["Volumes"]
    assert found["MultiAttachEnabled"] is False


@pytest.mark.parametrize("material", [b"no key", b"ssh-rsa AAAA", b"\xff\xfe", b"ssh-dss AAAA me"])
def test_what_is_no_key_is_not_imported(account: Account, material: bytes) -> None:
    code = error_code(
        lambda: account.ec2.import_key_pair(KeyName="bad", PublicKeyMaterial=material)
    )
    assert code == "InvalidKeyPair.Format"
