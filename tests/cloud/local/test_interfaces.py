"""The names of network interfaces' addresses."""

from __future__ import annotations

from .conftest import Account


def test_an_interface_has_the_names_of_its_region(account: Account) -> None:
    there = account.there("eu-west-1")
    image = account.image(account.snapshot())
    answer = there.ec2.copy_image(SourceRegion="us-east-1", SourceImageId=image, Name="copy")
    account.clock.advance(3600)
    there.ec2.describe_images()
    for each, image_id, private, public in (
        (account, image, "ec2.internal", "compute-1.amazonaws.com"),
        (there, answer["ImageId"], "eu-west-1.compute.internal", "eu-west-1.compute.amazonaws.com"),
    ):
        instance = each.run(image_id)
        instance = each.instance(instance["InstanceId"])
        (interface,) = instance["NetworkInterfaces"]
        assert interface["PrivateDnsName"] == instance["PrivateDnsName"]
        assert instance["PrivateDnsName"].endswith(f".{private}")
        assert interface["Association"]["PublicDnsName"] == instance["PublicDnsName"]
        assert instance["PublicDnsName"].endswith(f".{public}")
        (described,) = each.ec2.describe_network_interfaces(
            NetworkInterfaceIds=[interface["NetworkInterfaceId"]]
        )["NetworkInterfaces"]
        assert described["PrivateIpAddresses"][0]["PrivateDnsName"] == instance["PrivateDnsName"]
        guest = each.hypervisor.guests[instance["InstanceId"]].guest
        assert guest.network.domain == private


def test_an_interface_that_was_asked_for_has_its_groups_description_and_tags(
    account: Account,
) -> None:
    subnet = account.ec2.describe_subnets()["Subnets"][0]
    groups = account.ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [subnet["VpcId"]]}]
    )["SecurityGroups"]
    made = account.ec2.create_network_interface(
        SubnetId=subnet["SubnetId"],
        Description="spare",
        Groups=[groups[0]["GroupId"]],
        TagSpecifications=[
            {"ResourceType": "network-interface", "Tags": [{"Key": "team", "Value": "web"}]}
        ],
    )["NetworkInterface"]
    (found,) = account.ec2.describe_network_interfaces(
        Filters=[{"Name": "tag:team", "Values": ["web"]}]
    )["NetworkInterfaces"]
    assert found["NetworkInterfaceId"] == made["NetworkInterfaceId"]
    assert found["Description"] == "spare"
    assert [group["GroupId"] for group in found["Groups"]] == [groups[0]["GroupId"]]
    assert found["TagSet"] == [{"Key": "team", "Value": "web"}]
