"""Runs a recipe's `setup` command when the image is built, in the image's own files.

What it leaves behind comes into the image: a database's first files, an index, a generated key. It
runs in namespaces of its own, without a network and without root's rights over this machine, as
the user who runs the command in the guest; no root is needed where the system lets users make
namespaces. A command whose inputs are as before does not run again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from nitro.debian import chroot
from nitro.errors import InputError, NitroError
from nitro.image import users
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
_DEVICES = "null zero full random urandom"

# $1: the root folder; $2 and $3: user and group; $4: where the command starts; then the command.
# The first namespace may mount, the second has the user, who has no rights beyond it.
_OUTER = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--net", "--ipc", "--fork")
_ENTER = f"""
set -e
root=$1 user=$2 group=$3 place=$4; shift 4
mount -t tmpfs tmpfs "$root/dev"
mkdir -m 1777 "$root/dev/shm"
for name in {_DEVICES}; do
    : > "$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
mount --rbind /proc "$root/proc"
exec unshare --user --map-user="$user" --map-group="$group" --root="$root" --wd="$place" -- "$@"
"""
# A time that no program sets: a file with another one has been written to.
_UNTOUCHED = 1


@dataclass(frozen=True)
class _Made:
    """A path that the command made or changed: a file's place, a link's target, or a folder."""

    path: str
    mode: int
    place: str | None = None
    target: str | None = None


def add(rootfs: Rootfs, recipe: Recipe, report: Reporter) -> None:
    """Run `recipe.setup` in the files of `rootfs`, complete by now, and put in what it made.

    Raises InputError when it is for another machine, NitroError when it fails.
    """
    if recipe.setup is None:
        return
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
    home = cache_dir() / "setup" / _key(rootfs, recipe, owner)
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
            old, source=source, target=made.target, permissions=made.mode
        )


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
    text = json.dumps([facts, asked, hashlib.sha256(Path(__file__).read_bytes()).hexdigest()])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _make(
    rootfs: Rootfs, recipe: Recipe, owner: tuple[int, int], home: Path, report: Reporter
) -> None:
    """Run the command in a copy of the files, and keep in `home` what is different after."""
    home.parent.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=home.parent))
    try:
        root = scratch / "root"
        with writing(home.parent):
            _lay_out(rootfs, root)
        _run(recipe, root, owner, report)
        kept = scratch / "kept"
        (kept / "files").mkdir(parents=True)
        removed = [path for path in rootfs.nodes if not _passes(path) and not _is_in(root, path)]
        made = [vars(one) for one in _changes(rootfs, root, kept)]
        (kept / "index.json").write_text(json.dumps({"made": made, "removed": removed}))
        if not home.exists():
            kept.replace(home)
    finally:
        _remove(scratch)


def _lay_out(rootfs: Rootfs, root: Path) -> None:
    folders = []
    for path, node in sorted(rootfs.nodes.items()):
        place = _inside(root, path)
        if node.target is not None:
            place.symlink_to(node.target)
        elif node.source is None:
            place.mkdir(parents=True, exist_ok=True)
            folders.append((place, node.mode))
        else:
            if isinstance(node.source, Path):
                shutil.copyfile(node.source, place)
            else:
                place.write_bytes(node.source)
            place.chmod(node.mode)
            os.utime(place, (_UNTOUCHED, _UNTOUCHED))
    for name in ("dev", "proc", "tmp", "run"):
        (root / name).mkdir(exist_ok=True)
    for place, mode in reversed(folders):
        place.chmod(mode)


def _run(recipe: Recipe, root: Path, owner: tuple[int, int], report: Reporter) -> None:
    assert recipe.setup is not None
    variables = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/tmp",  # noqa: S108 - the image's, in a folder of ours
        "LC_ALL": "C",
        "TZ": "UTC",
        **recipe.env,
    }
    place = recipe.working_directory or "/"
    words = [str(root), *map(str, owner), place, *recipe.setup]
    try:
        done = subprocess.run(
            [*_OUTER, "--kill-child", "sh", "-c", _ENTER, "enter", *words],
            env=variables,
            stdin=subprocess.DEVNULL,
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
            hint=chroot.refusal_hint(done.stdout) or "it runs in the image's files, alone",
        )


def _changes(rootfs: Rootfs, root: Path, kept: Path) -> Iterator[_Made]:
    """What is new or different below `root`; the files move into `kept`."""
    count = 0
    for place in _walk(root):
        path = f"/{place.relative_to(root)}"
        old = rootfs.nodes.get(path)
        found = place.lstat()
        mode = stat.S_IMODE(found.st_mode)
        if stat.S_ISLNK(found.st_mode):
            target = str(place.readlink())
            if old is None or old.target != target:
                yield _Made(path, mode, target=target)
        elif stat.S_ISDIR(found.st_mode):
            if old is None or old.mode != mode or old.source is not None:
                yield _Made(path, mode)
        elif stat.S_ISREG(found.st_mode) and (
            old is None or found.st_mtime != _UNTOUCHED or old.mode != mode
        ):
            name = f"files/{count}"
            count += 1
            place.chmod(0o600)
            place.replace(kept / name)
            yield _Made(path, mode, place=name)


def _walk(root: Path) -> Iterator[Path]:
    """All below `root` but what passes, folders before what is in them."""
    for folder, names, files in os.walk(root):
        here = Path(folder)
        names[:] = sorted(n for n in names if not _passes(f"/{(here / n).relative_to(root)}"))
        yield from (here / name for name in names)
        yield from (
            here / n for n in sorted(files) if not _passes(f"/{(here / n).relative_to(root)}")
        )


def _passes(path: str) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in _PASSING)


def _is_in(root: Path, path: str) -> bool:
    return os.path.lexists(_inside(root, path))


def _inside(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _remove(scratch: Path) -> None:
    """A folder that its user may not write in is one that rmtree leaves."""
    for folder, _, _ in os.walk(scratch):
        if not Path(folder).is_symlink():
            Path(folder).chmod(0o700)
    shutil.rmtree(scratch, ignore_errors=True)
