"""The kernels that a user has added, by name, and the index by which others can get them.

A kernel is kept as the ELF file of its loaded segment, with the boot sector of the disk that it
came in, if it did, and what is known of it (`kernel.json`).
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast
from urllib.parse import urljoin

from nitro import input_file
from nitro.documents.images import (
    KERNEL_INDEX_SCHEMA,
    KernelDocument,
    KernelIndexDocument,
    OfferedKernelDocument,
)
from nitro.errors import InputError
from nitro.image.osv import artifact, headers
from nitro.image.osv.artifact import Kernel
from nitro.image.osv.layout import Layout
from nitro.image.osv.segment import Segment
from nitro.paths import state_dir
from nitro.space import writing

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_INDEX = 4 << 20
_ADD = "nitro kernel add NAME FILE adds one"


@dataclass(frozen=True)
class Stored:
    """An added kernel: its ELF file at `path`."""

    path: Path
    about: KernelDocument

    @property
    def name(self) -> str:
        return self.about["name"]

    @property
    def headers(self) -> Path | None:
        """The archive of its headers, if they were given."""
        path = _headers(self.path.parent)
        return path if path.exists() else None

    def kernel(self) -> Kernel:
        """Raises InputError when the file was damaged meanwhile."""
        try:
            segment = Segment.parse(self.path.read_bytes())
            boot = _boot_sector(self.path.parent)
            sector = boot.read_bytes() if boot.exists() else None
            return Kernel(self.about["kind"], segment, self._layout(segment), sector)
        except (OSError, ValueError) as error:
            raise InputError(
                f"the kernel osv:{self.name} is damaged: {error}", hint="add it again, or remove it"
            ) from None

    def _layout(self, segment: Segment) -> Layout:
        """As it was found when the kernel was added: looking for it takes tens of milliseconds."""
        try:
            known = json.loads(_layout(self.path.parent).read_text())
            layout = Layout(**known | {"operands": tuple(known["operands"])})
            layout.check(segment)
        except (OSError, ValueError, TypeError, KeyError):
            return Layout.find(segment)
        return layout


@dataclass(frozen=True)
class Offer:
    """A kernel that an index offers: where it is and the SHA-256 of that file; its headers' too.

    `boot_sector` is that of the disk that it once came in, if it did.
    """

    url: str
    sha256: str
    headers_url: str | None = None
    headers_sha256: str | None = None
    boot_sector: bytes | None = None


def describe(kernel: Kernel, name: str, origin: str, sha256: str, source: str) -> KernelDocument:
    """What is known of a kernel; `sha256` is that of the file that it came in."""
    data = kernel.segment.data
    return {
        "name": name,
        "version": kernel.version,
        "kind": kernel.kind,
        "origin": origin,
        "sha256": sha256,
        "kernel_sha256": hashlib.sha256(kernel.segment.without_sections()).hexdigest(),
        "size_bytes": len(data),
        "boot": kernel.boot_entries,
        "boot_sector": kernel.boot_sector is not None,
        "ramfs_capacity": kernel.layout.capacity,
        "ramfs_files": [entry.name for entry in kernel.entries],
        "drivers": kernel.drivers,
        "exported_symbols": len(kernel.segment.symbols),
        "source": source,
    }


def summary(about: KernelDocument) -> dict[str, str]:
    """For people: what is worth a line each."""
    files = about["ramfs_files"]
    return {
        "name": about["name"] or "not added",
        "version": about["version"],
        "came as": about["kind"],
        "sha256": about["sha256"],
        "size": f"{about['size_bytes'] / 1e6:.1f} MB",
        "boots by": ", ".join(about["boot"]) or "no entry that is known",
        "RAMFS": f"{len(files)} files, room for {about['ramfs_capacity']}",
        "drivers": ", ".join(about["drivers"]) or "none known",
        "exports": f"{about['exported_symbols']} symbols",
        "headers": about["source"] or "none",
    }


def add(
    name: str,
    file: Path,
    *,
    origin: str,
    sha256: str | None = None,
    source: Path | None = None,
    source_origin: str | None = None,
    boot_sector: bytes | None = None,
) -> Stored:
    """Keep the kernel in `file`, which came from `origin`, as `name`; it replaces one of that name.

    `source` is what its headers are taken from, and `source_origin` where that came from.
    `boot_sector` is for a file that brings none.

    Raises InputError for a name that cannot be, a file that is no kernel or has another SHA-256
    than it should, and a source that does not exist.
    """
    check_name(name)
    input_file.check(file)
    found = check_file(file, sha256, origin)
    if source is not None and not source.exists():
        raise InputError(f"{source}: no such file or folder", hint="check --source")
    kernel = artifact.read(file, origin)
    kernel = replace(kernel, boot_sector=kernel.boot_sector or boot_sector)
    packed = headers.collect(source, kernel.version, kernel.segment) if source else None
    whence = source_origin or (str(source.resolve()) if source else "")
    about = describe(kernel, name, origin, found, whence)
    home = _home()
    with tempfile.TemporaryDirectory(dir=home, prefix=".new-") as scratch, writing(home):
        folder = Path(scratch) / "kernel"
        folder.mkdir()
        (folder / "kernel.elf").write_bytes(kernel.segment.without_sections())
        if kernel.boot_sector:
            _boot_sector(folder).write_bytes(kernel.boot_sector)
        if packed:
            _headers(folder).write_bytes(packed)
        _layout(folder).write_text(json.dumps(asdict(kernel.layout)) + "\n")
        _about(folder).write_text(json.dumps(about, indent=1) + "\n")
        target = home / name
        if target.exists():
            target.rename(Path(scratch) / "old")
        folder.rename(target)
    return Stored(target / "kernel.elf", about)


def names() -> list[str]:
    """The names of the added kernels, sorted."""
    return sorted(path.parent.name for path in _home().glob("[!.]*/kernel.json"))


def find(name: str) -> Stored:
    """The kernel added as `name`; with "" the only one.

    Raises InputError when there is none, or more than one to choose from.
    """
    known = names()
    if not name:
        if len(known) == 1:
            return find(known[0])
        if not known:
            raise InputError("no OSv kernel has been added", hint=_ADD)
        raise InputError(
            "several OSv kernels have been added", hint=f"choose one: --kernel osv:{known[0]}"
        )
    folder = _folder(name)
    try:
        about = cast(KernelDocument, json.loads(_about(folder).read_text()))
        about["name"], about["source"], about["kind"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"the kernel osv:{name} is damaged", hint="add it again, or remove it"
        ) from None
    return Stored(folder / "kernel.elf", about)


def remove(*names: str) -> None:
    """Remove the kernels of these names, damaged ones too, or none of them.

    Raises InputError when there is none of one of the names.
    """
    folders = [_folder(check_name(name)) for name in dict.fromkeys(names)]
    for folder in folders:
        with tempfile.TemporaryDirectory(dir=_home(), prefix=".old-") as scratch:
            folder.rename(Path(scratch) / "kernel")  # whoever looks finds all of it, or nothing


def export(folder: Path) -> Path:
    """Write all kernels and an index of them to `folder`, to be put on a server; the index's path.

    Raises InputError when there are none.
    """
    kernels = [find(name) for name in names()]
    if not kernels:
        raise InputError("no OSv kernel has been added", hint=_ADD)
    folder.mkdir(parents=True, exist_ok=True)
    index: KernelIndexDocument = {"schema": KERNEL_INDEX_SCHEMA, "kernels": []}
    with writing(folder):
        for kernel in kernels:
            file = folder / f"{kernel.name}.elf"
            shutil.copyfile(kernel.path, file)
            offered: OfferedKernelDocument = {
                "name": kernel.name,
                "version": kernel.about["version"],
                "file": file.name,
                "sha256": sha256_of(file),
                "size_bytes": file.stat().st_size,
            }
            sector = _boot_sector(kernel.path.parent)
            if sector.exists():
                offered["boot_sector"] = b64encode(sector.read_bytes()).decode()
            if kernel.headers:
                archive = folder / f"{kernel.name}.headers.tar.gz"
                shutil.copyfile(kernel.headers, archive)
                offered["headers"] = archive.name
                offered["headers_sha256"] = sha256_of(archive)
            index["kernels"].append(offered)
        path = folder / "index.json"
        path.write_text(json.dumps(index, indent=1) + "\n")
    return path


def is_index(file: Path) -> bool:
    """Whether a downloaded file is an index rather than a kernel."""
    with file.open("rb") as start:
        return start.read(64).lstrip()[:1] == b"{"


def offered(index: Path, url: str, name: str) -> Offer:
    """The kernel `name` of an index that was downloaded from `url`. Raises InputError."""
    try:
        if index.stat().st_size > _MAX_INDEX:
            raise ValueError(f"larger than {_MAX_INDEX >> 20} MiB")
        document = json.loads(index.read_text())
        if document["schema"] != KERNEL_INDEX_SCHEMA:
            raise ValueError(f"its schema is not {KERNEL_INDEX_SCHEMA}")
        known = {
            str(k["name"]): Offer(
                _joined(url, str(k["file"])),
                check_sha256(str(k["sha256"])),
                _joined(url, str(k["headers"])) if "headers" in k else None,
                check_sha256(str(k["headers_sha256"])) if "headers" in k else None,
                artifact.check_boot_sector(b64decode(k["boot_sector"]))
                if "boot_sector" in k
                else None,
            )
            for k in document["kernels"]
        }
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{url}: not an index of kernels: {error!r}", hint="check the URL"
        ) from None
    if name not in known:
        raise InputError(f"{url} has no kernel {name!r}", hint=f"it has: {', '.join(known)}")
    return known[name]


def check_name(name: str) -> str:
    """Raises InputError for what cannot be a kernel's name."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot be a kernel's name", hint="use letters, digits, dots and dashes"
        )
    return name


