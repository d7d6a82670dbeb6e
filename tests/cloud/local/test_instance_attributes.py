"""What is changed of an instance after its launch."""

from __future__ import annotations

from typing import Any

import pytest

from nitro.local.hypervisor import State

from .conftest import Account, error_code


@pytest.fixture
def image_id(account: Account) -> str:
    return account.image(account.snapshot())


def test_protected_instances_are_neither_stopped_nor_terminated(account: Account) -> None:
    image = account.image(account.snapshot())
    protected = {"DisableApiTermination": True, "DisableApiStop": True}
    asked = {"InstanceIds": [account.run(image, **protected)["InstanceId"]]}
    for call in (account.ec2.stop_instances, account.ec2.terminate_instances):
        assert error_code(lambda c=call: c(**asked)) == "OperationNotPermitted"  # type: ignore[misc]
    for name in protected:
        account.ec2.modify_instance_attribute(
            InstanceId=asked["InstanceIds"][0], **{name: {"Value": False}}
        )
    account.ec2.stop_instances(**asked)
    account.ec2.terminate_instances(**asked)


def test_a_type_is_changed_while_stopped_and_runs(account: Account) -> None:
    image = account.image(account.snapshot())
    instance_id = account.run(image)["InstanceId"]
    change = account.ec2.modify_instance_attribute

    def to(name: str) -> Any:
        return change(InstanceId=instance_id, InstanceType={"Value": name})

    assert error_code(lambda: to("c5.xlarge")) == "IncorrectInstanceState"
    account.ec2.stop_instances(InstanceIds=[instance_id])
    account.instance(instance_id)
    assert error_code(lambda: to("t4g.micro")) == "InvalidParameterValue"  # another architecture
    to("c5.xlarge")
    account.ec2.start_instances(InstanceIds=[instance_id])
    assert account.instance(instance_id)["InstanceType"] == "c5.xlarge"
    guest = account.hypervisor.guests[instance_id].guest
    assert (guest.instance_type, guest.vcpus) == ("c5.xlarge", 4)


def test_other_security_groups_reach_the_machine(account: Account) -> None:
    group = account.ec2.create_security_group(GroupName="web", Description="of a test")["GroupId"]
    account.ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0"
    )
    instance_id = account.run(account.image(account.snapshot()))["InstanceId"]
    account.ec2.modify_instance_attribute(InstanceId=instance_id, Groups=[group])
    found = account.instance(instance_id)
    assert [each["GroupId"] for each in found["SecurityGroups"]] == [group]
    (ports,) = account.hypervisor.guests[instance_id].guest.open_ports
    assert (ports.first, ports.last) == (80, 80)
    none = {"InstanceId": instance_id, "Groups": ["sg-00000000"]}
    code = error_code(lambda: account.ec2.modify_instance_attribute(**none))
    assert code == "InvalidGroup.NotFound"


def test_a_running_guest_reads_what_has_changed(account: Account, image_id: str) -> None:
    instance_id = account.run(
        image_id, MetadataOptions={"HttpTokens": "optional", "InstanceMetadataTags": "enabled"}
    )["InstanceId"]
    account.ec2.create_tags(Resources=[instance_id], Tags=[{"Key": "team", "Value": "kernel"}])
    guest = account.hypervisor.guests[instance_id].guest
    assert guest.metadata_tags == {"team": "kernel"}
    options = account.ec2.modify_instance_metadata_options(
        InstanceId=instance_id, HttpTokens="required", HttpPutResponseHopLimit=3
    )["InstanceMetadataOptions"]
    assert (options["HttpTokens"], options["InstanceMetadataTags"]) == ("required", "enabled")
    assert account.instance(instance_id)["MetadataOptions"]["HttpPutResponseHopLimit"] == 3
    guest = account.hypervisor.guests[instance_id].guest
    assert (guest.metadata_tokens_required, guest.metadata_hops) == (True, 3)
    assert guest.metadata_tags == {"team": "kernel"}
    account.ec2.modify_instance_metadata_options(InstanceId=instance_id, HttpEndpoint="disabled")
    assert not account.hypervisor.guests[instance_id].guest.metadata_enabled


def test_hardware_is_changed_while_stopped(account: Account, image_id: str) -> None:
    instance_id = account.run(image_id)["InstanceId"]
    change = account.ec2.modify_instance_attribute
    running = error_code(lambda: change(InstanceId=instance_id, EnaSupport={"Value": False}))
    assert running == "IncorrectInstanceState"
    account.ec2.stop_instances(InstanceIds=[instance_id])
    account.ec2.describe_instances()
    change(InstanceId=instance_id, EnaSupport={"Value": False})
    change(InstanceId=instance_id, EbsOptimized={"Value": True})
    change(InstanceId=instance_id, SriovNetSupport={"Value": "simple"})
    instance = account.instance(instance_id)
    assert (instance["EnaSupport"], instance["EbsOptimized"]) == (False, True)


