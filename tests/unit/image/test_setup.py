"""A command that runs when an image is built, in the image's own files: this machine's shell."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from nitro.arch import X86_64
from nitro.errors import InputError, NitroError
from nitro.image import setup
from nitro.image.decisions import Decision
from nitro.image.libraries import Closure, Sysroot
from nitro.image.rootfs import Node, Rootfs
from nitro.progress import Reporter
from nitro.recipe import Recipe
from tests.unit.cache_uses import used_kinds

SHELL = Path("/bin/sh").resolve()
PASSWD = b"root:x:0:0:root:/root:/bin/sh\nkeeper:x:1234:1235::/home/keeper:/bin/sh\n"


@pytest.fixture
def rootfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rootfs:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    made = Rootfs()
    libraries = Closure(Sysroot(Path("/")), X86_64, lambda _: False)
    libraries.add("/usr/bin/sh", SHELL)
    for path, source in {"/usr/bin/sh": SHELL, **libraries.found}.items():
        made.add(path, Node("packages", "test", source=source, executable=True))
    made.add("/etc/passwd", Node("system", "test", source=PASSWD))
    made.add("/srv/old", Node("packages", "test", source=b"as it was"))
    made.add("/srv/changed", Node("packages", "test", source=b"before", uid=7))
    made.add("/srv/link", Node("packages", "test", target="old"))
    made.add("/srv/data", Node("program", "test", permissions=0o700, uid=1234, gid=1235))
    return made


class Noted(Reporter):
    """Keeps what it is to tell."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def recipe(script: str, **keys: Any) -> Recipe:
    command = ("/bin/sh", "-ec", script)
    return Recipe(name="made", user="keeper", setup=command, command=("/bin/sh",), **keys)


def run(rootfs: Rootfs, script: str, **keys: Any) -> Decision:
    [decision] = setup.add(rootfs, recipe(script, **keys), Reporter())
    return decision


@pytest.mark.extended
def test_what_the_command_makes_is_in_the_image(rootfs: Rootfs) -> None:
    before = dict(rootfs.nodes)
    decision = run(
        rootfs,
        "umask 077; echo $WORD > /srv/data/new; echo after > /srv/changed; "
        "echo gone > /tmp/scratch; echo gone > /dev/null",
        env={"WORD": "made"},
    )
    what = "2 paths made or changed, 0 removed"
    assert decision == Decision("setup", what, "by /bin/sh, as keeper")
    different = {path for path, node in rootfs.nodes.items() if before.get(path) != node}
    assert different == {"/srv/data/new", "/srv/changed"}
    new = rootfs.nodes["/srv/data/new"]
    assert (rootfs.read("/srv/data/new"), new.mode) == (b"made\n", 0o600)
    assert (new.uid, new.gid, new.layer) == (1234, 1235, "program")
    changed = rootfs.nodes["/srv/changed"]
    assert (rootfs.read("/srv/changed"), changed.uid) == (b"after\n", 7)


@pytest.mark.extended
def test_it_runs_as_the_user_without_a_network(rootfs: Rootfs) -> None:
    run(
        rootfs,
        "while read line; do echo $line; done < /proc/self/status > /srv/data/status; "
        "while read line; do echo $line; done < /proc/net/dev > /srv/data/net; "
        "while read line; do echo $line; done < /proc/self/mounts > /srv/data/mounts; "
        "echo $PWD > /srv/data/place",
        working_directory="/srv",
    )
    status = rootfs.read("/srv/data/status").decode()
    assert "Uid: 1234 1234" in status
    assert "CapEff: 0000000000000000" in status
    interfaces = [line.split(":")[0] for line in rootfs.read("/srv/data/net").decode().splitlines()]
    assert interfaces[2:] == ["lo"]
    assert rootfs.read("/srv/data/place") == b"/srv\n"
    mounts = [line.split() for line in rootfs.read("/srv/data/mounts").decode().splitlines()]
    options = {place: options.split(",") for _, place, _, options, *_ in mounts}
    assert {*options} >= {"/", "/dev", "/dev/null", "/proc"}
    assert "mode=755" in options["/dev"]  # else only root may open /dev/null with O_CREAT
    assert "ro" in options["/proc"]


