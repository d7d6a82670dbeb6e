"""The tree behind the metadata service. What a guest sees of it: test_imds.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nitro.local.hypervisor import Guest
from nitro.local.metadata_tree import Keys, find
from nitro.local.metadata_versions import VERSIONS

from .test_hypervisor import GUEST

KEYED = replace(GUEST, key_name="mine", public_key="ssh-ed25519 AAAA me", user_data=b"data")


def names(guest: Guest, *path: str) -> list[str]:
    found = find(guest, path)
    assert found is not None, path
    return found.decode().splitlines()


def test_the_root_lists_the_versions() -> None:
    assert names(GUEST) == list(VERSIONS)
    assert find(GUEST, ["2030-01-01"]) is None


def test_a_version_lists_its_parts_without_slashes() -> None:
    assert names(KEYED, "latest") == ["dynamic", "meta-data", "user-data"]
    assert names(GUEST, "latest") == ["dynamic", "meta-data"]


@pytest.mark.parametrize("version", VERSIONS)
def test_all_that_is_listed_is_there_in_every_version(version: str) -> None:
    def walk(path: tuple[str, ...]) -> int:
        count = 0
        for name in names(KEYED, *path):
            entry = (*path, name.rstrip("/").partition("=")[0])
            is_folder = "/" in name or "=" in name or (len(path) == 1 and name != "user-data")
            assert find(KEYED, entry) is not None, entry
            count += 1 + (walk(entry) if is_folder else 0)
        return count

    assert walk((version,)) > 10


def test_versions_have_what_had_come_by_then() -> None:
    tagged = replace(GUEST, metadata_tags={"Name": "one"})
    assert names(tagged, "1.0", "meta-data") == [
        *("ami-id", "ami-launch-index", "ami-manifest-path", "hostname", "instance-id"),
        *("local-ipv4", "profile", "reservation-id", "security-groups"),
    ]
    old, new = (names(tagged, version, "meta-data") for version in ("2009-04-04", "2021-03-23"))
    assert {"network/", "tags/", "services/", "mac"}.isdisjoint(old)
    assert {"block-device-mapping/", "placement/", "public-ipv4", "instance-type"} <= set(old)
    assert {"network/", "tags/", "services/", "mac"} <= set(new)
    assert find(tagged, ["2018-09-24", "meta-data", "tags", "instance", "Name"]) is None
    mac = ("meta-data", "network", "interfaces", "macs", GUEST.mac)
    vpc = replace(GUEST, network=replace(GUEST.network, vpc_cidr="10.0.0.0/16"))
    assert "vpc-ipv4-cidr-blocks" not in names(vpc, "2015-10-20", *mac)
    assert find(vpc, ["2016-06-30", *mac, "vpc-ipv4-cidr-blocks"]) == b"10.0.0.0/16"


def test_listings_are_in_order() -> None:
    found = names(KEYED, "latest", "meta-data")
    assert found == sorted(found)


def test_keys_are_listed_by_number_and_name() -> None:
    keys = Keys([("a", "ssh-rsa A"), ("b", "ssh-rsa B")])
    assert keys.names == ["a", "b"]
    assert keys["1"] == {"openssh-key": "ssh-rsa B"}
    assert names(KEYED, "latest", "meta-data", "public-keys") == ["0=mine"]


def test_what_is_not_there_is_neither_found_nor_listed() -> None:
    private = replace(GUEST, public_ip=None)
    assert "public-ipv4" not in names(private, "latest", "meta-data")
    for path in ("public-ipv4", "ami-id/more", "spot/instance-action", "product-codes"):
        assert find(private, ["latest", "meta-data", *path.split("/")]) is None
