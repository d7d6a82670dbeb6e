"""Sets of packages, resolved, downloaded and unpacked: all that a caller wants in one go."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from nitro import space
from nitro.cache import touch
from nitro.debian import alternatives, scripts
from nitro.debian.apt import AptRoot
from nitro.debian.fetch import SupersededError, download
from nitro.debian.lock import Lock, default_lock
from nitro.debian.package import Package, Wanted
from nitro.debian.tree import Tree
from nitro.errors import NitroError
from nitro.paths import cache_dir
from nitro.progress import Reporter, Stage

Packages = tuple[Package, ...]

_MADE = "with alternatives"  # what a tree has beside the packages' own files


def tree(wanted: Wanted, *, lock: Lock | None = None, report: Reporter | None = None) -> Tree:
    """The one tree of `trees`."""
    return trees((wanted,), lock=lock, report=report)[wanted]


def trees(
    wanted: Iterable[Wanted],
    *,
    lock: Lock | None = None,
    report: Reporter | None = None,
    needed: Callable[[dict[Wanted, Packages]], Iterable[Wanted]] | None = None,
) -> dict[Wanted, Tree]:
    """Each set resolved (or as pinned by `lock`), downloaded, verified and unpacked.

    All sets are downloaded and unpacked together, shown as one stage of `report`. Trees lie in
    the cache, named by their content; a second call costs a few milliseconds. Where some sets are
    only to be resolved and pinned, `needed` picks the others, knowing what each was resolved to.

    Raises InputError for unknown packages, NitroError when the archive is out of reach or a
    frozen lock lacks a set or names versions that the archive has dropped.
    """
    lock = lock or default_lock()
    report = report or Reporter()
    with _Work(report) as work:
        sets = _resolve_all(wanted, lock, work)
        if needed is not None:
            sets = {one: sets[one] for one in needed(sets)}
        # Noted before it is looked whether they are there: others may be downloaded for long.
        roots = [touch(_root(packages)) for packages in sets.values()]
        if not all(root.is_dir() for root in roots):
            stage = work.stage()
            sets = _download(sets, lock, report, stage)
            _unpack({_root(packages): packages for packages in sets.values()}, stage)
    return {one: Tree(touch(_root(packages)), packages, one.arch) for one, packages in sets.items()}


def resolve(wanted: Iterable[Wanted], *, lock: Lock, report: Reporter) -> dict[Wanted, Packages]:
    """The packages of each set, as pinned by `lock` or, pinned from now on, as Debian has them.

    Raises as `trees` does.
    """
    with _Work(report) as work:
        return _resolve_all(wanted, lock, work)


class _Work(ExitStack):
    """Opens the stage when there is something to do, and once."""

    def __init__(self, report: Reporter) -> None:
        super().__init__()
        self._report = report
        self._stage: Stage | None = None

    def stage(self) -> Stage:
        if self._stage is None:
            self._stage = self.enter_context(self._report.stage("Debian packages"))
        return self._stage


def _resolve_all(wanted: Iterable[Wanted], lock: Lock, work: _Work) -> dict[Wanted, Packages]:
    found = {one: lock.get(one) for one in dict.fromkeys(wanted)}
    missing = [one for one, packages in found.items() if packages is None]
    new = _resolve(missing, lock, work.stage()) if missing else {}
    return {one: packages or new[one] for one, packages in found.items()}


def _resolve(missing: Sequence[Wanted], lock: Lock, stage: Stage) -> dict[Wanted, Packages]:
    """Ask apt for each set, several at the same time, and pin the answers."""
    if lock.frozen:
        raise NitroError(
            f"{lock.path} does not pin what Debian has now for: {missing[0].key}",
            hint="build without --locked to pin the new versions",
        )
    roots = {}
    for suite, arch in dict.fromkeys((one.suite, one.arch) for one in missing):
        stage.status(f"reading the lists of Debian {suite}")
        roots[suite, arch] = AptRoot.open(suite, arch)
    found = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(lambda one: roots[one.suite, one.arch].resolve(one), missing)
        for one, packages in zip(missing, answers, strict=True):
            stage.status(f"resolved {' '.join(one.names)}")
            lock.put(one, packages)
            found[one] = packages
    return found


def _download(
    sets: Mapping[Wanted, Packages], lock: Lock, report: Reporter, stage: Stage
) -> dict[Wanted, Packages]:
    """Download what is not unpacked; a set with a version that the archive dropped is resolved."""
    sets = dict(sets)
    while True:
        missing = [
            p for packages in sets.values() if not _root(packages).is_dir() for p in packages
        ]
        try:
            download(list(dict.fromkeys(missing)), stage)
        except SupersededError as gone:
            affected = [one for one, packages in sets.items() if gone.package in packages]
            names = " ".join(name for one in affected for name in one.names)
            report.note(f"{gone.what}: resolving {names} again; digests will differ")
            sets |= _resolve(affected, lock, stage)
            if any(gone.package in packages for packages in sets.values()):
                raise
            continue
        return sets


def _root(packages: Sequence[Package]) -> Path:
    facts = [_MADE, *(p.sha256 for p in packages)]
    return cache_dir() / "trees" / hashlib.sha256("\n".join(facts).encode()).hexdigest()[:24]


def _unpack(roots: Mapping[Path, Packages], stage: Stage) -> None:
    """Unpack the packages of each tree that is not there yet; each appears whole or not at all."""
    missing = {root: packages for root, packages in roots.items() if not root.is_dir()}
    with ExitStack() as stack:
        jobs: list[tuple[Path, Path]] = []
        scratches = {}
        for root, packages in missing.items():
            root.parent.mkdir(exist_ok=True)
            scratch = Path(tempfile.mkdtemp(dir=root.parent))
            stack.callback(shutil.rmtree, scratch, ignore_errors=True)
            _merge_usr(scratch)
            jobs += [(deb, scratch) for deb in download(packages, stage)]
            scratches[root] = scratch
        pool = stack.enter_context(ThreadPoolExecutor(os.cpu_count()))
        for done, _ in enumerate(pool.map(lambda job: _extract(*job), jobs), 1):
            stage.progress(done, len(jobs), "packages")
        postinsts = list(pool.map(lambda job: scripts.postinst(job[0]), jobs))
        for root, scratch in scratches.items():
            texts = [
                text for (_, into), text in zip(jobs, postinsts, strict=True) if into == scratch
            ]
            alternatives.add(scratch, texts)
            scratch.chmod(0o755)
            try:
                scratch.rename(root)
            except OSError:  # another process was first: its tree has the same content
                if not root.is_dir():
                    raise


def _merge_usr(root: Path) -> None:
    for folder in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / folder).mkdir(parents=True)
        (root / folder).symlink_to(f"usr/{folder}")


def _extract(deb: Path, into: Path) -> None:
    # tar rather than `dpkg-deb -x`: a package that ships /lib must not replace the link.
    environment = {**os.environ, "LC_ALL": "C"}
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", "--", str(deb)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as stream:
        unpack = subprocess.run(
            [
                *("tar", "--extract", "--keep-directory-symlink", "--no-same-owner"),
                *("--directory", str(into)),
            ],
            env=environment,
            stdin=stream.stdout,
            capture_output=True,
            check=False,
        )
        if stream.stdout:
            stream.stdout.close()  # nobody reads the rest of what tar gave up on
        said = stream.stderr.read() if stream.stderr else b""
    if not stream.returncode and not unpack.returncode:
        return
    if b"Broken pipe" in said or not said:
        said = unpack.stderr
    lines = said.decode(errors="replace").splitlines()
    if space.says_full("\n".join(lines)):
        raise space.full(into.parent)
    # The first line is the cause; tar has one for every file.
    raise NitroError(f"could not unpack {deb.name}: {lines[0] if lines else 'no reason given'}")
