"""Runs a recipe's `setup` command when the image is built, in the image's own files.

What it leaves behind comes into the image: a database's first files, an index, a generated key. It
runs in namespaces of its own, without a network and without root's rights over this machine, as
the user who runs the command in the guest; no root is needed where the system lets users make
namespaces. A command whose inputs are as before does not run again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from nitro.cache import touch
from nitro.debian import chroot
from nitro.errors import InputError, NitroError
from nitro.image import users
from nitro.image.decisions import Decision
from nitro.image.digests import of_file
from nitro.image.rootfs import Node, Rootfs
from nitro.paths import cache_dir
from nitro.progress import Reporter
from nitro.recipe import Recipe
from nitro.space import writing

_MAX_SECONDS = 600
_SHOWN = 20  # lines of a command that failed
# Of the namespace or of each start of the guest; what stands there is not kept.
_PASSING = ("/dev", "/proc", "/sys", "/run", "/tmp", "/init")  # noqa: S108 - paths of the guest
_ENTER = Path(__file__).with_name("setup_enter.py")
_UNSHARE = ("unshare", "--user", "--keep-caps", "--mount", "--pid", "--net", "--ipc", "--fork")

# Of a file: what changes with its content, its mode or the file itself, whatever sets its date.
_State = tuple[int, int, int]


@dataclass(frozen=True)
class _Made:
    """A path that the command made or changed: a file's place, a link's target, or a folder."""

    path: str
    mode: int
    place: str | None = None
    target: str | None = None


def add(rootfs: Rootfs, recipe: Recipe, report: Reporter) -> list[Decision]:
    """Run `recipe.setup` in the files of `rootfs`, complete by now, and put in what it made.

    Returns how much that was; nothing without a setup.

    Raises InputError when it is for another machine, NitroError when it fails.
    """
    if recipe.setup is None:
        return []
    if recipe.flavour != "linux":
        raise InputError(
            f"{recipe.name}: setup needs Linux's files, and kernel is {recipe.kernel}",
            hint="make its result beforehand, and name it in files",
        )
    if platform.machine() != recipe.arch.qemu:
        raise InputError(
            f"{recipe.name}: setup runs programs for {recipe.architecture} on this machine, "
            f"which is {platform.machine()}",
            hint="build the image on a machine of its own architecture",
        )
    owner = users.ids(rootfs, recipe.user)
    home = touch(cache_dir() / "setup" / _key(rootfs, recipe, owner))
    if not home.exists():
        with report.stage(f"set up: {recipe.setup[0]}"):
            _make(rootfs, recipe, owner, home, report)
    index = json.loads((home / "index.json").read_text())
    for path in index["removed"]:
        rootfs.remove(path)
    for made in (_Made(**entry) for entry in index["made"]):
        old = rootfs.nodes.get(made.path) or Node("program", "setup", uid=owner[0], gid=owner[1])
        source = home / made.place if made.place else None
        rootfs.nodes[made.path] = replace(
            old, source=source, target=made.target, permissions=made.mode, capability=None
        )
    what = f"{len(index['made'])} paths made or changed, {len(index['removed'])} removed"
    return [Decision("setup", what, f"by {recipe.setup[0]}, as {recipe.user}")]


def _key(rootfs: Rootfs, recipe: Recipe, owner: tuple[int, int]) -> str:
    facts = [
        (
            path,
            node.mode,
            node.uid,
            node.gid,
            node.target,
            None if node.source is None else node.sha256(of_file),
        )
        for path, node in sorted(rootfs.nodes.items())
    ]
    asked = (recipe.setup, recipe.env, recipe.working_directory, owner)
    text = json.dumps([facts, asked, _own_digest()])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _own_digest() -> str:
    """Of the code that makes it."""
    code = Path(__file__).read_bytes() + _ENTER.read_bytes()
    return hashlib.sha256(code).hexdigest()


def _make(
    rootfs: Rootfs, recipe: Recipe, owner: tuple[int, int], home: Path, report: Reporter
) -> None:
    """Run the command in a copy of the files, and keep in `home` what is different after."""
    home.parent.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=home.parent))
    try:
        root, kept = scratch / "root", scratch / "kept"
        (kept / "files").mkdir(parents=True)
        with writing(home.parent):
            before = _lay_out(rootfs, root)
        _run(recipe, root, owner, report)
        found = _scan(root)
        made = [vars(one) for one in _changes(rootfs, found, before, kept)]
        there = {path for path, _, _ in found}
        removed = [path for path in rootfs.nodes if path not in there and not _passes(path)]
        index = {"made": made, "removed": [path for path in removed if path != "/"]}
        (kept / "index.json").write_text(json.dumps(index))
        with suppress(FileExistsError):  # another build was quicker
            _rename(kept, home)
    finally:
        _remove(scratch)


def _rename(folder: Path, home: Path) -> None:
    try:
        folder.rename(home)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise FileExistsError from None
        raise


def _lay_out(rootfs: Rootfs, root: Path) -> dict[str, _State]:
    """Write the files below `root`; returns the state of each."""
    folders, files = [], []
    for path, node in sorted(rootfs.nodes.items()):
        place = root / path.lstrip("/")
        if node.target is not None:
            place.symlink_to(node.target)
        elif node.source is None:
            place.mkdir()
            folders.append((place, node.mode))
        else:
            if isinstance(node.source, Path):
                shutil.copyfile(node.source, place)
            else:
                place.write_bytes(node.source)
            place.chmod(node.mode)
            files.append((path, place))
    for name in ("dev", "proc", "tmp", "run"):
        if not os.path.lexists(root / name):
            (root / name).mkdir()
    states = {path: _state(place.lstat()) for path, place in files}
    for place, mode in reversed(folders):
        place.chmod(mode)
    return states


def _state(found: os.stat_result) -> _State:
    return found.st_ino, found.st_ctime_ns, found.st_size


def _run(recipe: Recipe, root: Path, owner: tuple[int, int], report: Reporter) -> None:
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/tmp",  # noqa: S108 - the image's
        "LC_ALL": "C",
        "TZ": "UTC",
        **recipe.env,
    }
    asked = {
        "root": str(root),
        "place": recipe.working_directory or "/",
        "command": recipe.setup,
        "environment": environment,
    }
    user, group = owner
    words = [f"--map-user={user}", f"--map-group={group}", "--kill-child"]
    try:
        done = subprocess.run(
            [*_UNSHARE, *words, sys.executable, "-I", "-S", str(_ENTER)],
            input=json.dumps(asked),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_MAX_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NitroError(
            f"{recipe.name}: setup took longer than {_MAX_SECONDS} s",
            hint="it has to end by itself: start no server in it",
        ) from None
    if done.returncode:
        said = done.stdout.strip().splitlines()
        for line in said[-_SHOWN:]:
            report.note(line)
        raise NitroError(
            f"{recipe.name}: setup ended with status {done.returncode}",
            hint=chroot.refusal_hint(done.stdout)
            or "it sees the image's files alone, and no network",
        )


def _scan(root: Path) -> list[tuple[str, Path, os.stat_result]]:
    """All below `root` but what passes, folders before what is in them. All folders can be read
    and written then, whatever the command has made of them."""
    found = []
    ahead = [root]
    while ahead:
        folder = ahead.pop()
        folder.chmod(0o700)
        for place in sorted(folder.iterdir()):
            path = f"/{place.relative_to(root)}"
            if not _passes(path):
                state = place.lstat()
                found.append((path, place, state))
                if stat.S_ISDIR(state.st_mode):
                    ahead.append(place)
    return found


def _changes(
    rootfs: Rootfs,
    found: Sequence[tuple[str, Path, os.stat_result]],
    before: Mapping[str, _State],
    kept: Path,
) -> Iterator[_Made]:
    """What is new or different; the files move into `kept`."""
    for number, (path, place, state) in enumerate(found):
        old, mode = rootfs.nodes.get(path), stat.S_IMODE(state.st_mode)
        if stat.S_ISLNK(state.st_mode):
            target = str(place.readlink())
            if old is None or old.target != target:
                yield _Made(path, mode, target=target)
        elif stat.S_ISDIR(state.st_mode):
            folder = old is not None and old.source is None and old.target is None
            if old is None or not folder or old.mode != mode:
                yield _Made(path, mode)
        elif stat.S_ISREG(state.st_mode) and before.get(path) != _state(state):
            name = f"files/{number}"
            place.chmod(0o600)
            place.rename(kept / name)
            yield _Made(path, mode, place=name)


def _passes(path: str) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in _PASSING)


def _remove(scratch: Path) -> None:
    """The command may have made folders in which nobody may write."""
    for folder, names, _ in os.walk(scratch):
        for place in (Path(folder) / name for name in names):
            if not place.is_symlink():
                place.chmod(0o700)
    shutil.rmtree(scratch, ignore_errors=True)
