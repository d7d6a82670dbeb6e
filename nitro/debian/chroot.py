"""Runs programs inside unpacked Debian packages, as if these were the whole system.

For compilers, which start other programs by absolute paths: `Tree.program` is enough for the
rest. A namespace of its own holds an overlay of the trees (nothing in them changes; what is
written goes to memory and away) with one folder of the caller's mounted at /build. No root is
needed where the system lets users make namespaces.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from nitro.debian import Tree
from nitro.errors import NitroError

WORK = "/build"

_UNSHARE = ("unshare", "--user", "--map-root-user", "--mount", "--fork", "--kill-child")

# $1: the trees, as overlayfs wants them; $2: the folder; then the command.
_ENTER = f"""
set -e
layers=$1 folder=$2; shift 2
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/scratch /mnt/system
mount -t overlay overlay -o "lowerdir=$layers,upperdir=/mnt/upper,workdir=/mnt/scratch" /mnt/system
mkdir -p /mnt/system/dev /mnt/system/proc /mnt/system/tmp /mnt/system{WORK}
mount --rbind /dev /mnt/system/dev
mount --rbind /proc /mnt/system/proc
mount --bind "$folder" /mnt/system{WORK}
exec chroot /mnt/system "$@"
"""


def run(
    trees: Sequence[Tree],
    command: Sequence[str],
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    timeout: float = 600,
) -> str:
    """Run `command` in the union of `trees` with `folder` at /build; return what it printed.

    The environment is fixed, so that the same command gives the same bytes everywhere. Raises
    NitroError with the end of its output when it fails, takes longer than `timeout` seconds, or
    when this system makes no namespaces.
    """
    layers = ":".join(tree.root.name for tree in trees)
    variables = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/tmp",  # noqa: S108 - the scratch of the namespace, nobody else's
        "LC_ALL": "C",
        "TZ": "UTC",
        **(environment or {}),
    }
    try:
        done = subprocess.run(
            [*_UNSHARE, "sh", "-c", _ENTER, "enter", layers, str(folder.resolve()), *command],
            cwd=trees[0].root.parent,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NitroError(f"{command[0]} took longer than {timeout:.0f} s") from None
    if done.returncode:
        tail = " / ".join(done.stdout.strip().splitlines()[-3:])
        raise NitroError(f"{command[0]} failed: {tail}", hint=refusal_hint(done.stdout))
    return done.stdout


def refusal_hint(output: str) -> str | None:
    """What to do where `output` says that the system makes no namespaces; None: it does not."""
    if "unshare:" in output or "mount:" in output:
        return "the system must allow user namespaces: see `nitro doctor`"
    return None
