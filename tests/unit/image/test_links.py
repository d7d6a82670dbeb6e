"""What links of packages lead to, where a guest has the links alone."""

from __future__ import annotations

from pathlib import Path

from nitro.image.libraries import Sysroot
from nitro.image.links import lacking
from nitro.image.rootfs import Node, Rootfs


def test_only_what_the_packages_have_is_lacking(tmp_path: Path) -> None:
    (tmp_path / "usr/share/javascript").mkdir(parents=True)
    (tmp_path / "usr/share/javascript/a.js").touch()
    rootfs = Rootfs()
    links = {
        "/usr/share/x/a.js": "../javascript/a.js",
        "/usr/share/x/alternative": "/etc/alternatives/a",
        "/usr/share/x/circle": "circle",
        "/usr/share/x/here": "a-file",
    }
    for path, target in links.items():
        rootfs.add(path, Node("packages", "Debian", target=target))
    rootfs.add("/usr/share/x/a-file", Node("packages", "Debian", source=b""))
    rootfs.add("/srv/own", Node("program", "the recipe", target="/usr/share/javascript"))
    source = tmp_path / "usr/share/javascript/a.js"
    goal = "/usr/share/javascript/a.js"
    assert lacking(rootfs, Sysroot(tmp_path)) == {goal: (source, "/usr/share/x/a.js")}
    rootfs.add(goal, Node("packages", "Debian", source=source))
    assert lacking(rootfs, Sysroot(tmp_path)) == {}
