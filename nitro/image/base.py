"""The files of a container image as the start of a guest's file system."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from nitro.container import Container, Entry
from nitro.image.rootfs import Node, Rootfs

# Linux's own file systems are mounted here.
_MOUNTED = ("/dev", "/proc", "/sys")
# What a container's runtime puts in, and the guest writes itself.
_RUNTIME = {"/etc/resolv.conf", "/.dockerenv", "/run/.containerenv"}
_HOSTS = b"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"


def start(container: Container | None) -> Rootfs:
    """A file system with all of `container`, or the one that a recipe without one begins with."""
    if container is None:
        return Rootfs()
    rootfs = Rootfs(dict(_nodes(container)))
    if not rootfs.read("/etc/hosts"):  # what a build of the image leaves behind
        rootfs.remove("/etc/hosts")
        rootfs.add("/etc/hosts", Node("system", "nitro", source=_HOSTS))
    for volume in container.config.run.volumes:
        rootfs.folders(volume, origin=container.name)
    return rootfs


def _nodes(container: Container) -> Iterator[tuple[str, Node]]:
    root = os.fsencode(container.root)
    for path, entry in container.entries.items():
        inside = any(path.startswith(f"{mounted}/") for mounted in _MOUNTED)
        if not inside and path not in _RUNTIME:
            yield path, _node(entry, container.name, root + path.encode("utf-8", "surrogateescape"))


def _node(entry: Entry, origin: str, place: bytes) -> Node:
    return Node(
        "container",
        origin,
        source=Path(os.fsdecode(place)) if entry.kind == "file" else None,
        target=entry.target if entry.kind == "link" else None,
        permissions=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        capability=entry.capability,
        mtime=entry.mtime,
    )
