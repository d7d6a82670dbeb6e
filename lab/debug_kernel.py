"""Debian's kernel source, built small and with what finds faults of drivers.

`python -m lab.debug_kernel [--flavour kasan] [--minutes N]` builds one and prints where it is; with
--minutes it stops after so long and goes on the next time. Nothing is installed: the compiler is
Debian's, unpacked into the cache, where the kernel stays until its configuration or a package
changes.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nitro import cache, debian
from nitro.debian import chroot
from nitro.errors import NitroError
from nitro.image.linux import driver
from nitro.paths import cache_dir
from nitro.stored import stored

SUITE, SERIES = "trixie", "6.12"
FLAVOURS = ("kasan", "kcsan")

_SOURCE = debian.Wanted((f"linux-source-{SERIES}",), SUITE, closure=False)
_TOOLS = debian.Wanted(
    (
        *("gcc-14", "binutils", "make", "dash", "coreutils", "sed", "grep", "findutils", "mawk"),
        *("perl", "bison", "flex", "bc", "tar", "xz-utils", "gzip", "diffutils", "kmod"),
        *("libelf-dev", "libc6-dev", "python3-minimal"),
    ),
    SUITE,
)
_SETUP = "ln -sf dash /usr/bin/sh; ln -sf mawk /usr/bin/awk; ln -sf gcc-14 /usr/bin/gcc; "
_ENVIRONMENT = {"KBUILD_BUILD_TIMESTAMP": "1970-01-01", "KBUILD_BUILD_USER": "nitro"}
_ENVIRONMENT |= {"KBUILD_BUILD_HOST": "nitro"}

# Beside `make tinyconfig`, what a guest of the lab needs: no file system but memory, no IPv6.
# VMXNET3 is there because it selects the page pool, which nothing else can.
_GUEST = """
64BIT SMP PRINTK PRINTK_TIME BUG MULTIUSER FUTEX EPOLL SIGNALFD TIMERFD EVENTFD SHMEM POSIX_TIMERS
SYSCTL PROC_FS PROC_SYSCTL SYSFS TMPFS DEVTMPFS DEBUG_FS BLK_DEV_INITRD BINFMT_ELF BINFMT_SCRIPT
MODULES MODULE_UNLOAD HIGH_RES_TIMERS NO_HZ_IDLE HZ_250 ACPI PCI PCI_MSI X86_LOCAL_APIC X86_IO_APIC
TTY UNIX98_PTYS SERIAL_8250 SERIAL_8250_CONSOLE SERIAL_8250_PNP RTC_CLASS FILE_LOCKING
NET INET PACKET UNIX NETDEVICES ETHERNET NET_CORE NET_VENDOR_AMAZON ENA_ETHERNET=m ETHTOOL_NETLINK
VIRTIO_MENU VIRTIO_PCI VIRTIO_NET NETCONSOLE=m DIMLIB BQL RFS_ACCEL KALLSYMS FRAME_POINTER
UNWINDER_FRAME_POINTER SLUB_TINY=n EXPERT CC_OPTIMIZE_FOR_PERFORMANCE KERNEL_GZIP
MEMORY_HOTREMOVE=n CPU_MITIGATIONS=n PREEMPT PREEMPT_NONE=n SOUND=n
X86_PKG_TEMP_THERMAL=n IPV6=n WIRELESS=n WLAN=n HID_SUPPORT=n VT=n INPUT=n RD_GZIP=n RD_BZIP2=n
RD_LZMA=n RD_XZ=n RD_LZO=n RD_LZ4=n RD_ZSTD=n VMXNET3=m
"""
_WATCH = """
DEBUG_KERNEL DEBUG_MISC STACKTRACE DEBUG_LIST DEBUG_SG DEBUG_NOTIFIERS DEBUG_NET DEBUG_ATOMIC_SLEEP
DMA_API_DEBUG DMA_API_DEBUG_SG DETECT_HUNG_TASK SOFTLOCKUP_DETECTOR WQ_WATCHDOG DEBUG_IRQFLAGS
NET_DEV_REFCNT_TRACKER NET_NS_REFCNT_TRACKER BUG_ON_DATA_CORRUPTION
"""
_FLAVOUR = {
    "kasan": """
KASAN KASAN_GENERIC KASAN_OUTLINE KASAN_VMALLOC=n PROVE_LOCKING PROVE_RCU DEBUG_LOCK_ALLOC
DEBUG_OBJECTS DEBUG_OBJECTS_FREE DEBUG_OBJECTS_TIMERS DEBUG_OBJECTS_WORK DEBUG_OBJECTS_RCU_HEAD
DEBUG_KMEMLEAK DEBUG_KMEMLEAK_AUTO_SCAN=n FAULT_INJECTION FAULT_INJECTION_DEBUG_FS FAILSLAB
FAIL_PAGE_ALLOC FAULT_INJECTION_STACKTRACE_FILTER
""",
    "kcsan": "KCSAN KCSAN_STRICT=n",
}


@dataclass(frozen=True)
class Kernel:
    """A built kernel."""

    tree: Path
    """Its configured source, as far as modules are compiled with it."""
    tools: debian.Tree

    @property
    def image(self) -> Path:
        return self.tree / "arch/x86/boot/bzImage"

    @property
    def modules(self) -> Path:
        """The folder of its own modules, Amazon's `ena.ko` among them."""
        return self.tree.parent / "modules"


@dataclass(frozen=True)
class Edit:
    """A change to one file of the driver: `old`, which occurs once, becomes `new`."""

    file: str
    old: str
    new: str


def options(flavour: str) -> str:
    """What is added to the smallest configuration."""
    words = " ".join((_GUEST, _WATCH, _FLAVOUR[flavour])).split()
    pairs = (word.partition("=") for word in words)
    return "".join(f"CONFIG_{name}={value or 'y'}\n" for name, _, value in pairs)


