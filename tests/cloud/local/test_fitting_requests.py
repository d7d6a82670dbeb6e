"""Requests that fit their model, about things that are there: an answer that fits it, too.

botocore writes the requests and reads the answers, as in every client that is made from the models.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from botocore.awsrequest import HeadersDict
from botocore.model import ServiceModel, Shape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws
from moto.core.utils import get_service_model
from moto.server import create_backend_app
from werkzeug.test import Client

from nitro.local.aws import Site, install
from nitro.local.aws.api import support
from nitro.local.aws.site import INSTANT
from nitro.local.error_answer import in_form
from nitro.local.hypervisor import NullHypervisor
from nitro.local.store import BlockStore
from tests.cloud.local.test_any_request import FEW, HEADERS

REGION = "us-east-1"
SIGNED_AS = {"service-quotas": "servicequotas"}
SERVICES = ("autoscaling", "ebs", "ec2", "iam", "kms", "s3", "service-quotas", "ssm", "sts")
BLOCK = 512 * 1024
NOT_SENT_HERE = {"WriteGetObjectResponse"}  # goes to a host of its own


class World:
    """An account with one of each kind, and a client of each service."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}  # the end of a parameter's name, in small letters → a value
        self.clients = {
            name: Client(in_form(create_backend_app(name), SIGNED_AS.get(name, name)))
            for name in SERVICES
        }
        connect: Any = boto3.client
        names = ("ec2", "s3", "ssm", "kms", "iam")
        ec2, s3, ssm, kms, iam = (connect(name, region_name=REGION) for name in names)
        s3.create_bucket(Bucket="bucket-1")
        s3.put_object(Bucket="bucket-1", Key="key", Body=b"x" * 1000)
        upload = s3.create_multipart_upload(Bucket="bucket-1", Key="key")["UploadId"]
        zone = f"{REGION}a"
        volume = ec2.create_volume(AvailabilityZone=zone, Size=1)["VolumeId"]
        snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        image = ec2.register_image(
            Name="image",
            Architecture="x86_64",
            VirtualizationType="hvm",
            EnaSupport=True,
            RootDeviceName="/dev/xvda",
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}],
        )["ImageId"]
        ec2.create_key_pair(KeyName="key-1")
        instance = ec2.run_instances(ImageId=image, InstanceType="c5.large", MinCount=1, MaxCount=1)
        (one,) = instance["Instances"]
        data = {"ImageId": image, "InstanceType": "c5.large"}
        template = ec2.create_launch_template(LaunchTemplateName="lt-1", LaunchTemplateData=data)
        address = ec2.allocate_address()
        ec2.create_placement_group(GroupName="pg-1", Strategy="cluster")
        ssm.put_parameter(Name="/a/b", Value="1", Type="String")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName="alias/a", TargetKeyId=key)
        iam.create_role(RoleName="role-1", AssumeRolePolicyDocument="{}")
        iam.create_instance_profile(InstanceProfileName="profile-1")
        iam.create_user(UserName="user-1")
        self.names = {
            "bucket": "bucket-1",
            "key": "key",
            "uploadid": upload,
            "volumeid": volume,
            "volumeids": volume,
            "snapshotid": snapshot,
            "snapshotids": snapshot,
            "imageid": image,
            "imageids": image,
            "instanceid": one["InstanceId"],
            "instanceids": one["InstanceId"],
            "networkinterfaceid": one["NetworkInterfaces"][0]["NetworkInterfaceId"],
            "subnetid": one["SubnetId"],
            "vpcid": one["VpcId"],
            "groupid": one["SecurityGroups"][0]["GroupId"],
            "keyname": "key-1",
            "instancetype": "c5.large",
            "launchtemplateid": template["LaunchTemplate"]["LaunchTemplateId"],
            "launchtemplatename": "lt-1",
            "allocationid": address["AllocationId"],
            "publicip": address["PublicIp"],
            "availabilityzone": zone,
            "region": REGION,
            "rolename": "role-1",
            "instanceprofilename": "profile-1",
            "username": "user-1",
            "keyid": key,
            "aliasname": "alias/a",
            "targetkeyid": key,
            "policydocument": '{"Version": "2012-10-17", "Statement": []}',
            "policy": '{"Version": "2012-10-17", "Statement": []}',
            "copysource": "bucket-1/key",
        }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("blocks")
    site = Site(BlockStore(folder), NullHypervisor(), pace=INSTANT, index=folder)
    with pytest.MonkeyPatch.context() as patch, install(site), mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        yield World()


