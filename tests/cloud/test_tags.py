"""Names and tags."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.cloud import tags
from nitro.errors import InputError
from nitro.ports import Port

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RegisterImage.html
AMI_NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}")


@pytest.mark.extended
@given(name=st.text(), mode=st.sampled_from(["legacy-bios", "uefi", "uefi-preferred"]))
def test_whatever_the_recipe_is_called_ec2_takes_the_name(name: str, mode: str) -> None:
    assert AMI_NAME.fullmatch(tags.ami_name(name, "sha256:" + "a" * 64, mode))


def test_a_recipe_cannot_take_our_tags_away() -> None:
    tag_map = tags.image_tags("x", "sha256:1", {tags.OWNER: "me", tags.DIGEST: "x", "own": "1"})
    assert tag_map == {"own": "1", "Name": "x", tags.OWNER: "nitro", tags.DIGEST: "sha256:1"}
    assert tags.ours(tag_map)


def test_the_end_of_a_deployment_is_written_in_utc() -> None:
    zone = datetime(2030, 1, 1, 12, tzinfo=UTC) + timedelta(hours=1)
    tag_map = tags.deployment_tags("x", "d-1", "server", zone, {})
    assert tag_map[tags.EXPIRES] == "2030-01-01T13:00:00Z"
    assert tags.EXPIRES not in tags.deployment_tags("x", "d-1", "server", None, {})


def test_deployments_are_told_apart() -> None:
    assert tags.new_deployment() != tags.new_deployment()


@pytest.mark.parametrize("tag_map", [{}, {"Name": "nitro"}, {tags.OWNER: "someone"}])
def test_what_lacks_the_owner_tag_is_not_ours(tag_map: dict[str, str]) -> None:
    assert not tags.ours(tag_map)


@pytest.mark.extended
@given(st.lists(st.builds(Port, st.sampled_from(["tcp", "udp"]), st.integers(1, 65535))))
def test_ports_are_read_back_from_their_tag(ports: list[Port]) -> None:
    assert tags.ports_from(tags.ports_tag(ports)) == tuple(ports)


def test_an_instance_without_the_tag_has_no_ports() -> None:
    assert tags.ports_from({}) == ()


def test_a_ports_tag_that_someone_else_wrote_is_named() -> None:
    with pytest.raises(InputError, match="the tag nitro:ports does not list ports: 'http'"):
        tags.ports_from({tags.PORTS: "80 http"})
