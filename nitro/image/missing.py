"""What a recipe lacks, made of the paths that its program sought in vain.

Programs look for much that they do without. What the recipe's own packages have and the image has
not is what they miss; a library's soname tells its package.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from nitro import debian
from nitro.debian import Lock, Tree, Wanted
from nitro.debian.scripts import making
from nitro.image.libraries import Sysroot
from nitro.recipe import Recipe
from nitro.recipe.edit import Entry, toml

_LIBRARY = re.compile(r"lib[A-Za-z0-9_+.-]+\.so\.[0-9][0-9.]*")
# Folders of many programs, and those of libraries, of which a recipe never wants all.
_SHARED = {
    "/",
    "/etc",
    "/usr",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/share",
    "/usr/libexec",
    "/lib",
    "/var",
    "/var/lib",
    "/opt",
}
_MANY = 3


@dataclass(frozen=True)
class Lack:
    """What to add to a recipe: entries of `files` and of `packages`."""

    files: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    #: source and path of files that a package's script would copy
    copies: tuple[Entry, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.files or self.packages or self.copies)

    @property
    def entries(self) -> tuple[str | Entry, ...]:
        """What to add to `files`."""
        return (*self.files, *self.copies)

    def lines(self, recipe: Recipe) -> list[str]:
        """The recipe's keys with what it lacks, to be pasted."""
        found = []
        if self.packages:
            found.append(f"packages = [{toml((*recipe.packages, *self.packages))}]")
        found += [f"files += [{toml(self.entries)}]"] if self.entries else []
        return found


def lack(recipe: Recipe, sought: Iterable[str], present: Collection[str], lock: Lock) -> Lack:
    """What of the paths `sought` in vain the recipe's packages, or one that it does not name, have.

    `present`: the names of the image's files, which a library may have been found by in the end.
    Raises as `nitro.debian.tree` does.
    """
    wanted = Wanted(recipe.packages, recipe.suite, arch=recipe.arch)
    tree = debian.tree(wanted, lock=lock) if recipe.packages else None
    return of_tree(recipe, list(sought), tree, present)


def of_tree(
    recipe: Recipe, sought: Sequence[str], tree: Tree | None, present: Collection[str] = ()
) -> Lack:
    """`lack`, with the unpacked packages of the recipe."""
    held = [path for path in sought if tree and Sysroot(tree.root).locate(path)]
    libraries = {PurePosixPath(path).name for path in sought} - {
        PurePosixPath(path).name for path in held
    }
    packages = {
        package
        for name in sorted(libraries)
        if _LIBRARY.fullmatch(name) and name not in present
        if (package := debian.package_of(name, recipe.suite, recipe.arch))
        if package not in recipe.packages
    }
    copies = _copies(set(sought) - set(held), tree.root) if tree else ()
    return Lack(tuple(_gathered(held, tree)), tuple(sorted(packages)), copies)


def _copies(sought: Collection[str], root: Path) -> tuple[Entry, ...]:
    """Configuration files of which the packages have one that is called the same.

    Debian's package scripts copy it: /usr/share/openssh/sshd_config to /etc/ssh.
    """
    wanted: dict[str, list[str]] = {}
    for path in sorted(sought):
        if path.startswith("/etc/"):
            wanted.setdefault(PurePosixPath(path).name, []).append(path)
    found: dict[str, list[str]] = {}
    for folder, names, files in os.walk(root / "usr/share"):
        if Path(folder) == root / "usr/share" and "doc" in names:
            names.remove("doc")
        for place in (Path(folder) / name for name in wanted.keys() & set(files)):
            if not place.is_symlink():
                found.setdefault(place.name, []).append(f"/{place.relative_to(root)}")
    return tuple(
        (places[0], path)
        for name, places in sorted(found.items())
        if len(places) == 1
        for path in wanted[name]
    )


def scripted(recipe: Recipe, manifest: Mapping[str, Any]) -> list[str]:
    """The image's packages around those that the recipe names whose scripts would make something.

    `nginx` has no script, and `nginx-common` has.
    """
    near = {name.partition("-")[0] for name in recipe.packages}
    packages = [(one["name"], one["sha256"]) for one in manifest.get("packages", ())]
    return making(pair for pair in packages if pair[0].partition("-")[0] in near)


def scripts_hint(recipe: Recipe, manifest: Path) -> str | None:
    """A line on packages with scripts, for a program that died, from the file of its image."""
    if not recipe.packages or not (found := scripted(recipe, json.loads(manifest.read_text()))):
        return None
    makes = "users, folders and links that they make are the keys user, folders and links"
    return f"package scripts do not run: {', '.join(found)}; {makes}"


def completed(recipe: Recipe, found: Lack) -> Recipe:
    """`recipe` with what it lacked."""
    keys = recipe.model_dump(by_alias=True, exclude={"files", "packages"})
    files = [file.model_dump(by_alias=True) for file in recipe.files]
    return Recipe.model_validate(
        {
            **keys,
            "files": [
                *files,
                *({"source": path, "from": "package"} for path in found.files),
                *({"source": one, "path": to, "from": "package"} for one, to in found.copies),
            ],
            "packages": [*recipe.packages, *found.packages],
            "folder": recipe.folder,
            "file": recipe.file,
            "completed": recipe.completed,
        }
    )


def together(recipe: Recipe, one: Lack, more: Lack) -> Lack:
    """All that `recipe` lacks, from two runs of its program.

    A program that stops at the first file that it lacks names one in each run. A second one below
    the same folder brings that folder, where the recipe puts nothing of its own in it.
    """
    own = [file.target for file in recipe.files if not file.source.startswith("/")]
    files = [*one.files]
    for path in more.files:
        above = [_common(path, old) for old in one.files]
        usable = [folder for folder in above if folder and not _holds(folder, own)]
        files.append(min(usable, key=len, default=path))
    kept = [path for path in dict.fromkeys(files) if not {*_above(path)} & {*files}]
    packages = dict.fromkeys((*one.packages, *more.packages))
    return Lack(tuple(kept), tuple(packages), tuple(dict.fromkeys((*one.copies, *more.copies))))


def _common(one: str, other: str) -> str | None:
    """The folder that both paths lie in; None for a folder of many programs."""
    folder = next(path for path in _above(one) if path in _above(other))
    libraries = PurePosixPath(folder).parent == PurePosixPath("/usr/lib") and "-linux-" in folder
    return None if folder in _SHARED or libraries else folder


def _holds(folder: str, paths: Iterable[str]) -> bool:
    return any(path.startswith(f"{folder}/") for path in paths)


def _gathered(held: Sequence[str], tree: Tree | None) -> list[str]:
    """A folder in place of many of its files; nothing that lies in a folder named already."""
    assert tree is not None or not held
    parents = [str(PurePosixPath(path).parent) for path in held]
    paths = {
        parent if parents.count(parent) >= _MANY and parent not in _SHARED else path
        for path, parent in zip(held, parents, strict=True)
    }
    paths = {path for path in paths if path not in _SHARED}
    return [path for path in sorted(paths) if not any(above in paths for above in _above(path))]


def _above(path: str) -> list[str]:
    return [str(parent) for parent in PurePosixPath(path).parents]
