"""A command line's first word, found as a shell in the image would."""

from __future__ import annotations

from typing import Any

import pytest

from nitro.image import command
from nitro.image.rootfs import Node, Rootfs
from nitro.recipe import Recipe

ROOTFS = Rootfs(
    {
        path: Node("container", "x", source=source, target=target)
        for path, source, target in [
            ("/", None, None),
            ("/bin", None, "usr/bin"),
            ("/usr", None, None),
            ("/usr/bin", None, None),
            ("/usr/bin/sh", b"x", None),
            ("/usr/bin/dash", None, "sh"),
            ("/usr/bin/broken", None, "none"),
            ("/srv", None, None),
            ("/srv/run", b"x", None),
        ]
    }
)


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("sh", "/bin/sh"),
        ("dash", "/bin/dash"),
        ("broken", None),
        ("srv", None),
        ("/usr/bin/sh", "/usr/bin/sh"),
        ("/usr/bin", None),
        ("./run", "/srv/./run"),
    ],
)
def test_words(word: str, found: str | None) -> None:
    keys: dict[str, Any] = {"env": {"PATH": "/none:/bin"}, "working_directory": "/srv"}
    assert command.locate(ROOTFS, Recipe(name="test", command=(word,), **keys)) == found
