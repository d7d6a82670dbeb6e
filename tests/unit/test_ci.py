"""The files of docs/ci.md: their form, their nitro commands, and their shell."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from nitro.cli import app

PAGE = (Path(__file__).parents[2] / "docs/ci.md").read_text()
FILES: dict[str, Any] = {
    name: yaml.safe_load(text)
    for name, text in re.findall(r"<!-- file: (\S+) -->\n```yaml\n(.*?)```", PAGE, re.DOTALL)
}


def scripts(value: Any) -> Iterator[str]:
    """Every shell command of a file: `run`, `script` and `commands`."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("run", "script", "before_script", "commands"):
                yield from [item] if isinstance(item, str) else item
            else:
                yield from scripts(item)
    elif isinstance(value, list):
        for item in value:
            yield from scripts(item)


def test_there_is_a_file_for_each_service() -> None:
    assert list(FILES) == [".github/workflows/publish.yml", ".gitlab-ci.yml", "buildspec.yml"]


def test_the_form_is_what_each_service_reads() -> None:
    github, gitlab, codebuild = FILES.values()
    for job in github["jobs"].values():
        assert "runs-on" in job
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])
    assert github["jobs"]["publish"]["permissions"]["id-token"] == "write"
    assert github["jobs"]["publish"]["needs"] in github["jobs"]
    assert gitlab["publish"]["id_tokens"]["AWS_TOKEN"]["aud"]
    assert {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"} <= gitlab["publish"]["variables"].keys()
    assert codebuild["version"] == 0.2
    assert {"install", "build"} == codebuild["phases"].keys()


@pytest.mark.extended
@pytest.mark.parametrize("name", FILES)
def test_every_nitro_command_is_one(name: str) -> None:
    group: Any = typer.main.get_command(app)
    found = 0
    for script in scripts(FILES[name]):
        for words in re.findall(
            r"(?:^|[\s(/])nitro ((?:publish|verify|gc|build)\b[^|)\n]*)", script
        ):
            command, *arguments = shlex.split(words)
            group.commands[command].make_context(command, arguments)  # raises for what is unknown
            found += 1
    assert found >= 2


@pytest.mark.parametrize("name", FILES)
def test_the_shell_understands_it(name: str) -> None:
    for script in scripts(FILES[name]):
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_the_folder_of_an_image_is_copied(tmp_path: Path) -> None:
    """The one step with logic of its own, with a nitro that has built already."""
    built = tmp_path / "cache"
    built.mkdir()
    (built / "disk.raw").write_bytes(b"disk")
    (built / "manifest.json").write_text("{}")
    fake = tmp_path / "nitro"
    fake.write_text(f"#!/bin/sh\necho '{json.dumps({'path': str(built / 'disk.raw')})}'\n")
    fake.chmod(0o755)
    steps = FILES[".github/workflows/publish.yml"]["jobs"]["build"]["steps"]
    (script,) = [step["run"] for step in steps if "nitro build" in step.get("run", "")]
    script = script.replace("/opt/nitro/bin/nitro", str(fake))
    subprocess.run(["sh", "-e"], input=script, text=True, check=True, cwd=tmp_path)
    assert sorted(path.name for path in (tmp_path / "image").iterdir()) == [
        "disk.raw",
        "manifest.json",
    ]
