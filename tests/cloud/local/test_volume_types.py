"""What volumes of each type can be."""

from __future__ import annotations

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
    ("kind", "iops", "throughput", "fits"),
    [
        ("gp3", 4000, 200, True),
        ("io2", 4000, None, True),
        ("io2", 4000, 1, False),
        ("gp2", 3, None, False),
    ],
)
def test_a_type_is_asked_for_speeds(
    kind: str, iops: int, throughput: int | None, fits: bool
) -> None:
    if fits:
        volume_types.check_speed(kind, iops, throughput)
        return
    with pytest.raises(EC2ClientError, match=f"is not supported for {kind} volumes"):
        volume_types.check_speed(kind, iops, throughput)


def test_a_speed_that_nobody_asked_for_follows_from_type_and_size() -> None:
    assert volume_types.speed("gp2", 10, None, None) == (100, None)
    assert volume_types.speed("gp2", 1000, None, None) == (3000, None)
    assert volume_types.speed("gp3", 1, None, None) == (3000, 125)
    assert volume_types.speed("gp3", 1, 4000, 200) == (4000, 200)
    assert volume_types.speed("standard", 1, None, None) == (None, None)