def folder_of(flavour: str, source: debian.Tree, tools: debian.Tree) -> Path:
    """Where the kernel is kept, named by everything that it is made of."""
    content = hashlib.sha256(options(flavour).encode())
    for package in (*source.packages, *tools.packages):
        content.update(package.sha256.encode())
    return cache_dir() / "debug-kernels" / f"{flavour}-{content.hexdigest()[:16]}"


def build(flavour: str, minutes: float | None = None) -> Kernel | None:
    """The kernel, built when the cache does not have it.

    None if `minutes` were not enough: the next call goes on. Raises NitroError, with what the
    compiler said at the end, or if an option of the configuration does not exist or take effect.
    """
    found = debian.trees((_SOURCE, _TOOLS))
    source, tools = found[_SOURCE], found[_TOOLS]
    folder = folder_of(flavour, source, tools)
    tree = folder / "tree"
    if not (folder / "built").exists():
        if not (folder / "unpacked").exists():
            for old in folder.parent.glob(
                f"{flavour}-*"
            ):  # of other options or packages, or cut off
                shutil.rmtree(old)
            tree.mkdir(parents=True)
            _unpack(source, tools, tree, flavour)
            (folder / "unpacked").touch()
        seconds = 3 * 3600 if minutes is None else round(60 * minutes)
        if not _make(tools, tree, seconds):
            return None
        (folder / "modules").mkdir(exist_ok=True)
        for path in (tree / "modules.builtin", *tree.rglob("*.ko")):
            shutil.copy(path, folder / "modules")
        _prune(tree)
        (folder / "built").touch()
    cache.touch(folder)
    return Kernel(tree, tools)


def built(flavour: str) -> Kernel:
    """The kernel, built however long that takes. Raises as `build` does."""
    kernel = build(flavour)
    assert kernel is not None
    return kernel


def _run(tools: debian.Tree, tree: Path, script: str, seconds: float = 600) -> str:
    command = ["dash", "-ec", f"{_SETUP}cd {chroot.WORK}; {script}"]
    return chroot.run([tools], command, tree, environment=_ENVIRONMENT, timeout=seconds)


def _unpack(source: debian.Tree, tools: debian.Tree, tree: Path, flavour: str) -> None:
    archive = source.path(f"/usr/src/linux-source-{SERIES}.tar.xz")
    (tree / "archive.tar.xz").hardlink_to(archive)
    _run(tools, tree, "tar -xf archive.tar.xz --strip-components=1; rm archive.tar.xz")
    (tree / "wanted").write_text(options(flavour))
    _run(tools, tree, "make -s tinyconfig; cat wanted >> .config; make -s olddefconfig")
    if lacking := missing((tree / ".config").read_text(), options(flavour)):
        raise NitroError(f"the kernel's configuration does not take {', '.join(lacking)}")


def missing(configuration: str, wanted: str) -> list[str]:
    """Lines of `wanted` that a configuration does not have; "=n" is the lack of a line."""
    lines = configuration.splitlines()
    enabled = {line.partition("=")[0] for line in lines if not line.startswith("#")}
    return [
        line
        for line in wanted.splitlines()
        if (line.partition("=")[0] in enabled if line.endswith("=n") else line not in lines)
    ]


def _make(tools: debian.Tree, tree: Path, seconds: int) -> bool:
    """Whether everything is built; False if time ran out."""
    script = (
        f"timeout --signal=INT {seconds} make -s -j2 bzImage modules > log 2>&1 && touch done"
        " || { [ $? = 124 ] || { tail -n 20 log; exit 1; }; }"
    )
    _run(tools, tree, script, seconds + 60)
    return (tree / "done").exists()


def _prune(tree: Path) -> None:
    """Keep what modules are compiled with."""
    folders = ("scripts", "include")
    names = {"bzImage", "Module.symvers", ".config", "objtool"}
    beginnings = ("Make", "Kbuild", "Kconfig")
    for path in sorted(tree.rglob("*"), reverse=True):
        top = path.relative_to(tree).parts[0]
        kept = top in folders or path.name in names
        kept = kept or path.name.startswith(beginnings) or path.suffix in (".h", ".lds")
        kept = kept and top != "drivers"  # half a gigabyte of headers
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif not kept:
            path.unlink()


def driver_module(kernel: Kernel, edits: Sequence[Edit] = ()) -> Path:
    """The project's module for a kernel, compiled from its sources with `edits` in them."""
    home = driver.sources()[0].parent
    files = {path.relative_to(home): path.read_text() for path in driver.sources()}
    for edit in edits:
        text = files[Path(edit.file)]
        if text.count(edit.old) != 1:
            raise NitroError(f"{edit.file} has {text.count(edit.old)} times {edit.old!r}")
        files[Path(edit.file)] = text.replace(edit.old, edit.new)

    def compile_to(out: Path) -> None:
        work = kernel.tree / f"nitro-{out.name}"
        for path, text in files.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_text(text)
        _run(kernel.tools, kernel.tree, f"make -s -j2 M={chroot.WORK}/{work.name} modules")
        shutil.copy(work / driver.MODULE, out)
        shutil.rmtree(work)

    content = f"{kernel.tree} {sorted(files.items())}".encode()
    return stored("modules", f"{hashlib.sha256(content).hexdigest()[:24]}.ko", compile_to)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--flavour", choices=FLAVOURS, default="kasan")
    parser.add_argument("--minutes", type=float, help="stop after so long; the next run goes on")
    chosen = parser.parse_args()
    kernel = build(chosen.flavour, chosen.minutes)
    print(kernel.image if kernel else "not yet: run it again")
    return 0 if kernel else 1


if __name__ == "__main__":
    sys.exit(main())
