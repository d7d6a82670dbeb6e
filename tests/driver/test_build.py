"""Compiling the module, and running programs of Debian packages inside them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from lab.guest import kernel
from nitro.arch import X86_64
from nitro.debian import Wanted, chroot, tree
from nitro.errors import InputError, NitroError
from nitro.image.linux import driver, modules
from tests.driver.compiling import GCC, SOURCES

pytestmark = pytest.mark.driver


def modinfo(module: Path) -> list[tuple[str, str]]:
    """The keys and values of a module's .modinfo, some of which come more than once."""
    with module.open("rb") as file:
        data = ELFFile(file).get_section_by_name(".modinfo").data()
    fields = (field.partition("=") for field in data.decode().split("\0") if "=" in field)
    return [(key, value) for key, _, value in fields]


def cards(module: Path) -> set[str]:
    """The PCI devices that a module drives."""
    return {value for key, value in modinfo(module) if key == "alias" and value.startswith("pci:")}


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_the_module_fits_its_kernel(suite: str) -> None:
    release = kernel(suite)[1].name
    path = driver.build_module(release, suite)
    info = dict(modinfo(path))
    assert info["vermagic"].split()[0] == release
    assert info["name"] == "nitro_ena"
    assert path == driver.build_module(release, suite), "the second time it comes from the cache"


def test_the_module_drives_every_card_that_the_kernels_driver_drives(tmp_path: Path) -> None:
    modules_folder = kernel("trixie")[1]
    (ena,) = (m for m in modules.in_order(modules_folder, ["ena"]) if m.name == "ena")
    kernels = tmp_path / "ena.ko"
    kernels.write_bytes(ena.elf)
    assert cards(kernels)
    assert cards(driver.build_module(modules_folder.name, "trixie")) == cards(kernels)


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    release = kernel("trixie")[1].name
    headers, tools = driver.wanted(release, "trixie", X86_64)
    trees = [tree(tools), tree(headers)]
    built = []
    for name in ("one", "another-place"):
        folder = tmp_path / name
        folder.mkdir()
        built.append(driver._compile(folder, release, trees).read_bytes())
    assert built[0] == built[1]
    assert built[0] == driver.build_module(release, "trixie").read_bytes()


def sparse(folder: Path) -> list[str]:
    """What sparse says of the module's sources in `folder`."""
    suite = "bookworm"
    release = kernel(suite)[1].name
    trees = [tree(one) for one in driver.wanted(release, suite, X86_64)]
    trees.append(tree(Wanted(("sparse",), suite)))
    setup = "ln -sf dash /usr/bin/sh; ln -sf mawk /usr/bin/awk; "
    build = f"make -s -C /usr/src/linux-headers-{release} M={chroot.WORK} C=2 CHECK=sparse "
    build += "CF=-D__CHECK_ENDIAN__ CONFIG_DEBUG_INFO_BTF_MODULES= modules 2>&1"
    environment = {"KBUILD_MODPOST_WARN": "0"}
    command = ["dash", "-ec", setup + build]
    lines = chroot.run(trees, command, folder, environment=environment).splitlines()
    return [line for line in lines if "warning:" in line or "error:" in line]


def test_sparse_finds_nothing(tmp_path: Path) -> None:
    """And it does tell the device's little-endian fields from numbers."""
    for name in ("core", "linux"):
        shutil.copytree(SOURCES / name, tmp_path / name)
    shutil.copy(SOURCES / "Kbuild", tmp_path)
    assert sparse(tmp_path) == []
    path = tmp_path / "core/admin.c"
    path.write_text(path.read_text().replace("command->id = ENA_LE16(slot)", "command->id = slot"))
    assert any("core/admin.c" in line for line in sparse(tmp_path))


@pytest.mark.parametrize("release", ["6.18.0-custom", "", "6.12.1-amd64", "../x-cloud-amd64"])
def test_kernels_that_are_not_debians_are_refused(release: str) -> None:
    with pytest.raises(InputError, match="no headers are known"):
        driver.build_module(release, "trixie")


def test_programs_see_the_packages_and_one_folder(tmp_path: Path) -> None:
    (tmp_path / "hello.c").write_text('#include <stdio.h>\nint main(void) { puts("hello"); }\n')
    trees = [tree(GCC)]
    chroot.run(trees, ["gcc-12", "-o", "/build/hello", "/build/hello.c"], tmp_path)
    assert chroot.run(trees, ["/build/hello"], tmp_path) == "hello\n"
    assert not (trees[0].root / "work").exists(), "the packages' tree stays as it was"


def test_a_failure_says_what_the_program_said(tmp_path: Path) -> None:
    (tmp_path / "bad.c").write_text("int main(void) { return missing; }\n")
    with pytest.raises(NitroError, match=r"gcc-12 failed: .*missing"):
        chroot.run([tree(GCC)], ["gcc-12", "/build/bad.c"], tmp_path)


def test_a_program_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    (tmp_path / "loop.c").write_text("int main(void) { for (;;) ; }\n")
    trees = [tree(GCC)]
    chroot.run(trees, ["gcc-12", "-o", "/build/loop", "/build/loop.c"], tmp_path)
    with pytest.raises(NitroError, match="took longer than 1 s"):
        chroot.run(trees, ["/build/loop"], tmp_path, timeout=1)