def test_this_machine_s_files_are_neither_seen_nor_changed(rootfs: Rootfs, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    rootfs.add("/srv/mine", Node("program", "test", source=mine))
    run(rootfs, f"test ! -e {mine}; echo theirs > /srv/mine")
    assert mine.read_text() == "mine"
    assert rootfs.read("/srv/mine") == b"theirs\n"


def test_the_same_command_on_the_same_files_runs_once(
    rootfs: Rootfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = [Rootfs(dict(rootfs.nodes)) for _ in range(4)]
    script = "read -r boot < /proc/sys/kernel/random/uuid; echo $boot > /srv/data/id"
    for copy in copies[:2]:
        run(copy, script)
    copies[2].add("/srv/more", Node("program", "test", source=b"another image"))
    run(copies[2], script)
    first, second, other = (copy.read("/srv/data/id") for copy in copies[:3])
    assert first == second != other
    assert used_kinds(lambda: run(copies[3], script), monkeypatch) == {"setup"}


@pytest.mark.extended
@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("echo the reason; echo more; exit 3", 3, ["the reason", "more"]),
        ("exit 4", 4, []),
        ("nothing-here", 127, ["/bin/sh: 1: nothing-here: not found"]),
        (
            "i=0; while [ $i -lt 50 ]; do i=$((i + 1)); echo $i; done; exit 1",
            1,
            [*map(str, range(31, 51))],
        ),
    ],
)
def test_a_command_that_fails_ends_the_build(
    rootfs: Rootfs, script: str, status: int, said: list[str]
) -> None:
    before = dict(rootfs.nodes)
    report = Noted()
    with pytest.raises(NitroError, match=f"made: setup ended with status {status}"):
        setup.add(rootfs, recipe(script), report)
    assert report.notes == said
    assert rootfs.nodes == before
    kept = Path(os.environ["NITRO_CACHE"]) / "setup"
    assert list(kept.iterdir()) == []


def test_a_command_that_is_not_there_is_named(rootfs: Rootfs) -> None:
    wrong = Recipe(name="made", setup=("/usr/bin/absent",), command=("/bin/sh",))
    report = Noted()
    with pytest.raises(NitroError, match="status 127"):
        setup.add(rootfs, wrong, report)
    assert "/usr/bin/absent" in report.notes[-1]


@pytest.mark.extended
def test_a_command_that_does_not_end_is_ended(
    rootfs: Rootfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "_MAX_SECONDS", 0.2)
    with pytest.raises(NitroError, match="took longer"):
        run(rootfs, "while :; do :; done")


def test_what_cannot_run_here_is_refused(rootfs: Rootfs, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="osv:one"):
        run(rootfs, "exit 0", kernel="osv:one")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(InputError, match="this machine, which is aarch64"):
        run(rootfs, "exit 0")


