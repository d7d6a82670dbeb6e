"""What EC2 does with every request: names, filters, pages, tokens, dry runs, the envelope."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import botocore.session
import pytest
from botocore.model import ListShape, OperationModel, Shape, StructureShape
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws
from moto.ec2.models import ec2_backends
from moto.server import create_backend_app

from nitro.local.aws import Site, install
from nitro.local.aws.api import answers, reference, support
from nitro.local.hypervisor import NullHypervisor
from nitro.local.store import BlockStore
from tests.lengths import length

from .conftest import Account, error_code

EC2 = botocore.session.get_session().get_service_model("ec2")
DESCRIBING = sorted(
    name
    for name in support.HONOURED
    if (shape := EC2.operation_model(name).input_shape) and "Filters" in shape.members
)

# What they describe is there in every account.
NONE_AT_FIRST = {
    "DescribeAddresses",
    "DescribeIamInstanceProfileAssociations",
    "DescribeImportImageTasks",
    "DescribeInternetGateways",
    "DescribeVolumesModifications",
}
READ_ONLY = {
    *("DescribeAddresses", "DescribeAvailabilityZones", "DescribeInstanceTypeOfferings"),
    *("DescribeInstanceTypes", "DescribeRegions", "DescribeRouteTables"),
    *("DescribeSecurityGroupRules", "DescribeSecurityGroups", "DescribeSubnets", "DescribeVpcs"),
}


def call(action: str | None, **parameters: str) -> tuple[int, Any]:
    """Status and XML of the answer to a raw request."""
    data = {name.replace("__", "."): value for name, value in parameters.items()}
    answer = (
        create_backend_app("ec2")
        .test_client()
        .post("/", data={**({"Action": action} if action else {}), **data})
    )
    assert answer.content_type == answers.CONTENT_TYPE
    return answer.status_code, ElementTree.fromstring(answer.text)


def refusal(action: str | None, **parameters: str) -> str:
    status, root = call(action, **parameters)
    assert 400 <= status < 500
    assert root.tag == "Response"
    return str(root.findtext("Errors/Error/Code"))


def documented_filters(operation: str) -> list[str]:
    shape = EC2.operation_model(operation).input_shape
    assert shape
    text = shape.members["Filters"].documentation
    names = re.findall(r"<li>\s*<p>\s*<code>([^<]+)</code>", text)
    for others in re.findall(r"You can also use(.*?)as the filter name", text):
        names += re.findall("<code>([^<]+)</code>", others)
    return [name.replace("&lt;key&gt;", "any") for name in names if name != "tag"]


def test_an_answer_has_the_envelope_of_aws(account: Account) -> None:
    status, first = call("DescribeRegions")
    _, second = call("DescribeRegions")
    namespace = "{http://ec2.amazonaws.com/doc/2016-11-15/}"
    assert (status, first.tag) == (200, f"{namespace}DescribeRegionsResponse")
    ids = [root.findtext(f"{namespace}requestId") for root in (first, second)]
    assert len(set(ids)) == 2
    assert all(re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id_ or "") for id_ in ids)


def test_an_error_has_the_envelope_of_aws(account: Account) -> None:
    status, root = call("DescribeImages", ImageId__1="ami-00000000000000000")
    assert status == 400
    assert root.tag == "Response"  # without a namespace
    assert root.findtext("Errors/Error/Code") == "InvalidAMIID.NotFound"
    assert re.fullmatch("[0-9a-f-]{36}", root.findtext("RequestID") or "")


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("action", "parameters", "code"),
    [
        (None, {}, "MissingAction"),
        ("MakeCoffee", {}, "InvalidAction"),
        ("CreateCustomerGateway", {"Type": "ipsec.1"}, "UnsupportedOperation"),
        ("EnableVolumeIO", {"VolumeId": "vol-1"}, "UnsupportedOperation"),
        ("DescribeImages", {"Colour": "red"}, "UnknownParameter"),
        ("DescribeImages", {"ImageId__1__Deep": "x"}, "UnknownParameter"),
        ("DescribeImages", {"Filter__1__Name": "colour", "Filter__1__Value__1": "x"},
         "InvalidParameterValue"),
        ("DescribeImages", {"Filter__1__Name": "name"}, "InvalidParameterValue"),
        ("DescribeImages", {"Filter__1__Value__1": "x"}, "InvalidParameterValue"),
        ("TerminateInstances", {}, "MissingParameter"),
        ("DescribeInstances", {"MaxResults": "1"}, "InvalidParameterValue"),
        ("DescribeInstances", {"MaxResults": "1001"}, "InvalidParameterValue"),
        ("DescribeInstances", {"MaxResults": "many"}, "InvalidParameterValue"),
        ("DescribeInstances", {"NextToken": "x"}, "InvalidNextToken"),
        ("DescribeRegions", {"AllRegions": "perhaps"}, "InvalidParameterValue"),
        ("DescribeImages", {"DryRun": "true"}, "DryRunOperation"),
        ("CreateTags", {"ResourceId__1": "i-1", "Tag__1__Key": "a\x00b"}, "InvalidParameterValue"),
        ("RunInstances", {"MinCount": "1", "MaxCount": "1", "CpuOptions__AmdSevSnp": "enabled"},
         "UnsupportedOperation"),
        ("RunInstances", {"MinCount": "1", "MaxCount": "1", "Placement__Tenancy": "blue"},
         "InvalidParameterValue"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(action: str | None, parameters: dict[str, str], code: str) -> None:
    assert refusal(action, **parameters) == code


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("operation", DESCRIBING)
def test_every_documented_filter_is_applied_or_refused(account: Account, operation: str) -> None:
    # Its whole answer has hundreds of types; one will do.
    fewer = {
        "DescribeInstanceTypes": {"InstanceType__1": "c5.large"},
        "DescribeLaunchTemplateVersions": {"LaunchTemplateVersion__1": "$Latest"},
    }.get(operation, {})
    if operation not in READ_ONLY:
        account.run(account.image(account.snapshot()), InstanceType="t3.micro")
        account.ec2.create_key_pair(KeyName="key")
        account.ec2.create_placement_group(GroupName="near", Strategy="cluster")
        data = {"ImageId": "ami-1", "InstanceType": "c5.large"}
        account.ec2.create_launch_template(LaunchTemplateName="template", LaunchTemplateData=data)
    status, root = call(operation, **fewer)
    assert status == 200
    assert _records(operation, root) or operation in NONE_AT_FIRST
    for name in documented_filters(operation):
        request = {**fewer, "Filter__1__Name": name, "Filter__1__Value__1": "no such value"}
        status, root = call(operation, **request)
        if status == 200:
            assert not _records(operation, root), f"{name} is ignored"
        else:
            assert root.findtext("Errors/Error/Code") == "InvalidParameterValue", name


def _records(operation: str, root: ElementTree.Element) -> int:
    found = answers.listing(EC2.operation_model(operation))
    assert found
    records = root.find(f"{{{answers.NAMESPACE}}}{found.outer}")
    return 0 if records is None else len(records)


@pytest.mark.extended
def test_filters_take_wildcards_and_tags(account: Account) -> None:
    snapshot = account.snapshot()
    tags = [{"ResourceType": "image", "Tags": [{"Key": "stage", "Value": "beta"}]}]
    image = account.image(snapshot, "nitro-a1", TagSpecifications=tags)
    other = account.image(snapshot, "other")

    def found(name: str, *values: str) -> set[str]:
        answer = account.ec2.describe_images(Filters=[{"Name": name, "Values": list(values)}])
        return {each["ImageId"] for each in answer["Images"]}

    assert found("name", "nitro-*") == found("name", "nitro-a?") == {image}
    assert found("name", "nitro-a1", "other") == {image, other}
    assert found("name", r"nitro-\*") == found("name", "NITRO-A1") == set()
    assert found("tag:stage", "b*a") == found("tag-key", "stage") == {image}
    assert found("block-device-mapping.snapshot-id", snapshot) == {image, other}
    assert found("state", "available") == {image, other}
    assert found("creation-date", "20*") == {image, other}


def test_some_filters_have_a_second_name(account: Account) -> None:
    """As Ansible looks for the default VPC."""
    wanted = [{"Name": "isDefault", "Values": ["true"]}]
    (vpc,) = account.ec2.describe_vpcs(Filters=wanted)["Vpcs"]
    wanted = [{"Name": "defaultForAz", "Values": ["true"]}]
    wanted += [{"Name": "availabilityZone", "Values": ["us-east-1a"]}]
    (subnet,) = account.ec2.describe_subnets(Filters=wanted)["Subnets"]
    assert subnet["VpcId"] == vpc["VpcId"]


def test_the_offerings_of_a_type_are_found_by_type_and_zone(account: Account) -> None:
    def offered(**filters: str) -> set[tuple[str, str]]:
        answer = account.ec2.describe_instance_type_offerings(
            LocationType="availability-zone",
            Filters=[
                {"Name": name.replace("_", "-"), "Values": [v]} for name, v in filters.items()
            ],
        )
        return {(o["InstanceType"], o["Location"]) for o in answer["InstanceTypeOfferings"]}

    found = offered(instance_type="c5.large")
    assert {instance_type for instance_type, _ in found} == {"c5.large"}
    zone = min(location for _, location in found)
    assert offered(instance_type="c5.large", location=zone) == {("c5.large", zone)}
    assert offered(instance_type="c5.l*", location=zone) == {("c5.large", zone)}
    assert offered(instance_type="c5.none") == set()


def test_instances_are_filtered_inside_their_reservations(account: Account) -> None:
    image = account.image(account.snapshot())
    first = account.run(image)
    second = account.run(image, InstanceType="t3.micro")

    def found(name: str, value: str) -> list[str]:
        answer = account.ec2.describe_instances(Filters=[{"Name": name, "Values": [value]}])
        return [i["InstanceId"] for r in answer["Reservations"] for i in r["Instances"]]

    assert found("instance-type", "t3.*") == [second["InstanceId"]]
    assert set(found("owner-id", "123456789012")) == {first["InstanceId"], second["InstanceId"]}
    address = first["PrivateIpAddress"]
    for name in ("private-ip-address", "network-interface.addresses.private-ip-address"):
        assert found(name, address) == [first["InstanceId"]]


def test_lists_may_be_counted_from_zero_and_one_may_have_no_number(account: Account) -> None:
    snapshot = account.snapshot()
    status, _ = call("CreateTags", ResourceId=snapshot, Tag__0__Key="a", Tag__0__Value="b")
    assert status == 200
    (found,) = account.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    assert found["Tags"] == [{"Key": "a", "Value": "b"}]


@pytest.mark.extended
def test_what_returns_nothing_returns_true(account: Account) -> None:
    snapshot = account.snapshot()
    _, root = call("DeleteSnapshot", SnapshotId=snapshot)
    assert root.findtext(f"{{{answers.NAMESPACE}}}return") == "true"


def test_the_same_client_token_makes_nothing_twice(account: Account) -> None:
    made = {"AvailabilityZone": "us-east-1a", "Size": 1, "ClientToken": "once"}
    first = account.ec2.create_volume(**made)["VolumeId"]
    assert account.ec2.create_volume(**made)["VolumeId"] == first
    assert len(account.ec2.describe_volumes()["Volumes"]) == 1
    code = error_code(lambda: account.ec2.create_volume(**{**made, "Size": 2}))
    assert code == "IdempotentParameterMismatch"


@pytest.mark.extended
def test_a_dry_run_changes_nothing(account: Account) -> None:
    snapshot = account.snapshot()
    code = error_code(lambda: account.ec2.delete_snapshot(SnapshotId=snapshot, DryRun=True))
    assert code == "DryRunOperation"
    assert account.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]


@pytest.mark.extended
def test_an_exception_inside_is_an_internal_error_with_an_id_that_the_log_explains(
    account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    snapshot = account.snapshot()
    monkeypatch.setattr(account.site, "store", None)
    status, root = call("DeleteSnapshot", SnapshotId=snapshot)
    assert status == 500
    assert root.findtext("Errors/Error/Code") == "InternalError"
    assert root.findtext("RequestID") in caplog.text


def test_one_bad_record_does_not_end_the_service(account: Account) -> None:
    snapshot = account.snapshot()
    backend = ec2_backends["123456789012"]["us-east-1"]
    backend.snapshots["snap-bad"] = type("Bad", (), {"id": "snap-bad", "open_for_writing": False})()
    account.ec2.create_tags(Resources=[snapshot], Tags=[{"Key": "a", "Value": "b"}])
    (kept,) = Path(account.site.index or "").glob("*.json")
    assert snapshot in kept.read_text()
    assert "snap-bad" not in kept.read_text()


@pytest.mark.extended
def test_an_archive_that_cannot_be_written_fails_no_call(
    account: Account, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    snapshot = account.snapshot()
    account.site.index = tmp_path / "file"
    account.site.index.write_text("in the way")
    account.ec2.create_tags(Resources=[snapshot], Tags=[{"Key": "a", "Value": "b"}])
    assert "cannot be written" in caplog.text
    account.site.index = tmp_path
    account.ec2.describe_snapshots(OwnerIds=["self"])
    (kept,) = tmp_path.glob("*.json")
    assert '"b"' in kept.read_text()


def test_permissions_are_changed_in_both_forms(account: Account) -> None:
    snapshot = account.snapshot()
    change = account.ec2.modify_snapshot_attribute
    change(SnapshotId=snapshot, CreateVolumePermission={"Add": [{"UserId": "1" * 12}]})
    change(SnapshotId=snapshot, OperationType="add", UserIds=["2" * 12])
    change(SnapshotId=snapshot, CreateVolumePermission={"Remove": [{"UserId": "2" * 12}]})
    answer = account.ec2.describe_snapshot_attribute(
        SnapshotId=snapshot, Attribute="createVolumePermission"
    )
    assert answer["CreateVolumePermissions"] == [{"UserId": "1" * 12}]
    assert error_code(lambda: change(SnapshotId=snapshot)) == "InvalidParameterCombination"


def test_an_image_takes_another_description(account: Account) -> None:
    image = account.image(account.snapshot(), Description="before")
    account.ec2.modify_image_attribute(ImageId=image, Description={"Value": "after"})
    (found,) = account.ec2.describe_images(ImageIds=[image])["Images"]
    assert found["Description"] == "after"


def test_the_page_of_the_documentation_is_the_table() -> None:
    page = Path(__file__).resolve().parents[3] / "docs/local-api.md"
    assert page.read_text() == reference.page()


def test_the_table_names_what_the_model_has() -> None:
    for operation, names in support.HONOURED.items():
        shape = EC2.operation_model(operation).input_shape
        for name in names:
            assert shape, operation
            assert _has(shape, name.split(".")), f"{operation} {name}"


def _has(shape: Shape, path: list[str]) -> bool:
    if not path:
        return True
    if isinstance(shape, ListShape):
        return _has(shape.member, path)
    return (
        isinstance(shape, StructureShape)
        and path[0] in shape.members
        and _has(shape.members[path[0]], path[1:])
    )


def requests_to(model: OperationModel) -> st.SearchStrategy[dict[str, str]]:
    """Query parameters for an operation: names of the model and others, values of any kind."""
    known = list(model.input_shape.members if model.input_shape else {})
    names = st.sampled_from([*known, "Filter.1.Name", "Filter.1.Value.1", "Tag.1.Key", "X"])
    numbered = st.builds(lambda name, end: name + end, names, st.sampled_from(["", ".1", ".0.Id"]))
    values = st.one_of(
        st.text(max_size=20),
        st.sampled_from(["true", "1", "-1", "99999999999999999999", "ami-1", "i-1", "name"]),
    )
    return st.dictionaries(numbered, values, max_size=4)


@pytest.mark.extended
@settings(max_examples=length(short=20, long=1000))
@given(st.data())
def test_whatever_is_asked_the_answer_has_the_form_of_aws(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*EC2.operation_names, *support.HONOURED]))
    asked = data.draw(requests_to(EC2.operation_model(name)))
    with install(Site(BlockStore(Path()), NullHypervisor())), mock_aws():
        status, root = call(name, **asked)
    assert status in (200, 400, 412)
    if status != 200:
        assert root.findtext("Errors/Error/Code") != "InternalError"


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([{"Key": "aws:local:nic", "Value": "x"}], "InvalidParameterValue"),
        ([{"Key": "AWS:a", "Value": "x"}], "InvalidParameterValue"),
        ([{"Key": "k" * 129, "Value": "x"}], "InvalidParameterValue"),
        ([{"Key": "k", "Value": "v" * 257}], "InvalidParameterValue"),
        ([{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}], "InvalidParameterValue"),
        ([{"Key": f"k{n}", "Value": ""} for n in range(51)], "TagLimitExceeded"),
    ],
)
def test_tags_that_are_not_allowed(account: Account, tags: Any, code: str) -> None:
    snapshot = account.snapshot()
    assert error_code(lambda: account.ec2.create_tags(Resources=[snapshot], Tags=tags)) == code
    specification = [{"ResourceType": "image", "Tags": tags}]
    assert error_code(lambda: account.image(snapshot, TagSpecifications=specification)) == code
