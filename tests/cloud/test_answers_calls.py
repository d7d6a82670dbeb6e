"""How calls are repeated, what their failures mean, and how connections are made."""

from __future__ import annotations

import hashlib
import io
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.exceptions as aws_errors
import pytest
from botocore.parsers import ResponseParserError

from nitro.cloud import ApiError, Cloud, codes, errors, wait
from nitro.cloud.wait import until
from tests.cloud.answers import DENIED, FAILED, UNCLEAR, Answering, Refused, error_text
from tests.transcripts import compare

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="no policy allows answers that a test has made up"),
]
URL = "https://x"
CONNECTION: dict[str, Exception] = {
    "no connection": aws_errors.EndpointConnectionError(endpoint_url=URL),
    "connect timeout": aws_errors.ConnectTimeoutError(endpoint_url=URL),
    "proxy": aws_errors.ProxyConnectionError(proxy_url=URL),
    "TLS": aws_errors.SSLError(endpoint_url=URL, error=OSError("e")),
    "read timeout": aws_errors.ReadTimeoutError(endpoint_url=URL),
    "closed": aws_errors.ConnectionClosedError(endpoint_url=URL),
    "HTTP": aws_errors.HTTPClientError(error="e"),
    "not parsed": ResponseParserError("what\n is this"),
    "incomplete": aws_errors.IncompleteReadError(actual_bytes=1, expected_bytes=2),
    "checksum": aws_errors.FlexibleChecksumError(error_msg="e"),
    "damaged": errors.DamagedBodyError(operation="GetObject"),
    "no credentials": aws_errors.NoCredentialsError(),
    "partial credentials": aws_errors.PartialCredentialsError(provider="p", cred_var="v"),
    "credentials not found": aws_errors.CredentialRetrievalError(provider="p", error_msg="e"),
    "token not found": aws_errors.TokenRetrievalError(provider="p", error_msg="e"),
    "no session": aws_errors.UnauthorizedSSOTokenError(),
    "no region": aws_errors.NoRegionError(),
    "not valid": aws_errors.ParamValidationError(report="bad\n  thing"),
}
NEW_ID = "sg-0123456789abcdef0"


