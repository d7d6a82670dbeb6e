"""Our own part of every guest: init and its scripts, busybox, kernel modules."""

from __future__ import annotations

from pathlib import Path

from nitro.arch import Arch
from nitro.debian import Tree, Wanted
from nitro.image.linux import driver
from nitro.image.linux.kernel import Kernel
from nitro.image.rootfs import Node, Rootfs
from nitro.paths import resource

# Static, so that it never meets the C library of the program.
BUSYBOX = ("busybox-static",)
HOME = "/usr/lib/nitro"
INIT = "/init"

# What init uses before busybox has installed links to all of itself.
_COMMANDS = (
    *("acpid", "cat", "date", "grep", "insmod", "ip", "ln", "mkdir", "mount", "mv", "nc"),
    *("poweroff", "rm", "rmmod", "setsid", "sleep", "sync", "timeout", "udhcpc", "udhcpc6"),
    *("usleep", "wc"),
)
_FOLDERS = ("/dev", "/etc", "/proc", "/root", "/run", "/sys", "/var/log")
_SCRATCH = ("/run/lock", "/tmp", "/var/tmp")  # noqa: S108 - in the guest
_LINKS = {"/var/run": "../run", "/var/lock": "../run/lock"}  # as Debian's base-files has them


def options(rootfs: Rootfs) -> str:
    """What the kernel must be told where `/init` is a container image's own."""
    return "" if rootfs.nodes[INIT].origin == "nitro" else f" rdinit={HOME}/init"


def files() -> Path:
    """Where the guest's scripts are kept."""
    return resource("amis") / "guest"


def wanted(suite: str, arch: Arch) -> Wanted:
    return Wanted(BUSYBOX, suite, closure=False, arch=arch)


def add(
    rootfs: Rootfs,
    kernel: Kernel,
    busybox: Tree,
    nitro_driver: Path | None = None,
    *,
    bare: bool = False,
) -> None:
    """Put it all into `rootfs`; `nitro_driver` is the module for the ENA card.

    With `bare`, there is no shell but the one that `rootfs` may have already.
    """
    rootfs.folders(*_FOLDERS)
    rootfs.folders(*_SCRATCH, permissions=0o1777)
    for path, target in _LINKS.items():
        if path not in rootfs:
            rootfs.add(path, Node("system", "nitro", target=target))
    rootfs.copy(HOME, files(), "system", "nitro")
    if INIT not in rootfs:
        rootfs.add(INIT, Node("system", "nitro", target=f"{HOME}/init".lstrip("/")))
    rootfs.copy(f"{HOME}/busybox", busybox.path("/usr/bin/busybox"), "system", "Debian")
    for command in _COMMANDS:
        rootfs.add(f"{HOME}/bin/{command}", Node("system", "nitro", target="../busybox"))
    for name in () if bare else ("sh", "env"):  # what scripts name in their first line
        if f"/usr/bin/{name}" not in rootfs:
            link = Node("system", "nitro", target="../lib/nitro/busybox")
            rootfs.add(f"/usr/bin/{name}", link)
    names = []
    for vendor, module in kernel.modules():
        path = f"{HOME}/modules/{module.name}.ko"
        rootfs.add(path, Node("system", "Debian", source=module.elf))
        names.append(f"{vendor} {module.name}.ko\n")
    if nitro_driver:
        rootfs.copy(f"{HOME}/modules/{driver.MODULE}", nitro_driver, "system", "nitro")
        names.append(f"nitro {driver.MODULE}\n")
    listing = "".join(names).encode()
    rootfs.add(f"{HOME}/modules/list", Node("system", "nitro", source=listing))
