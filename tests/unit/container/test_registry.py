"""What skopeo is asked, and its answers in a line; tests/boot has a registry."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lab.container_images import digest
from nitro.arch import X86_64
from nitro.container import registry
from nitro.errors import InputError, NitroError
from nitro.progress import Reporter
from nitro.recipe.reference import parse

NAME = parse("docker://localhost:5000/app:1")


@pytest.fixture
def skopeo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in that notes its arguments and does what the script says."""
    program = tmp_path / "bin/skopeo"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    registry._skopeo.cache_clear()
    return program


def says(program: Path, script: str) -> None:
    program.write_text(f'#!/bin/sh\necho "$@" >>{program}.log\n{script}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_a_tag_becomes_a_digest_and_is_fetched_once(skopeo: Path) -> None:
    says(skopeo, "[ $1 = inspect ] && printf manifest")
    pinned = registry.pin(NAME, X86_64, Reporter())
    assert pinned.digest == digest(b"manifest")
    assert registry.pin(pinned, X86_64, Reporter()) == pinned
    says(skopeo, "exit 0")
    layout = registry.fetch(pinned, X86_64, Reporter())
    assert registry.fetch(pinned, X86_64, Reporter()) == layout
    asked = Path(f"{skopeo}.log").read_text().splitlines()
    assert asked[0] == "inspect --raw docker://localhost:5000/app:1"
    name = f"docker://localhost:5000/app@{pinned.digest}"
    assert asked[1].startswith(
        f"--override-os linux --override-arch amd64 copy --quiet {name} oci:"
    )
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("said", "error", "hint"),
    [
        ("reading manifest 1 in x: manifest unknown", InputError, "check the name and the tag"),
        ("unauthorized: authentication required", InputError, "skopeo login"),
        ("pinging container registry x: connection refused", NitroError, "reaches the registry"),
    ],
)
def test_refusals(skopeo: Path, said: str, error: type[NitroError], hint: str) -> None:
    says(skopeo, f'echo \'time="x" level=fatal msg="{said}"\' >&2; exit 1')
    with pytest.raises(error, match=said) as caught:
        registry.pin(NAME, X86_64, Reporter())
    assert hint in str(caught.value)


def test_a_failed_fetch_leaves_nothing(skopeo: Path, tmp_path: Path) -> None:
    says(skopeo, "exit 1")
    with pytest.raises(NitroError, match="no reason"):
        registry.fetch(parse(f"docker://x@{digest(b'')}"), X86_64, Reporter())
    assert list((tmp_path / "cache/registry").iterdir()) == []