def fitting(shape: Shape, world: World, name: str, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that the model allows; what is there, where a parameter is named after it."""
    kind: Any = shape
    if shape.type_name == "structure":
        required = {n: fitting(kind.members[n], world, n, depth + 1) for n in kind.required_members}
        others = sorted(kind.members.keys() - required.keys())
        some = others if depth < 4 else []

        def later(name: str) -> st.SearchStrategy[Any]:
            return st.deferred(lambda: fitting(kind.members[name], world, name, depth + 1))

        optional = {name: later(name) for name in some}
        chosen = st.sets(st.sampled_from(some), max_size=3) if some else st.just(set[str]())
        return chosen.flatmap(
            lambda names: st.fixed_dictionaries({**required, **{n: optional[n] for n in names}})
        )
    if shape.type_name == "list":
        least = int(shape.metadata.get("min", 0))
        return st.lists(
            fitting(kind.member, world, name, depth + 1), min_size=least, max_size=max(2, least)
        )
    if shape.type_name == "map":
        values = fitting(kind.value, world, name, depth + 1)
        return st.dictionaries(st.sampled_from(["a", "b"]), values, max_size=2)
    there = world.names.get(name.lower())
    return st.one_of(st.just(there), _plain(shape)) if there else _plain(shape)


def _plain(shape: Shape) -> st.SearchStrategy[Any]:
    limits = shape.metadata
    if enum := limits.get("enum"):
        return st.sampled_from(enum)
    if shape.type_name == "boolean":
        return st.booleans()
    if shape.type_name in ("integer", "long"):
        low = int(limits.get("min", 0))
        return st.integers(low, min(int(limits.get("max", 1000)), low + 1000))
    if shape.type_name in ("float", "double"):
        return st.just(1.5)
    if shape.type_name == "timestamp":
        return st.sampled_from(["2026-01-02T03:04:05Z", "2030-01-01T00:00:00Z"])
    if shape.type_name == "blob":
        return st.sampled_from([b"", b"x", b"y" * BLOCK])
    least = int(limits.get("min", 0))
    words = ["a", "name-1", "/a/b", "10.0.0.0/24", "tcp", "1", "STANDARD", "arn:aws:iam::1:role/a"]
    return st.sampled_from([word.ljust(least, "x") for word in words])


@pytest.mark.extended
@FEW
@given(data=st.data())
@pytest.mark.parametrize("service", SERVICES)
def test_what_fits_the_model_has_an_answer_of_the_model(
    world: World, service: str, data: st.DataObject
) -> None:
    model: ServiceModel = get_service_model(service)
    honoured = support.HONOURED if service == "ec2" else support.SERVICES.get(service)
    names = sorted({*(honoured or model.operation_names)} - NOT_SENT_HERE)
    operation = model.operation_model(data.draw(st.sampled_from(names)))
    shape: Any = operation.input_shape
    given = data.draw(fitting(shape, world, "")) if shape else {}
    protocol = str(model.metadata["protocol"])
    sent: Any = create_serializer(protocol, include_validation=False).serialize_to_request(
        given, operation
    )
    body, headers = sent["body"], dict(sent["headers"])
    if isinstance(body, dict):
        body = urlencode(body)
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    path, _, word = sent["url_path"].partition("?")
    for name, value in given.items():  # what botocore's handlers do with a bucket's name
        path = path.replace(f"{{{name}}}", str(value))
    query = [word, urlencode(sent["query_string"], doseq=True)]
    answer = world.clients[service].open(
        f"/{path.lstrip('/')}",
        method=sent["method"],
        query_string="&".join(filter(None, query)),
        data=body,
        headers={
            **headers,
            "Authorization": HEADERS["Authorization"].format(SIGNED_AS.get(service, service)),
        },
    )
    about = f"{operation.name}({given}): {answer.status_code} {answer.text[:500]}"
    assert answer.status_code < 500 or (service, answer.status_code) == ("s3", 501), about
    assert not answer.text.lower().startswith("<!doctype"), about
    response = {
        "status_code": answer.status_code,
        "headers": HeadersDict(dict(answer.headers)),
        "body": SimpleNamespace(read=answer.get_data)
        if operation.has_streaming_output and answer.status_code < 300
        else answer.get_data(),
        "context": {},
    }
    output: Any = operation.output_shape
    parsed: Any = create_parser(protocol).parse(response, output)
    if answer.status_code >= 300:
        assert parsed["Error"]["Code"] or sent["method"] == "HEAD", about
        return
    told = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
    told = {name: value for name, value in told.items() if not hasattr(value, "read")}
    if operation.output_shape is not None:
        report = ParamValidator().validate(told, operation.output_shape).generate_report()
        # The models' least lengths are those of requests: AWS's lists may be empty, too.
        wrong = [line for line in report.splitlines() if not line.startswith("Invalid length")]
        assert not wrong, f"{about}: {wrong}"
