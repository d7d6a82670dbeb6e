"""What may lie in a guest's file system, and what may not lie in one place."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.errors import InputError
from nitro.image.formats import cpio
from nitro.image.rootfs import Node, Rootfs


def node(text: bytes, origin: str = "test") -> Node:
    return Node("program", origin, source=text)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("/lib/libc.so", "/usr/lib/libc.so"),
        ("/lib64/ld.so", "/usr/lib64/ld.so"),
        ("/bin", "/bin"),
        ("/usr/lib/x/../y", "/usr/lib/y"),
        ("/../etc/passwd", "/etc/passwd"),
        ("/etc//x/./y", "/etc/x/y"),
    ],
)
def test_paths_are_settled(given: str, stored: str) -> None:
    assert Rootfs().settle(given) == stored


@pytest.mark.extended
@given(st.text("ab./", max_size=30))
def test_a_settled_path_stays(path: str) -> None:
    settled = Rootfs().settle(path)
    assert settled.startswith("/")
    assert Rootfs().settle(settled) == settled
    assert ".." not in settled.split("/")


def test_folders_come_before_what_is_in_them() -> None:
    rootfs = Rootfs()
    rootfs.add("/srv/a/b/c", node(b""))
    paths = [path for path, _ in rootfs.of("program")]
    assert paths == ["/", "/srv", "/srv/a", "/srv/a/b", "/srv/a/b/c"]


def test_every_layer_has_the_folders_of_its_files() -> None:
    rootfs = Rootfs()
    rootfs.add("/etc/own", node(b""))
    rootfs.add("/etc/hosts", Node("system", "test", source=b""))
    paths = [path for path, _ in rootfs.of("system")]
    assert paths.index("/etc") < paths.index("/etc/hosts")
    assert "/etc/own" not in paths


def test_same_file_twice_is_one() -> None:
    rootfs = Rootfs()
    rootfs.add("/a", node(b"same", "one"))
    rootfs.add("/a", node(b"same", "two"))
    assert rootfs.nodes["/a"].origin == "one"


def test_different_files_clash_and_both_are_named() -> None:
    rootfs = Rootfs()
    rootfs.add("/lib/libc.so.6", node(b"one", "this machine"))
    with pytest.raises(InputError, match=r"/usr/lib/libc\.so\.6 of Debian .* of this machine"):
        rootfs.add("/usr/lib/libc.so.6", node(b"two", "Debian"))


def test_file_in_place_of_a_folder_clashes() -> None:
    rootfs = Rootfs()
    rootfs.add("/a", node(b"file"))
    with pytest.raises(InputError, match="/a/b"):
        rootfs.add("/a/b", node(b""))


def test_copy_takes_folders_links_and_modes(tmp_path: Path) -> None:
    (tmp_path / "folder/empty").mkdir(parents=True)
    (tmp_path / "folder/program").write_text("x")
    (tmp_path / "folder/program").chmod(0o700)
    (tmp_path / "folder/data").write_text("y")
    (tmp_path / "folder/link").symlink_to("data")
    rootfs = Rootfs()
    rootfs.copy("/srv", tmp_path / "folder", "program", "test")
    assert rootfs.nodes["/srv/program"].executable
    assert not rootfs.nodes["/srv/data"].executable
    assert rootfs.nodes["/srv/link"].target == "data"
    copied = [node for path, node in rootfs.nodes.items() if path.startswith("/srv")]
    assert len(copied) == 5
    assert {(node.layer, node.origin) for node in copied} == {("program", "test")}


def test_the_folders_of_programs_and_libraries_lead_to_usr() -> None:
    nodes = Rootfs().nodes
    for name in ("bin", "sbin", "lib", "lib64"):
        assert nodes[f"/{name}"].target == f"usr/{name}"
        assert nodes[f"/usr/{name}"].target is None
    assert {(node.layer, node.origin) for node in nodes.values()} == {("system", "nitro")}


def test_copy_refuses_devices_and_pipes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe: not a file or a folder"):
        Rootfs().copy("/pipe", tmp_path / "pipe", "program", "test")


def test_copy_of_a_folder_names_the_pipes_that_it_leaves_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    rootfs = Rootfs()
    copied = rootfs.copy("/srv", tmp_path, "program", "test")
    assert copied.special == [tmp_path / "pipe"]
    assert copied.files == [("/srv/file", tmp_path / "file")]
    assert "/srv/pipe" not in rootfs


def test_names_are_bytes(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9")).symlink_to(os.fsdecode(b"\xff"))
    rootfs = Rootfs()
    rootfs.copy("/srv", tmp_path, "program", "test")
    out = io.BytesIO()
    cpio.write(out, rootfs.of("program"))
    assert b"srv/caf\xe9\0" in out.getvalue()
    assert cpio.Entry("/srv/caf\udce9", stat.S_IFLNK | 0o777, 1, "\udcff") in list(
        cpio.read(io.BytesIO(out.getvalue()))
    )


def test_paths_lead_where_links_above_them_lead() -> None:
    rootfs = Rootfs()
    rootfs.add("/data", Node("program", "test", target="/srv/data"))
    rootfs.add("/data/file", node(b"x"))
    assert rootfs.nodes["/srv/data/file"].source == b"x"
    assert rootfs.read("/data/../data/file") == b"x"
    assert rootfs.find("/none") is None


def test_links_in_a_circle() -> None:
    rootfs = Rootfs()
    rootfs.add("/a", Node("program", "test", target="a"))
    with pytest.raises(InputError, match="circle"):
        rootfs.add("/a/b", node(b""))


def test_a_recipe_replaces_files_of_a_container_image_and_nitro_does_not() -> None:
    folder = Node("container", "image", permissions=0o700)
    rootfs = Rootfs({"/": folder, "/a": folder, "/a/b": Node("container", "image", source=b"1")})
    rootfs.add("/a", Node("program", "recipe"))
    assert rootfs.nodes["/a"].mode == 0o700
    rootfs.add("/a/b", node(b"2"))
    assert rootfs.read("/a/b") == b"2"
    with pytest.raises(InputError, match="cannot both"):
        Rootfs({"/a": Node("container", "image", source=b"1")}).add(
            "/a", Node("system", "nitro", source=b"2")
        )
    assert "/bin" not in rootfs
