"""What volumes of each type can be."""

from __future__ import annotations

from typing import Any

import pytest
from moto.ec2.exceptions import EC2ClientError

from nitro.local.aws import volume_types


@pytest.mark.parametrize(
    ("kind", "size", "fits"),
    [("gp2", 16384, True), ("gp2", 16385, False), ("st1", 124, False), ("io1", 3, False)],
)
def test_a_type_has_sizes(kind: str, size: int, fits: bool) -> None:
    if fits:
        volume_types.check_size(kind, size)
        return
    with pytest.raises(EC2ClientError, match=f"a volume of type {kind} has"):
        volume_types.check_size(kind, size)


@pytest.mark.parametrize(
    ("kind", "size", "iops", "throughput"),
    [
        ("gp3", 8, 4000, 200),
        ("gp3", 1, 3000, 750),
        ("gp3", 160, 80000, 2000),
        ("io1", 4, 200, None),
        ("io2", 4, 4000, None),
        ("st1", 125, None, None),
    ],
)
def test_a_type_is_asked_for_speeds(
    kind: str, size: int, iops: int | None, throughput: int | None
) -> None:
    volume_types.check_speed(kind, size, iops, throughput)


REFUSED = [
    ("io2", 4, 4000, 1, "throughput is not supported for io2"),
    ("gp2", 8, 3, None, "iops is not supported for gp2"),
    ("io1", 8, None, None, "iops must be specified for io1"),
    ("gp3", 8, 2999, None, "too low; minimum is 3000"),
    ("gp3", 200, 80001, None, "too high; maximum is 80000"),
    ("gp3", 8, 0, None, "too low; minimum is 3000"),
    ("io1", 8, 99, None, "too low; minimum is 100"),
    ("gp3", 8, 4001, None, "size ratio of 500.125000 is too high; maximum is 500"),
    ("io1", 4, 201, None, "size ratio of 50.250000 is too high; maximum is 50"),
    ("gp3", 8, None, 124, "throughput of 124 is too low; minimum is 125"),
    ("gp3", 200, 80000, 2001, "throughput of 2001 is too high; maximum is 2000"),
    ("gp3", 8, None, 751, "to iops ratio of 0.250333 is too high; maximum is 0.25"),
]


@pytest.mark.parametrize(("kind", "size", "iops", "throughput", "why"), REFUSED)
def test_a_speed_that_no_volume_has_is_refused(
    kind: str, size: int, iops: int | None, throughput: int | None, why: str
) -> None:
    with pytest.raises(EC2ClientError, match=why):
        volume_types.check_speed(kind, size, iops, throughput)


def test_a_speed_is_taken_over_with_its_type() -> None:
    fast = {"VolumeType": "gp3", "Iops": 4000, "VolumeSize": 8}
    assert volume_types.merged(fast, {"VolumeSize": 9}) == {**fast, "VolumeSize": 9}
    slow = {"VolumeType": "gp2", "VolumeSize": 8}
    assert volume_types.merged(fast, {"VolumeType": "gp2"}) == slow
    assert volume_types.asked_speed("gp2", 100, None) == {"Iops": None, "Throughput": None}
    assert volume_types.asked_speed("gp3", 3000, 125) == {"Iops": 3000, "Throughput": 125}


def test_a_speed_that_nobody_asked_for_follows_from_type_and_size() -> None:
    assert volume_types.speed("gp2", 10, None, None) == (100, None)
    assert volume_types.speed("gp2", 1000, None, None) == (3000, None)
    assert volume_types.speed("gp3", 1, None, None) == (3000, 125)
    assert volume_types.speed("gp3", 1, 4000, 200) == (4000, 200)
    assert volume_types.speed("standard", 1, None, None) == (None, None)


@pytest.mark.parametrize(
    ("asked", "come"),
    [
        ({"VolumeType": "io1", "Iops": 200}, {"VolumeType": "io1", "Iops": 200, "VolumeSize": 8}),
        ({"VolumeType": "gp2"}, {"VolumeType": "gp2", "VolumeSize": 8}),
        (
            {"VolumeType": "gp3", "VolumeSize": 9},
            {"VolumeType": "gp3", "Iops": 4000, "Throughput": 300, "VolumeSize": 9},
        ),
    ],
)
def test_the_speed_of_one_type_is_not_that_of_another(asked: Any, come: Any) -> None:
    before = {"VolumeType": "gp3", "Iops": 4000, "Throughput": 300, "VolumeSize": 8}
    assert volume_types.merged(before, asked) == come
