"""KVM or TCG: whether KVM works is found out by booting something, with a deadline.

That /dev/kvm can be opened says little: under some hypervisors it then hangs 64-bit guests.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from nitro.arch import X86_64, Arch
from nitro.local.qemu import Disk, Machine, Qemu, boot
from nitro.paths import cache_dir

DEADLINE = 2.0  # seconds; the guest needs about 0.1
_PORT, _VALUE = 0xF4, 0x2A
_EXIT = _VALUE << 1 | 1  # how the isa-debug-exit device turns a written value into a status
_DISK_BYTES = 1024 * 1024

# For x86_64: a boot sector that enters 64-bit mode and says so through the debug port. Tables at
# 0x1000, 0x2000 and 0x3000 map the first 2 MiB onto themselves.
_BOOT_SECTOR = bytes.fromhex(
    "fa 31c0 8ed8 8ec0 8ed0 bc007c"  # cli; ds = es = ss = 0; sp = 0x7c00
    "bf0010 b90018 fc f3ab"  # clear 0x1000..0x4000
    "c70600100320 c70600200330 c70600308300"  # PML4[0], PDPT[0], PD[0] (a 2 MiB page)
    "66b800100000 0f22d8"  # cr3 = 0x1000
    "66b820000000 0f22e0"  # cr4 = PAE
    "66b9800000c0 0f32 660d00010000 0f30"  # EFER.LME
    "0f20c0 660d01000080"  # eax = cr0 | PG | PE
    "0f0116807c 0f22c0"  # lgdt [0x7c80]; cr0 = eax
    "ea5f7c0800"  # jmp 8:0x7c5f
    f"b8{_VALUE:02x}000000 66baf400 ee f4"  # 64-bit: out 0xf4, value; hlt
).ljust(0x70, b"\0") + bytes.fromhex(
    "0000000000000000 00000000009a2000"  # 0x7c70: null and 64-bit code descriptors
    "0f00 707c0000"  # 0x7c80: the table's limit and address
)

# The disk of a guest that says when it has come up. Without one, KVM is not tried.
_DISKS: dict[Arch, bytes] = {X86_64: _BOOT_SECTOR.ljust(510, b"\0") + b"\x55\xaa"}


def best(qemu: Qemu, *, kvm: Path = Path("/dev/kvm")) -> str:
    """ "kvm" when a 64-bit guest boots under it in time, else "tcg".

    What was found is remembered until the machine reboots or QEMU changes.
    """
    if qemu.arch not in _DISKS or not os.access(kvm, os.R_OK | os.W_OK):
        return "tcg"
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    key = f"{boot_id} {qemu.arch.ec2} {qemu.version_text}"
    memory = cache_dir() / "accelerator.json"
    try:
        known = json.loads(memory.read_text())
    except (OSError, ValueError):
        known = None
    if not isinstance(known, dict) or known.get("key") != key or "accelerator" not in known:
        known = {"key": key, "accelerator": "kvm" if boots(qemu, "kvm") else "tcg"}
        memory.write_text(json.dumps(known))
    return str(known["accelerator"])


def boots(qemu: Qemu, accelerator: str) -> bool:
    """Whether a guest reaches 64-bit mode within DEADLINE seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        disk = folder / "disk"
        disk.write_bytes(_DISKS[qemu.arch].ljust(_DISK_BYTES, b"\0"))
        machine = Machine(
            disks=(Disk(disk),),
            memory_mib=32,
            accelerator=accelerator,
            console=folder / "console",
            extra=("-device", f"isa-debug-exit,iobase={_PORT},iosize=4"),
        )
        with boot(qemu, machine, folder) as process:
            try:
                return process.wait(DEADLINE) == _EXIT
            except subprocess.TimeoutExpired:
                return False
