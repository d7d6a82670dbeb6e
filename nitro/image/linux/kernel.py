"""Debian's cloud kernel, as it is: the image and the modules that a guest needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nitro.arch import Arch
from nitro.debian import Lock, Package, Wanted, tree
from nitro.errors import NitroError
from nitro.image.linux import modules
from nitro.progress import Reporter

# By PCI vendor: a guest loads only what its machine has. "*" is any machine.
_MODULES = {
    "0x1d0f": ("ena",),
    "0x1af4": ("virtio_pci", "virtio_net"),
    "*": ("button", "evdev"),
}

# console: what EC2's console output shows. panic, oops: a broken machine starts anew.
# The others save a second of start-up: self-tests of the kernel's cryptography (that of kdf108,
# which nothing else turns off, also waits until the initial file system is unpacked), a jitter
# entropy source (processors of Nitro have RDRAND), a probe for BIOS disk parameters, and a
# test of the timer, which fails (and then panics) where a busy host lets the guest wait.
COMMAND_LINE = (
    "console=ttyS0,115200 quiet panic=-1 oops=panic "
    "cryptomgr.notests initcall_blacklist=jent_mod_init,crypto_kdf108_init nowatchdog edd=off "
    "no_timer_check"
)


@dataclass(frozen=True)
class Kernel:
    release: str
    image: Path
    root: Path
    packages: tuple[Package, ...]

    def modules(self) -> Iterator[tuple[str, modules.Module]]:
        """(PCI vendor, module), what is needed first coming first."""
        for vendor, names in _MODULES.items():
            for module in modules.in_order(self.root / "usr/lib/modules" / self.release, names):
                yield vendor, module


def get(suite: str, arch: Arch, lock: Lock, report: Reporter) -> Kernel:
    """The kernel that `suite` has now, or that `lock` pins."""
    latest = f"linux-image-cloud-{arch.debian}"
    meta = tree(Wanted((latest,), suite, closure=False, arch=arch), lock=lock, report=report)
    # The package that always means the newest kernel names it in this link.
    link = meta.root / "usr/share/doc" / latest
    if not link.is_symlink():
        raise NitroError(f"Debian {suite}: {latest} does not name a kernel", hint="choose trixie")
    name = link.readlink().name
    found = tree(Wanted((name,), suite, closure=False, arch=arch), lock=lock, report=report)
    release = name.removeprefix("linux-image-")
    image = found.path(f"/boot/vmlinuz-{release}")
    return Kernel(release, image, found.root, (*meta.packages, *found.packages))
