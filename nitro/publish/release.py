"""What is to be in every region, as a value: from settings and a disk, without asking AWS."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from nitro.cloud import DiskImage, tags
from nitro.cloud.limits import check_image, check_tags
from nitro.errors import InputError
from nitro.publish.settings import Settings
from nitro.publish.source import Source

PROVENANCE = frozenset({tags.VERSION, tags.REVISION, tags.BUILDER, tags.BILL})

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RegisterImage.html
_AMI_NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}")
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
_PARAMETER = re.compile(r"(/?[A-Za-z0-9_.-]+)+")
_RESERVED, _LEVELS = re.compile(r"/?(aws|ssm)", re.IGNORECASE), 15
_FIELD = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Release:
    """One disk under one name, with what each region is to have of it.

    `tag_map` are the tags of a finished AMI and its snapshot; those of the kind `PROVENANCE` say
    how they were made, and stay as they were when another build gives the same disk.
    """

    source: Source
    settings: Settings
    name: str
    parameter: str | None
    tag_map: tags.Tags

    @property
    def series(self) -> str:
        """The recipe, whose releases are counted together."""
        return self.source.disk.name

    @property
    def digest(self) -> str:
        return self.source.disk.digest

    @property
    def regions(self) -> tuple[str, ...]:
        """Each once; a disk that is copied goes to the first."""
        return self.settings.regions

    @property
    def unfinished_tags(self) -> tags.Tags:
        """Tags from the call that creates an AMI until it is finished.

        Without a time: a call with a token of ours has to be the same in every run.
        """
        return self.tag_map | {tags.STAGE: tags.Stage.UNFINISHED.value}

    @property
    def unproven_tags(self) -> tags.Tags:
        """Those of a snapshot, which gets the digest once it has been found equal to the disk."""
        return {key: value for key, value in self.unfinished_tags.items() if key != tags.DIGEST}

    @property
    def disk(self) -> DiskImage:
        """The disk with the tags that its snapshot has until it is finished."""
        return replace(self.source.disk, tags=self.unproven_tags)

    def token(self, *parts: str) -> str:
        """64 characters that are the same in every run: AWS then answers with what it has made."""
        text = "\0".join((self.name, self.digest, *parts))
        return hashlib.sha256(text.encode()).hexdigest()

    def deprecated_at(self, created: datetime) -> datetime | None:
        """When an AMI is deprecated; to the minute, as EC2 keeps it."""
        when = self.settings.deprecate
        if isinstance(when, timedelta):
            when = created + when
        return when.replace(second=0, microsecond=0) if when else None


def make(settings: Settings, source: Source) -> Release:
    """Raises InputError for settings that do not make a release, before anything is asked."""
    disk = source.disk
    if not settings.regions:
        raise InputError("no region to publish to", hint="use --region, or regions in publish.toml")
    values = {
        "recipe": disk.name,
        "version": settings.version,
        "arch": disk.architecture,
        "digest": tags.short(disk.digest),
    }
    template = settings.ami_name or "-".join(f"{{{k}}}" for k, v in values.items() if v)
    name = _filled(template, values, "ami_name")
    if not _AMI_NAME.fullmatch(name):
        raise InputError(
            f"the AMI name {name!r} is not one that EC2 takes",
            hint="3 to 128 letters, digits, spaces and ( ) [ ] . / - ' @ _",
        )
    parameter = settings.parameter and _filled(settings.parameter, values, "parameter")
    if parameter and not _PARAMETER.fullmatch(parameter):
        raise InputError(
            f"{parameter!r} is not the name of an SSM parameter", hint="such as /images/{recipe}"
        )
    if parameter and _RESERVED.match(parameter):
        raise InputError(
            f"{parameter!r}: SSM keeps names that begin with aws or ssm to itself",
            hint="such as /images/{recipe}",
        )
    if parameter and parameter.strip("/").count("/") >= _LEVELS:
        raise InputError(
            f"{parameter!r} has more than {_LEVELS} levels", hint="such as /images/{recipe}"
        )
    check_image(disk.name, disk.description, {**disk.tags, **settings.tags})
    tag_map = _tags(settings, source, name)
    check_tags(tag_map)
    return Release(source, settings, name, parameter, tag_map)


def _tags(settings: Settings, source: Source, name: str) -> tags.Tags:
    disk, provenance = source.disk, source.provenance
    known = {
        tags.RELEASE: name,
        tags.VERSION: settings.version or "",
        tags.REVISION: provenance.revision,
        tags.BUILDER: provenance.builder,
        tags.BILL: provenance.bill,
        tags.MEMORY: str(disk.minimum_memory_mib or ""),
        tags.PROCESSORS: str(disk.processors or ""),
        **tags.ports_tag(disk.ports),
    }
    own = tags.image_tags(disk.name, disk.digest, {**disk.tags, **settings.tags})
    known[tags.STAGE] = tags.Stage.PUBLISHED
    return own | {key: str(value) for key, value in known.items() if value}


def _filled(template: str, values: dict[str, str | None], key: str) -> str:
    def value(found: re.Match[str]) -> str:
        field = found[1]
        if field not in values:
            raise InputError(
                f"{key}: unknown field {{{field}}}", hint=f"known: {', '.join(values)}"
            )
        if not values[field]:
            raise InputError(
                f"{key} has {{{field}}}, and no {field} is given",
                hint=f"give --{field}",
            )
        return str(values[field])

    return _FIELD.sub(value, template)
