"""What volumes of each type can be.

https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html
"""

from __future__ import annotations

from moto.ec2.exceptions import EC2ClientError

from nitro.local.aws.api.errors import invalid_value

_SIZES = {  # GiB
    "standard": (1, 1024),
    "io1": (4, 16384),
    "io2": (4, 65536),
    "gp3": (1, 65536),
    "sc1": (125, 16384),
    "st1": (125, 16384),
}
_OF_ASKED_SPEED = ("io1", "io2", "gp3")


def check_size(kind: str, size: int) -> None:
    """`size` in GiB. Raises EC2ClientError when no volume of this type has it."""
    least, most = _SIZES.get(kind, (1, 16384))
    if not least <= size <= most:
        raise invalid_value(
            f"Volume of {size}GiB: a volume of type {kind} has {least} to {most}GiB."
        )


def check_speed(kind: str, iops: int | None, throughput: int | None) -> None:
    """Raises EC2ClientError for a speed that volumes of the type are not asked for."""
    for name, value, kinds in (
        ("iops", iops, _OF_ASKED_SPEED),
        ("throughput", throughput, ("gp3",)),
    ):
        if value is not None and kind not in kinds:
            raise EC2ClientError(
                "InvalidParameterCombination",
                f"The parameter {name} is not supported for {kind} volumes.",
            )


def speed(
    kind: str, size: int, iops: int | None, throughput: int | None
) -> tuple[int | None, int | None]:
    """What EC2 says of a volume's speed where a request does not.

    https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html
    """
    defaults: dict[str, tuple[int | None, int | None]] = {
        "gp2": (min(max(100, 3 * size), 16000), None),
        "gp3": (3000, 125),
    }
    usual = defaults.get(kind, (None, None))
    return iops or usual[0], throughput or usual[1]