def test_monitoring_is_turned_on_and_off(account: Account, image_id: str) -> None:
    instance_id = account.run(image_id)["InstanceId"]
    for operation, state in (("monitor", "enabled"), ("unmonitor", "disabled")):
        call = getattr(account.ec2, f"{operation}_instances")
        (answer,) = call(InstanceIds=[instance_id])["InstanceMonitorings"]
        assert answer == {"InstanceId": instance_id, "Monitoring": {"State": state}}
        assert account.instance(instance_id)["Monitoring"]["State"] == state


def test_user_data_is_changed_while_stopped(account: Account, image_id: str) -> None:
    instance_id = account.run(image_id, UserData="old")["InstanceId"]
    account.ec2.stop_instances(InstanceIds=[instance_id])
    account.ec2.describe_instances()
    change = account.ec2.modify_instance_attribute
    change(InstanceId=instance_id, UserData={"Value": b"new"})
    too_much = {"Value": b"x" * 16385}
    code = error_code(lambda: change(InstanceId=instance_id, UserData=too_much))
    assert code == "InvalidParameterValue"
    account.ec2.start_instances(InstanceIds=[instance_id])
    assert account.hypervisor.guests[instance_id].guest.user_data == b"new"


def test_how_an_instance_ends_is_changed_and_nothing_else(account: Account, image_id: str) -> None:
    instance_id = account.run(image_id)["InstanceId"]
    before = account.instance(instance_id)["SecurityGroups"]
    assert before
    behaviour = "InstanceInitiatedShutdownBehavior"
    change = account.ec2.modify_instance_attribute
    of_it = {"InstanceId": instance_id}
    change(**of_it, **{behaviour: {"Value": "terminate"}})
    name = "instanceInitiatedShutdownBehavior"
    told = account.ec2.describe_instance_attribute(**of_it, Attribute=name)
    assert told[behaviour] == {"Value": "terminate"}
    assert error_code(lambda: change(**of_it, **{behaviour: {"Value": "x"}}))
    assert error_code(lambda: change(**of_it)) == "InvalidParameterCombination"
    assert account.instance(instance_id)["SecurityGroups"] == before
    account.hypervisor.guests[instance_id].state = State.OFF
    assert account.instance(instance_id)["State"]["Name"] == "terminated"


def test_an_attribute_is_given_by_its_name(account: Account, image_id: str) -> None:
    of_it = {"InstanceId": account.run(image_id)["InstanceId"]}

    def change(name: str, value: str | None = None) -> None:
        given = {} if value is None else {"Value": value}
        account.ec2.modify_instance_attribute(**of_it, Attribute=name, **given)

    def told(name: str, member: str) -> Any:
        answer = account.ec2.describe_instance_attribute(**of_it, Attribute=name)
        return answer[member]["Value"]

    change("disableApiTermination", "true")
    assert told("disableApiTermination", "DisableApiTermination") is True
    change("disableApiTermination", "false")
    assert told("disableApiTermination", "DisableApiTermination") is False
    change("sourceDestCheck", "false")
    (nic,) = account.instance(of_it["InstanceId"])["NetworkInterfaces"]
    assert nic["SourceDestCheck"] is False
    for name, value in (
        *(("kernel", "x"), ("sourceDestCheck", "x"), ("sourceDestCheck", None)),
        ("userData", "not base64"),
    ):
        assert error_code(lambda n=name, v=value: change(n, v)) == "InvalidParameterValue"  # type: ignore[misc]
    account.ec2.stop_instances(InstanceIds=[of_it["InstanceId"]])
    account.instance(of_it["InstanceId"])
    change("userData", "ZGF0YQ==")
    assert told("userData", "UserData") == "ZGF0YQ=="


def test_a_flag_given_by_its_name_is_true_false_or_refused(account: Account) -> None:
    begun = account.run(account.image(account.snapshot()))["InstanceId"]
    named = {"InstanceId": begun, "Attribute": "disableApiTermination"}
    for value in ("true", "False", "TRUE"):
        account.ec2.modify_instance_attribute(**named, Value=value)
        told = account.ec2.describe_instance_attribute(**named)["DisableApiTermination"]
        assert told == {"Value": value.lower() == "true"}
    code = error_code(lambda: account.ec2.modify_instance_attribute(**named, Value="yes"))
    assert code == "InvalidParameterValue"
