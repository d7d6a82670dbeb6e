"""The keys of `publish.toml`, checked. docs/publishing.md describes every one.

What a release is to look like, in every region: nothing here asks AWS.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    field_validator,
    model_validator,
)

from nitro import input_file
from nitro.errors import InputError

Via = Literal["auto", "ebs", "s3"]
VIA: tuple[Via, ...] = ("auto", "ebs", "s3")

_MAX_FILE = 64 << 10  # bytes; tomllib takes time with the square of the length of a dotted key
_REGION = r"^[a-z]{2,3}(-[a-z]+)+-\d{1,2}$"
# https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html
_ORGANIZATION = r"^arn:aws[a-z-]*:organizations::\d{12}:organization/o-[a-z0-9]{10,32}$"
_UNIT = (
    r"^arn:aws[a-z-]*:organizations::\d{12}:ou/o-[a-z0-9]{10,32}"
    r"/ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}$"
)
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-deprecate.html
_LONGEST_DEPRECATION = timedelta(days=10 * 365)
_LONGEST_DEPRECATION_PUBLIC = timedelta(days=2 * 365)

_ACCOUNT = r"^\d{12}$"
_VERSION = r"^[A-Za-z0-9._-]{1,60}$"
_MEANT = {
    _REGION: "a region, such as eu-west-1",
    _ACCOUNT: "the number of an account, such as 123456789012",
    _ORGANIZATION: "the ARN of an organization",
    _UNIT: "the ARN of an organizational unit",
    _VERSION: "a version of letters, digits, dots, _ and -, at most 60 of them, such as 1.2",
}

_Region = Annotated[str, Field(pattern=_REGION)]
_Account = Annotated[str, Field(pattern=_ACCOUNT)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Share(_Table):
    """Who may launch the AMIs. Accounts, and everybody when `public`, get the snapshots, too."""

    accounts: tuple[_Account, ...] = ()
    organizations: tuple[Annotated[str, Field(pattern=_ORGANIZATION)], ...] = ()
    units: tuple[Annotated[str, Field(pattern=_UNIT)], ...] = ()
    public: bool = False

    @property
    def anyone(self) -> bool:
        """Whether another account is named."""
        return bool(self.accounts or self.organizations or self.units or self.public)


class Settings(_Table):
    """A `publish.toml`."""

    #: the first is where a disk is uploaded that is then copied
    regions: tuple[_Region, ...] = ()
    #: template of the AMIs' name; None: recipe, version where there is one, architecture, digest
    ami_name: Annotated[str, Field(min_length=1)] | None = None
    version: Annotated[str, Field(pattern=_VERSION)] | None = None
    via: Via = "auto"
    #: template of the name of an SSM parameter in each region; None: no parameter
    parameter: Annotated[str, Field(min_length=1)] | None = None
    #: KMS key for all regions, and for single ones: an id, alias or ARN; None: not encrypted
    kms_key: str | None = None
    kms_keys: dict[_Region, str] = {}
    share: Share = Share()
    #: days after an AMI's creation ("90d") or a date from which on it is deprecated
    deprecate: timedelta | datetime | None = None
    #: whether AMIs may not be deregistered before the protection is taken off
    protect: bool = False
    #: how many releases of a recipe stay; None: all of them
    keep: Annotated[int, Strict(), Field(ge=1)] | None = None
    #: whether releases that are shared with other accounts may go, too, when they are too many
    remove_shared: bool = False
    tags: dict[str, str] = {}
    #: bytes a second that this machine can send, for the choice between a way and another
    uplink: Annotated[int, Strict(), Field(ge=1)] = 25_000_000

    @field_validator("regions")
    @classmethod
    def _once(cls, regions: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(regions))

    @field_validator("deprecate", mode="before")
    @classmethod
    def _time(cls, value: Any) -> Any:
        if isinstance(value, str):
            if found := re.fullmatch(r"([1-9]\d{0,3})d", value):
                return timedelta(days=int(found[1]))
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                raise ValueError('write days as "90d", or a date as 2027-06-30') from None
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        raise ValueError('write days as "90d", or a date as 2027-06-30')

    @model_validator(mode="after")
    def _fits(self) -> Settings:
        longest = _LONGEST_DEPRECATION_PUBLIC if self.share.public else _LONGEST_DEPRECATION
        when = self.deprecate
        ahead = when - datetime.now(UTC) if isinstance(when, datetime) else when
        if ahead and ahead > longest:
            kind = "a public AMI" if self.share.public else "an AMI"
            raise ValueError(
                f"deprecate: {kind} can be deprecated {longest.days} days ahead at most"
            )
        if strangers := set(self.kms_keys) - set(self.regions):
            raise ValueError(f"kms_keys: {', '.join(sorted(strangers))} is not among regions")
        return self

    def key_for(self, region: str) -> str | None:
        return self.kms_keys.get(region, self.kms_key)


def load(path: Path | None, **flags: Any) -> Settings:
    """The file's settings, where `flags` (None: not given) override them; without a file, theirs.

    `share` of the flags is a table of its own, whose keys override the file's one by one.
    Raises InputError naming file, key and remedy.
    """
    document = _read(path) if path else {}
    given = {name: value for name, value in flags.items() if value not in (None, (), [])}
    share = {name: value for name, value in given.pop("share", {}).items() if value}
    if share:
        document["share"] = {**document.get("share", {}), **share}
    return _checked({**document, **given}, str(path) if path else "the command line")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(input_file.read(path, _MAX_FILE).decode())
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, nested too deeply
        raise InputError(f"{path}: {error}", hint="fix the TOML syntax") from None


def _checked(document: Mapping[str, Any], where: str) -> Settings:
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part != "[key]")
        if first["type"] == "extra_forbidden":
            table = Share if first["loc"][0] == "share" else Settings
            raise InputError(
                f"{where}: unknown key {key!r}", hint=f"known keys: {', '.join(table.model_fields)}"
            ) from None
        message = first["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
        if first["type"] == "string_pattern_mismatch":
            message = f"{first['input']!r} is not {_MEANT[first['ctx']['pattern']]}"
        elif first["type"] == "string_too_short":
            message = "has nothing in it"
        what = ": ".join(filter(None, (where, key, message)))
        raise InputError(what, hint="see docs/publishing.md") from None
