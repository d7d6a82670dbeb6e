"""The names of addresses, as AWS's documentation has them."""

from __future__ import annotations

from nitro.local import host_names


def test_the_first_region_has_names_of_its_own() -> None:
    assert host_names.private_name("10.0.0.4", "us-east-1") == "ip-10-0-0-4.ec2.internal"
    assert host_names.public_name("192.0.2.5", "us-east-1") == (
        "ec2-192-0-2-5.compute-1.amazonaws.com"
    )


def test_other_regions_are_in_their_names() -> None:
    assert host_names.private_name("10.0.0.4", "eu-west-1") == (
        "ip-10-0-0-4.eu-west-1.compute.internal"
    )
    assert host_names.public_name("192.0.2.5", "eu-west-1") == (
        "ec2-192-0-2-5.eu-west-1.compute.amazonaws.com"
    )
