"""A file system made of layers: each adds, replaces and hides what is below it.

Facts from the OCI image specification 1.1, layer.md. Nothing here touches a disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_MAX_LINKS = 40
_MAX_DEPTH = 400
_MAX_PATH = 4096  # PATH_MAX


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder or symbolic link. `mode`: permission bits, set-user-ID and such among them.

    `content` is the number of a file's content: hard links share one.
    """

    kind: Literal["file", "folder", "link"]
    mode: int
    uid: int = 0
    gid: int = 0
    target: str = ""
    content: int = -1
    #: the extended attribute security.capability
    capability: bytes | None = None
    #: Unix time of the last change, which the bytecode of Python is checked against
    mtime: int = 0


@dataclass(slots=True)
class _Place:
    entry: Entry
    layer: int
    children: dict[str, _Place] = field(default_factory=dict)


class Tree:
    """Paths are as in an archive: relative or not, text with `surrogateescape`.

    The methods raise ValueError for what no layer may hold.
    """

    def __init__(self) -> None:
        self._root = _Place(Entry("folder", 0o755), -1)

    def put(self, path: str, entry: Entry, layer: int) -> None:
        """Put `entry` at `path`, or hide what a whiteout's name says."""
        parts = _parts(path)
        if not parts:
            if entry.kind == "folder":
                self._root.entry = entry
            return
        *above, name = parts
        if name.startswith(_WHITEOUT):
            self._white_out(above, name, layer)
            return
        children = self._folder(above, layer).children
        old = children.get(name)
        if old is not None and old.entry.kind == entry.kind == "folder":
            old.entry, old.layer = entry, layer
        else:
            children[name] = _Place(entry, layer)

    def link(self, path: str, target: str, layer: int) -> None:
        """Put at `path` the same file as at `target`."""
        *above, name = _parts(target) or [""]
        folder = self._find(above)
        place = folder.children.get(name) if folder else None
        if place is None or place.entry.kind == "folder":
            raise ValueError(f"{path} is a hard link to {target}, which is no file")
        self.put(path, place.entry, layer)

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Absolute paths, each folder before what is in it."""
        ahead = [("", self._root)]
        while ahead:
            path, place = ahead.pop()
            yield path or "/", place.entry
            ahead += [
                (f"{path}/{name}", child)
                for name, child in sorted(place.children.items(), reverse=True)
            ]

    def _white_out(self, above: list[str], name: str, layer: int) -> None:
        folder = self._find(above)
        if folder is None:
            return
        if name == _OPAQUE:
            _hide(folder, layer)
        else:  # of what nothing is called, where it is a note of an older file system
            hidden = name.removeprefix(_WHITEOUT)
            place = folder.children.get(hidden)
            if place is not None and _hide(place, layer):
                del folder.children[hidden]

    def _find(self, parts: list[str]) -> _Place | None:
        """The folder at `parts`, links followed; None when there is none."""
        return self._walk(parts, None)

    def _folder(self, parts: list[str], layer: int) -> _Place:
        found = self._walk(parts, layer)
        if found is None:
            raise ValueError(f"/{'/'.join(parts)} is no folder")
        return found

    def _walk(self, parts: list[str], layer: int | None) -> _Place | None:
        """Follow `parts`; with `layer`, make what is missing."""
        ahead = list(reversed(parts))
        here = [self._root]
        links = 0
        while ahead:
            part = ahead.pop()
            if part == "..":
                del here[max(len(here) - 1, 1) :]
                continue
            place = here[-1].children.get(part)
            if place is None:
                if layer is None:
                    return None
                if part.startswith(_WHITEOUT):
                    raise ValueError(f"{part} is no name of a folder")
                place = here[-1].children[part] = _Place(Entry("folder", 0o755), layer)
            if place.entry.kind == "link":
                links += 1
                if links > _MAX_LINKS:
                    raise ValueError(f"/{'/'.join(parts)}: its links lead in a circle")
                if place.entry.target.startswith("/"):
                    here = [self._root]
                ahead += reversed(_words(place.entry.target))
            elif place.entry.kind == "file":
                return None
            else:
                here.append(place)
            if len(here) > _MAX_DEPTH:
                raise ValueError("its folders are too deep")
        return here[-1]


def _hide(place: _Place, layer: int) -> bool:
    """Take away what is below `place` from layers under `layer`; whether `place` goes, too."""
    place.children = {
        name: child for name, child in place.children.items() if not _hide(child, layer)
    }
    return place.layer != layer and not place.children


def _words(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _parts(path: str) -> list[str]:
    if "\0" in path or len(path) > _MAX_PATH:
        raise ValueError("a name that no file can have")
    parts: list[str] = []
    for part in _words(path):
        if part == "..":
            del parts[-1:]
        else:
            parts.append(part)
    if len(parts) > _MAX_DEPTH:
        raise ValueError("its folders are too deep")
    return parts
