"""The command as a process: what it imports, what it prints where, how it exits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import nitro.cli as nitro_cli
from nitro.cli import app
from nitro.cli.commands import COMMANDS
from tests.unit.cli.runner import nitro_

HEAVY = ("boto3", "botocore", "moto", "pydantic", "rich", "elftools", "tenacity", "flask")


def nitro(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nitro", *words], capture_output=True, text=True, cwd=cwd
    )


@pytest.mark.parametrize(
    ("words", "says"), [(["--help"], "  deploy "), (["build", "hello"], "unchanged")]
)
def test_what_must_answer_at_once_does_without_the_parser(words: list[str], says: str):
    code = (
        "import json, pathlib, sys; import nitro.cli, nitro.image\n"
        "here = pathlib.Path()\n"
        "parts = ('hello', here, 'sha256:0', 1, here, True, 0, 64, '', '', (), {}, '')\n"
        "image = nitro.image.Image(*parts)\n"
        "nitro.image.known = lambda _: image\n"
        f"sys.argv[1:] = {words!r}\n"
        "nitro.cli.main()\n"
        "print(json.dumps(list(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert says in done.stdout
    assert not {"typer", *HEAVY} & set(json.loads(done.stderr))


def test_a_name_too_long_for_a_path_is_bad_input():
    done = nitro("build", "a" * 300)
    assert done.returncode == 2
    assert "File name too long" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.extended
def test_the_help_says_of_each_command_what_its_own_help_says():
    for name, (_, text) in COMMANDS.items():
        shown = CliRunner().invoke(app, [name, "--help"]).output
        assert text.removesuffix(".").split(";")[0][:40] in " ".join(shown.split()), name


def test_every_command_is_listed():
    homes = {module for module, _ in COMMANDS.values()}
    folder = Path(nitro_cli.__file__).parent
    pages = [*folder.glob("*.py"), *folder.glob("*/__init__.py")]
    registering = {
        (path.parent if path.stem == "__init__" else path).stem
        for path in pages
        if "\ndef register(" in path.read_text()
    }
    assert homes == registering


def test_help_imports_nothing_heavy():
    code = (
        "import json, sys; from nitro.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print(json.dumps(list(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stderr))
    assert "typer" in loaded
    assert not loaded & set(HEAVY)


def test_finding_a_built_image_imports_nothing_heavy(tmp_path: Path):
    code = (
        "import json, sys; from nitro import image\n"
        "assert image.known('hello') is None\n"
        "print(json.dumps(list(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"NITRO_CACHE": str(tmp_path)},
    )
    loaded = set(json.loads(done.stdout))
    assert "nitro.recipe" in loaded
    assert not loaded & set(HEAVY)


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("command", ["deploy", "build", "local", "device", "ls", "destroy"])
def test_every_command_is_in_the_help(command: str):
    assert f"  {command} " in nitro("--help").stdout


def test_bad_input_is_one_line_on_stderr_and_code_2(tmp_path: Path):
    done = nitro("build", "no-such-recipe", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("nitro: no recipe 'no-such-recipe'\n")
    assert "Traceback" not in done.stderr


@pytest.mark.extended
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--probe", "ping"), "no probe is called 'ping'"),
        (("--ttl", "soon"), "--ttl soon is not a time"),
        (("--region", "mars-1"), "--region mars-1: there is no such region"),
        (("--keep", "--ephemeral"), "--keep and --ephemeral exclude each other"),
        (("--from", "mars"), "--from mars: nothing measures there"),
        (("--subnet", "x"), "x: no subnet has such an id"),
        (("--security-group", "default"), "--security-group default: no security group has"),
    ],
)
def test_options_are_judged_before_anything_starts(
    tmp_path: Path, words: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("NITRO_CLOUD", "local")
    done = nitro("deploy", "hello", "--instance", "c5.large", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "start the local Nitro" not in done.stderr
    assert not (tmp_path / "state/local").exists()


def test_cache_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "file/cache"))
    done = nitro("build", "hello", cwd=tmp_path)
    assert done.returncode == 2
    assert f"nitro: {tmp_path / 'file/cache'}: no folder can be there\n" in done.stderr
    assert "NITRO_CACHE" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.extended
@pytest.mark.parametrize("place", ["before", "after"])
def test_verbose_shows_the_traceback_wherever_it_stands(tmp_path: Path, place: str):
    words = ["build", "no-such-recipe"]
    words = ["-v", *words] if place == "before" else [*words, "-v"]
    done = nitro(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_an_unknown_option_is_bad_input():
    done = nitro("deploy", "--no-such-option")
    assert done.returncode == 2
    assert "--no-such-option" in done.stderr


@pytest.mark.extended
def test_a_bad_settings_file_is_named(tmp_path: Path):
    (tmp_path / "nitro.toml").write_text('cloud = "mars"\n')
    done = nitro("ls", cwd=tmp_path)
    assert done.returncode == 2
    assert "no cloud 'mars'" in done.stderr
    assert "nitro.toml" in done.stderr


def test_the_version_is_printed():
    assert nitro("--version").stdout.startswith("nitro 0.")


@pytest.mark.parametrize("place", ["file", "link", "/proc/none"])
@pytest.mark.parametrize(
    ("variable", "command"),
    [
        ("NITRO_CACHE", ("cache", "ls")),
        ("NITRO_CACHE", ("build", "hello")),
        ("NITRO_STATE", ("kernel", "ls")),
        ("NITRO_STATE", ("ls",)),
    ],
)
def test_a_place_at_which_no_folder_can_be_is_named_with_what_named_it(
    tmp_path, monkeypatch, variable, command, place
):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nothing/there")
    monkeypatch.setenv(variable, str(tmp_path / place))
    output = nitro_(*command, code=2).output
    assert "no folder can be there" in output
    assert variable in output
