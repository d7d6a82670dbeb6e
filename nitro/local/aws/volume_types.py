"""What volumes of each type can be.

https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.ec2.exceptions import EC2ClientError

from nitro.local.aws.api.errors import invalid_value

USUAL = "gp2"  # what a request means that names no type
_SIZES = {  # GiB
    "standard": (1, 1024),
    "io1": (4, 16384),
    "io2": (4, 65536),
    "gp3": (1, 65536),
    "sc1": (125, 16384),
    "st1": (125, 16384),
}
# least and most of a volume, and most for each GiB
_IOPS = {"gp3": (3000, 80000, 500), "io1": (100, 64000, 50), "io2": (100, 256000, 1000)}
_THROUGHPUT = {"gp3": (125, 2000)}  # MiB/s
_THROUGHPUT_OF_IOPS = 0.25  # MiB/s
_BASE = 3000  # IOPS that a gp3 volume of any size has


def check(kind: str | None, size: int, iops: int | None, throughput: int | None) -> None:
    """Raises EC2ClientError for what no volume is, as `check_size` and `check_speed` do."""
    check_size(kind or USUAL, size)
    check_speed(kind or USUAL, size, iops, throughput)


def check_size(kind: str, size: int) -> None:
    """`size` in GiB. Raises EC2ClientError when no volume of this type has it."""
    least, most = _SIZES.get(kind, (1, 16384))
    if not least <= size <= most:
        raise invalid_value(
            f"Volume of {size}GiB: a volume of type {kind} has {least} to {most}GiB."
        )


def check_speed(kind: str, size: int, iops: int | None, throughput: int | None) -> None:
    """Raises EC2ClientError for a speed that no volume of this type and size, in GiB, has.

    One that is not asked for is the usual one; io1 and io2 have none.
    """
    for name, value, kinds in (("iops", iops, _IOPS), ("throughput", throughput, _THROUGHPUT)):
        if value is not None and kind not in kinds:
            raise EC2ClientError(
                "InvalidParameterCombination",
                f"The parameter {name} is not supported for {kind} volumes.",
            )
    if kind not in _IOPS:
        return
    iops, throughput = speed(kind, size, iops, throughput)
    if iops is None:
        raise EC2ClientError(
            "MissingParameter", f"The parameter iops must be specified for {kind} volumes."
        )
    least, most, of_gib = _IOPS[kind]
    _check_range("iops", iops, least, most)
    if iops > max(of_gib * size, _BASE if kind == "gp3" else 0):
        raise invalid_value(
            f"Iops to volume size ratio of {iops / size:.6f} is too high; maximum is {of_gib}"
        )
    if throughput is not None:
        _check_range("throughput", throughput, *_THROUGHPUT[kind])
        if throughput > _THROUGHPUT_OF_IOPS * iops:
            raise invalid_value(
                f"Throughput (MiBps) to iops ratio of {throughput / iops:.6f} is too high; "
                f"maximum is {_THROUGHPUT_OF_IOPS} MiBps per iops"
            )


def _check_range(name: str, value: int, least: int, most: int) -> None:
    if value < least:
        raise invalid_value(f"Volume {name} of {value} is too low; minimum is {least}.")
    if value > most:
        raise invalid_value(f"Volume {name} of {value} is too high; maximum is {most}.")


def asked_speed(kind: str, iops: int | None, throughput: int | None) -> dict[str, int | None]:
    """What of a volume's speed a request for one like it says, as members of an Ebs."""
    return {
        "Iops": iops if kind in _IOPS else None,
        "Throughput": throughput if kind in _THROUGHPUT else None,
    }


def merged(ebs: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """`ebs` with what is asked for in its place; the speed of one type is not that of another."""
    kind = ebs.get("VolumeType") or USUAL
    if (asked.get("VolumeType") or kind) != kind:
        ebs = {name: value for name, value in ebs.items() if name not in ("Iops", "Throughput")}
    return {**ebs, **asked}


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
    return usual[0] if iops is None else iops, usual[1] if throughput is None else throughput
