"""Processor architectures, by the names that EC2, Debian, ELF, GRUB, EFI and QEMU give them.

Another architecture is one more value in `ALL`. Nothing else in nitro spells these names.
"""

from __future__ import annotations

from dataclasses import dataclass

from nitro.errors import InputError


@dataclass(frozen=True)
class Arch:
    """One architecture of guests, and the name that each tool has for it."""

    #: EC2's, and that of recipes and manifests: an instance type's SupportedArchitectures
    ec2: str
    #: EC2's names of the images that a machine of this architecture boots
    boots: tuple[str, ...]

    #: Debian's, of packages and in the names of kernels (dpkg-architecture: DEB_HOST_ARCH)
    debian: str
    #: the folder of its libraries below /usr/lib (DEB_HOST_MULTIARCH)
    triplet: str
    #: glibc's dynamic linker, which every dynamic program names
    loader: str
    #: e_machine of ELF files (elf.h: EM_…)
    elf_machine: int

    #: grub-mkimage's format for UEFI
    grub_uefi: str
    #: grub-mkimage's format for BIOS
    grub_bios: str
    #: Debian's packages of both formats' modules
    grub_packages: tuple[str, ...]
    #: the program that UEFI starts from a disk that no boot entry names (UEFI 2.10, 3.5.1.1)
    efi_path: str

    #: the suffix of the emulator, qemu-system-…
    qemu: str
    #: Debian's package of the emulator
    qemu_package: str
    #: QEMU's board, without the devices that a Nitro instance does not have
    qemu_board: str
    #: the CPU to emulate without hardware virtualization
    qemu_tcg_cpu: str
    #: Debian's package of UEFI firmware, and its flash images: the code, then the variables
    firmware_package: str
    firmware: tuple[str, str]


X86_64 = Arch(
    ec2="x86_64",
    boots=("x86_64", "i386"),
    debian="amd64",
    triplet="x86_64-linux-gnu",
    loader="/lib64/ld-linux-x86-64.so.2",
    elf_machine=62,
    grub_uefi="x86_64-efi",
    grub_bios="i386-pc",
    grub_packages=("grub-pc-bin", "grub-efi-amd64-bin"),
    efi_path="EFI/BOOT/BOOTX64.EFI",
    qemu="x86_64",
    qemu_package="qemu-system-x86",
    qemu_board="q35,usb=off,vmport=off,smbus=off,i8042=off,hpet=off",
    # TCG interprets `rep movs` byte by byte when the CPU claims to be quick at it: without the
    # two flags network copies are two to three times faster.
    qemu_tcg_cpu="max,-erms,-fsrm",
    firmware_package="ovmf",
    firmware=("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
)

ALL: tuple[Arch, ...] = (X86_64,)

# Of disks that others have built and EC2 registers.
REGISTERED = (X86_64.ec2, "arm64")


def named(ec2: str) -> Arch:
    """The architecture that EC2 calls `ec2`. Raises InputError when nitro does not know it."""
    for arch in ALL:
        if arch.ec2 == ec2:
            return arch
    raise InputError(f"nitro builds no images for {ec2!r}", hint=f"the architecture is {_known()}")


def booting(image: str) -> Arch:
    """The architecture of a machine that boots images which EC2 registers as `image`.

    Raises InputError when there is none.
    """
    for arch in ALL:
        if image in arch.boots:
            return arch
    raise InputError(
        f"no machine here boots an image for {image!r}", hint=f"build it for {_known()}"
    )


def _known() -> str:
    return " or ".join(arch.ec2 for arch in ALL)
