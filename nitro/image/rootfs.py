"""A guest's file system while it is put together: paths and where their bytes come from.

Modes and owners are plain (0755 or 0644, root) unless a recipe or a container image says
otherwise; there are no times but a container image's, and no hard links. What the build machine
thinks of a file does not reach the image. Names are bytes in the guest, and here text with
`surrogateescape`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from nitro.errors import InputError
from nitro.image.digests import of_file

Layer = Literal["system", "container", "packages", "program"]
"""What changes together: ours, a container image's, Debian's, the user's. Each is compressed on
its own."""

LAYERS: tuple[Layer, ...] = ("system", "container", "packages", "program")

_PAGE = 4096
_MAX_LINKS = 40  # as Linux follows

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
    #: permission bits, set-user-ID among them; None: 0755, or 0644 for a file to read
    permissions: int | None = None
    uid: int = 0
    gid: int = 0
    #: the value of the extended attribute security.capability
    capability: bytes | None = None
    #: Unix time of the last change; only a container image's files have one
    mtime: int = 0

    @property
    def mode(self) -> int:
        """The permission bits."""
        if self.target is not None:
            return 0o777
        if self.permissions is not None:
            return self.permissions
        return 0o755 if self.executable or self.source is None else 0o644

    @property
    def size(self) -> int:
        if isinstance(self.source, Path):
            return self.source.stat().st_size
        return len(self.source or b"")

    def sha256(self, of_file: Callable[[Path], str] = of_file) -> str:
        """The hex digits of the content's digest; `of_file` computes or knows that of a file.

        Computed once: manifest and bill of materials name the same bytes.
        """
        kept = vars(self)
        if "_digest" not in kept:
            source = self.source
            kept["_digest"] = (
                of_file(source)
                if isinstance(source, Path)
                else hashlib.sha256(source or b"").hexdigest()
            )
        return str(kept["_digest"])


@dataclass(frozen=True)
class Copied:
    """What `Rootfs.copy` did: each file by its guest path, and the sockets and such left out."""

    files: list[tuple[str, Path]] = field(default_factory=list)
    special: list[Path] = field(default_factory=list)


@dataclass
class Rootfs:
    """Guest paths ("/usr/bin/redis-server") → nodes.

    It begins with `nodes`, such as those of a container image; when there are none, with /bin,
    /sbin, /lib and /lib64 leading to /usr.
    """

    nodes: dict[str, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.nodes:
            return
        for name in _MERGED:
            self.add(f"/usr/{name}", Node("system", "nitro"))
            self.nodes[f"/{name}"] = Node("system", "nitro", target=f"usr/{name}")

    def add(self, path: str, node: Node) -> None:
        """Put `node` at `path`, with the folders above it; it replaces a container image's file.

        Raises InputError when something else is there already: two programs that bring
        different versions of one library cannot share an image.
        """
        path = self.settle(path)
        old = self.nodes.get(path)
        if old is not None and old.layer == "container" and node.layer != "system":
            if _is_folder(old) and _is_folder(node):
                return
            self.remove(path)
            old = None
        if old is None:
            for parent in PurePosixPath(path).parents:
                above = self.nodes.setdefault(str(parent), Node(node.layer, node.origin))
                if not _is_folder(above):
                    raise _clash(path, node, str(parent), above)
            self.nodes[path] = node
        elif _is_folder(old) != _is_folder(node) or not _same(old, node):
            raise _clash(path, node, path, old)

    def remove(self, path: str) -> None:
        """Take away what is at `path`, and below it."""
        inside = f"{path.rstrip('/')}/"
        for name in [name for name in self.nodes if name == path or name.startswith(inside)]:
            del self.nodes[name]

    def copy(
        self,
        path: str,
        source: Path,
        layer: Layer,
        origin: str,
        mode: int | None = None,
        excluded: Callable[[Path], bool] = lambda _: False,
    ) -> Copied:
        """Put the file, link or folder `source` at `path`; a folder with all that is in it.

        `mode` is for the permission bits of files, `excluded` says what to leave out of folders.
        Sockets, FIFOs and devices in them are left out, too. Raises InputError when `source`
        itself is one.
        """
        copied = Copied()
        self._copy(path, source, copied, Node(layer, origin, permissions=mode), excluded)
        if copied.special == [source]:
            raise InputError(f"{source}: not a file or a folder", hint="leave it out")
        return copied

    def _copy(
        self,
        path: str,
        source: Path,
        copied: Copied,
        like: Node,
        excluded: Callable[[Path], bool],
    ) -> None:
        if source.is_symlink():
            if not self._has_file_of(path, source):
                self.add(path, replace(like, target=str(source.readlink())))
        elif source.is_dir():
            self.add(path, replace(like, permissions=None))
            for child in sorted(source.iterdir()):
                if not excluded(child):
                    self._copy(f"{path}/{child.name}", child, copied, like, excluded)
        elif source.is_file():
            executable = like.permissions is None and bool(source.stat().st_mode & 0o111)
            self.add(path, replace(like, source=source, executable=executable))
            copied.files.append((path, source))
        else:
            copied.special.append(source)

    def _has_file_of(self, path: str, link: Path) -> bool:
        """Whether the file that `link` leads to is at `path` already, as a program of the recipe:
        an environment's interpreter."""
        old = self.nodes.get(self.settle(path))
        if old is None or not isinstance(old.source, Path):
            return False
        return link.exists() and old.source.samefile(link)

    def __contains__(self, path: str) -> bool:
        return self.settle(path) in self.nodes

    def find(self, path: str) -> Node | None:
        """What is at `path`, links followed; None when nothing is."""
        return self.nodes.get(self.settle(path, follow=True))

    def read(self, path: str) -> bytes:
        """The content of the file at `path`; empty when there is none."""
        node = self.find(path)
        source = node.source if node else None
        return source.read_bytes() if isinstance(source, Path) else source or b""

    def settle(self, path: str, *, follow: bool = False) -> str:
        """`path` as it is stored: absolute, no "..", where the links above it lead.

        With `follow`, where a link at `path` itself leads, too. Raises InputError for links that
        lead in a circle.
        """
        ahead = list(reversed(PurePosixPath("/", path).parts[1:]))
        here: list[str] = []
        links = 0
        while ahead:
            part = ahead.pop()
            if part == "..":
                del here[-1:]
                continue
            here.append(part)
            node = self.nodes.get("/" + "/".join(here))
            if node is not None and node.target is not None and (ahead or follow):
                links += 1
                if links > _MAX_LINKS:
                    raise InputError(f"{path}: its links lead in a circle", hint="fix the links")
                target = PurePosixPath(node.target)
                here = [] if target.is_absolute() else here[:-1]
                ahead += reversed([name for name in target.parts if name != "/"])
        return "/" + "/".join(here)

    @property
    def size(self) -> int:
        """Bytes that the files take in the guest's memory, which knows only whole pages."""
        return sum(-(-node.size // _PAGE) * _PAGE for node in self.nodes.values())

    def sources(self) -> list[Path]:
        """The files of this machine that are put in."""
        return [n.source for n in self.nodes.values() if isinstance(n.source, Path)]

    def folders(self, *paths: str, origin: str = "nitro", permissions: int | None = None) -> None:
        """Make folders where there are none."""
        for path in paths:
            found = self.find(path)
            if found is None or not _is_folder(found):
                self.add(path, Node("system", origin, permissions=permissions))

    def of(self, layer: Layer) -> list[tuple[str, Node]]:
        """A layer's nodes in order, folders before what is in them.

        The kernel makes no folders of its own accord, so each layer has all that it needs.
        """
        own = {path for path, node in self.nodes.items() if node.layer == layer}
        above = {str(parent) for path in own for parent in PurePosixPath(path).parents}
        return [(path, self.nodes[path]) for path in sorted(own | above)]


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
