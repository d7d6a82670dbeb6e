"""SSM, KMS, Auto Scaling and the others, held to their models."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.server import create_backend_app

from .conftest import Account, error_code, policy


def post(service: str, operation: str, body: str) -> tuple[int, Any]:
    target = {"ssm": "AmazonSSM", "kms": "TrentService"}[service]
    answer = (
        create_backend_app(service)
        .test_client()
        .post("/", data=body, headers={"X-Amz-Target": f"{target}.{operation}"})
    )
    return answer.status_code, json.loads(answer.text)


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("service", "operation", "body", "code"),
    [
        ("ssm", "MakeCoffee", "{}", "UnknownOperationException"),
        ("ssm", "SendCommand", "{}", "UnsupportedOperation"),
        ("ssm", "GetParameter", "{}", "ValidationException"),
        ("ssm", "GetParameter", "[]", "SerializationException"),
        ("ssm", "GetParameter", '{"Name": 1}', "ValidationException"),
        ("ssm", "GetParameters", '{"Names": []}', "ValidationException"),
        ("kms", "DescribeKey", '{"KeyId": ""}', "ValidationException"),
        ("kms", "Encrypt", '{"KeyId": "x"}', "UnsupportedOperation"),
    ],
)
def test_what_is_wrong_is_named(service: str, operation: str, body: str, code: str) -> None:
    status, answer = post(service, operation, body)
    assert (status, answer["__type"]) == (400, code)


def test_a_query_that_is_wrong_is_answered_in_xml(account: Account) -> None:
    answer = create_backend_app("autoscaling").test_client().post("/", data={"Action": "Dance"})
    assert answer.status_code == 400
    assert "<Code>InvalidAction</Code>" in answer.text


def test_an_exception_inside_has_the_form_of_the_service(
    account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    account.ssm.put_parameter(Name="a", Value="b", Type="String")
    monkeypatch.setattr(account.site, "clock", None)
    status, answer = post("ssm", "GetParameter", '{"Name": "a"}')
    assert (status, answer["__type"]) == (500, "InternalServerError")
    assert "ssm" in caplog.text


@pytest.mark.extended
def test_keys_belong_to_their_region(account: Account) -> None:
    key = account.kms.create_key(Description="disks")["KeyMetadata"]
    account.kms.create_alias(AliasName="alias/disks", TargetKeyId=key["KeyId"])
    assert account.kms.describe_key(KeyId="alias/disks")["KeyMetadata"]["Arn"] == key["Arn"]
    other = account.there("eu-west-1")
    assert error_code(lambda: other.kms.describe_key(KeyId=key["KeyId"])) == "NotFoundException"
    own = other.kms.describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]
    assert own["Arn"].split(":")[3] == "eu-west-1"


@pytest.mark.extended
def test_auto_scaling_groups_are_kept_as_data(account: Account) -> None:
    image = account.image(account.snapshot())
    account.autoscaling.create_launch_configuration(
        LaunchConfigurationName="configuration", ImageId=image, InstanceType="c5.large"
    )
    account.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="group",
        LaunchConfigurationName="configuration",
        MinSize=0,
        MaxSize=2,
        DesiredCapacity=0,
        AvailabilityZones=["us-east-1a"],
    )
    (group,) = account.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    assert group["LaunchConfigurationName"] == "configuration"
    (found,) = account.autoscaling.describe_launch_configurations()["LaunchConfigurations"]
    assert found["ImageId"] == image
    account.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="group")
    account.autoscaling.delete_launch_configuration(LaunchConfigurationName="configuration")
    assert not account.autoscaling.describe_launch_configurations()["LaunchConfigurations"]


def test_iam_sts_and_quotas_answer_as_before(account: Account) -> None:
    account.add_role()
    assert account.iam.get_role(RoleName="vmimport")["Role"]["RoleName"] == "vmimport"
    assert account.sts.get_caller_identity()["Account"] == "123456789012"
    code = error_code(lambda: account.iam.get_role(RoleName="none"))
    assert code == "NoSuchEntity"


@pytest.mark.extended
def test_every_list_of_iam_says_that_it_is_whole(account: Account) -> None:
    iam = account.iam
    iam.create_user(UserName="user")
    iam.create_group(GroupName="group")
    account.add_role()
    iam.create_instance_profile(InstanceProfileName="profile")
    document = policy({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
    made = iam.create_policy(PolicyName="policy", PolicyDocument=document)["Policy"]["Arn"]
    given = {
        **{"GroupName": "group", "PolicyArn": made, "RoleName": "vmimport", "UserName": "user"},
        "InstanceProfileName": "profile",
    }
    asked = 0
    for name in iam.meta.method_to_api_mapping:
        model = iam.meta.service_model.operation_model(iam.meta.method_to_api_mapping[name])
        needs = model.input_shape.required_members if model.input_shape else []
        members = model.output_shape.members if model.output_shape else {}
        if "IsTruncated" in members and given.keys() >= set(needs):
            try:
                answer = getattr(iam, name)(**{each: given[each] for each in needs})
            except iam.exceptions.ClientError:
                continue  # of those that there are none, or that are refused
            assert answer["IsTruncated"] is False, name
            asked += 1
    assert asked >= 20


@pytest.mark.extended
def test_an_answer_with_nothing_in_it_is_an_object(account: Account) -> None:
    key = account.kms.create_key()["KeyMetadata"]["KeyId"]
    account.kms.create_alias(AliasName="alias/one", TargetKeyId=key)
    assert post("kms", "DeleteAlias", '{"AliasName": "alias/one"}') == (200, {})


@pytest.mark.parametrize("assertion", ["00000", "/w==", "eA==", "000\x80"])
def test_what_a_decoder_does_not_read_is_the_caller_s_fault(
    account: Account, assertion: str
) -> None:
    """Not base64, not UTF-8, no XML, not ASCII."""
    code = error_code(
        lambda: account.sts.assume_role_with_saml(
            RoleArn="arn:aws:iam::123456789012:role/role",
            PrincipalArn="arn:aws:iam::123456789012:saml-provider/one",
            SAMLAssertion=assertion,
        )
    )
    assert code == "ValidationError"
