"""The JSON of `nitro build`, `nitro inspect` and `nitro kernel`."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

KERNEL_INDEX_SCHEMA: Literal["nitro.kernels/1"] = "nitro.kernels/1"


class DecisionDocument(TypedDict):
    """Something that `nitro build` decided, of `--explain`."""

    subject: str
    """What it is about: `kernel`, `launch`, `library`, `driver`, `memory` and others."""
    choice: str
    reason: str


class BuildDocument(TypedDict):
    """`nitro build --json`."""

    digest: str
    path: str
    manifest: str
    size_bytes: int
    cached: bool
    """Whether the image was there already."""
    build_seconds: float
    minimum_memory_mib: int
    decisions: NotRequired[list[DecisionDocument]]
    """With `--explain`."""


class GuestFileDocument(TypedDict):
    """A file of the RAMFS."""

    path: str
    mode: int
    """As in stat(2)."""
    size: int
    target: str | None
    """Of a symbolic link."""


class InspectDocument(TypedDict):
    """`nitro inspect --json`."""

    path: str
    digest: str
    size_bytes: int
    kernel: str
    boot: dict[str, int]
    """What firmware and boot loader read, such as the files of the EFI system partition, and their
    sizes in bytes."""
    manifest: dict[str, Any] | None
    """The manifest beside the disk; null when there is none."""
    matches_manifest: bool | None
    files: NotRequired[list[GuestFileDocument]]
    """With `--files`."""


class KernelDocument(TypedDict):
    """An OSv kernel, of `nitro kernel add`, `nitro kernel ls` and `nitro inspect`."""

    name: str
    """Empty when it was inspected, not added."""
    version: str
    kind: str
    """What it came as: `kernel ELF`, `compressed kernel`, `vmlinuz`, `disk image (raw)` or
    `disk image (qcow2)`."""
    origin: str
    """The path or URL that it came from."""
    sha256: str
    """Of the file that it came as, in hexadecimal digits."""
    kernel_sha256: str
    """Of the kernel in it: its loaded segment, without section headers."""
    size_bytes: int
    boot: list[str]
    """The ways into it: `bios`, `pvh`."""
    boot_sector: bool
    """Whether it came with one."""
    ramfs_capacity: int
    """How many files its RAMFS can have."""
    ramfs_files: list[str]
    """What its RAMFS holds as it came."""
    drivers: list[str]
    """Those that nitro can name; `ena` is OSv's own."""
    exported_symbols: int
    source: str
    """Where its headers came from; empty when there are none."""


class OfferedKernelDocument(TypedDict):
    """A kernel of an index."""

    name: str
    version: str
    file: str
    """A URL, or a path relative to the index."""
    sha256: str
    """Of the file, in hexadecimal digits."""
    size_bytes: int
    headers: NotRequired[str]
    """The archive of its headers, as `file`; absent when there is none."""
    headers_sha256: NotRequired[str]
    boot_sector: NotRequired[str]
    """That of the disk that it came in, in base64; absent when it came in none."""


class KernelIndexDocument(TypedDict):
    """An index of OSv kernels, as `nitro kernel export` writes it."""

    schema: Literal["nitro.kernels/1"]
    kernels: list[OfferedKernelDocument]
