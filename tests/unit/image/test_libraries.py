"""The search for libraries, checked against the dynamic linker's rules and against itself."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from nitro.errors import InputError
from nitro.image.libraries import Closure, Sysroot
from tests.unit.image import elves

LOADER = "/lib64/ld-linux-x86-64.so.2"


def closure(root: Path, path: str) -> dict[str, Path]:
    found = Closure(Sysroot(root))
    found.add(path, root / path.lstrip("/"))
    return found.found


def test_same_libraries_as_the_dynamic_linker_finds() -> None:
    """The linker itself, listing without running the program, is the judge."""
    program = "/bin/ls"
    listing = subprocess.run(
        [LOADER, "--list", program], capture_output=True, text=True, check=True
    ).stdout
    expected = {Path(line).resolve() for line in re.findall(r"(/\S+) \(0x", listing)}
    assert {file.resolve() for file in closure(Path("/"), program).values()} == expected


def test_static_program_needs_nothing(tmp_path: Path) -> None:
    elves.write(tmp_path / "static")
    assert closure(tmp_path, "/static") == {}


def test_interpreter_comes_at_its_exact_path(tmp_path: Path) -> None:
    elves.write(tmp_path / "prog", interpreter=LOADER)
    loader = elves.write(tmp_path / LOADER.lstrip("/"))
    assert closure(tmp_path, "/prog") == {LOADER: loader}


def test_libraries_of_libraries(tmp_path: Path) -> None:
    elves.write(tmp_path / "prog", needed=["liba.so.1"])
    elves.write(tmp_path / "usr/lib/liba.so.1", needed=["libb.so.2"])
    elves.write(tmp_path / "usr/lib/libb.so.2", needed=["liba.so.1"])
    assert set(closure(tmp_path, "/prog")) == {"/usr/lib/liba.so.1", "/usr/lib/libb.so.2"}


def test_missing_library_names_it_and_who_needs_it(tmp_path: Path) -> None:
    elves.write(tmp_path / "prog", needed=["liba.so.1"])
    elves.write(tmp_path / "usr/lib/liba.so.1", needed=["libgone.so.9"])
    with pytest.raises(InputError, match=r"libgone\.so\.9, which /usr/lib/liba\.so\.1 needs"):
        closure(tmp_path, "/prog")


def test_missing_interpreter_is_an_error(tmp_path: Path) -> None:
    elves.write(tmp_path / "prog", interpreter="/lib/ld-none.so")
    with pytest.raises(InputError, match=r"/lib/ld-none\.so, which /prog needs"):
        closure(tmp_path, "/prog")


@pytest.mark.parametrize("origin", ["$ORIGIN", "${ORIGIN}"])
@pytest.mark.parametrize("kind", ["rpath", "runpath"])
def test_origin(tmp_path: Path, origin: str, kind: str) -> None:
    place = f"{origin}/../lib"
    rpath, runpath = (place, None) if kind == "rpath" else (None, place)
    elves.write(tmp_path / "opt/bin/prog", needed=["liba.so"], rpath=rpath, runpath=runpath)
    elves.write(tmp_path / "opt/lib/liba.so")
    assert set(closure(tmp_path, "/opt/bin/prog")) == {"/opt/bin/../lib/liba.so"}


def test_rpath_is_inherited(tmp_path: Path) -> None:
    elves.write(tmp_path / "prog", needed=["liba.so"], rpath="/opt")
    elves.write(tmp_path / "opt/liba.so", needed=["libb.so"])
    elves.write(tmp_path / "opt/libb.so")
    assert set(closure(tmp_path, "/prog")) == {"/opt/liba.so", "/opt/libb.so"}


def test_runpath_is_not_inherited(tmp_path: Path) -> None:
    elves.write(tmp_path / "prog", needed=["liba.so"], runpath="/opt")
    elves.write(tmp_path / "opt/liba.so", needed=["libb.so"])
    elves.write(tmp_path / "opt/libb.so")
    with pytest.raises(InputError, match=r"libb\.so, which /opt/liba\.so needs"):
        closure(tmp_path, "/prog")


def test_runpath_switches_rpaths_off(tmp_path: Path) -> None:
    elves.write(tmp_path / "prog", needed=["liba.so"], rpath="/opt", runpath="/none")
    elves.write(tmp_path / "opt/liba.so")
    elves.write(tmp_path / "usr/lib/liba.so")
    assert set(closure(tmp_path, "/prog")) == {"/usr/lib/liba.so"}


def test_library_loaded_already_is_not_searched_again(tmp_path: Path) -> None:
    elves.write(tmp_path / "prog", needed=["liba.so", "libb.so"], runpath="/opt")
    elves.write(tmp_path / "opt/liba.so", needed=["libb.so"])
    elves.write(tmp_path / "opt/libb.so")
    assert set(closure(tmp_path, "/prog")) == {"/opt/liba.so", "/opt/libb.so"}


def test_library_for_another_machine_is_passed_over(tmp_path: Path) -> None:
    elves.write(tmp_path / "prog", needed=["liba.so"])
    elves.write(tmp_path / "lib64/liba.so", machine=183)
    elves.write(tmp_path / "usr/lib/liba.so")
    assert set(closure(tmp_path, "/prog")) == {"/usr/lib/liba.so"}


def test_directories_of_ld_so_conf(tmp_path: Path) -> None:
    (tmp_path / "etc/ld.so.conf.d").mkdir(parents=True)
    (tmp_path / "etc/ld.so.conf").write_text("include ld.so.conf.d/*.conf\n# /none\n")
    (tmp_path / "etc/ld.so.conf.d/local.conf").write_text("/srv/lib # ours\n")
    elves.write(tmp_path / "prog", needed=["liba.so"])
    elves.write(tmp_path / "srv/lib/liba.so")
    assert set(closure(tmp_path, "/prog")) == {"/srv/lib/liba.so"}


def test_links_stay_inside_the_root(tmp_path: Path) -> None:
    elves.write(tmp_path / "prog", needed=["liba.so.1"])
    real = elves.write(tmp_path / "usr/lib/liba.so.1.2")
    (tmp_path / "usr/lib/liba.so.1").symlink_to("/usr/lib/liba.so.1.2")
    (tmp_path / "lib").symlink_to("usr/lib")
    assert closure(tmp_path, "/prog") == {"/lib/liba.so.1": real}


def test_links_that_lead_in_circles_are_no_file(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert Sysroot(tmp_path).locate("/a") is None


def test_musl_is_its_own_library(tmp_path: Path) -> None:
    loader = "/lib/ld-musl-x86_64.so.1"
    elves.write(tmp_path / "prog", needed=["libc.musl-x86_64.so.1"], interpreter=loader)
    elves.write(tmp_path / loader.lstrip("/"))
    assert set(closure(tmp_path, "/prog")) == {loader}


def test_named_library(tmp_path: Path) -> None:
    elves.write(tmp_path / "usr/lib/libplugin.so.3", needed=["liba.so"])
    elves.write(tmp_path / "usr/lib/liba.so")
    found = Closure(Sysroot(tmp_path))
    found.library("libplugin.so.3", "the recipe")
    assert set(found.found) == {"/usr/lib/libplugin.so.3", "/usr/lib/liba.so"}
    with pytest.raises(InputError, match="libnone, which the recipe needs"):
        found.library("libnone", "the recipe")
