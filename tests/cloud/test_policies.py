"""The policy in docs/aws.md allows what the code calls, and no more."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from moto.iam.models import iam_backends
from typer.testing import CliRunner

from nitro.cli import app
from nitro.cloud import (
    Cloud,
    DiskImage,
    Keep,
    Undo,
    console_output,
    destroy,
    doctor,
    importer,
    inventory,
    policies,
    publish,
    results,
    role,
    storage,
    tags,
)
from nitro.cloud.publish import Via
from nitro.cloud.upload import upload_disk
from nitro.launch_ami import LaunchRequest, launch_ami
from nitro.local.aws import Pace, Site
from nitro.progress import Reporter
from tests.cloud.authorization import (
    ACCOUNT,
    Evaluator,
    Question,
    asked_by,
    condition_keys,
)
from tests.cloud.conftest import RUN, connect, everything, make_bucket, make_disk
from tests.cloud.joint import FakeProber, deploy

pytestmark = pytest.mark.policies("deploy", parameters=["*"])

DOCS = Path(__file__).parents[2] / "docs/aws.md"
PARAMETER = "/images/bench"
SCOPE = policies.Scope(account=ACCOUNT)


def documented(name: str) -> Any:
    """The policy of this name in the documentation."""
    found = re.search(rf"<!-- policy: {name} -->\n```json\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.mark.parametrize("name", policies.POLICIES)
def test_the_documentation_has_the_policy_that_the_command_prints(name: str) -> None:
    assert documented(name) == policies.document(name, policies.Scope())


@pytest.mark.parametrize("name", policies.POLICIES)
def test_every_action_and_condition_is_one_that_aws_knows(name: str) -> None:
    for statement in policies.document(name, SCOPE)["Statement"]:
        for action in statement["Action"]:
            service, _, operation = action.partition(":")
            known = condition_keys(service, operation)  # KeyError: there is no such action
            for keys in statement.get("Condition", {}).values():
                for key in keys:
                    prefix = key.partition("/")[0]
                    assert key in known or f"{prefix}/${{TagKey}}" in known, (action, key)


def assert_needed(
    name: str, asked: list[Question], scope: policies.Scope = SCOPE, free: Iterable[str] = ()
) -> None:
    """The policy allows all that was asked, and nothing of it can go.

    No statement, action or resource of it is without need, and no condition without effect: it
    refuses the same calls on what is not tagged as ours, but for the actions in `free`.
    """
    statements = policies.document(name, scope)["Statement"]
    denied = [str(each) for each in asked if not Evaluator(statements).allows(each)]
    assert not denied, "\n".join(denied)
    for statement in statements:
        for part in ("Action", "Resource"):
            for dropped in (listed := _listed(statement[part])):
                fewer = {part: [each for each in listed if each != dropped]}
                rest = Evaluator(_replaced(statements, statement, fewer))
                assert not all(rest.allows(question) for question in asked), (
                    f"nothing needs {dropped} of {statement['Sid']}"
                )
    foreign = [replace(question, context={}) for question in asked if question.context]
    refused = [each for each in foreign if not Evaluator(statements).allows(each)]
    allowed = {each.action for each in foreign} - {each.action for each in refused}
    assert allowed == set(free)
    for statement in statements:
        if "Condition" in statement:
            wider = Evaluator(_replaced(statements, statement, {"Condition": {}}))
            assert any(wider.allows(each) for each in refused), (
                f"the condition of {statement['Sid']} refuses nothing"
            )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _replaced(statements: list[Any], statement: Any, part: dict[str, Any]) -> list[Any]:
    return [{**each, **part} if each is statement else each for each in statements]


@pytest.mark.policies("role")
def test_the_role_can_be_made_with_its_policy(bare_cloud: Cloud) -> None:
    asked = asked_by(bare_cloud)
    bucket = storage.own_bucket_name(bare_cloud)
    role.create(bare_cloud, bucket)
    role.create(bare_cloud, bucket)
    assert_needed("role", asked)


@pytest.mark.extended
def test_everything_else_can_be_done_with_the_main_policy(
    cloud: Cloud, disk: DiskImage, site: Site, tmp_path: Path
) -> None:
    attach_policy(cloud)
    user = connect()
    asked = asked_by(user)
    doctor.examine(user)
    server = deploy(user, disk, keep=Keep.INSTANCE).instance
    console_output(user, server.id)
    named_ami(user)
    connect().ec2.create_placement_group(GroupName="together", Strategy="cluster")
    named_ami(user, placement_group="together")
    fetch_result(user)
    interrupted_import(user, make_disk(tmp_path / "other.raw", seed=2), site)
    loose_ends(cloud)
    given_bucket(user, cloud, disk)
    with Undo() as undo:
        publish(user, make_disk(tmp_path / "direct.raw", seed=3), undo, via=Via.EBS)
    destroy(user, inventory(user))
    assert inventory(user) == []
    # The policy names one bucket: what was asked of the given one is asked of ours, too.
    ours = f":::{storage.own_bucket_name(user)}"
    renamed = [replace(each, resource=each.resource.replace(":::shared", ours)) for each in asked]
    scope = replace(SCOPE, parameters=(PARAMETER,))
    # An interrupted import's snapshot has no tags yet.
    assert_needed("deploy", renamed, scope, free=["ec2:DeleteSnapshot"])


@pytest.mark.extended
def test_a_given_bucket_is_allowed_when_it_is_named(cloud: Cloud, disk: DiskImage) -> None:
    user = connect()
    asked = asked_by(user)
    given_bucket(user, cloud, disk)
    for bucket, allowed in (("shared", True), ("", False)):
        scope = policies.Scope(account=ACCOUNT, bucket=bucket)
        evaluator = Evaluator(policies.document("deploy", scope)["Statement"])
        assert all(evaluator.allows(question) for question in asked) is allowed


def attach_policy(cloud: Cloud) -> None:
    """Two: one of the account's own, and one that AWS manages."""
    document = json.dumps(role.permissions(cloud, "another"))
    arn = cloud.iam.create_policy(PolicyName="p", PolicyDocument=document)["Policy"]["Arn"]
    held = iam_backends[ACCOUNT]["aws"].managed_policies
    of_aws = copy.copy(held[arn])
    of_aws.account_id = "aws"
    held[of_aws.arn] = of_aws
    for each in (arn, of_aws.arn):
        cloud.iam.attach_role_policy(RoleName=role.NAME, PolicyArn=each)


