"""Debian packages without touching the system.

Resolves package names against Debian's archive in a private apt root (own configuration, own
lists, Debian's own keyring, no root needed), downloads them, checks them against apt's signed
metadata and unpacks them below the cache. One mechanism serves guest packages, kernels, boot
loaders, QEMU and compilers alike. The mirror is the one that is set, or that this machine's apt
uses.

It installs nothing: maintainer scripts never run, and programs are started from their tree.
"""

from nitro.debian.lock import Lock, default_lock
from nitro.debian.names import package_of
from nitro.debian.package import Package, Wanted
from nitro.debian.tree import Tree
from nitro.debian.trees import resolve, tree, trees

__all__ = [
    "Lock",
    "Package",
    "Tree",
    "Wanted",
    "default_lock",
    "package_of",
    "resolve",
    "tree",
    "trees",
]
