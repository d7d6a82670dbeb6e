"""What programs look for without saying so."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest

from nitro import recipe
from nitro.debian import Package, Tree
from nitro.image import extras
from nitro.image.rootfs import Node, Rootfs


@pytest.fixture
def packages(tmp_path: Path) -> Tree:
    mozilla = tmp_path / "usr/share/ca-certificates/mozilla"
    mozilla.mkdir(parents=True)
    (mozilla / "B.crt").write_text("second\n")
    (mozilla / "A.crt").write_text("first\n")
    (tmp_path / "usr/share/zoneinfo/Europe").mkdir(parents=True)
    (tmp_path / "usr/share/zoneinfo/Europe/Berlin").write_text("TZif")
    return Tree(tmp_path, ())


def test_certificates_are_one_file_in_a_fixed_order(packages: Tree) -> None:
    rootfs = Rootfs()
    extras.add(rootfs, ["certificates"], packages)
    assert rootfs.nodes["/etc/ssl/certs/ca-certificates.crt"].source == b"first\nsecond\n"
    assert rootfs.nodes["/usr/lib/ssl/cert.pem"].target == (
        "../../../etc/ssl/certs/ca-certificates.crt"
    )
    for path in ("/etc/ssl/certs/ca-certificates.crt", "/usr/lib/ssl/cert.pem"):
        node = rootfs.nodes[path]
        assert (node.layer, node.origin) == ("packages", "ca-certificates")


def test_folders_of_packages(packages: Tree) -> None:
    rootfs = Rootfs()
    extras.add(rootfs, ["tzdata"], packages)
    assert rootfs.nodes["/usr/share/zoneinfo/Europe/Berlin"].layer == "packages"


def test_only_what_is_named() -> None:
    rootfs = Rootfs()
    extras.add(rootfs, ["nsswitch"], None)
    assert "/etc/nsswitch.conf" in rootfs
    assert "/etc/passwd" not in rootfs
    assert "/etc/resolv.conf" not in rootfs


def test_file_of_the_recipe_wins() -> None:
    rootfs = Rootfs()
    rootfs.add("/etc/passwd", Node("program", "the recipe", source=b"mine"))
    extras.add(rootfs, ["passwd"], None)
    assert rootfs.nodes["/etc/passwd"].source == b"mine"
    assert "/etc/group" in rootfs


def test_every_extra_of_recipes_does_something(tmp_path: Path) -> None:
    """All but "unwind", which is found among a program's libraries."""
    for path in ("locale/C.utf8", "x86_64-linux-gnu/gconv"):
        (tmp_path / "usr/lib" / path).mkdir(parents=True)
    (tmp_path / "usr/share/zoneinfo").mkdir(parents=True)
    (tmp_path / "usr/share/ca-certificates/mozilla").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    for name in ("protocols", "services"):
        (tmp_path / "etc" / name).touch()
    for name in set(typing.get_args(recipe.Extra)) - {"unwind"}:
        rootfs = Rootfs()
        before = set(rootfs.nodes)
        extras.add(rootfs, [name], Tree(tmp_path, ()))
        assert set(rootfs.nodes) > before, name
        of_packages = {path for path, node in rootfs.nodes.items() if node.layer == "packages"}
        assert bool(of_packages) == (name in extras.PACKAGES)
        for path in set(rootfs.nodes) - before - of_packages:
            node = rootfs.nodes[path]
            if node.source or node.target:
                assert (node.layer, node.origin) == ("system", f"extra {name}"), path


@pytest.mark.parametrize(
    ("keys", "found"),
    [({}, ["tzdata"]), ({"extras": ["passwd"]}, []), ({"from": "oci:x"}, [])],
    ids=["default", "named", "a container image's"],
)
def test_what_packages_depend_on_comes_unless_extras_are_named(
    tmp_path: Path, keys: dict[str, typing.Any], found: list[str]
) -> None:
    path = "pool/main/t/tzdata/tzdata_1_all.deb"
    package = Package("tzdata", "1", "all", "debian", path, 1, "0" * 64)
    document = {"name": "a", "command": ["/x"], "packages": ["python3"], **keys}
    made = recipe.Recipe.model_validate(document)
    assert extras.depended_on(made, Tree(tmp_path, (package,))) == found
    assert extras.depended_on(made, None) == []
