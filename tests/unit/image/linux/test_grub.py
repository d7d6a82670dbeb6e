"""GRUB's two programs: what grub-mkimage is asked for, and what is changed in what it made."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from nitro.debian import Tree
from nitro.errors import InputError
from nitro.image.linux import grub


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """A `grub-mkimage` that makes a core of a sector, the arguments and the script."""
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "grub"
    program = folder / "usr/bin/grub-mkimage"
    program.parent.mkdir(parents=True)
    program.write_text(
        "#!/bin/sh\n"
        "while [ $# -gt 0 ]; do case $1 in --config) c=$2;; --output) o=$2;; "
        '--directory) d=$2;; --format) f=$2;; --prefix) p=$2;; --) shift; m="$*"; break;; '
        'esac; shift; done; [ "$d" = "${0%/usr/*}/usr/lib/grub/$f" ] || exit 1\n'
        '{ head -c 508 /dev/zero; printf "\\1\\2\\3\\4"; echo "$f $p $m"; cat "$c"; } >"$o"\n'
    )
    program.chmod(0o755)
    for platform in ("i386-pc", "x86_64-efi"):
        (folder / "usr/lib/grub" / platform).mkdir(parents=True)
    (folder / "usr/lib/grub/i386-pc/boot.img").write_bytes(bytes(range(256)) * 2)
    return Tree(folder, ())


def test_the_script_is_in_the_program_for_uefi(tree: Tree) -> None:
    made = grub.uefi_program(tree, tree, grub.uefi_script("quiet console=ttyS0"))
    assert made[512:].decode().splitlines() == [
        "x86_64-efi / part_gpt fat linux",
        "linux /VMLINUZ quiet console=ttyS0",
        "initrd /INITRD",
        "boot",
    ]


def test_the_core_for_bios_knows_where_the_rest_of_it_lies(tree: Tree) -> None:
    """Its first sector ends with the place of the others, their number, and where they go."""
    core = grub.bios_core(tree, tree, grub.bios_script("quiet"), sector=34)
    assert len(core) == 1024
    place, count, segment = struct.unpack_from("<QHH", core, 500)
    assert (place, count, segment) == (35, 1, 0x0403)
    assert core[512:].rstrip(b"\0").decode().splitlines() == [
        "i386-pc / biosdisk part_gpt fat linux16",
        "set root=($root,gpt2)",
        "linux16 /VMLINUZ quiet",
        "initrd16 /INITRD",
        "boot",
    ]


def test_another_command_line_is_another_program(tree: Tree) -> None:
    """And the same one is made once."""
    one, other = (grub.uefi_program(tree, tree, grub.uefi_script(x)) for x in ("one", "other"))
    assert one != other
    (tree.root / "usr/bin/grub-mkimage").unlink()
    assert grub.uefi_program(tree, tree, grub.uefi_script("one")) == one


def test_the_boot_sector_has_code_only(tree: Tree) -> None:
    """The core's place, and no doubt of the drive's number; the partition table comes behind."""
    code = grub.boot_sector(tree, 34)
    plain = bytes(range(256)) + bytes(range(184))
    assert len(code) == 440
    assert code[0x5C:0x64] == struct.pack("<Q", 34)
    assert code[0x66:0x68] == b"\x90\x90"
    assert (
        code[:0x5C] + code[0x64:0x66] + code[0x68:]
        == plain[:0x5C] + plain[0x64:0x66] + plain[0x68:]
    )


def test_initial_file_systems_that_have_no_room_below_896_mib() -> None:
    room = 820 << 20
    grub.check_initrd(room, "legacy-bios")
    for mode in ("uefi", "uefi-preferred"):
        grub.check_initrd(room + 1, mode)
    with pytest.raises(InputError, match="860 MB, compressed; by BIOS at most 860 MB"):
        grub.check_initrd(room + 1, "legacy-bios")
