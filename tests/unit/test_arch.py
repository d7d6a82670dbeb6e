"""Architectures: a second one reaches every name, and nothing spells the names of the first."""

from __future__ import annotations

import ast
import dataclasses
import json
from pathlib import Path

import pytest

import nitro
from nitro import arch, recipe
from nitro.arch import X86_64, Arch
from nitro.debian import Tree, Wanted
from nitro.errors import InputError
from nitro.image import extras
from nitro.image.libraries import Closure, Sysroot
from nitro.image.linux import grub, kernel
from nitro.image.rootfs import Rootfs
from nitro.local import accel, qemu
from nitro.paths import resource
from tests.tracing import untraced
from tests.unit.image import elves

ARM64 = Arch(
    ec2="arm64",
    boots=("arm64",),
    debian="arm64",
    triplet="aarch64-linux-gnu",
    loader="/lib/ld-linux-aarch64.so.1",
    elf_machine=183,
    grub_uefi="arm64-efi",
    grub_bios="none",
    grub_packages=("grub-efi-arm64-bin",),
    efi_path="EFI/BOOT/BOOTAA64.EFI",
    qemu="aarch64",
    qemu_package="qemu-system-arm",
    qemu_board="virt",
    qemu_tcg_cpu="max",
    firmware_package="qemu-efi-aarch64",
    firmware=("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
)


@pytest.fixture
def arm64(monkeypatch: pytest.MonkeyPatch) -> Arch:
    """ARM64, while it is one of those that nitro knows."""
    monkeypatch.setattr(arch, "ALL", (X86_64, ARM64))
    return ARM64


def write(root: Path, path: str, content: str = "") -> Path:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def test_a_recipe_may_be_for_it(tmp_path: Path, arm64: Arch) -> None:
    path = write(tmp_path, "it.toml", 'architecture = "arm64"\ncommand = ["/bin/sh"]')
    assert recipe.load(path).arch is arm64


def test_an_image_boots_on_the_machines_of_its_architecture(arm64: Arch) -> None:
    assert arch.booting("arm64") is arm64
    assert arch.booting("i386") is X86_64


def test_what_nobody_knows_is_named_with_what_is_known(arm64: Arch) -> None:
    with pytest.raises(InputError, match="for 'riscv'; the architecture is x86_64 or arm64"):
        arch.named("riscv")
    with pytest.raises(
        InputError, match="boots an image for 'riscv'; build it for x86_64 or arm64"
    ):
        arch.booting("riscv")


def test_its_packages_are_locked_under_a_name_of_their_own() -> None:
    names = ("busybox-static",)
    assert Wanted(names, arch=ARM64).key == "trixie arm64 closure: busybox-static"
    assert Wanted(names).key == "trixie closure: busybox-static"


def test_the_shipped_lock_still_names_the_sets_of_x86_64() -> None:
    sets = json.loads((resource("amis") / "debian.lock").read_text())["sets"]
    assert grub.packages(X86_64).key in sets
    assert Wanted(("linux-image-cloud-amd64",), closure=False).key in sets


def test_programs_of_its_packages_start_with_its_loader(tmp_path: Path) -> None:
    program = write(tmp_path, "usr/bin/tool")
    loader = write(tmp_path, "usr/lib/ld-linux-aarch64.so.1")
    libraries = f"{tmp_path}/usr/lib/aarch64-linux-gnu:{tmp_path}/usr/lib"
    command = [str(loader), "--library-path", libraries, str(program)]
    assert Tree(tmp_path, (), ARM64).program("tool") == command


def test_its_programs_find_their_libraries(tmp_path: Path) -> None:
    library = elves.write(tmp_path / "usr/lib/aarch64-linux-gnu/libone.so.1", machine=183)
    program = elves.write(tmp_path / "tool", needed=["libone.so.1"], machine=183)
    needed = Closure(Sysroot(tmp_path), ARM64)
    needed.add("/tool", program)
    assert needed.found == {"/usr/lib/aarch64-linux-gnu/libone.so.1": library}


def test_extras_come_from_its_folders(tmp_path: Path) -> None:
    write(tmp_path, "usr/lib/aarch64-linux-gnu/gconv/UTF-16.so")
    rootfs = Rootfs()
    extras.add(rootfs, ["gconv"], Tree(tmp_path, (), ARM64))
    assert "/usr/lib/aarch64-linux-gnu/gconv/UTF-16.so" in rootfs


def test_its_kernel_and_boot_loader_have_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Wanted] = []

    def answer(wanted: Wanted, **_: object) -> Tree:
        asked.append(wanted)
        raise LookupError

    monkeypatch.setattr(kernel, "tree", answer)
    with pytest.raises(LookupError):
        kernel.current_release("trixie", ARM64, lock=None, report=None)  # type: ignore[arg-type]
    assert [(w.names, w.arch) for w in asked] == [(("linux-image-cloud-arm64",), ARM64)]
    assert grub.packages(ARM64).names == ("grub-common", "grub-efi-arm64-bin")


def test_its_machines_have_its_board_processor_and_firmware(tmp_path: Path) -> None:
    for path in ARM64.firmware:
        write(tmp_path, path)
    machine = qemu.Machine(boot_mode="uefi")
    line = " ".join(qemu.arguments(machine, tmp_path, Tree(tmp_path, (), ARM64), ARM64))
    assert "-machine virt,accel=tcg -cpu max " in line
    assert f"file={tmp_path}/usr/share/AAVMF/AAVMF_CODE.fd" in line
    assert qemu.firmware_packages(ARM64).names == ("qemu-efi-aarch64",)


def test_its_emulator_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says = "case $1 in --version) echo version 10.1.0;; *) echo '\"vfio-user-pci\"';; esac"
    program = write(tmp_path, "qemu-system-aarch64", f"#!/bin/sh\n{says}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert qemu.find(arch=ARM64) == qemu.Qemu((str(program),), (10, 1, 0), ARM64)


def test_kvm_is_not_tried_without_a_guest_that_tells(tmp_path: Path) -> None:
    kvm = write(tmp_path, "kvm")
    assert accel.best(qemu.Qemu(("/no/such/program",), (10, 1), ARM64), kvm=kvm) == "tcg"


def _names() -> set[str]:
    values = (getattr(X86_64, field.name) for field in dataclasses.fields(X86_64))
    flat = [v for value in values for v in (value if isinstance(value, tuple) else (value,))]
    # "i386" is also what EC2's RegisterImage assumes when it is told nothing.
    return {name for name in flat if isinstance(name, str)} - {"i386"}


@untraced
def _strings(module: Path) -> list[str]:
    """The string literals of a module but for its docstrings."""
    tree = ast.parse(module.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
    ]


def test_only_one_module_spells_the_names_of_an_architecture() -> None:
    home = Path(nitro.__file__).parent
    spelled = {
        f"{module.relative_to(home)}: {name}"
        for module in home.rglob("*.py")
        if module != home / "arch.py"
        for text in _strings(module)
        for name in _names()
        if name in text
    }
    assert sorted(spelled) == []
    assert "x86_64-linux-gnu" in _strings(home / "arch.py"), "this test sees such names"
