"""A guest's file system while it is put together: paths and where their bytes come from.

Modes and owners are plain (0755 or 0644, root), there are no times and no hard links: what the
build machine thinks of a file does not reach the image.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from nitro.errors import InputError

Layer = Literal["system", "packages", "program"]
"""What changes together: ours, Debian's, the user's. Each is compressed on its own."""

LAYERS: tuple[Layer, ...] = ("system", "packages", "program")

_PAGE = 4096

# Debian's /usr holds what older systems keep in these.
_MERGED = ("bin", "sbin", "lib", "lib64")


@dataclass(frozen=True)
class Node:
    """A file (bytes or a host path), a symbolic link (`target`) or a folder (neither)."""

    layer: Layer
    origin: str
    source: bytes | Path | None = None
    target: str | None = None
    executable: bool = False

    @property
    def size(self) -> int:
        if isinstance(self.source, Path):
            return self.source.stat().st_size
        return len(self.source or b"")

    def sha256(self) -> str:
        if isinstance(self.source, Path):
            with self.source.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        return hashlib.sha256(self.source or b"").hexdigest()


@dataclass
class Rootfs:
    """Guest paths ("/usr/bin/redis-server") → nodes. /bin, /sbin, /lib, /lib64 lead to /usr."""

    nodes: dict[str, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in _MERGED:
            self.add(f"/usr/{name}", Node("system", "nitro"))
            self.nodes[f"/{name}"] = Node("system", "nitro", target=f"usr/{name}")

    def add(self, path: str, node: Node) -> None:
        """Put `node` at `path`, with the folders above it.

        Raises InputError when something else is there already: two programs that bring
        different versions of one library cannot share an image.
        """
        path = guest_path(path)
        old = self.nodes.get(path)
        if old is None:
            for parent in PurePosixPath(path).parents:
                above = self.nodes.setdefault(str(parent), Node(node.layer, node.origin))
                if not _is_folder(above):
                    raise _clash(path, node, str(parent), above)
            self.nodes[path] = node
        elif _is_folder(old) != _is_folder(node) or not _same(old, node):
            raise _clash(path, node, path, old)

    def copy(
        self, path: str, source: Path, layer: Layer, origin: str, mode: int | None = None
    ) -> None:
        """Put the file, link or folder `source` at `path`; a folder with all that is in it.

        `mode` overrides the permission bits of files. Raises InputError for what is neither.
        """
        if source.is_symlink():
            self.add(path, Node(layer, origin, target=str(source.readlink())))
        elif source.is_dir():
            self.add(path, Node(layer, origin))
            for child in sorted(source.iterdir()):
                self.copy(f"{path}/{child.name}", child, layer, origin, mode)
        elif source.is_file():
            bits = source.stat().st_mode if mode is None else mode
            self.add(path, Node(layer, origin, source=source, executable=bool(bits & 0o111)))
        else:
            raise InputError(f"{source}: not a file or a folder", hint="leave it out")

    def __contains__(self, path: str) -> bool:
        return guest_path(path) in self.nodes

    @property
    def size(self) -> int:
        """Bytes that the files take in the guest's memory, which knows only whole pages."""
        return sum(-(-node.size // _PAGE) * _PAGE for node in self.nodes.values())

    def sources(self) -> list[Path]:
        """The files of this machine that are put in."""
        return [n.source for n in self.nodes.values() if isinstance(n.source, Path)]

    def folders(self, *paths: str, origin: str = "nitro") -> None:
        for path in paths:
            self.add(path, Node("system", origin))

    def of(self, layer: Layer) -> list[tuple[str, Node]]:
        """A layer's nodes in order, folders before what is in them.

        The kernel makes no folders of its own accord, so each layer has all that it needs.
        """
        own = {path for path, node in self.nodes.items() if node.layer == layer}
        above = {str(parent) for path in own for parent in PurePosixPath(path).parents}
        return [(path, self.nodes[path]) for path in sorted(own | above)]


def guest_path(path: str) -> str:
    """`path` as it is stored: absolute, no "..", below /usr where the guest's links lead."""
    parts: list[str] = []
    for part in PurePosixPath("/", path).parts[1:]:
        if part == "..":
            del parts[-1:]
        else:
            parts.append(part)
    if len(parts) > 1 and parts[0] in _MERGED:
        parts.insert(0, "usr")
    return "/" + "/".join(parts)


def _is_folder(node: Node) -> bool:
    return node.source is None and node.target is None


def _same(old: Node, new: Node) -> bool:
    if old.target is not None or new.target is not None:
        return old.target == new.target
    return old.source == new.source or old.sha256() == new.sha256()


def _clash(path: str, node: Node, old_path: str, old: Node) -> InputError:
    return InputError(
        f"{path} of {node.origin} and {old_path} of {old.origin} cannot both be in the image",
        hint="take both programs from the same place, or leave one out",
    )
