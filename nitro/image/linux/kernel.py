"""Debian's cloud kernel, as it is: the image and the modules that a guest needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nitro.arch import Arch
from nitro.debian import Lock, Tree, Wanted, tree
from nitro.errors import NitroError
from nitro.image.linux import modules
from nitro.progress import Reporter

_PREFIX = "linux-image-"

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
    """A kernel by its release (`uname -r`) and its unpacked package."""

    release: str
    tree: Tree

    @property
    def image(self) -> Path:
        """The compressed kernel that boot loaders start."""
        return self.tree.path(f"/boot/vmlinuz-{self.release}")

    def modules(self) -> Iterator[tuple[str, modules.Module]]:
        """(PCI vendor, module), what is needed first coming first."""
        for vendor, names in _MODULES.items():
            for module in modules.in_order(
                self.tree.path("/usr/lib/modules") / self.release, names
            ):
                yield vendor, module


def current_release(suite: str, arch: Arch, lock: Lock, report: Reporter) -> str:
    """The release of the kernel that `suite` has now, or that `lock` pins."""
    latest = _latest(suite, arch)
    meta = tree(latest, lock=lock, report=report)
    # The package that always means the newest kernel names it in this link.
    [name] = latest.names
    link = meta.root / "usr/share/doc" / name
    if not link.is_symlink():
        raise NitroError(f"Debian {suite}: {name} does not name a kernel", hint="choose trixie")
    return link.readlink().name.removeprefix(_PREFIX)


def wanted(release: str, suite: str, arch: Arch) -> tuple[Wanted, Wanted]:
    """The package that names the newest kernel, and that of the kernel `release`."""
    one = Wanted((f"{_PREFIX}{release}",), suite, closure=False, arch=arch)
    return _latest(suite, arch), one


def _latest(suite: str, arch: Arch) -> Wanted:
    return Wanted((f"{_PREFIX}cloud-{arch.debian}",), suite, closure=False, arch=arch)
