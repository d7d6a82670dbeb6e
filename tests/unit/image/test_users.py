"""Whom the guest knows, and what they own."""

from __future__ import annotations

from typing import Any

import pytest

from nitro.errors import InputError
from nitro.image import extras, users
from nitro.image.rootfs import Node, Rootfs
from nitro.recipe import Recipe

OWN = b"root:x:0:0:root:/root:/bin/sh\npostgres:x:117:120::/var/lib/pg:/bin/sh"


def made(passwd: bytes | None = None, **keys: Any) -> Rootfs:
    rootfs = Rootfs()
    if passwd is not None:
        rootfs.add("/etc/passwd", Node("program", "test", source=passwd))
    extras.add(rootfs, ["passwd"], None)
    rootfs.add("/usr/bin/tool", Node("program", "test", source=b"tool", executable=True))
    users.add(rootfs, Recipe(name="test", **keys))
    return rootfs


def test_a_name_that_nothing_brings_is_made() -> None:
    rootfs = made(user="app")
    assert rootfs.read("/etc/passwd").endswith(b"app:x:1000:1000::/home/app:/bin/sh\n")
    assert rootfs.read("/etc/group").endswith(b"app:x:1000:\n")
    assert rootfs.nodes["/home/app"].uid == 1000
    assert users.ids(rootfs, "app") == (1000, 1000)


def test_a_known_name_and_a_number_are_taken_as_they_are() -> None:
    rootfs = made(OWN, user="postgres")
    assert rootfs.read("/etc/passwd") == OWN
    assert users.ids(rootfs, "postgres") == (117, 120)
    assert users.ids(rootfs, "postgres:adm") == (117, 4)
    assert users.ids(rootfs, "12:34") == (12, 34)
    assert made(user="1234").read("/etc/passwd") == made().read("/etc/passwd")


def test_a_new_user_joins_a_file_of_the_recipe() -> None:
    assert made(OWN, user="app").read("/etc/passwd").startswith(OWN + b"\napp:x:1000:")


def test_folders_and_files_have_owners() -> None:
    rootfs = made(
        user="app",
        folders=["/var/log/app", {"path": "/data", "owner": "app", "mode": "2750"}],
        programs=[{"source": "/usr/bin/tool", "owner": "app:adm", "mode": "4755"}],
    )
    assert (rootfs.nodes["/data"].mode, rootfs.nodes["/data"].uid) == (0o2750, 1000)
    assert rootfs.nodes["/var/log/app"].mode == 0o755
    tool = rootfs.nodes["/usr/bin/tool"]
    assert (tool.uid, tool.gid, tool.source) == (1000, 4, b"tool")


def test_a_folder_that_files_have_brought_gets_another_owner_and_mode() -> None:
    rootfs = made(
        programs=[{"source": "/usr/bin/tool"}],
        folders=[{"path": "/usr/bin", "owner": "4", "mode": "0750"}],
    )
    assert (rootfs.nodes["/usr/bin"].mode, rootfs.nodes["/usr/bin"].uid) == (0o750, 4)
    assert "/usr/bin/tool" in rootfs.nodes


def test_an_owner_that_nobody_knows() -> None:
    with pytest.raises(InputError, match="/etc/passwd of the guest has no nobody-here"):
        made(folders=[{"path": "/data", "owner": "nobody-here"}])


def test_users_of_every_debian_system_have_their_numbers_where_they_are_named() -> None:
    folder = {"path": "/var/spool/squid", "owner": "proxy:proxy"}
    rootfs = made(folders=(folder,), user="irc")
    assert rootfs.nodes["/var/spool/squid"].uid == 13
    assert users.ids(rootfs, "irc") == (39, 39)
    assert b"proxy:x:13:\n" in rootfs.read("/etc/group")
    assert b"news" not in rootfs.read("/etc/passwd")
