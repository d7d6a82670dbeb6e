"""A night that many processes measure: what they are all told, as a file beside the samples.

ROOT/jobs/PLAN/NIGHT/ID/job.json
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nitro.bench.images import CLIENT, Image, Images
from nitro.bench.plan import Plan
from nitro.bench.schedule import Part
from nitro.bench.store import Store
from nitro.errors import InputError

INDEX = "AWS_BATCH_JOB_ARRAY_INDEX"  # set in each child of an array job


class _Published(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    region: str
    recipe: str  # "" of the client
    driver: str
    ami: str
    digest: str
    processors: int | None = None
    start: str | None = None


class Campaign(BaseModel):
    """A plan's night in `parts` parts, with the images that are published for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    plan: Plan
    night: date
    region: str
    parts: Annotated[int, Field(ge=1, le=10_000)]
    published: tuple[_Published, ...]
    subnet: str | None = None
    bucket: str | None = None

    @classmethod
    def of(
        cls,
        plan: Plan,
        night: date,
        region: str,
        *,
        parts: int,
        images: Mapping[str, Images],
        subnet: str | None,
        bucket: str | None,
    ) -> Campaign:
        published = tuple(
            _Published(region=place, recipe=recipe, driver=driver, **asdict(image))
            for place, found in images.items()
            for (recipe, driver), image in found.items()
        )
        return cls(
            plan=plan,
            night=night,
            region=region,
            parts=parts,
            published=published,
            subnet=subnet,
            bucket=bucket,
        )

    @property
    def images(self) -> dict[str, Images]:
        """Each region's images."""
        found: dict[str, Images] = {region: {} for region in self.plan.regions(self.region)}
        for one in self.published:
            image = Image(one.ami, one.digest, one.processors, one.start)
            found.setdefault(one.region, {})[one.recipe, one.driver] = image
        return found

    @property
    def folder(self) -> str:
        """Where it lies in the record; the same campaign lies in the same place."""
        digest = hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]
        return f"jobs/{self.plan.name}/{self.night.isoformat()}/{digest}"

    def part(self) -> Part:
        """That of this process: by its index in the array job, or all of a single job.

        Raises InputError for an index that there is no part for.
        """
        index = os.environ.get(INDEX, "0" if self.parts == 1 else "")
        if not index.isdecimal() or int(index) >= self.parts:
            raise InputError(
                f"{INDEX} is {index!r}, and the night has {self.parts} parts",
                hint="`nitro bench submit` starts the jobs",
            )
        return Part(int(index), self.parts)


def write(store: Store, campaign: Campaign) -> str:
    """Put it beside the samples; returns its folder."""
    store.write(f"{campaign.folder}/job.json", campaign.model_dump_json(indent=1).encode())
    return campaign.folder


def read(store: Store, folder: str) -> Campaign:
    """Raises InputError for what is no campaign, and for one that is not there."""
    try:
        [text] = store.read(folder).values()
        found = Campaign.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"{folder}: {error.errors()[0]['msg']}") from None
    except ValueError:
        raise InputError(
            f"the record has no job {folder}", hint="`nitro bench submit` writes it"
        ) from None
    if any(CLIENT not in images for images in found.images.values()):
        raise InputError(f"{folder}: no client's image")
    return found
