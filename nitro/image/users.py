"""Users of the guest: whom a recipe's names mean, who is made, and what they own."""

from __future__ import annotations

from dataclasses import replace

from nitro.errors import InputError
from nitro.image.rootfs import Node, Rootfs
from nitro.recipe import Recipe

_PASSWD, _GROUP = "/etc/passwd", "/etc/group"
# Those of Debian's users that services run as, whose numbers are the same everywhere
# (/usr/share/base-passwd/passwd.master, group.master).
_RESERVED = {"mail": 8, "news": 9, "proxy": 13, "backup": 34, "list": 38, "irc": 39}
_FIRST = 1000  # of people's accounts, as Debian counts


def add(rootfs: Rootfs, recipe: Recipe) -> None:
    """Make the recipe's user where no file brings it, its folders, and give files their owners.

    The recipe's files and extras are in `rootfs` already. Raises InputError for a name that
    nothing brings.
    """
    name = recipe.user.partition(":")[0]
    if not recipe.base:
        owners = [one.owner or "" for one in (*recipe.programs, *recipe.files)]
        for owner in (recipe.user, *owners, *(folder.owner for folder in recipe.folders)):
            _reserved(rootfs, owner.partition(":")[0])
    if name != "root" and not name.isdigit() and name not in _ids(rootfs, _PASSWD):
        if recipe.base:
            raise InputError(
                f"{recipe.name}: the container image has no user {name}",
                hint="name one of its own, or a number",
            )
        _make(rootfs, name, f"/home/{name}")
    for file in (*recipe.programs, *recipe.files):
        if file.owner:
            _own(rootfs, file.target, *ids(rootfs, file.owner))
    if recipe.working_directory:
        rootfs.folders(recipe.working_directory, origin="the recipe")
    for folder in recipe.folders:
        uid, gid = ids(rootfs, folder.owner)
        node = Node(
            "program",
            "the recipe",
            permissions=int(folder.mode, 8),
            uid=uid,
            gid=gid,
        )
        rootfs.add(folder.path, node)
        rootfs.nodes[rootfs.settle(folder.path)] = node


def ids(rootfs: Rootfs, owner: str) -> tuple[int, int]:
    """The numbers of "user", "user:group", or such with numbers.

    Raises InputError for a name that the guest does not know.
    """
    user, _, group = owner.partition(":")
    if user.isdigit():
        uid, gid = int(user), 0
    else:
        uid, gid = _known(rootfs, _PASSWD, user)
    if group:
        gid = int(group) if group.isdigit() else _known(rootfs, _GROUP, group)[0]
    return uid, gid


def _known(rootfs: Rootfs, path: str, name: str) -> tuple[int, int]:
    known = _ids(rootfs, path)
    if name in known:
        return known[name]
    if name == "root":
        return 0, 0
    raise InputError(f"{path} of the guest has no {name}", hint='write user = "…", or a number')


def _ids(rootfs: Rootfs, path: str) -> dict[str, tuple[int, int]]:
    """Name → the two numbers of each line; a line of /etc/group has one and a list of names."""
    found: dict[str, tuple[int, int]] = {}
    for line in rootfs.read(path).decode(errors="replace").splitlines():
        name, *rest = line.split(":")
        if len(rest) >= 3 and rest[1].isdigit():
            group = int(rest[2]) if rest[2].isdigit() else 0
            found.setdefault(name, (int(rest[1]), group))
    return found


def declare(rootfs: Rootfs, name: str, group: str) -> None:
    """Make a user without a home, of whom a package says that there must be one."""
    if name not in _ids(rootfs, _PASSWD):
        _make(rootfs, name, "/", group)


def _reserved(rootfs: Rootfs, name: str) -> None:
    """Make a user whom every Debian system has, and the group of that name and number."""
    if name not in _RESERVED or name in _ids(rootfs, _PASSWD):
        return
    number = _RESERVED[name]
    _append(rootfs, _PASSWD, f"{name}:x:{number}:{number}::/:/usr/sbin/nologin\n")
    if name not in _ids(rootfs, _GROUP):
        _append(rootfs, _GROUP, f"{name}:x:{number}:\n")


def _make(rootfs: Rootfs, name: str, home: str, group: str = "") -> None:
    group = group or name
    taken = {uid for uid, _ in _ids(rootfs, _PASSWD).values()}
    taken |= {gid for gid, _ in _ids(rootfs, _GROUP).values()}
    number = next(uid for uid in range(_FIRST, 1 << 16) if uid not in taken)
    groups = _ids(rootfs, _GROUP)
    gid = groups[group][0] if group in groups else number
    _append(rootfs, _PASSWD, f"{name}:x:{number}:{gid}::{home}:/bin/sh\n")
    if group not in groups:
        _append(rootfs, _GROUP, f"{group}:x:{gid}:\n")
    if home != "/":
        rootfs.add(home, Node("program", "the recipe", uid=number, gid=gid))


def _append(rootfs: Rootfs, path: str, line: str) -> None:
    text = rootfs.read(path)
    if text and not text.endswith(b"\n"):
        text += b"\n"
    where = rootfs.settle(path, follow=True)
    if where not in rootfs.nodes:
        rootfs.add(where, Node("program", "the recipe", source=b""))
        text = b"root:x:0:0:root:/root:/bin/sh\n" if path == _PASSWD else b"root:x:0:\n"
    rootfs.nodes[where] = Node("program", "the recipe", source=text + line.encode())


def _own(rootfs: Rootfs, path: str, uid: int, gid: int) -> None:
    start = rootfs.settle(path)
    for name, node in rootfs.nodes.items():
        if name == start or name.startswith(f"{start}/"):
            rootfs.nodes[name] = replace(node, uid=uid, gid=gid)