def check_file(file: Path, sha256: str | None, origin: str) -> str:
    """The SHA-256 of a file from `origin`. Raises InputError when it should have another."""
    found = sha256_of(file)
    if sha256 is not None and found != check_sha256(sha256):
        raise InputError(
            f"{origin} has the SHA-256 {found}, not {sha256}", hint="it was changed or damaged"
        )
    return found


def check_sha256(text: str) -> str:
    """Raises InputError for what is not a SHA-256 in hexadecimal digits; in lower case."""
    if not _SHA256.fullmatch(text.lower()):
        raise InputError(f"{text!r} is not a SHA-256", hint="give its 64 hexadecimal digits")
    return text.lower()


def _joined(url: str, file: str) -> str:
    """urljoin knows web addresses only; a bucket's keys are joined in the same way."""
    if url.startswith("s3://"):
        return "s3" + urljoin(url.replace("s3", "http", 1), file).removeprefix("http")
    return urljoin(url, file)


def _folder(name: str) -> Path:
    """That of an added kernel. Raises InputError when there is none of that name."""
    known = names()
    if name not in known:
        hint = f"known: {', '.join(known)}; {_ADD}" if known else _ADD
        raise InputError(f"no OSv kernel {name!r}", hint=hint)
    return _home() / name


def _home() -> Path:
    folder = state_dir() / "kernels" / "osv"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _about(folder: Path) -> Path:
    return folder / "kernel.json"


def _layout(folder: Path) -> Path:
    return folder / "layout.json"


def _headers(folder: Path) -> Path:
    return folder / "headers.tar.gz"


def _boot_sector(folder: Path) -> Path:
    return folder / "boot.bin"


def sha256_of(path: Path) -> str:
    """Of a file, in hexadecimal digits. Raises InputError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError(f"{path}: {error.strerror}", hint="check the path") from None
