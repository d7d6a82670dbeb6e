"""What a type can run, by what EC2 says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nitro.cloud import Cloud, DiskImage, check, find_instance_type
from nitro.cloud.instance_types import larger, processors
from nitro.errors import InputError, RefusedError
from nitro.progress import Reporter


def test_ec2s_words(cloud: Cloud) -> None:
    kind = find_instance_type(cloud, "c5.large")
    assert (kind.vcpus, kind.memory_mib, kind.ena) == (2, 4096, "required")
    assert kind.architectures == ("x86_64",)
    assert kind.boot_modes == ("legacy-bios", "uefi")
    assert kind.hypervisor == "nitro"


@pytest.mark.extended
def test_an_unknown_type_is_answered_with_near_names(cloud: Cloud) -> None:
    with pytest.raises(InputError) as caught:
        find_instance_type(cloud, "c5.lagre")
    assert caught.value.what == "there is no instance type 'c5.lagre' in eu-central-1"
    assert "c5.large" in str(caught.value.hint)


@pytest.mark.extended(fast=1)
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


class Notes(Reporter):
    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.mark.parametrize(
    ("type_name", "asked", "limit", "number", "notes"),
    [
        ("c5.large", None, None, None, 0),
        ("c5.large", None, 1, 1, 0),
        ("c5.large", 2, 1, None, 0),  # all that it has
        ("c5.large", 1, None, 1, 0),
        ("c5.xlarge", None, 1, 2, 1),  # the fewest
        ("t2.micro", None, 1, None, 0),  # has one
        ("m5.metal", None, 1, None, 1),  # has no choice
    ],
)
def test_the_image_limits_the_vcpus_unless_a_number_is_asked_for(
    cloud: Cloud, type_name: str, asked: int | None, limit: int | None, number: int, notes: int
) -> None:
    report = Notes()
    assert processors(find_instance_type(cloud, type_name), asked, limit, report) == number
    assert len(report.notes) == notes


def test_a_number_of_vcpus_that_a_type_cannot_have_is_refused(cloud: Cloud) -> None:
    kind = find_instance_type(cloud, "c5.xlarge")
    with pytest.raises(RefusedError, match=r"does not run with 3 vCPUs; it can have 2, 4"):
        processors(kind, 3, 1, Reporter())
