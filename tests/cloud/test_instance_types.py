"""What a type can run, by what EC2 says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nitro.cloud import Cloud, DiskImage, check, find_instance_type
from nitro.cloud.instance_types import larger
from nitro.errors import InputError, RefusedError


def test_ec2s_words(cloud: Cloud) -> None:
    kind = find_instance_type(cloud, "c5.large")
    assert (kind.vcpus, kind.memory_mib, kind.ena) == (2, 4096, "required")
    assert kind.architectures == ("x86_64",)
    assert kind.boot_modes == ("legacy-bios", "uefi")
    assert kind.hypervisor == "nitro"


def test_an_unknown_type_is_answered_with_near_names(cloud: Cloud) -> None:
    with pytest.raises(InputError) as caught:
        find_instance_type(cloud, "c5.lagre")
    assert caught.value.what == "there is no instance type 'c5.lagre' in eu-central-1"
    assert "c5.large" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("type_name", "needs", "message"),
    [
        ("m6g.large", {}, "m6g.large is arm64, the image is x86_64"),
        ("c5.large", {"architecture": "arm64"}, "c5.large is .*, the image is arm64"),
        (
            "m6g.large",
            {"architecture": "arm64", "boot_mode": "legacy-bios"},
            "m6g.large boots by uefi, the image by legacy-bios",
        ),
        ("t2.small", {"boot_mode": "legacy-bios"}, "t2.small has no ENA"),
        ("i3.large", {"boot_mode": "legacy-bios"}, "i3.large runs on Xen"),
        ("m5.metal", {}, "m5.metal is bare metal"),
        ("t3.nano", {"minimum_memory_mib": 600}, "512 MiB of memory, the image needs 600 MiB"),
    ],
)
def test_what_does_not_fit_is_refused(
    cloud: Cloud, disk: DiskImage, type_name: str, needs: dict[str, Any], message: str
) -> None:
    with pytest.raises(RefusedError, match=message):
        check(find_instance_type(cloud, type_name), replace(disk, **needs))


@pytest.mark.parametrize("mode", ["legacy-bios", "uefi", "uefi-preferred"])
def test_what_fits_passes(cloud: Cloud, disk: DiskImage, mode: str) -> None:
    kind = find_instance_type(cloud, "c5.large")
    check(kind, replace(disk, boot_mode=mode, minimum_memory_mib=4096))


def test_a_larger_type_of_the_family_is_advised(cloud: Cloud) -> None:
    small = find_instance_type(cloud, "t3.micro")
    assert larger(cloud, small, 512) == "choose t3.small, which has 2048 MiB"
    assert larger(cloud, small, 1 << 20) is None
