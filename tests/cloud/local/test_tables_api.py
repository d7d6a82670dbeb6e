"""How requests of EC2 are read, filtered, paged and answered, at and beside each bound."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from botocore.model import ShapeResolver
from moto.core.utils import camelcase_to_underscores, get_service_model

from nitro.local.aws.api import (
    answers,
    constraints,
    faults,
    filters,
    forms,
    pages,
    requests,
    support,
    tags,
)
from nitro.local.aws.api.tokens import Tokens
from tests.cloud.local.table import Table
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
EC2 = get_service_model("ec2")


def test_filters() -> None:
    table = Table()
    table.head("patterns")
    for text, value in itertools.product(
        ("", "a", "a*", "*a", "?", "a?c", "\\*", "\\?", "\\\\", "\\a", "a.c", "a\\", "**", "a\nb*"),
        ("", "a", "ab", "abc", "ba", "*", "?", "\\", "a\\", "a\nbc", "a.c"),
    ):
        if filters.wildcard(text).fullmatch(value):
            table.text += f"{text!r} fits {value!r}\n"
    table.head("names")
    names = {
        "DescribeInstances": """
            instance-id instance-type network-interface.subnet-id owner-id reservation-id
            placement-group-name availability-zone group-name instance.group-id image-id
            network-interface.addresses.private-ip-address
            network-interface.attachment.attachment-id
            block-device-mapping.volume-id tag-key instance-state-name instance-state-code nothing
            state instance launch-index iam-instance-profile.arn metadata-options.http-tokens
            network-interface.addresses.association.public-ip hibernation-options.configured x-
        """,
        "DescribeImages": "owner-id name state block-device-mapping.snapshot-id product-code",
        "DescribeSecurityGroups": "group-id ip-permission.cidr egress.ip-permission.to-port vpc-id",
        "DescribeSubnets": "cidr cidr-block cidrBlock ipv6-cidr-block-association.state",
        "DescribeVolumes": "attachment.device attachment.status size volume-type status encrypted",
        "DescribeTags": "tag:x key value resource-type",
        "DescribeRegions": "endpoint region-name opt-in-status",
        "DescribeNetworkInterfaces": "addresses.private-ip-address association.public-ip",
    }
    for operation, listed in names.items():
        found = answers.listing(EC2.operation_model(operation))
        assert found
        for name in listed.split():
            given = [{"Name": name, "Values": ["v"]}]
            table(filters.parse, operation, found.record, given, shown=f"{operation} {name}")
    listing = answers.listing(EC2.operation_model("DescribeVpcs"))
    assert listing
    several: list[list[dict[str, Any]]] = [[], [{"Name": "", "Values": ["x"]}], [{"Values": ["x"]}]]
    several += [
        [{"Name": "cidr"}],
        [{"Name": "cidr", "Values": []}],
        [{"Name": "tag:", "Values": [1]}],
    ]
    for each in several:
        table(filters.parse, "DescribeVpcs", listing.record, each)
    for first, second in ((200, 0), (201, 0), (100, 100), (100, 101)):
        given = [{"Name": "cidr", "Values": ["x"] * n} for n in (first, second) if n]
        shown = f"{first} and {second} values"
        table(lambda g=given: len(filters.parse("DescribeVpcs", listing.record, g)), shown=shown)
    compare(HERE / "table-filters.txt", table.text)


def test_tags_pages_and_tokens() -> None:
    table = Table()
    table.head("tags")
    some: list[dict[str, Any]] = [{}, {"Tags": []}, {"Tags": [{}]}, {"Tags": [{"Key": "a"}]}]
    some += [
        {"Tags": [{"Key": key}]} for key in ("", "aws:x", "AWS:x", "awsx", "k" * 128, "k" * 129)
    ]
    some += [{"Tags": [{"Key": "a", "Value": "v" * n}]} for n in (0, 256, 257)]
    some += [{"Tags": [{"Key": "a"}, {"Key": "A"}]}, {"Tags": [{"Key": "a"}] * 2}]
    some += [{"Tags": [{"Key": f"k{n}"} for n in range(count)]} for count in (50, 51)]
    for one in some:
        for asked in (one, {"TagSpecifications": [{}, one]}):
            table(tags.check, asked, shown=str(asked)[:90])
    table.head("pages")
    for size, (least, most) in itertools.product((None, 0, 4, 5, 6, 9, 10, 11), ((5, 10), (6, 9))):
        table(pages.parse, "X", {"MaxResults": size}, least, most)
    whole = list(range(7))
    for size in (1, 6, 7, 8):
        page = pages.parse("X", {"MaxResults": size, "a": 1}, 1, 10)
        found, token = page.of(whole)
        table.text += f"{size} of 7: {found} {bool(token)}\n"
        if token:
            for operation, more in (("X", {}), ("Y", {}), ("X", {"a": 2}), ("X", {"DryRun": True})):
                asked = {"MaxResults": 5, "NextToken": token, "a": 1, **more}
                try:
                    then = pages.parse(operation, asked, 1, 9).of(whole)
                    table.text += f"  then {operation} {more} {then}\n"
                except Exception as error:
                    table.text += f"  then {operation} {more} {type(error).__name__}\n"
            rest = pages.parse("X", {"NextToken": token, "a": 1}, 1, 10).of(whole)
            table.text += f"  and all {rest}\n"
    for token in ("x", "", "====", "ü", "eDp4", "eDox"):
        table(pages.parse, "X", {"NextToken": token}, 1, 9)
    for name in ("DescribeInstances", "DescribeVpcs", "CreateVpc", "DescribeInstanceTypes"):
        table(pages.bounds, EC2.operation_model(name), shown=f"bounds of {name}")
    table.head("tokens")
    tokens = Tokens()
    for token in (None, "", "t", "!~", "a b", "ü", "\x7f", "t" * 64, "t" * 65):
        asked = {"ClientToken": token, "x": 1}
        table(tokens.find, "A", asked)
        if token:
            tokens.remember("A", asked, f"the answer to {token[:4]}")
    tokens.remember("A", {"x": 1}, "never")
    for operation, asked in (("A", {"x": 1}), ("B", {"x": 1}), ("A", {"x": 2}), ("A", {})):
        table(tokens.find, operation, {"ClientToken": "t", **asked})
    compare(HERE / "table-tags.txt", table.text)


def test_reading_requests() -> None:
    table = Table()
    lines = {
        "DescribeInstances": (
            *(
                "",
                "InstanceId.1=i-1&InstanceId.2=i-2",
                "InstanceId.2=b&InstanceId.1=a&InstanceId.10=c",
            ),
            *(
                "InstanceId=i-1",
                "InstanceId=",
                "InstanceId.x=1",
                "InstanceId.1.x=1",
                "X=1",
                "X.Y=1",
            ),
            *("MaxResults=x", "MaxResults=5", "MaxResults=4", "MaxResults=1000", "MaxResults=1001"),
            *("DryRun=true", "DryRun=TRUE", "DryRun=false", "DryRun=1", "DryRun=", "DryRun.x=1"),
            *("Filter.1.Name=a&Filter.1.Value.1=b", "Filter=1", "Filter.1=x", "Filter.1.X=x"),
            *(
                "DryRun=true&DryRun=false",
                "Filter.1.Name=a&Filter.1.Name.x=b",
                "Filter=&Filter.1.Name=x",
            ),
            *("Action=x&Version=y&AWSAccessKeyId=z&Signature=s&SignatureMethod=m&Timestamp=t",),
            *(
                "X-Amz-Date=1&Expires=2&SecurityToken=3&SignatureVersion=2",
                "Actions=x",
                "NextToken=\x01",
            ),
            *("NextToken=\ud800", "NextToken=\ufffe", "NextToken=\t\n\U0001f600", "MaxResults=²"),
        ),
        "RunInstances": (
            "MinCount=1&MaxCount=1",
            *("MinCount=1", "MaxCount=1", "MinCount=1&MaxCount=1&InstanceType=new.large"),
            "MinCount=1&MaxCount=1&EbsOptimized=true&BlockDeviceMapping.0.Ebs.VolumeSize=7",
            "MinCount=1&MaxCount=1&UserData=eA==&Placement.Tenancy=x",
            "MinCount=9999999999999999999999&MaxCount=1.5",
        ),
        "ModifyImageAttribute": (
            "ImageId=a",
            "ImageId=a&OperationType=add",
            "ImageId=a&OperationType=x",
        ),
        "EnableImageDeprecation": (
            "ImageId=a&DeprecateAt=2030-01-02T03:04:05Z",
            *("ImageId=a&DeprecateAt=soon", "ImageId=a&DeprecateAt=99999999999999999999"),
        ),
        "CreateVpc": (
            "CidrBlock=x",
            "TagSpecification.1.ResourceType=vpc&TagSpecification.1.Tag.1.Key=a",
        ),
    }
    for operation, queries in lines.items():
        model = EC2.operation_model(operation)
        for query in queries:
            pairs = [tuple(each.split("=", 1)) for each in query.split("&") if each]
            table(
                lambda m=model, p=pairs: _plain(requests.parse(m, p)),
                shown=f"{operation} {query!r}",
            )
    for action in (None, "", "DescribeVpcs", "describeVpcs", "None"):
        table(lambda a: requests.operation(EC2, a).name, action)
    for given in ({}, {"a": 1}, {"a": [1, {"b": 2, "c": [3, 4]}], "d": {"e": {}}}):
        table(lambda g: [*requests.values(g)], given)
        table(lambda g: [*requests.paths(g)], given)
    table.head("what is honoured")
    for operation, asked in (
        ("DescribeVpcs", {"MaxResults": 5, "VpcIds": ["x"]}),
        ("DescribeVpcs", {"Nothing": 1, "Other": [{"x": 1}]}),
        ("RunInstances", {"Placement": {"GroupName": "x", "Tenancy": "dedicated"}}),
        ("CreateVpcEndpoint", {}),
        ("DescribeNatGateways", {"NatGatewayIds": ["x"], "Filter": []}),
    ):
        table(support.check, operation, asked)
    for honoured in (frozenset({"A"}), frozenset({"A.B"}), frozenset[str]()):
        table(support.ignored, honoured, ["A", "A.B", "A.B.C", "B", "MaxResults", "DryRun.x"])
    compare(HERE / "table-requests.txt", table.text)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value


def test_constraints() -> None:
    table = Table()
    shapes: dict[str, dict[str, Any]] = {
        "word": {"type": "string", "min": 1, "max": 3, "pattern": "^[a-c]*$"},
        "odd": {"type": "string", "pattern": r"\p{L}+"},
        "choice": {"type": "string", "enum": [f"c{n}" for n in range(22)]},
        "number": {"type": "integer", "min": 0, "max": 5},
        "least": {"type": "integer", "min": 1},
        "most": {"type": "integer", "max": 1},
        "words": {"type": "list", "member": {"shape": "word"}, "min": 1, "max": 2},
        "flag": {"type": "boolean", "min": 5, "max": 9},
        "all": {
            "type": "structure",
            "required": ["Word", "Number"],
            "members": {"Word": {"shape": "word"}, "Number": {"shape": "number"}},
        },
    }
    resolver = ShapeResolver(shapes)  # type: ignore[arg-type]
    values: list[Any] = [
        "",
        "a",
        "abc",
        "abcd",
        "x",
        "c0",
        "c22",
        -1,
        0,
        1,
        2,
        5,
        6,
        [],
        ["a"],
        ["a"] * 3,
    ]
    for name in shapes:
        if name != "all":
            for value in (*values, True, None, 1.5):
                table(
                    constraints.violation,
                    resolver.get_shape_by_name(name),
                    value,
                    shown=f"{name} {value!r}",
                )
    shape: Any = resolver.get_shape_by_name("all")
    for given in (
        {},
        {"Word": "a"},
        {"Word": "x", "Number": 6},
        {"Word": None, "Number": 0, "Z": 1},
    ):
        table(lambda g: [*constraints.violations(shape, g)], given)
    compare(HERE / "table-constraints.txt", table.text)


def test_answers() -> None:
    table = Table()
    for service in (
        "ec2",
        "s3",
        "",
        "iam",
        "sts",
        "autoscaling",
        "kms",
        "ssm",
        "servicequotas",
        "sqs",
        "x",
    ):
        table(forms.family, service)
        table(forms.error, service, "A<b", "a & b\x01\ud800", "id")
    table(answers.error_body, "A<b", "a & b", "id")
    vpcs = '<R xmlns="u"><requestId>old</requestId><vpcSet>{}</vpcSet><nextToken>x</nextToken></R>'
    one = (
        "<item><vpcId>{}</vpcId><tagSet><item><key>k</key><value>{}</value></item></tagSet></item>"
    )
    body = vpcs.format("".join(one.format(f"vpc-{n}", n % 3) for n in range(7)))
    model = EC2.operation_model("DescribeVpcs")
    listing = answers.listing(model)
    assert listing
    for given in (
        [],
        [("vpc-id", "vpc-1")],
        [("vpc-id", "vpc-*"), ("tag:k", "1")],
        [("tag-key", "x")],
    ):
        asked = [{"Name": name, "Values": [value]} for name, value in given]
        chosen = filters.parse("DescribeVpcs", listing.record, asked)
        for size in (None, 2, 7):
            page = pages.Page("r", 1, size) if size else None
            table(answers.finish, body, model, "new", chosen, page, shown=f"{given} {size}")
    instances = EC2.operation_model("DescribeInstances")
    held = answers.listing(instances)
    assert held
    reservation = "<item><ownerId>{}</ownerId><instancesSet>{}</instancesSet></item>"
    some = "".join(
        reservation.format(
            owner, "".join(f"<item><instanceId>i-{n}</instanceId></item>" for n in ids)
        )
        for owner, ids in (("1", (1, 2)), ("2", (3,)), ("3", ()))
    )
    body = f"<R><reservationSet>{some}<item/></reservationSet></R>"
    for name, value in (
        ("instance-id", "i-1"),
        ("owner-id", "2"),
        ("instance-id", "x"),
        ("owner-id", "*"),
    ):
        chosen = filters.parse(
            "DescribeInstances", held.record, [{"Name": name, "Values": [value]}]
        )
        table(answers.finish, body, instances, "new", chosen, shown=f"{name} {value}")
    for text in (
        *("<R/>", "<R><return>false</return></R>", "<R><vpcSet/></R>"),
        "<Response><Errors><Error><Code>A</Code><Message>b</Message></Error></Errors></Response>",
        "<Response/>",
    ):
        for name in ("DescribeVpcs", "DeleteVpc", "CreateTags", "CreateVpc", "RebootInstances"):
            table(answers.finish, text, EC2.operation_model(name), "id", shown=f"{name} {text}")
    for name in (
        "DescribeVpcs",
        "CreateVpc",
        "DescribeInstances",
        "DescribeInstanceStatus",
        "RunInstances",
    ):
        found = answers.listing(EC2.operation_model(name))
        table.text += f"{name}: {found and (found.outer, found.inner, found.record.name)}\n"
    compare(HERE / "table-answers.txt", table.text)


def test_whose_fault() -> None:
    table = Table()
    cases: dict[str, Callable[[], Any]] = {
        "ours": lambda: [][0],
        "moto's": lambda: camelcase_to_underscores(5),
        "a decoder's, of ours": lambda: json.loads("{"),
        "base64's, of ours": lambda: base64.b64decode("x"),
        "XML's": lambda: ElementTree.fromstring("<"),
    }
    for name, call in cases.items():
        try:
            call()
        except Exception as error:
            table.text += f"{name}: {type(error).__name__} {faults.of_input(error)}\n"
    for other in (OSError("x"), ValueError("x"), KeyError("x"), RuntimeError("x")):
        table.text += f"{other!r}: {faults.of_input(other)}\n"
    compare(HERE / "table-faults.txt", table.text)