def code(name: str, status: int = 400, message: str = "m", **more: Any) -> aws_errors.ClientError:
    body: Any = {
        "Error": {"Code": name, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return aws_errors.ClientError(body, "RunInstances")


def shown_codes() -> Iterator[tuple[str, Exception]]:
    """Of each row of the table its codes, and some that it does not have."""
    for row in codes.TABLE:
        for pattern in row.pattern.split("|"):
            name = pattern.replace("\\w*", "Any").replace("\\w+", "Any").replace(".*", "Some")
            name = name.replace("\\", "").replace("(Exception)?", "Exception")
            yield name, code(name)
    for name, status in (("Strange", 400), ("Strange", 499), ("Strange", 500), ("Strange", 503)):
        yield f"{name} {status}", code(name, status)
    yield "no capacity, 500", code("InsufficientInstanceCapacity", 500)
    yield "no capacity", code("InsufficientInstanceCapacity")
    yield "EBS asks again", code("ValidationException", Reason="WRITE_REQUEST_TIMEOUT")
    yield "EBS refuses", code("ValidationException", Reason="INVALID_BLOCK")
    yield "no id", code("InvalidInstanceID.Malformed")
    yield "empty", aws_errors.ClientError({}, "RunInstances")
    yield "without a message", code("Strange", message="")
    yield "lines", code("Strange", message="a\n  b\tc")
    role = "The service role vmimport does not exist"
    yield "no role", code("InvalidParameter", message=role)
    yield "a role", code("InvalidParameter", message="The service role vmimport")
    yield "denied by name", code("AccessDenied", message="not authorized to perform: s3:Get-It x")
    for name in ("AuthFailure", "OperationNotPermitted", "Blocked"):
        for message in (
            "AWS was not able to validate the provided access credentials",
            "validate the provided Credentials",
            "block public access is on",
            "Blocking public access",
            "cannot be publicly shared",
            "Encrypted snapshots",
            "a KMS key",
            "Not authorized for images: [ami-1]",
            "not authorized for snapshot",
            "does not own it",
            "do not own it",
            "something else",
        ):
            yield f"{name}: {message}", code(name, message=message)


def test_what_failures_mean(request: pytest.FixtureRequest) -> None:
    text = ""
    for title, error in [*CONNECTION.items(), *shown_codes()]:
        flags = [
            name
            for name, value in (
                ("absent", errors.is_absent(error)),
                ("unreachable", errors.is_unreachable(error)),
                ("no effect", errors.had_no_effect(error)),
                ("perhaps", errors.may_have_happened(error)),
            )
            if value
        ]
        text += f"== {title}\n  {errors.code_of(error)}: {', '.join(flags) or 'nothing'}\n"
        found = errors.translate(error, "ec2", "RunInstances", "eu-central-1")
        text += f"  {error_text(found)}\n"
        if isinstance(found, ApiError):
            text += f"  {found.kind}{', absent' if found.absent else ''}\n"
        here = errors.translate(error, "ec2", "RunInstances", "eu-central-1", URL)
        if str(here) != str(found):
            text += f"  here {error_text(here)}\n"
    compare(request.path.parent / "transcripts" / "failures.txt", text)


def test_calls_are_repeated(aws: Answering) -> None:
    calls: dict[str, Any] = {
        "a look": lambda c: len(c.ec2.describe_volumes()["Volumes"]),
        "a removal": lambda c: c.ec2.delete_volume(VolumeId="vol-1")["ResponseMetadata"] and "gone",
        "a start": lambda c: c.ec2.create_placement_group(GroupName="x") and "made",
        "a start with a token": lambda c: c.ec2.import_snapshot(ClientToken="t")["ImportTaskId"],
    }
    said: dict[str, Any] = {
        "a look": ("DescribeVolumes", {"Volumes": []}),
        "a removal": ("DeleteVolume", {}),
        "a start": ("CreatePlacementGroup", {}),
        "a start with a token": ("ImportSnapshot", {"ImportTaskId": "import-1"}),
    }
    failures: dict[str, Any] = {
        **CONNECTION,
        "throttled": Refused("Throttling"),
        "unclear": UNCLEAR,
        "failed": FAILED,
        "denied": DENIED,
        "absent": Refused("InvalidVolume.NotFound"),
        "EBS asks again": Refused("ValidationException", Reason="CONFLICTING_BLOCK_UPDATE"),
    }
    for kind, call in calls.items():
        operation, good = said[kind]
        for title, failure in failures.items():
            aws.case(f"{kind}, {title}", call, {operation: [failure, good]})
        for title in ("no connection", "throttled", "read timeout"):
            aws.case(f"{kind}, always {title}", call, {operation: failures[title]})
        mixed = [UNCLEAR, FAILED]
        aws.case(f"{kind}, unclear and refused", call, {operation: mixed})
    here = {"endpoint_url": "http://127.0.0.1:1"}
    aws.case("here", calls["a look"], {"DescribeVolumes": CONNECTION["closed"]}, **here)
    aws.compare("repeated")


def test_what_is_new_may_be_missing(aws: Answering) -> None:
    missing = Refused("InvalidGroup.NotFound")

    def make(cloud: Cloud, *operations: str) -> object:
        for operation in operations:
            if operation == "make":
                cloud.ec2.create_security_group(GroupName="x", Description="x", VpcId="vpc-1")
            elif operation == "look":
                cloud.ec2.describe_security_groups(GroupIds=[NEW_ID])
            elif operation == "wait":
                cloud.sleep(120.0)
            elif operation == "wait longer":
                cloud.sleep(120.5)
            elif operation == "tag":
                cloud.ec2.create_tags(Resources=[NEW_ID], Tags=[{"Key": "a", "Value": "b"}])
            elif operation == "tag others":
                cloud.ec2.create_tags(Resources=["sg-01234567"], Tags=[])
            elif operation == "copy":
                cloud.ec2.copy_snapshot(SourceRegion="x", SourceSnapshotId=NEW_ID)
            else:
                cloud.ec2.delete_security_group(GroupId=NEW_ID)
        return "done"

    base: Any = {
        "CreateSecurityGroup": {"GroupId": NEW_ID},
        "DescribeSecurityGroups": missing,
        "CreateTags": [missing, missing, {}],
        "DeleteSecurityGroup": {},
        "CopySnapshot": {"SnapshotId": NEW_ID},
    }
    for operations in (
        ("tag",),
        ("make", "tag"),
        ("make", "tag others"),
        ("make", "look"),
        ("make", "remove", "tag"),
        ("make", "wait", "tag"),
        ("make", "wait longer", "tag"),
        ("copy", "tag"),
    ):
        aws.case(", ".join(operations), make, base, *operations)
    aws.case("never", make, base | {"CreateTags": missing}, "make", "tag")
    aws.case("unclear", make, base | {"CreateTags": [UNCLEAR, missing]}, "make", "tag")
    removal = {"DeleteSecurityGroup": [UNCLEAR, missing]}
    aws.case("removed by a lost answer", make, base | removal, "make", "remove")
    aws.compare("new-resources")


def test_bodies_are_read_whole(aws: Answering) -> None:
    def read(cloud: Cloud) -> object:
        found = cloud.ebs.get_snapshot_block(SnapshotId="s", BlockIndex=1, BlockToken="t")
        return found["BlockData"].read(), sorted(found)

    def fetch(cloud: Cloud) -> object:
        return cloud.s3.get_object(Bucket="b", Key="k")["Body"].read()

    def body(data: bytes, checksum: str | None) -> Any:
        more = {} if checksum is None else {"Checksum": checksum}
        return lambda _: {"BlockData": io.BytesIO(data)} | more

    right = b64encode(hashlib.sha256(b"data").digest()).decode()
    for title, answer in {
        "right": body(b"data", right),
        "wrong, then right": [body(b"date", right), body(b"data", right)],
        "wrong": body(b"date", right),
        "without a checksum": body(b"data", None),
        "an empty checksum": body(b"data", ""),
    }.items():
        aws.case(title, read, {"GetSnapshotBlock": answer})
    aws.case(
        "from S3", fetch, {"GetObject": lambda _: {"Body": io.BytesIO(b"data"), "Checksum": ""}}
    )

    def send(cloud: Cloud) -> object:
        cloud.s3.put_object(Bucket="b", Key="k", Body=io.BytesIO(b"data"))
        return "sent"

    aws.case("a stream", send, {"PutObject": [UNCLEAR, {}]})
    aws.compare("bodies")


def test_waiting(aws: Answering) -> None:
    absent = ApiError("gone", hint=None, code="InvalidVolume.NotFound")
    other = ApiError("no", hint=None, code="Strange")

    def look(cloud: Cloud, found: list[Any], options: dict[str, Any]) -> object:
        left = list(found)

        def one() -> Any:
            answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return until(cloud, one, what="it", **({"deadline": 3.0} | options))

    for title, found, options in (
        ("at once", ["x"], {}),
        ("false", [False], {}),
        ("zero", [None, 0], {}),
        ("soon", [None, None, "x"], {"stage": aws.stage}),
        ("never", [None], {}),
        ("no time", [None], {"deadline": 0.0}),
        ("absent", [absent, "x"], {}),
        ("new", [absent, "x"], {"new": True}),
        ("new, never", [absent], {"new": True, "deadline": 500.0}),
        ("new, no time", [absent], {"new": True, "deadline": 1.0}),
        ("another error", [other, "x"], {"new": True}),
        ("short pauses", [None] * 5 + ["x"], {"longest_pause": 0.3}),
        ("long", [None], {"deadline": 100.5}),
    ):
        aws.case(title, look, {}, found, options)
    assert wait.DeadlinePassed("x").exit_code == 1
    aws.compare("waits")


def test_connections_are_made(
    aws: Answering, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("[profile mine]\nregion = eu-west-3\n[default]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    services = (
        *("ec2", "s3", "guest_s3", "batch", "ebs", "iam", "pricing", "sts", "sns", "quotas", "ssm"),
        *("kms", "autoscaling"),
    )

    def make(_: Cloud, options: dict[str, Any]) -> object:
        made = Cloud.connect(**options)
        found = made.session.get_credentials()
        assert found
        lines: list[object] = [
            (made.region, made.endpoint_url, made.guest_ca, made.plan is not None),
            (found.access_key, found.secret_key),
            (made.in_region(made.region) is made, made.in_region("us-west-2").region),
        ]
        for name in services:
            try:
                client = getattr(made, name)
            except Exception as error:
                lines.append(f"{name}: {type(error).__name__} {error}")
                continue
            meta = client.meta
            settings = {
                key: getattr(meta.config, key)
                for key in (
                    *("retries", "connect_timeout", "read_timeout", "max_pool_connections"),
                    *("signature_version", "s3"),
                )
            }
            lines.append(f"{name}: {meta.region_name} {meta.endpoint_url} {settings}")
        return lines

    here = {"region": "eu-central-1", "endpoint_url": "http://127.0.0.1:1"}
    for title, options, environment in (
        ("a region", {"region": "eu-central-1"}, {}),
        ("of the environment", {"region": None}, {"AWS_REGION": "eu-north-1"}),
        ("both", {"region": "eu-central-1"}, {"AWS_REGION": "eu-north-1"}),
        ("of the configuration", {"region": None}, {}),
        ("of a profile", {"region": None, "profile": "mine"}, {}),
        ("no profile", {"region": None, "profile": "x"}, {}),
        ("no region of AWS", {"region": "moon-1"}, {}),
        ("in China", {"region": "cn-north-1"}, {}),
        ("here", here, {}),
        ("here, another region", {**here, "region": "moon-1"}, {}),
        ("here with a key", {**here, "key": ("ID", "secret"), "guest_ca": "Y2E="}, {}),
        ("endpoints of the environment", {"region": "eu-central-1"}, {"AWS_ENDPOINT_URL": URL}),
        (
            "here, endpoints of the environment",
            {**here, "guest_ca": "Y2E="},
            {"AWS_ENDPOINT_URL": URL},
        ),
        ("a dry run", {"region": "eu-central-1", "dry_run": True}, {}),
        ("an endpoint that is none", {**here, "endpoint_url": "nowhere"}, {}),
    ):
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            aws.case(title, make, {}, options)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    text, aws.text = aws.text, ""
    for title, options in {"no credentials": {"region": "eu-central-1"}, "none here": here}.items():
        try:
            made = Cloud.connect(**options)  # type: ignore[arg-type]
            found = made.session.get_credentials()
            text += f"== {title}\n  {found and found.access_key}\n"
        except Exception as error:
            text += f"== {title}\n  {type(error).__name__}: {error}\n"
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    try:
        Cloud.connect(region=None)
    except Exception as error:
        text += f"== no region\n  {type(error).__name__}: {error}\n"
    aws.text = text
    aws.compare("connected")
