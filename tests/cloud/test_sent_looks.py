"""What looks at an account ask of AWS: every call with all that it says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from nitro.cloud import Cloud, doctor, find_instance_type, garbage, preflight, role, tags
from nitro.progress import Reporter
from tests.cloud.conftest import connect, make_bucket
from tests.cloud.joint import small_disk
from tests.cloud.sent import Sent
from tests.cloud.test_garbage import parameter, publish_it, template
from tests.cloud.test_policies import loose_ends
from tests.transcripts import compare

HERE = Path(__file__).parent / "transcripts"

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="the account is of no interest here"),
]


def test_the_doctor_and_the_role(sent: Sent, bare_cloud: Cloud) -> None:
    user = sent.listen(bare_cloud)
    subnet = connect().ec2.describe_subnets()["Subnets"][2]["SubnetId"]
    make_bucket(connect(), "mine")
    doctor.examine(user)
    text = sent.text("an account without a role")
    role.create(user, "mine")
    role.create(user, "mine")
    text += sent.text("the role made twice")
    doctor.examine(user, "mine", subnet)
    compare(HERE / "doctor.txt", text + sent.text("with a bucket and a subnet"))


def test_checks_before_a_deployment(sent: Sent, cloud: Cloud) -> None:
    subnet = cloud.ec2.describe_subnets()["Subnets"][2]
    group = cloud.ec2.create_security_group(
        GroupName="mine", Description="mine", VpcId=subnet["VpcId"]
    )["GroupId"]
    cloud.ec2.create_placement_group(GroupName="close", Strategy="cluster")
    make_bucket(cloud, "mine")
    user = sent.listen(connect())
    preflight.check(user, find_instance_type(user, "c5.large"), instances=2)
    text = sent.text("plain")
    preflight.check(
        user,
        find_instance_type(user, "m6g.large"),
        instances=2,
        subnet_id=subnet["SubnetId"],
        security_groups=[group],
        placement_group="close",
        bucket="mine",
        from_host=True,
        spot=True,
    )
    text += sent.text("every option")
    compare(HERE / "preflight.txt", text)


def test_garbage_is_looked_for_and_removed(sent: Sent, cloud: Cloud, tmp_path: Path) -> None:
    past = tags.as_list({tags.EXPIRES: "2020-01-01T00:00:00Z"})
    for number in range(3):
        path = tmp_path / f"{number}.raw"
        image = publish_it(cloud, small_disk(path, f"disk-{number}")).ami_id
        cloud.ec2.create_tags(Resources=[image], Tags=past)
        if number == 0:
            template(cloud, image)
        elif number == 1:
            parameter(cloud, image)
    loose_ends(cloud, "d-20200101-01234567")
    make_bucket(cloud, "mine")
    user = sent.listen(connect())
    regions = garbage.find_in(user, ["eu-central-1", "us-east-1"], timedelta(0), "mine")
    text = sent.text("looked for")
    garbage.collect(user, regions, Reporter())
    compare(HERE / "garbage.txt", text + sent.text("removed"))
