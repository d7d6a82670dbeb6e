"""Everything that nitro's own code asks of an endpoint in a test is held against a policy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nitro.cloud import Cloud, DiskImage, role
from nitro.cloud.errors import ApiRefused
from nitro.local.aws import Site
from tests.cloud.conftest import connect
from tests.cloud.joint import deploy
from tests.cloud.policed import granted

TESTS = Path(__file__).parents[1]
# Connections outside this folder that no policy is in front of, and why.
EXCEPTIONS = {
    "clients/endpoint.py": "for tests to look with: the clients there are others' programs",
}


def test_a_test_that_says_nothing_is_behind_the_policy_for_deployments(bare_cloud: Cloud) -> None:
    with pytest.raises(ApiRefused, match="permission denied: iam:CreateRole"):
        role.create(bare_cloud, "any")
    with granted("role"):
        role.create(connect(), "any")


@pytest.mark.policies("gc")
def test_a_mark_names_others(site: Site, disk: DiskImage) -> None:
    with pytest.raises(ApiRefused, match="permission denied"):
        deploy(connect(), disk)


def test_what_a_test_calls_itself_is_an_administrators(bare_cloud: Cloud) -> None:
    bare_cloud.iam.create_role(RoleName="any", AssumeRolePolicyDocument="{}")


@pytest.mark.extended
def test_no_connection_outside_this_folder_is_without_one() -> None:
    for path in TESTS.rglob("*.py"):
        name, text = str(path.relative_to(TESTS)), path.read_text()
        if name.startswith("cloud/") or name in EXCEPTIONS:
            continue
        inside = re.findall(r"( *)with granted\(.*\):\n(?:\1 +.*\n)*?\1 +.*Cloud\.connect\(", text)
        assert len(inside) == text.count("Cloud.connect("), f"{name}: `with granted(…)` around it"
