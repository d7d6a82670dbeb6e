"""A container image as the start of an image: what is its own, and what nitro adds."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from lab.container_images import layer, member, oci
from nitro import image, recipe
from nitro.arch import X86_64
from nitro.container import open_container
from nitro.errors import InputError
from nitro.image import base, flavour
from nitro.image.formats import cpio
from nitro.image.rootfs import Node, Rootfs
from nitro.progress import Reporter
from tests.unit.image import elves
from tests.unit.image.printer import Printer


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    monkeypatch.setitem(flavour.FLAVOURS, "printer", Printer)


def based(folder: Path, *layers: bytes, **run: Any) -> Rootfs:
    oci(folder / "app", layers, **run)
    return base.start(open_container("oci:app", folder, X86_64, Reporter()))


def test_owners_modes_and_links_are_those_of_the_image(tmp_path: Path) -> None:
    su = member("usr/bin/su", b"x", mode=0o4755, gid=5, mtime=1_700_000_000)
    rootfs = based(tmp_path, layer((su, b"x"), files={"bin": "usr/bin"}))
    node = rootfs.find("/bin/su")
    assert node is not None
    assert (node.mode, node.gid, node.layer, node.origin) == (0o4755, 5, "container", "oci:app")
    assert "/sbin" not in rootfs
    out = io.BytesIO()
    cpio.write(out, rootfs.of("container"))
    assert b"%08x" % 1_700_000_000 in out.getvalue()


def test_what_a_runtime_of_containers_mounts_is_left_out(tmp_path: Path) -> None:
    files = {"dev/x": b"1", "proc/y": b"1", "etc/resolv.conf": b"1", "etc/hosts": b""}
    rootfs = based(tmp_path, layer(files=files), Volumes={"/data/db": {}})
    assert "/dev/x" not in rootfs
    assert "/proc/y" not in rootfs
    assert "/etc/resolv.conf" not in rootfs
    assert rootfs.read("/etc/hosts").startswith(b"127.0.0.1 localhost")
    assert rootfs.find("/data/db") is not None


def test_without_a_container_image_nothing_changes() -> None:
    assert base.start(None).nodes == Rootfs().nodes


def build(folder: Path, text: str) -> dict[str, dict[str, Any]]:
    path = folder / "one.toml"
    path.write_text('kernel = "printer"\nfrom = "oci:app"\n' + text)
    built = image.build(recipe.load(path))
    document = json.loads(built.manifest_path.read_text())
    return {file["path"]: file for file in document["files"]}


def test_a_recipe_changes_the_image_and_keeps_its_libraries(tmp_path: Path) -> None:
    libraries = tmp_path / "root/usr/lib"
    elves.write(libraries / "liba.so")
    elves.write(libraries / "libb.so")
    own = elves.write(tmp_path / "own")
    files: dict[str, bytes | str | None] = {
        "usr/lib/liba.so": own.read_bytes(),
        "etc/conf": b"old",
        "entry": b"#!/usr/bin/none\n",
    }
    oci(tmp_path / "app", [layer(files=files)], Cmd=["/entry"])
    elves.write(tmp_path / "tool", needed=["liba.so", "libb.so"])
    (tmp_path / "conf").write_text("new")
    found = build(
        tmp_path,
        'sysroot = "root"\nprograms = ["tool"]\ncommand = ["/usr/bin/tool"]\n'
        '[[files]]\nsource = "conf"\npath = "/etc/conf"\n',
    )
    assert found["/usr/lib/liba.so"]["origin"] == "oci:app"
    assert found["/usr/lib/libb.so"]["origin"] != "oci:app"
    assert found["/etc/conf"]["size"] == 3
    assert found["/etc/conf"]["origin"] == "the recipe"


def test_a_command_that_the_image_lacks(tmp_path: Path) -> None:
    oci(tmp_path / "app", [layer(files={"bin/x": b"1"})], Cmd=["serve"])
    with pytest.raises(InputError, match="command: serve is not in the image"):
        build(tmp_path, "")


def test_an_unknown_user_of_the_image(tmp_path: Path) -> None:
    oci(tmp_path / "app", [layer(files={"bin/x": b"1"})], Cmd=["/bin/x"], User="app")
    with pytest.raises(InputError, match="the container image has no user app"):
        build(tmp_path, "")


def test_a_changed_image_is_built_again(tmp_path: Path) -> None:
    oci(tmp_path / "app", [layer(files={"bin/x": b"1"})], Cmd=["/bin/x"])
    build(tmp_path, "")
    path = tmp_path / "one.toml"
    assert image.known(path) is not None
    index = tmp_path / "app/index.json"
    index.write_text(index.read_text() + " ")
    assert image.known(path) is None


def test_nodes_of_nitro_give_way_to_folders_that_are_there() -> None:
    rootfs = Rootfs({"/": Node("container", "x"), "/tmp": Node("container", "x", target="var")})
    rootfs.add("/var", Node("container", "x", permissions=0o700))
    rootfs.folders("/tmp", permissions=0o1777)
    assert rootfs.nodes["/tmp"].target == "var"
    assert rootfs.nodes["/var"].mode == 0o700
