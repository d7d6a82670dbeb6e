"""Instance profiles that come to and go from instances."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Account, error_code

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


@pytest.fixture
def instance(account: Account) -> str:
    """Running without a profile; there are two, "one" and "two"."""
    account.iam.create_role(RoleName="role", AssumeRolePolicyDocument=json.dumps(TRUST))
    for name in ("one", "two"):
        account.iam.create_instance_profile(InstanceProfileName=name)
        account.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName="role")
    return str(account.run(account.image(account.snapshot()))["InstanceId"])


def associations(account: Account, **asked: Any) -> Any:
    return account.ec2.describe_iam_instance_profile_associations(**asked)[
        "IamInstanceProfileAssociations"
    ]


def guest_profile(account: Account, instance: str) -> Any:
    profile = account.hypervisor.guests[instance].guest.profile
    return profile and profile.arn.rpartition("/")[2]


def test_a_profile_comes_is_replaced_and_goes(account: Account, instance: str) -> None:
    ec2 = account.ec2
    assert associations(account) == []
    one = ec2.associate_iam_instance_profile(
        IamInstanceProfile={"Name": "one"}, InstanceId=instance
    )["IamInstanceProfileAssociation"]
    assert one["State"] == "associating"
    assert guest_profile(account, instance) == "one"
    wanted = [{"Name": "instance-id", "Values": [instance]}]
    (found,) = associations(account, Filters=wanted)
    assert (found["AssociationId"], found["State"]) == (one["AssociationId"], "associated")
    shown = account.instance(instance)["IamInstanceProfile"]
    assert shown == found["IamInstanceProfile"]
    code = error_code(
        lambda: ec2.associate_iam_instance_profile(
            IamInstanceProfile={"Name": "two"}, InstanceId=instance
        )
    )
    assert code == "IncorrectState"
    arn = account.iam.get_instance_profile(InstanceProfileName="two")["InstanceProfile"]["Arn"]
    two = ec2.replace_iam_instance_profile_association(
        IamInstanceProfile={"Arn": arn}, AssociationId=one["AssociationId"]
    )["IamInstanceProfileAssociation"]
    assert guest_profile(account, instance) == "two"
    ec2.disassociate_iam_instance_profile(AssociationId=two["AssociationId"])
    assert guest_profile(account, instance) is None
    assert "IamInstanceProfile" not in account.instance(instance)
    for ended in (one, two):
        code = error_code(
            lambda id_=ended["AssociationId"]: associations(  # type: ignore[misc]
                account, AssociationIds=[id_]
            )
        )
        assert code == "InvalidAssociationID.NotFound"


@pytest.mark.extended
def test_the_profile_of_a_launch_is_an_association(account: Account, instance: str) -> None:
    image = account.instance(instance)["ImageId"]
    launched = account.run(image, IamInstanceProfile={"Name": "one"})["InstanceId"]
    (found,) = associations(account)
    assert found["InstanceId"] == launched
    account.ec2.terminate_instances(InstanceIds=[launched])
    account.hypervisor.stop(launched)
    account.instance(launched)
    assert associations(account) == []


def test_a_profile_that_does_not_exist_is_refused(account: Account, instance: str) -> None:
    for wanted in ({"Name": "absent"}, {"Arn": "arn:aws:iam::123456789012:instance-profile/x"}):
        code = error_code(
            lambda wanted=wanted: account.ec2.associate_iam_instance_profile(  # type: ignore[misc]
                IamInstanceProfile=wanted, InstanceId=instance
            )
        )
        assert code == "InvalidParameterValue"
    assert associations(account) == []


def test_a_launch_with_a_profile_can_be_asked_for_again(account: Account, instance: str) -> None:
    image_id = account.instance(instance)["ImageId"]
    wanted = {"IamInstanceProfile": {"Name": "one"}, "ClientToken": "token"}
    begun = account.run(image_id, **wanted)
    assert account.run(image_id, **wanted)["InstanceId"] == begun["InstanceId"]
    known = account.iam.get_instance_profile(InstanceProfileName="one")["InstanceProfile"]
    told = {"Arn": known["Arn"], "Id": known["InstanceProfileId"]}
    assert begun["IamInstanceProfile"] == told
    (found,) = associations(account)
    assert (found["InstanceId"], found["IamInstanceProfile"]) == (begun["InstanceId"], told)
