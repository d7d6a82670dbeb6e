"""The steps of a plan: what would change in a region, with the calls and bytes that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from nitro.publish.access import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change in one region. `CALLS`: the operations that make it, without reads."""

    CALLS: ClassVar[tuple[str, ...]] = ()

    region: str

    @property
    def calls(self) -> Mapping[str, int]:
        """How often each operation is called, at the most."""
        return dict.fromkeys(self.CALLS, 1)

    @property
    def bytes_sent(self) -> int:
        """From this machine, at the most."""
        return 0

    @property
    def text(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Write(Step):
    """A snapshot through the EBS direct API. `blocks` are those that are not zeros."""

    blocks: int
    block_size: int

    @property
    def calls(self) -> Mapping[str, int]:
        return {
            "ebs:StartSnapshot": 1,
            "ebs:PutSnapshotBlock": self.blocks,
            "ebs:CompleteSnapshot": 1,
            "ec2:CreateTags": 1,
        }

    @property
    def bytes_sent(self) -> int:
        return self.blocks * self.block_size

    @property
    def text(self) -> str:
        return f"write a snapshot, at most {self.blocks} blocks of {self.block_size >> 10} KiB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import(Step):
    """A snapshot by way of S3. `parts` are those of the upload."""

    size: int
    parts: int

    @property
    def calls(self) -> Mapping[str, int]:
        return {
            "s3:CreateMultipartUpload": 1,
            "s3:UploadPart": self.parts,
            "s3:CompleteMultipartUpload": 1,
            "ec2:ImportSnapshot": 1,
            "ec2:CreateTags": 2,
            "s3:DeleteObject": 1,
        }

    @property
    def bytes_sent(self) -> int:
        return self.size

    @property
    def text(self) -> str:
        return f"upload {self.size / 1e6:.1f} MB to S3 and import a snapshot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Register(Step):
    """An AMI on a verified snapshot: the one of `Write` or `Import`, or `snapshot_id`."""

    CALLS = ("ec2:RegisterImage",)
    snapshot_id: str | None = None

    @property
    def text(self) -> str:
        return f"register the AMI on {self.snapshot_id or 'the new snapshot'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Step):
    """An AMI and its snapshot, from another region."""

    CALLS = ("ec2:CopyImage",)
    source: str

    @property
    def text(self) -> str:
        return f"copy the AMI from {self.source}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prove(Step):
    """The digest for a snapshot that AWS has made, once it has been compared with the disk."""

    CALLS = ("ec2:CreateTags",)

    @property
    def text(self) -> str:
        return "read the snapshot back and compare it"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareImage(Step):
    CALLS = ("ec2:ModifyImageAttribute",)
    add: Access
    remove: Access

    @property
    def text(self) -> str:
        return f"share the AMI: {_change(self.add, self.remove)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareSnapshot(Step):
    CALLS = ("ec2:ModifySnapshotAttribute",)
    add: Access
    remove: Access

    @property
    def text(self) -> str:
        return f"share its snapshot: {_change(self.add, self.remove)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecate(Step):
    """`at` is None for an AMI that does not exist yet, whose date is counted from its creation."""

    CALLS = ("ec2:EnableImageDeprecation",)
    at: datetime | None

    @property
    def text(self) -> str:
        return f"deprecate it from {self.at:%Y-%m-%d %H:%M} UTC on" if self.at else "deprecate it"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoNotDeprecate(Step):
    CALLS = ("ec2:DisableImageDeprecation",)

    @property
    def text(self) -> str:
        return "do not deprecate it any more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protect(Step):
    """Deregistration protection, `on` or off."""

    on: bool

    @property
    def calls(self) -> Mapping[str, int]:
        verb = "Enable" if self.on else "Disable"
        return {f"ec2:{verb}ImageDeregistrationProtection": 1}

    @property
    def text(self) -> str:
        return f"{'protect it from' if self.on else 'allow its'} deregistration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish(Step):
    """The last step of an AMI: its tags say that it is published."""

    CALLS = ("ec2:CreateTags",)
    tags: Mapping[str, str] = field(repr=False)

    @property
    def text(self) -> str:
        return "tag it and its snapshot as published"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveImage(Step):
    """An AMI that should not be there, with its snapshot. `why` in a few words.

    `retires`: it is an earlier release, which stays until all regions have the new one.
    """

    image_id: str
    snapshot_id: str
    protected: bool
    why: str
    retires: bool

    @property
    def calls(self) -> Mapping[str, int]:
        unprotect = {"ec2:DisableImageDeregistrationProtection": 1} if self.protected else {}
        return {
            "ec2:CreateTags": 1,
            **unprotect,
            "ec2:DeregisterImage": 1,
            "ec2:DeleteSnapshot": 1,
        }

    @property
    def text(self) -> str:
        return f"remove {self.image_id} and its snapshot: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveSnapshot(Step):
    CALLS = ("ec2:DeleteSnapshot",)
    snapshot_id: str

    @property
    def text(self) -> str:
        return f"remove {self.snapshot_id}, which an interrupted run left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip(Step):
    """The parameter gets the release's AMI. `before` is None where it is new."""

    CALLS = ("ssm:PutParameter",)
    name: str
    before: str | None

    @property
    def text(self) -> str:
        return f"set the parameter {self.name}, now {self.before or 'not there'}, to the AMI"


def _change(add: Access, remove: Access) -> str:
    return ", ".join(
        f"{verb} {access}" for verb, access in (("with", add), ("no longer with", remove)) if access
    )
