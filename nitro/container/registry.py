"""Images of registries, fetched by skopeo: this machine's when it has one, else Debian's.

Logins, mirrors, proxies and certificates are those of skopeo's own files and variables
(containers-auth.json(5), containers-registries.conf(5)).
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from nitro import debian
from nitro.arch import Arch
from nitro.cache import touch
from nitro.errors import InputError, NitroError
from nitro.paths import cache_dir
from nitro.progress import Reporter
from nitro.recipe.reference import Reference
from nitro.space import full, says_full

_POLICIES = (Path("/etc/containers/policy.json"), Path(".config/containers/policy.json"))
_ABSENT = re.compile(r"manifest unknown|name unknown|not found|StatusCode: 404|status 404")
_DENIED = re.compile(r"unauthorized|authentication required|denied|StatusCode: 40[13]")


def pin(reference: Reference, arch: Arch, report: Reporter) -> Reference:
    """`reference` with the digest that the registry has for it now.

    Raises InputError when the registry has no such image, NitroError when it is out of reach.
    """
    if reference.digest:
        return reference
    with report.stage(f"look up {reference}"):
        raw = _run(reference, "inspect", "--raw", str(reference), report=report)
    return replace(reference, digest="sha256:" + hashlib.sha256(raw).hexdigest())


def fetch(reference: Reference, arch: Arch, report: Reporter) -> Path:
    """The OCI layout of a pinned image for machines of `arch`, from the cache when it is there.

    Raises as `pin` does.
    """
    pinned = reference.digest or ""
    key = hashlib.sha256(f"{pinned} {arch.debian}".encode()).hexdigest()[:32]
    layout = touch(cache_dir() / "registry" / key)
    if layout.is_dir():
        return layout
    layout.parent.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=layout.parent))
    # Neither transport takes a tag and a digest.
    name = str(replace(reference, tag=None))
    try:
        with report.stage(f"fetch {reference}"):
            options = ("--override-os", "linux", "--override-arch", arch.debian)
            _run(reference, *options, "copy", "--quiet", name, f"oci:{scratch}", report=report)
        scratch.rename(layout)
    except OSError:  # another process was first
        if not layout.is_dir():
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return layout


@cache
def _skopeo() -> tuple[str, ...]:
    home = Path.home()
    installed = shutil.which("skopeo")
    if installed:
        return (installed,)
    tree = debian.tree(debian.Wanted(("skopeo",)))
    if any((home / policy).is_file() for policy in _POLICIES):
        return tuple(tree.program("skopeo"))
    return (*tree.program("skopeo"), "--policy", str(tree.path("/etc/containers/policy.json")))


def _run(reference: Reference, *words: str, report: Reporter) -> bytes:
    if shutil.which("skopeo") is None:  # shown as a stage of its own
        debian.tree(debian.Wanted(("skopeo",)), report=report)
    command: Sequence[str] = (*_skopeo(), *words)
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode(errors="replace")
    if says_full(said):
        raise full(cache_dir())
    why = _reason(said)
    if _DENIED.search(said):
        hint = "log in with `skopeo login`, `podman login` or `docker login`, or check the name"
        raise InputError(f"{reference}: {why}", hint=hint)
    if _ABSENT.search(said):
        raise InputError(f"{reference}: {why}", hint="check the name and the tag")
    raise NitroError(f"{reference}: {why}", hint="check that this machine reaches the registry")


def _reason(said: str) -> str:
    """What skopeo's last line says: time="…" level=fatal msg="…"."""
    lines = [line for line in said.splitlines() if line.strip()]
    message = re.search(r'msg="((?:[^"\\]|\\.)*)"', lines[-1]) if lines else None
    if message:
        return message[1].replace('\\"', '"')
    return lines[-1] if lines else "skopeo gave no reason"
