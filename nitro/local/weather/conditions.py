"""Which faults a day has: drawn from a seed, or read from a TOML file."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nitro import input_file
from nitro.errors import InputError

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=600)]


_LARGEST = 64 << 10  # bytes of a file of conditions


class Conditions(BaseModel):
    """The faults of a day. Shares are of the calls to each API, or of the new resources."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(default=0, ge=0, description="Decides which calls and resources a share is.")
    throttled: Share = Field(
        default=0, description="Calls answered with the service's throttling error."
    )
    throttled_apis: dict[str, Share] = Field(
        default={}, description='The same for single APIs, such as "ec2:RunInstances" or "ebs:PUT".'
    )
    unavailable: Share = Field(
        default=0, description="Calls answered with InternalError or its like."
    )
    answers_lost: Share = Field(default=0, description="Calls that have effect, but get no answer.")
    ids_late: Share = Field(
        default=0, description="New EC2 resources that are not visible at once."
    )
    ids_late_seconds: Seconds = Field(default=2, description="For how long they are not.")
    full_zones: tuple[str, ...] = Field(
        default=(), description='Zones without capacity for instances, by their letter: ["a"].'
    )
    spot_taken: Share = Field(
        default=0, description="Spot instances that the market takes back once they run."
    )
    import_factor: float = Field(
        default=1, ge=1, le=100, description="Imports take so many times longer."
    )
    imports_failing: Share = Field(default=0, description="Imports that end as deleted.")
    console_late_seconds: Seconds = Field(
        default=0, description="Age of the console text that is shown."
    )
    metadata_late_seconds: Seconds = Field(
        default=0, description="For how long a new instance's metadata service does not answer."
    )
    redirect_seconds: Seconds = Field(
        default=0, description="For how long S3's global name redirects requests for a new bucket."
    )
    credentials_expire_after: int | None = Field(
        default=None, ge=1, description="Calls after which the credentials have expired."
    )
    credentials_renewed_after: int = Field(
        default=3,
        ge=1,
        description="Calls refused for that, until the credentials are valid again.",
    )


FAIR = Conditions()


def draw(seed: int) -> Conditions:
    """A day's conditions: each kind of fault is absent, light or heavy, and few are all at once."""
    rng = random.Random(f"conditions {seed}")

    def one_of(*values: float) -> float:
        return rng.choice([0.0, 0.0, *values])

    return Conditions(
        seed=seed,
        throttled=one_of(0.03, 0.2),
        unavailable=one_of(0.01, 0.05),
        answers_lost=one_of(0.01, 0.05),
        ids_late=one_of(0.5, 1.0),
        ids_late_seconds=rng.choice([0.5, 2.0, 5.0]),
        full_zones=rng.choice([(), (), ("a",), ("a", "b"), tuple("abcdef")]),
        import_factor=rng.choice([1, 1, 3, 10]),
        imports_failing=rng.choice([0, 0, 0, 0.2, 1.0]),
        console_late_seconds=one_of(1.0, 4.0),
        metadata_late_seconds=one_of(1.0, 4.0),
        redirect_seconds=one_of(5.0, 60.0),
        credentials_expire_after=rng.choice([None] * 6 + [5, 30, 60]),
        spot_taken=one_of(0.1, 0.5),
    )


def read(text: str) -> Conditions:
    """Conditions from a seed (a number) or the path of a TOML file. Raises InputError."""
    if text.isascii() and text.isdigit():
        return draw(int(text[:18]))
    path = Path(text)
    try:
        return Conditions.model_validate(tomllib.loads(input_file.read(path, _LARGEST).decode()))
    except (InputError, UnicodeDecodeError) as error:
        raise InputError(
            f"weather {text!r} is neither a number nor a readable file: {error}",
            hint="`--weather 7` draws the faults of a day; docs/local-nitro.md has the file's keys",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{path}, {where}: {first['msg']}") from error
