"""SSM parameters that name the current AMI, and their flip to another one.

PutParameter of the data type `aws:ec2:image` succeeds before the AMI has been validated, and an
AMI that is not found valid leaves the parameter as it was, without a word: only reading it back
tells.
https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nitro.cloud import Cloud, wait
from nitro.cloud.errors import ApiError, ignoring
from nitro.errors import NitroError, RefusedError
from nitro.progress import Reporter, Stage

DATA_TYPE = "aws:ec2:image"
DEADLINE = 300.0  # seconds for a parameter to show its new value


@dataclass(frozen=True, slots=True)
class Flip:
    """A parameter of a region that gets another value; `before` is None where it is new."""

    cloud: Cloud
    name: str
    before: str | None
    after: str


def read(cloud: Cloud, name: str) -> str | None:
    """A parameter's value; None when there is no such parameter.

    Raises RefusedError for one that cannot name an AMI.
    """
    try:
        found = cloud.ssm.get_parameter(Name=name)["Parameter"]
    except ApiError as error:
        if error.absent:
            return None
        raise
    if found.get("Type") != "String":
        raise RefusedError(
            f"the parameter {name} in {cloud.region} is a {found.get('Type')}, not a String",
            hint="a parameter's type cannot be changed: delete it, or use another name",
        )
    return found["Value"]


def flip_all(flips: Sequence[Flip], report: Reporter) -> None:
    """Give each parameter its new value, or leave all of them with the one that they had.

    Raises NitroError naming the parameter that failed, once the others have been put back.
    """
    done: list[Flip] = []
    with report.stage("flip parameters") as stage:
        try:
            for number, flip in enumerate(flips):
                stage.progress(number, len(flips), "regions")
                done.append(flip)  # before the call, which may have effect although it fails
                _put(flip.cloud, flip.name, flip.after, stage)
        except NitroError as error:
            left = [each.cloud.region for each in reversed(done) if not _put_back(each, stage)]
            also = f"; not put back in {', '.join(left)}" if left else ""
            raise NitroError(
                f"no parameter points to the new AMIs, because one failed: {error.what}{also}",
                hint=error.hint or "run the command again",
            ) from error


def _put(cloud: Cloud, name: str, value: str, stage: Stage) -> None:
    """Raises DeadlinePassed when the parameter keeps its old value."""
    cloud.ssm.put_parameter(
        Name=name, Value=value, Type="String", DataType=DATA_TYPE, Overwrite=True
    )
    wait.until(
        cloud,
        lambda: read(cloud, name) == value or None,
        what=f"the parameter {name} in {cloud.region} to become {value}",
        deadline=DEADLINE,
        stage=stage,
    )


def _put_back(flip: Flip, stage: Stage) -> bool:
    """Whether the parameter has its former value again."""
    try:
        if flip.before is None:
            with ignoring("absent"):
                flip.cloud.ssm.delete_parameter(Name=flip.name)
        elif read(flip.cloud, flip.name) != flip.before:
            _put(flip.cloud, flip.name, flip.before, stage)
    except NitroError:
        return False
    return True
