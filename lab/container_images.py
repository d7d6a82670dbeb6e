"""Container images made by hand, a byte at a time: OCI layouts and `docker save` archives."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import zstandard

Files = Mapping[str, bytes | str | None]
PACK: dict[str, Callable[[bytes], bytes]] = {
    "tar": lambda raw: raw,
    "gzip": lambda raw: gzip.compress(raw, mtime=0),
    "zstd": lambda raw: zstandard.ZstdCompressor().compress(raw),
}


def digest(raw: bytes) -> str:
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def member(name: str, content: bytes | str | None = None, **fields: Any) -> tarfile.TarInfo:
    """A file (bytes), a symbolic link (text) or a folder (None)."""
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
    if isinstance(content, str):
        info.type, info.linkname = tarfile.SYMTYPE, content
    info.mode = 0o755 if content is None else 0o644
    info.size = len(content) if isinstance(content, bytes) else 0
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def layer(*members: tuple[tarfile.TarInfo, bytes], files: Files | None = None) -> bytes:
    """A layer's archive: plain `files`, then members with all that they can have."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in (files or {}).items():
            raw = content if isinstance(content, bytes) else b""
            archive.addfile(member(name, content), io.BytesIO(raw))
        for info, raw in members:
            archive.addfile(info, io.BytesIO(raw))
    return out.getvalue()


def configuration(layers: Sequence[bytes], arch: str = "amd64", **run: Any) -> dict[str, Any]:
    ids = [digest(raw) for raw in layers]
    rootfs = {"type": "layers", "diff_ids": ids}
    return {"architecture": arch, "os": "linux", "config": run, "rootfs": rootfs}


class Layout:
    """An OCI layout in `folder`; images and indexes can be added to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs/sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self.manifests: list[dict[str, Any]] = []
        self._index()

    INDEX = "application/vnd.oci.image.index.v1+json"
    MANIFEST = "application/vnd.oci.image.manifest.v1+json"

    def blob(self, raw: bytes, kind: str) -> dict[str, Any]:
        """Store a blob of a media type; returns its descriptor."""
        self.path(digest(raw)).write_bytes(raw)
        return {"digest": digest(raw), "size": len(raw), "mediaType": kind}

    def path(self, name: str) -> Path:
        return self.folder / "blobs" / name.replace(":", "/")

    def image(
        self, layers: Sequence[bytes], pack: str = "gzip", config: Any = None, **run: Any
    ) -> dict[str, Any]:
        """Store an image; returns the descriptor of its manifest."""
        document = config or configuration(layers, **run)
        start = "application/vnd.oci.image"
        suffix = "" if pack == "tar" else f"+{pack}"
        manifest = {
            "schemaVersion": 2,
            "mediaType": self.MANIFEST,
            "config": self.blob(json.dumps(document).encode(), f"{start}.config.v1+json"),
            "layers": [
                self.blob(PACK[pack](raw), f"{start}.layer.v1.tar{suffix}") for raw in layers
            ],
        }
        return self.blob(json.dumps(manifest).encode(), self.MANIFEST)

    def offer(self, one: dict[str, Any], tag: str | None = None, arch: str | None = None) -> None:
        """List an image or index in index.json."""
        entry = dict(one)
        if tag:
            entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
        if arch:
            entry["platform"] = {"os": "linux", "architecture": arch}
        self.manifests.append(entry)
        self._index()

    def _index(self) -> None:
        document = {"schemaVersion": 2, "manifests": self.manifests}
        (self.folder / "index.json").write_text(json.dumps(document))


def oci(folder: Path, layers: Sequence[bytes], pack: str = "gzip", **run: Any) -> Path:
    """A layout with one image that has no tag."""
    layout = Layout(folder)
    layout.offer(layout.image(layers, pack, **run))
    return folder


def docker_archive(path: Path, layers: Sequence[bytes], tag: str = "app:1", **run: Any) -> Path:
    """What `docker save` writes."""
    raw = json.dumps(configuration(layers, **run)).encode()
    name = digest(raw).removeprefix("sha256:") + ".json"
    names = [f"{digest(one)[7:]}/layer.tar" for one in layers]
    manifest = [{"Config": name, "RepoTags": [tag], "Layers": names}]
    files = {name: raw, **dict(zip(names, layers, strict=True))}
    files["manifest.json"] = json.dumps(manifest).encode()
    path.write_bytes(layer(files=files))
    return path
