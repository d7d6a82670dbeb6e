"""Users and folders that Debian's packages declare, as no package script runs.

Packages have folders below /var, and files that systemd-sysusers and systemd-tmpfiles read:
sysusers.d(5), tmpfiles.d(5).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nitro.errors import InputError
from nitro.image import users
from nitro.image.rootfs import Node, Rootfs
from nitro.recipe import Recipe

_PLACES = ("/var/lib", "/var/log", "/var/cache", "/var/spool")
# Of Debian's own administration, which guests have not.
_SYSTEM = {
    *("adduser", "apt", "cron", "debconf", "dpkg", "logrotate", "misc", "pam", "polkit-1"),
    *("systemd", "ucf", "update-rc.d", "private"),
}
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_MODE = re.compile(r"[:~]*([0-7]{3,4})")
_FOLDER = re.compile(r"/(?:run|var)(?:/[A-Za-z0-9_+@-][A-Za-z0-9_.+@-]*)+")
_MAX_FILE = 1 << 16  # bytes


@dataclass(frozen=True)
class Folder:
    """A folder, its permission bits, and who owns it; "" where nothing says."""

    path: str
    mode: int = 0o755
    user: str = ""
    group: str = ""


def add(rootfs: Rootfs, recipe: Recipe, packages: Path | None) -> None:
    """Make the users and folders that `packages`, the unpacked tree, declare for the recipe's own.

    A folder of theirs belongs to the user that runs the command, unless it is declared otherwise.
    """
    if packages is None or recipe.base or recipe.flavour != "linux":
        return
    for name, group in declared_users(packages, recipe.packages).items():
        users.declare(rootfs, name, group)
    for folder in (*declared_folders(packages, recipe.packages), *folders_of(packages)):
        if rootfs.find(folder.path) is None:
            uid, gid = _ids(rootfs, folder, recipe.user)
            node = Node("packages", "Debian", permissions=folder.mode, uid=uid, gid=gid)
            rootfs.add(folder.path, node)


def folders_of(packages: Path) -> list[Folder]:
    """The folders that the packages have below /var."""
    found = []
    for place in _PLACES:
        for folder in sorted((packages / place[1:]).glob("**/")):
            inside = folder.relative_to(packages / place[1:])
            if inside.parts and inside.parts[0] not in _SYSTEM and not folder.is_symlink():
                found.append(Folder(f"{place}/{inside}"))
    return found


def declared_users(packages: Path, names: tuple[str, ...]) -> dict[str, str]:
    """The users of sysusers.d, each with its group, which is called like the user or not."""
    found: dict[str, str] = {}
    for words in _lines(packages / "usr/lib/sysusers.d", names):
        kind, name, numbers = [*words, "-", "-"][:3]
        group = numbers.partition(":")[2]
        if kind.rstrip("!-") == "u" and _USER.fullmatch(name):
            found.setdefault(name, group if _USER.fullmatch(group) else name)
    return found


def declared_folders(packages: Path, names: tuple[str, ...]) -> list[Folder]:
    """The folders of tmpfiles.d."""
    found = []
    for words in _lines(packages / "usr/lib/tmpfiles.d", names):
        kind, path, mode, user, group = [*words, *"-----"][:5]
        path = re.sub(r"^/var/run/", "/run/", path.rstrip("/"))
        if kind.rstrip("!-+=~^$") not in ("d", "D", "v", "q", "Q") or not _FOLDER.fullmatch(path):
            continue
        bits = _MODE.fullmatch(mode)
        owner = ["" if word == "-" else word for word in (user, group)]
        found.append(Folder(path, int(bits[1], 8) if bits else 0o755, *owner))
    return found


def _lines(folder: Path, names: tuple[str, ...]) -> Iterator[list[str]]:
    """The words of each line of the files there that are called like a package of the recipe's."""
    near = tuple({name.partition("-")[0] for name in names})
    for file in sorted(folder.glob("*.conf")):
        if not file.name.startswith(near) or not file.is_file() or file.stat().st_size > _MAX_FILE:
            continue
        for line in file.read_text(errors="replace").splitlines():
            try:
                words = shlex.split(line, comments=line.lstrip().startswith("#"))
            except ValueError:
                continue
            if words:
                yield words


def _ids(rootfs: Rootfs, folder: Folder, user: str) -> tuple[int, int]:
    """Who owns a folder; root where the guest does not know whom it is declared to belong to."""
    if not folder.user and not PurePosixPath(folder.path).is_relative_to("/var"):
        return 0, 0
    owner = f"{folder.user}:{folder.group}".rstrip(":") if folder.user else user
    try:
        return users.ids(rootfs, owner)
    except InputError:
        return 0, 0
