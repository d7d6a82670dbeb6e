"""What is answered of parameters, keys, roles, quotas and scaling groups."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.local.tour import Tour, filters
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
NO_KEY = "12345678-1234-1234-1234-123456789012"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def test_parameters(tour: Tour) -> None:
    account = tour.account
    image = account.image(account.snapshot())
    second = account.image(account.image_snapshot(image), "second")
    put, get, history = "ssm.put_parameter", "ssm.get_parameter", "ssm.get_parameter_history"
    named = {"Name": "/images/web", "DataType": "aws:ec2:image", "Type": "String"}
    tags = [{"Key": "stage", "Value": "beta"}]
    tour(put, Value=image, Tags=tags, Description="web", **named)
    tour(get, Name="/images/web")
    tour("ssm.describe_parameters")
    due = account.site.pace.validate_parameter
    tour.after(due - 0.01)
    tour(get, Name="/images/web")
    tour.after(0.01)
    tour(get, Name="/images/web")
    tour("ssm.list_tags_for_resource", ResourceType="Parameter", ResourceId="/images/web")
    tour.each(
        put,
        {},
        {"Type": "StringList"},
        {"Type": "SecureString"},
        {"Value": second, "Overwrite": True, "Tags": [{"Key": "more", "Value": "x"}]},
        {"Value": "ami-0123456789abcdef0", "Overwrite": True},
        {"Name": "/images/none", "Value": "ami-0123456789abcdef0"},
        {"Name": "aws/x"},
        {"Name": "/images/plain", "DataType": "text", "Value": "text", "Tags": tags},
        {"Name": "/images/list", "DataType": "text", "Type": "StringList", "Value": "a,b"},
        {"Name": "/images/secret", "DataType": "text", "Type": "SecureString", "Value": "s"},
        {"Name": "/images/p", "DataType": "text", "Value": "x", "AllowedPattern": "[0-9]+"},
        {"DataType": "other"},
        {"Policies": "[]"},
        **{"Value": image, **named},
    )
    tour.after(due)
    tour(history, Name="/images/web")
    tour("ssm.describe_parameters")
    for name in (*("/images/web", "/images/web:1", "/images/web:2", "/images/web:3"), "/none"):
        tour(get, Name=name)
    tour.each("ssm.get_parameter", {"WithDecryption": True}, {}, Name="/images/secret")
    tour("ssm.label_parameter_version", Name="/images/web", ParameterVersion=1, Labels=["old"])
    tour("ssm.label_parameter_version", Name="/images/web", ParameterVersion=9, Labels=["old"])
    tour(get, Name="/images/web:old")
    tour("ssm.get_parameters", Names=["/images/web", "/none"])
    tour("ssm.get_parameters_by_path", Path="/images", Recursive=True)
    tour("ssm.get_parameters_by_path", Path="/")
    one = {"InstanceType": "c5.large", "MinCount": 1, "MaxCount": 1}
    launched = []
    for version in ("", ":1", ":2", ":old", ":9", ":new"):
        given = {"ImageId": f"resolve:ssm:/images/web{version}", **one}
        tour("ec2.run_instances", DryRun=True, **given)
        if version in ("", ":1", ":old"):
            launched += account.ec2.run_instances(**given)["Instances"]
    tour.note("launched", [each["ImageId"] for each in launched])
    for name in ("/images/none", "/images/plain"):
        tour("ec2.run_instances", ImageId=f"resolve:ssm:{name}", **one)
    labels = {"Name": "/images/web", "ParameterVersion": 1, "Labels": ["old"]}
    tour.each("ssm.unlabel_parameter_version", {}, {}, **labels)
    of_it = {"ResourceType": "Parameter", "ResourceId": "/images/web"}
    tour("ssm.add_tags_to_resource", Tags=[{"Key": "a", "Value": "b"}], **of_it)
    tour("ssm.remove_tags_from_resource", TagKeys=["stage"], **of_it)
    tour("ssm.list_tags_for_resource", **of_it)
    tour("ssm.list_tags_for_resource", ResourceType="Parameter", ResourceId="/none")
    tour("ssm.delete_parameter", Name="/images/plain")
    tour("ssm.delete_parameter", Name="/images/plain")
    tour("ssm.delete_parameters", Names=["/images/web", "/none"])
    tour(get, Name="/images/web")
    tour(put, Value=image, **named)
    tour("ssm.send_command", DocumentName="x")
    compare(HERE / "parameters.txt", tour.text)


def test_keys(tour: Tour) -> None:
    described, aliases = "kms.describe_key", "kms.list_aliases"
    tag = {"TagKey": "Name", "TagValue": "one"}
    key = tour("kms.create_key", Description="disks", Tags=[tag])["KeyMetadata"]
    several = tour("kms.create_key", MultiRegion=True)["KeyMetadata"]
    tour.each(
        "kms.create_key",
        {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"},
        {"KeySpec": "x"},
        {"Origin": "EXTERNAL"},
    )
    alias = {"AliasName": "alias/disks", "TargetKeyId": key["KeyId"]}
    tour.each(
        "kms.create_alias",
        {},
        {},
        {"AliasName": "disks"},
        {"AliasName": "alias/aws/disks"},
        {"AliasName": "alias/x", "TargetKeyId": NO_KEY},
        **alias,
    )
    wanted = (key["KeyId"], key["Arn"], "alias/disks", NO_KEY, "alias/none", several["KeyId"])
    for one in (*wanted, "alias/aws/ebs", key["Arn"].replace("us-east-1", "eu-west-1"), "x"):
        tour(described, KeyId=one)
    tour(aliases, KeyId=key["KeyId"])
    tour("kms.update_alias", AliasName="alias/disks", TargetKeyId=several["KeyId"])
    tour(aliases, KeyId=several["KeyId"])
    for operation in ("disable_key", "enable_key", "disable_key"):
        for one in (key["Arn"], NO_KEY):
            tour(f"kms.{operation}", KeyId=one)
        tour(described, KeyId=key["KeyId"])
    of_it = {"KeyId": key["KeyId"]}
    tour("kms.tag_resource", Tags=[{"TagKey": "a", "TagValue": "b"}], **of_it)
    tour("kms.untag_resource", TagKeys=["Name"], **of_it)
    tour("kms.list_resource_tags", **of_it)
    tour("kms.get_key_policy", PolicyName="default", **of_it)
    tour("kms.put_key_policy", PolicyName="other", Policy="{}", **of_it)
    for days in (6, 31, 7):
        tour("kms.schedule_key_deletion", PendingWindowInDays=days, **of_it)
    tour(described, **of_it)
    tour("kms.cancel_key_deletion", KeyId=key["Arn"])
    tour(described, **of_it)
    tour("kms.delete_alias", AliasName="alias/disks")
    tour("kms.delete_alias", AliasName="alias/disks")
    tour("kms.list_keys", Limit=2)
    tour("kms.encrypt", KeyId=key["KeyId"], Plaintext=b"x")
    compare(HERE / "keys.txt", tour.text)


def test_roles_and_callers(tour: Tour) -> None:
    tour("sts.get_caller_identity")
    role = {"RoleName": "reader", "AssumeRolePolicyDocument": TRUST}
    tour.each("iam.create_role", {}, {}, {"RoleName": "x y"}, {"RoleName": "r" * 65}, **role)
    tour("iam.get_role", RoleName="reader")
    tour("iam.get_role", RoleName="none")
    tour("iam.list_roles")
    tour("iam.put_role_policy", RoleName="reader", PolicyName="p", PolicyDocument=TRUST)
    tour("iam.put_role_policy", RoleName="reader", PolicyName="p", PolicyDocument="x")
    tour("iam.list_role_policies", RoleName="reader")
    tour("iam.get_role_policy", RoleName="reader", PolicyName="p")
    for operation in ("create_instance_profile", "delete_instance_profile"):
        tour(f"iam.{operation}", InstanceProfileName="host")
        tour(f"iam.{operation}", InstanceProfileName="host")
    tour("iam.create_instance_profile", InstanceProfileName="host")
    both = {"InstanceProfileName": "host", "RoleName": "reader"}
    for operation in ("add_role_to", "add_role_to", "remove_role_from", "add_role_to"):
        tour(f"iam.{operation}_instance_profile", **both)
        tour("iam.get_instance_profile", InstanceProfileName="host")
    tour("iam.list_instance_profiles_for_role", RoleName="reader")
    tour("iam.delete_role", RoleName="reader")
    tour("iam.delete_instance_profile", InstanceProfileName="host")
    policy: list[dict[str, Any]] = [
        {},
        {"MinimumPasswordLength": 9},
        {"MaxPasswordAge": 90},
        {"PasswordReusePrevention": 3},
        {"MinimumPasswordLength": 5},
        {"PasswordReusePrevention": 25},
    ]
    tour("iam.get_account_password_policy")
    for given in policy:
        tour("iam.update_account_password_policy", **given)
        tour("iam.get_account_password_policy")
    tour("iam.delete_account_password_policy")
    tour("iam.get_account_password_policy")
    tour("iam.list_users", MaxItems=0)
    tour("sts.assume_role", RoleArn="x", RoleSessionName="x")
    tour("sts.decode_authorization_message", EncodedMessage="x")
    compare(HERE / "roles.txt", tour.text)


def test_quotas(tour: Tour) -> None:
    tour.account.clients["quotas"] = getattr(tour.account, "service-quotas")
    tour("quotas.list_services")
    tour("quotas.list_services", MaxResults=2)
    for service in ("ec2", "s3", "vpc", "sqs"):
        tour("quotas.list_service_quotas", ServiceCode=service)
    defaults = tour.account.quotas.list_aws_default_service_quotas(ServiceCode="ec2")["Quotas"]
    tour.note("defaults", [(each["QuotaCode"], each["Value"]) for each in defaults])
    for code in ("L-1216C47A", "L-34B43A08", "L-F678F1CE", "L-00000000", "x"):
        for operation in ("get_service_quota", "get_aws_default_service_quota"):
            tour(f"quotas.{operation}", ServiceCode="ec2", QuotaCode=code)
    listing = "quotas.list_service_quotas"
    tour.each(
        listing,
        {"QuotaCode": "L-F678F1CE"},
        {"QuotaCode": "L-00000000"},
        {"QuotaAppliedAtLevel": "RESOURCE"},
        {"QuotaAppliedAtLevel": "ACCOUNT", "QuotaCode": "L-407747CB"},
        {"NextToken": "x"},
        {"MaxResults": 101},
        {"MaxResults": 0},
        ServiceCode="vpc",
    )
    first = tour(listing, ServiceCode="vpc", MaxResults=2)
    tour(listing, ServiceCode="vpc", MaxResults=2, NextToken=first["NextToken"])
    tour(listing, ServiceCode="ec2", MaxResults=2, NextToken=first["NextToken"])
    tour("quotas.request_service_quota_increase", ServiceCode="ec2", QuotaCode="x", DesiredValue=9)
    other = Tour(tour.account.there("eu-west-1"))
    other.account.clients["quotas"] = getattr(other.account, "service-quotas")
    other("quotas.get_service_quota", ServiceCode="ec2", QuotaCode="L-1216C47A")
    other("quotas.get_service_quota", ServiceCode="s3", QuotaCode="L-DC2B2D3D")
    compare(HERE / "quotas.txt", tour.text + other.text)


def test_scaling_groups(tour: Tour) -> None:
    account = tour.account
    image = account.image(account.snapshot())
    named = {"LaunchConfigurationName": "one", "ImageId": image, "InstanceType": "c5.large"}
    tour("autoscaling.create_launch_configuration", **named)
    tour("autoscaling.create_launch_configuration", **named)
    tour("autoscaling.create_launch_configuration", **named, KernelId="x")
    group = {
        "AutoScalingGroupName": "group",
        "LaunchConfigurationName": "one",
        "AvailabilityZones": ["us-east-1a"],
        "MinSize": 0,
        "MaxSize": 0,
    }
    tour("autoscaling.create_auto_scaling_group", **group)
    tour("autoscaling.describe_auto_scaling_groups", AutoScalingGroupNames=["group"])
    tour("autoscaling.describe_auto_scaling_groups", AutoScalingGroupNames=["none"])
    tour("autoscaling.describe_launch_configurations")
    tour("autoscaling.update_auto_scaling_group", AutoScalingGroupName="group", MaxSize=1)
    tour("autoscaling.delete_auto_scaling_group", AutoScalingGroupName="group")
    tour("autoscaling.delete_auto_scaling_group", AutoScalingGroupName="group")
    tour("autoscaling.delete_launch_configuration", LaunchConfigurationName="one")
    tour("autoscaling.describe_auto_scaling_groups", Filters=filters(("tag-key", "x")))
    tour("autoscaling.attach_instances", AutoScalingGroupName="group")
    compare(HERE / "scaling-groups.txt", tour.text)
