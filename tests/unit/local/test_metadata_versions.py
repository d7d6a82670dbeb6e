"""The versions of instance metadata. What they hold: test_metadata_tree.py."""

from __future__ import annotations

import pytest

from nitro.local.metadata_versions import VERSIONS, existed


@pytest.mark.parametrize(
    ("path", "since"),
    [
        ("meta-data/ami-id", "1.0"),
        ("meta-data/placement/region", "2020-10-27"),
        ("meta-data/network/interfaces/macs/02:00:00:00:00:01/vpc-ipv4-cidr-blocks", "2016-06-30"),
        ("dynamic/instance-identity", "2009-04-04"),
    ],
)
def test_a_category_is_there_since_its_version(path: str, since: str) -> None:
    found = [version for version in VERSIONS if existed(path.split("/"), version)]
    assert found == list(VERSIONS[VERSIONS.index(since) :])


def test_versions_are_in_order_of_time() -> None:
    assert list(VERSIONS[1:-1]) == sorted(VERSIONS[1:-1])