def named_ami(user: Cloud, **options: Any) -> None:
    """An AMI that is launched by the parameter that names it."""
    image_id = everything(connect())["images"][0]
    connect().ssm.put_parameter(Name=PARAMETER, Value=image_id, Type="String", Overwrite=True)
    request = LaunchRequest(f"resolve:ssm:{PARAMETER}", "c5.large", **options)
    launch_ami(user, request, prober=FakeProber(), report=Reporter())


def fetch_result(user: Cloud) -> None:
    with Undo() as undo:
        upload = results.prepare(user, undo, deployment="d-1", name="r")
        requests.put(upload.url, data=b"x", timeout=5)
        assert results.fetch(user, upload) == b"x"


def interrupted_import(user: Cloud, disk: DiskImage, site: Site) -> None:
    """Leaves a running task, an object and an incomplete upload."""
    site.pace = Pace(import_snapshot=60.0)
    with Undo() as undo, Reporter().stage("") as stage:
        bucket = storage.ensure_bucket(user, undo)
        upload_disk(user, bucket, disk, RUN, stage)
        importer.start(user, bucket, disk, RUN, undo)
    user.s3.create_multipart_upload(**bucket.address, Key="images/half.raw")


def loose_ends(cloud: Cloud, deployment: str = "d-1") -> None:
    """What an instance may leave when its ending goes wrong."""
    tag_map = tags.deployment_tags("x", deployment, "server", None, {})
    subnet = cloud.ec2.describe_subnets()["Subnets"][0]
    cloud.ec2.create_network_interface(
        SubnetId=subnet["SubnetId"],
        TagSpecifications=tags.as_specification(["network-interface"], tag_map),
    )
    cloud.ec2.create_placement_group(
        GroupName=f"nitro-{deployment}-1",
        Strategy="cluster",
        TagSpecifications=tags.as_specification(["placement-group"], tag_map),
    )
    cloud.ec2.create_volume(
        AvailabilityZone=subnet["AvailabilityZone"],
        Size=1,
        TagSpecifications=tags.as_specification(["volume"], tag_map),
    )


def given_bucket(user: Cloud, cloud: Cloud, disk: DiskImage) -> None:
    """An object of ours in a bucket of the user's own."""
    make_bucket(cloud, "shared")
    with Reporter().stage("") as stage:
        upload_disk(user, storage.Bucket("shared", user.account), disk, RUN, stage)
    (found,) = [r for r in inventory(user, "shared") if r.kind == "object"]
    destroy(user, [found])


def test_the_command_prints_a_policy_for_an_account_and_a_bucket() -> None:
    printed = CliRunner().invoke(app, ["policy", "deploy", "--account", "1" * 12, "--bucket", "b"])
    assert printed.exit_code == 0
    assert json.loads(printed.stdout) == policies.document(
        "deploy", policies.Scope(account="1" * 12, bucket="b")
    )


def test_parameters_are_read_when_they_are_named() -> None:
    """None of an account's secrets otherwise."""
    names = ["/images/bench", "team/*"]
    words = [word for name in names for word in ("--parameter", name)]
    for policy, default in (("deploy", False), ("publish", True)):
        named, plain = (
            Evaluator(
                json.loads(CliRunner().invoke(app, ["policy", policy, *more]).stdout)["Statement"]
            )
            for more in (words, [])
        )
        start = "arn:aws:ssm:eu-west-1:ACCOUNT:parameter"
        read = [Question("ssm:GetParameter", f"{start}/{name}") for name in ("images/bench", "x/y")]
        assert [named.allows(each) for each in read] == [True, False]
        assert named.allows(Question("ssm:GetParameter", f"{start}/team/a/b"))
        assert [plain.allows(each) for each in read] == [default, default]


@pytest.mark.parametrize(
    "words", [("--account", "me"), ("--bucket", "B_!"), ("--partition", "azure")]
)
def test_a_policy_is_not_printed_for_what_cannot_be(words: tuple[str, str]) -> None:
    refused = CliRunner().invoke(app, ["policy", "deploy", *words])
    assert refused.exit_code == 2
    assert f"{words[0]}: {words[1]!r} cannot be one" in refused.stderr


def test_the_command_names_the_policies_that_there_are() -> None:
    refused = CliRunner().invoke(app, ["policy", "everything"])
    assert refused.exit_code == 2
    assert "deploy, gc, publish, role" in refused.stderr
