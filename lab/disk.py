"""A small bootable disk of Debian's cloud kernel and busybox, for guests that do as they are told.

The guest gets its addresses by DHCP, fetches its user data through IMDSv2 and runs it as a shell
script. It owes nothing to `nitro.image` but the formats.
"""

from __future__ import annotations

import gzip
import io
from pathlib import Path

from nitro import debian
from nitro.arch import X86_64
from nitro.image.formats import cpio
from nitro.image.linux import disk, grub, modules
from nitro.image.rootfs import Node, Rootfs

KERNEL = debian.Wanted(("linux-image-cloud-amd64", "busybox-static"))
MODULES = ("ena",)
OTHERS = ("button", "evdev", "nvme")  # are there for a script that loads them
SCRIPT = """
set root=($root,gpt2)
linux16 /VMLINUZ console=ttyS0 quiet panic=-1
initrd16 /INITRD
boot
"""
UEFI_SCRIPT = """
linux /VMLINUZ console=ttyS0 quiet panic=-1
initrd /INITRD
boot
"""

INIT = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in $(cat /modules); do insmod /$module; done
ip link set lo up
ip link set eth0 up
udhcpc -i eth0 -O mtu -q -n -t 20 -T 1 -s /dhcp >/dev/null 2>&1 || echo 'no lease'
ask() { printf "$1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n$2\r\n" | nc 169.254.169.254 80 | \
        sed '1,/^\r*$/d'; }
token=$(ask 'PUT /latest/api/token' 'X-aws-ec2-metadata-token-ttl-seconds: 60\r\n')
md() { ask "GET /latest/$1" "X-aws-ec2-metadata-token: $token\r\n"; }
md user-data > /user-data
echo "id=$(md meta-data/instance-id) address=$(md meta-data/local-ipv4)"
echo "mtu=$(cat /sys/class/net/eth0/mtu) has=$(ip -4 -o addr show eth0 | awk '{print $4}')"
. /user-data
echo 'script done'
while :; do sleep 60; done
"""
DHCP = r"""#!/bin/sh
[ "$1" = bound ] || exit 0
[ -z "$mtu" ] || ip link set eth0 mtu $mtu
ip addr add $ip/$mask dev eth0
ip route add default via $router
echo "nameserver $dns" > /etc/resolv.conf
"""


def make(path: Path) -> Path:
    """Write the disk to `path`; it boots by BIOS and by UEFI."""
    tree = debian.tree(KERNEL)
    (kernel,) = tree.root.glob("boot/vmlinuz-*")
    release = kernel.name.removeprefix("vmlinuz-")
    kernel_modules = tree.path(f"/usr/lib/modules/{release}")
    tools, parts = debian.tree(grub.LIBRARIES), debian.tree(grub.packages(X86_64))
    initrd = gzip.compress(_archive(tree, kernel_modules), 1, mtime=0)
    disk.write(
        path,
        boot=grub.boot_sector(parts, disk.CORE_SECTOR),
        core=grub.bios_core(tools, parts, SCRIPT, disk.CORE_SECTOR),
        files={
            "EFI/BOOT/BOOTX64.EFI": grub.uefi_program(tools, parts, UEFI_SCRIPT),
            "VMLINUZ": kernel,
            "INITRD": initrd,
        },
    )
    return path


def _archive(tree: debian.Tree, kernel_modules: Path) -> bytes:
    found = modules.in_order(kernel_modules, MODULES)
    others = modules.in_order(kernel_modules, OTHERS)
    root = Rootfs()
    files = {
        "/init": INIT.encode(),
        "/dhcp": DHCP.encode(),
        "/bin/busybox": tree.path("/usr/bin/busybox").read_bytes(),
        "/modules": "\n".join(f"{module.name}.ko" for module in found).encode(),
        **{f"/{module.name}.ko": module.elf for module in (*found, *others)},
    }
    for path, content in files.items():
        root.add(path, Node("system", "lab", source=content, executable=True))
    for folder in ("/dev", "/etc", "/proc", "/sys"):
        root.add(folder, Node("system", "lab"))
    out = io.BytesIO()
    cpio.write(out, sorted(root.nodes.items()))
    return out.getvalue()
