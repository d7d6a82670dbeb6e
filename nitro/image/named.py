"""What a command and configuration name of a recipe's packages: files that a service uses.

A line of a comment names nothing. What no package has, such as a log or a socket, is no matter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from nitro.image.libraries import Sysroot
from nitro.image.rootfs import Node, Rootfs

_FOLDER, _AVAILABLE = "/etc/", "-available"
_MAX_FILE = 1 << 18  # bytes
_PATH = re.compile(r"(?<![\w./}*$-])/(?:usr|etc|opt|var|s?bin)/[\w.+@/-]*[\w+-]")
_COMMENT = re.compile(r"\s*(?:#|//|;|--)")


def lacking(rootfs: Rootfs, packages: Sysroot, words: Sequence[str]) -> dict[str, str]:
    """Guest path → who names it, of each file of the packages that the image has not: a file of
    /etc, or one of the `words` of a command line."""
    named = _of(rootfs, packages)
    for word in words:
        for path in _PATH.findall(word):
            source = packages.locate(path)
            if source is not None and source.is_file():
                named.setdefault(path, "the command line")
    return {path: by for path, by in named.items() if path not in rootfs}


def started(rootfs: Rootfs, packages: Sysroot) -> list[tuple[str, str, Path]]:
    """Executable files that /etc names, who names them, and where they come from."""
    found = []
    for path, by in _of(rootfs, packages).items():
        node = rootfs.find(path)
        if node is not None and isinstance(node.source, Path) and node.mode & 0o111:
            found.append((path, by, node.source))
    return found


def _of(rootfs: Rootfs, packages: Sysroot) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, node in rootfs.nodes.items():
        if not path.startswith(_FOLDER) or "/README" in path or f"{_AVAILABLE}/" in path:
            continue
        for name in _names(node):
            source = packages.locate(name)
            if source is not None and source.is_file():
                found.setdefault(name, path)
    return found


def _names(node: Node) -> list[str]:
    source = node.source
    if not isinstance(source, Path) or node.layer == "container" or node.size > _MAX_FILE:
        return []
    text = source.read_text(errors="replace")
    lines = (line for line in text.splitlines() if not _COMMENT.match(line))
    return [str(PurePosixPath(name)) for line in lines for name in _PATH.findall(line)]


def unlinked(rootfs: Rootfs) -> list[str]:
    """What package scripts would link, a line for each folder with an empty NAME-enabled beside a
    NAME-available, whose files such a link turns on."""
    inside: dict[str, list[str]] = {}
    for path in rootfs.nodes:
        folder, _, name = path.rpartition("/")
        inside.setdefault(folder, []).append(name)
    empty: dict[str, list[str]] = {}
    for folder in sorted(inside):
        kind = folder.removesuffix(_AVAILABLE)
        if folder.startswith(_FOLDER) and kind != folder and not inside.get(f"{kind}-enabled"):
            empty.setdefault(folder.rpartition("/")[0], []).append(kind)
    notes = []
    for kinds in empty.values():
        kind = kinds[-1]  # of modules and sites, a site
        names = sorted(inside[f"{kind}{_AVAILABLE}"])
        name = next((one for one in names if "default" in one), names[0])
        notes.append(
            f"package scripts do not run, so {', '.join(f'{one}-enabled' for one in kinds)} has no "
            f'links, such as links = {{ "{kind}-enabled/{name}" = '
            f'"../{PurePosixPath(kind).name}{_AVAILABLE}/{name}" }}'
        )
    return notes
