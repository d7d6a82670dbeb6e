"""The JSON of releases: what `publish`, `verify` and `rollback` print, and release manifests."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

RELEASE_SCHEMA: Literal["nitro.release/1"] = "nitro.release/1"


class PublishedRegionDocument(TypedDict):
    """What a release has in one region. `ami` and `snapshot` are null where `error` says why."""

    region: str
    ami: str | None
    snapshot: str | None
    changed: bool
    """Whether this run changed something in the region."""
    error: str | None


class PublishDocument(TypedDict):
    """`nitro publish --json`."""

    name: str
    """The AMIs' name, the same in every region."""
    digest: str
    parameter: str | None
    """The SSM parameter that names the AMI in each region."""
    flipped: bool
    """Whether the parameter names the release's AMI in every region."""
    bytes_planned: int
    """What was to be sent from this machine, at the most."""
    regions: list[PublishedRegionDocument]
    manifest: str | None
    """The release manifest's path, with `--manifest`."""


class PublishStepDocument(TypedDict):
    """A step of a plan."""

    region: str
    step: str
    calls: dict[str, int]
    """How often each operation would be called, at the most; reads are not counted."""
    bytes: int
    """What would be sent from this machine, at the most."""


class PublishPlanDocument(TypedDict):
    """`nitro publish --plan --json`."""

    name: str
    digest: str
    exists: dict[str, str | None]
    """The release's AMI in each region; null where there is none yet."""
    errors: dict[str, str]
    """Why a region could not be asked."""
    steps: list[PublishStepDocument]
    calls: dict[str, int]
    bytes: int
    kept: dict[str, list[str]]
    """AMIs that are too many, and what still names them."""


class ReleaseRegionDocument(TypedDict):
    """A release in one region."""

    region: str
    ami: str
    snapshot: str
    created: str
    """When the AMI was made, UTC, ISO 8601."""


class ReleaseShareDocument(TypedDict):
    """Who may launch a release's AMIs."""

    accounts: list[str]
    organizations: list[str]
    """ARNs."""
    units: list[str]
    """ARNs."""
    public: bool


class ReleaseDocument(TypedDict):
    """A release manifest: `nitro publish --manifest`, read by `verify` and `rollback`."""

    schema: Literal["nitro.release/1"]
    name: str
    account: str
    digest: str
    """Of the raw disk."""
    size_bytes: int
    architecture: str
    boot_mode: str
    tags: dict[str, str]
    """Of each AMI and its snapshot: provenance is among them."""
    parameter: str | None
    share: ReleaseShareDocument
    regions: list[ReleaseRegionDocument]
    block_size: int
    """In bytes."""
    blocks: dict[str, str]
    """Index → SHA-256 in base64 of each block that is not all zeros."""


class VerifiedRegionDocument(TypedDict):
    """A region of `nitro verify --json`."""

    region: str
    ok: bool
    problems: list[str]
    blocks_read: int
    """How many blocks of the snapshot were compared."""


class FlipDocument(TypedDict):
    """A region of `nitro rollback --json`."""

    region: str
    parameter: str
    before: str | None
    """The AMI that it named; null when it was not there."""
    after: str
