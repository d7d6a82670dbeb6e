"""Options that several commands share."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nitro.errors import InputError

if TYPE_CHECKING:
    from nitro.cloud import Via

#: whether `-v` was given anywhere on the command line
verbose = False


def _set_verbose(value: bool) -> bool:
    global verbose
    verbose = verbose or value
    return value


Verbose = Annotated[
    bool,
    typer.Option(
        "-v",
        "--verbose",
        callback=_set_verbose,
        help="Show all metrics, and the traceback when something fails.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
CloudName = Annotated[
    str | None,
    typer.Option("--cloud", metavar="aws|local", help="Where to run; default: local."),
]
Region = Annotated[str | None, typer.Option("--region", metavar="REGION", help="AWS region.")]
Profile = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", help="Profile in the AWS configuration.")
]
Allow = Annotated[
    str | None,
    typer.Option(
        "--allow", metavar="CIDR", help="Address range that may reach the instance's ports."
    ),
]
Subnet = Annotated[
    str | None,
    typer.Option(
        "--subnet", metavar="ID", help="Subnet of the instances; default: one of the default VPC."
    ),
]
SecurityGroups = Annotated[
    list[str] | None,
    typer.Option(
        "--security-group",
        metavar="ID",
        help="Security group of the instances, beside nitro's own; repeat for more.",
    ),
]
PlacementGroup = Annotated[
    str | None,
    typer.Option("--placement-group", metavar="NAME", help="Placement group of the instances."),
]
InstanceProfile = Annotated[
    str | None,
    typer.Option(
        "--instance-profile",
        metavar="NAME",
        help="Instance profile that gives the program a role's credentials; default: none.",
    ),
]
Processors = Annotated[
    int | None,
    typer.Option(
        "--processors",
        min=1,
        help="vCPUs of the instance; default: all, and 1 for OSv with its own ENA driver.",
    ),
]
Bucket = Annotated[
    str | None,
    typer.Option(
        "--bucket", metavar="NAME", help="Bucket for imports and results; default: nitro's own."
    ),
]
Route = Annotated[
    str,
    typer.Option(
        "--via",
        metavar="s3|ebs|auto",
        help="How the disk becomes a snapshot: imported from S3, written through the EBS direct "
        "API, or the latter where it is allowed.",
    ),
]
Ports = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--port",
        metavar="PORT",
        help="Port the program listens on: 80, or udp:53; repeat for more.",
    ),
]
Env = Annotated[
    list[str] | None,
    typer.Option("-e", "--env", metavar="KEY=VALUE", help="Environment of the program."),
]
Arguments = Annotated[
    list[str] | None,
    typer.Argument(metavar="[-- ARGS]", help="Arguments of the program, after --."),
]
RecipeName = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE|PROGRAM|IMAGE",
        help="A recipe's name, a TOML file, a program to run, or a container image: oci:FOLDER, "
        "docker-archive:FILE.tar or docker://NAME.",
    ),
]
RecipeOrAmi = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE|PROGRAM|IMAGE|AMI",
        help="As for `nitro deploy`; or an AMI that is there already: its id, or "
        "resolve:ssm:NAME of the SSM parameter that names it.",
    ),
]
Kernel = Annotated[
    str | None,
    typer.Option(
        "--kernel",
        metavar="KERNEL",
        help="Kernel instead of the recipe's: linux, or osv:NAME (see nitro kernel).",
    ),
]
Driver = Annotated[
    str | None,
    typer.Option(
        "--driver",
        metavar="DRIVER",
        help="Driver of the network card instead of the recipe's: nitro, or the kernel's own: "
        "kernel.",
    ),
]
InstanceId = Annotated[str, typer.Argument(metavar="INSTANCE", help="Id of the instance.")]
Locked = Annotated[
    bool,
    typer.Option("--locked", help="Fail when Debian no longer has the pinned package versions."),
]
InstanceType = Annotated[
    str, typer.Option("--instance", metavar="TYPE", help="Instance type, such as c5.large.")
]
Ttl = Annotated[
    str | None,
    typer.Option(
        "--ttl",
        metavar="TIME",
        help="Time after which the instance ends itself: 90s, 30m, 2h, 1d; a kept one by default "
        "never.",
    ),
]
Probes = Annotated[
    list[str] | None,
    typer.Option(
        "--probe",
        metavar="PROBE",
        help="boot, iperf3, netperf or http, with options: iperf3:streams=4; repeat for more.",
    ),
]
From = Annotated[
    str, typer.Option("--from", metavar="instance|host", help="Where the measuring client runs.")
]


def route(text: str) -> Via:
    """What `--via` asks for. Raises InputError."""
    from nitro.cloud import Via

    try:
        return Via(text)
    except ValueError:
        raise InputError(f"--via {text} is no route", hint="use s3, ebs or auto") from None


SMALLEST_MEMORY = 64  # MiB; Debian's kernel alone needs more
LARGEST_VCPUS = 255  # of QEMU's q35 without an interrupt remapper

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str | None, option: str = "--ttl") -> timedelta | None:
    """`2h` as a timedelta. Raises InputError, which names the option."""
    if text is None:
        return None
    number, unit = text[:-1], _UNITS.get(text[-1:])
    if unit and re.fullmatch("[1-9][0-9]{0,5}", number):
        return timedelta(**{unit: int(number)})
    raise InputError(f"{option} {text} is not a time", hint="such as 90s, 30m, 2h or 1d")


# https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
_TYPE = re.compile(r"([a-z][a-z0-9-]*)\.([a-z0-9-]+)")
_SIZE = re.compile(r"nano|micro|small|medium|large|[0-9]*xlarge|metal(-[0-9]+xl)?")
_SIZES = ("nano", "micro", "small", "medium", "large", "xlarge", "2xlarge", "4xlarge", "metal")


def names_type(name: str) -> bool:
    """Whether an instance type may have this name."""
    found = _TYPE.fullmatch(name)
    return found is not None and _SIZE.fullmatch(found[2]) is not None


def instance_type(text: str) -> str:
    """`C5.Large` as EC2 writes it, `c5.large`. Raises InputError for what cannot be a type's name,
    so that nobody has to be asked for that."""
    name = text.strip().lower()
    if names_type(name):
        return name
    found = _TYPE.fullmatch(name)
    hint = "such as c5.large"
    if found:
        from difflib import get_close_matches

        if near := get_close_matches(found[2], _SIZES, n=3, cutoff=0.5):
            hint = f"did you mean {' or '.join(f'{found[1]}.{size}' for size in near)}?"
    raise InputError(f"--instance {text}: no instance type has such a name", hint=hint)


# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html
_ID = re.compile(r"([a-z]+)-(?:[0-9a-f]{8}|[0-9a-f]{17})")


def is_id(text: str, kind: str) -> bool:
    """Whether EC2 gives such an id to what it calls `kind`: i, subnet, sg."""
    found = _ID.fullmatch(text)
    return found is not None and found[1] == kind


def security_groups(ids: Sequence[str] | None) -> Sequence[str]:
    """Raises InputError for what cannot be the id of a security group."""
    for text in ids or ():
        if not is_id(text, "sg"):
            raise InputError(
                f"--security-group {text}: no security group has such an id",
                hint="give its id, such as sg-0123456789abcdef0, and not its name",
            )
    return ids or ()


def source(text: str) -> str:
    """Where `--from` measures. Raises InputError."""
    if text not in (known := ("instance", "host")):
        raise InputError(f"--from {text}: nothing measures there", hint=f"use {' or '.join(known)}")
    return text


def output_file(path: Path | None, option: str) -> Path | None:
    """A file to be written at the end of the work. Raises InputError where none can be."""
    if path and (path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK)):
        raise InputError(f"{option} {path}: cannot be written", hint="name a file to write")
    return path


def output_folder(path: Path, option: str) -> Path:
    """A folder to be filled, made where it is not there. Raises InputError where none can be."""
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise InputError(f"{option} {path}: no folder can be there", hint="name another one")
    return path


def memory(mib: int | None) -> int | None:
    """Raises InputError for less than any image needs."""
    if mib is not None and mib < SMALLEST_MEMORY:
        raise InputError(
            f"--memory {mib} is too little for any image",
            hint="leave it out for what the image needs; the unit is MiB",
        )
    return mib


def vcpus(number: int) -> int:
    """Raises InputError for a number of virtual CPUs that no machine here has."""
    if not 1 <= number <= LARGEST_VCPUS:
        raise InputError(f"--vcpus {number} is not from 1 to {LARGEST_VCPUS}", hint="such as 2")
    return number