@pytest.fixture
def tools(rootfs: Rootfs) -> Rootfs:
    """Programs of this machine's besides its shell."""
    names = ("rm", "ln", "mkdir", "chmod", "chown", "mv", "cp", "chroot")
    closure = Closure(Sysroot(Path("/")), X86_64, lambda _: False)
    for name in names:
        source = Path(shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin") or name)
        closure.add(f"/usr/bin/{name}", source)
        rootfs.add(f"/usr/bin/{name}", Node("packages", "test", source=source, executable=True))
    for path, source in closure.found.items():
        rootfs.add(path, Node("packages", "test", source=source, executable=True))
    return rootfs


@pytest.mark.extended
def test_what_is_removed_linked_and_made_a_folder(tools: Rootfs) -> None:
    before = dict(tools.nodes)
    run(
        tools,
        "rm -r /srv/old; ln -sf elsewhere /srv/link; mkdir -m 2750 -p /srv/data/deep; "
        "echo 1 > /srv/data/deep/file; chmod 4555 /srv/changed; chmod 555 /srv/data/deep",
    )
    assert "/srv/old" not in tools.nodes
    assert tools.nodes["/srv/link"].target == "elsewhere"
    assert tools.nodes["/srv/data/deep"].source is None
    assert tools.nodes["/srv/data/deep"].mode == 0o2555
    assert tools.nodes["/srv/changed"].mode == 0o4555
    assert tools.read("/srv/changed") == b"before"
    assert tools.read("/srv/data/deep/file") == b"1\n"
    touched = {"/srv/old", "/srv/link", "/srv/changed"}
    assert {path for path in before if tools.nodes.get(path) != before[path]} == touched


@pytest.mark.extended
def test_a_file_of_the_image_that_takes_the_place_of_another(tools: Rootfs) -> None:
    for name in ("one", "two", "three"):
        tools.add(f"/srv/{name}", Node("packages", "test", source=f"{name}".encode()))
    run(tools, "mv /srv/one /srv/old; cp -p /srv/two /srv/three")
    assert (tools.read("/srv/old"), tools.read("/srv/three")) == (b"one", b"two")
    assert "/srv/one" not in tools.nodes


@pytest.mark.extended
def test_hard_links_keep_mode_and_content(tools: Rootfs) -> None:
    mode = tools.nodes["/usr/bin/cp"].mode
    run(tools, "ln /usr/bin/cp /srv/cp; echo x > /srv/data/a; chmod 755 /srv/data/a; "
               "ln /srv/data/a /srv/data/b")  # fmt: skip
    assert tools.nodes["/usr/bin/cp"].mode == tools.nodes["/srv/cp"].mode == mode
    assert tools.read("/srv/cp") == tools.read("/usr/bin/cp")
    both = [tools.nodes[f"/srv/data/{name}"] for name in "ab"]
    assert [node.mode for node in both] == [0o755, 0o755]
    assert tools.read("/srv/data/b") == b"x\n"


@pytest.mark.extended
def test_folders_that_nobody_may_read(tools: Rootfs) -> None:
    tools.add("/srv/shut", Node("packages", "test", permissions=0))
    tools.add("/srv/shut/file", Node("packages", "test", source=b"kept"))
    run(tools, "mkdir /srv/data/shut; echo 1 > /srv/data/shut/file; chmod 300 /srv/data/shut")
    assert tools.read("/srv/shut/file") == b"kept"
    assert tools.nodes["/srv/data/shut"].mode == 0o300
    assert tools.read("/srv/data/shut/file") == b"1\n"
    assert len(list((Path(os.environ["NITRO_CACHE"]) / "setup").iterdir())) == 1


def test_a_folder_that_becomes_a_link_and_a_link_that_becomes_a_folder(tools: Rootfs) -> None:
    tools.add("/srv/etc/passwd", Node("packages", "test", source=b"not this machine's"))
    run(tools, "mv /srv/etc /srv/moved; ln -s /etc /srv/etc; rm /srv/link; mkdir /srv/link")
    assert tools.nodes["/srv/etc"].target == "/etc"
    assert "/srv/etc/passwd" not in tools.nodes
    assert tools.read("/srv/moved/passwd") == b"not this machine's"
    link = tools.nodes["/srv/link"]
    assert (link.source, link.target) == (None, None)


@pytest.mark.parametrize("user", ["keeper", "root"])
def test_nobody_gets_out(tools: Rootfs, user: str) -> None:
    setup.add(
        tools,
        recipe(
            "cd /proc; for name in [0-9]*; do echo $name >> /srv/data/processes; done; "
            "while read line; do echo $line; done < /proc/self/status > /srv/data/status; "
            "for file in /proc/sys/kernel/core_pattern /proc/sysrq-trigger; do "
            "test ! -w $file; done; "
            "chroot /srv /bin/sh -c : 2> /srv/data/chroot && exit 1; exit 0",
        ).model_copy(update={"user": user}),
        Noted(),
    )
    status = tools.read("/srv/data/status").decode()
    assert all(f"Cap{kind}: {0:016x}" in status for kind in ("Eff", "Prm", "Inh", "Bnd", "Amb"))
    assert b"Operation not permitted" in tools.read("/srv/data/chroot")
    assert len(tools.read("/srv/data/processes").split()) <= 2


def test_a_command_without_a_path_is_found_in_the_image(rootfs: Rootfs) -> None:
    words = ("sh", "-c", "echo found > /srv/data/word")
    setup.add(rootfs, recipe("").model_copy(update={"setup": words}), Reporter())
    assert rootfs.read("/srv/data/word") == b"found\n"


@pytest.mark.extended
def test_the_recipe_s_environment_is_the_command_s_alone(rootfs: Rootfs) -> None:
    run(rootfs, "echo $PATH > /srv/data/path", env={"PATH": "/nowhere", "LD_PRELOAD": "/none.so"})
    assert rootfs.read("/srv/data/path") == b"/nowhere\n"


@pytest.mark.extended
def test_a_working_directory_that_is_none_is_named(rootfs: Rootfs) -> None:
    report = Noted()
    with pytest.raises(NitroError, match="status 1"):
        setup.add(rootfs, recipe(":", working_directory="/srv/old"), report)
    assert report.notes == ["working_directory /srv/old: Not a directory"]


def test_two_builds_at_once_agree(rootfs: Rootfs) -> None:
    script = "read -r boot < /proc/sys/kernel/random/uuid; echo $boot > /srv/data/id"
    copies = [Rootfs(dict(rootfs.nodes)) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda copy: run(copy, script), copies))
    one, other = (copy.read("/srv/data/id") for copy in copies)
    assert one == other != b""


def test_a_nul_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        Recipe(name="made", setup=("/bin/sh", "\0"), command=("/bin/sh",))
