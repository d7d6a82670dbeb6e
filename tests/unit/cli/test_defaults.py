"""What commands do without an option, and that what an option says reaches what it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from nitro import config
from nitro.cli import (
    bench,
    build,
    cache,
    console,
    deploy,
    device,
    doctor,
    gc,
    init,
    instances,
    kernel,
    launch,
    local,
    options,
    policy,
    publish,
    run,
    selftest,
    strace,
)
from nitro.cli.bench import record, report, submit, verdict
from nitro.cli.bench import run as bench_run
from nitro.errors import NitroError
from tests.unit.cli.runner import nitro_

MODULES = (
    *(bench, build, cache, console, deploy, device, doctor, gc, init, instances, kernel, launch),
    *(local, policy, publish, run, selftest, strace),
    *(record, report, submit, verdict, bench_run),
)
# Of all options: what they are without being given, where that is something.
DEFAULTS = {
    "bench compare --metric": "*",
    "bench export --format": "csv",
    "bench history --cell": "*",
    "bench history --metric": "*",
    "bench history --nights": 14,
    "bench report -o": Path("report"),
    "bench submit --definition": "nitro",
    "cache prune --older-than": "30d",
    "deploy --from": "instance",
    "deploy --via": "s3",
    "deploy recipe_name": "bench",
    "device serve --offloads": "profile",
    "device serve --profile": "c5",
    "gc --older-than": "6h",
    "init folder": Path(),
    "local up --offloads": "profile",
    "policy --account": "ACCOUNT",
    "policy --bucket": "",
    "policy --partition": "aws",
    "probe --from": "instance",
    "run --vcpus": 1,
    "selftest --budget": 1.0,
    "selftest --instance": "c5.large",
    "selftest recipe_name": "bench",
}
LIMITS = {
    "bench history --nights": (1, None),
    "deploy --processors": (1, None),
    "launch --processors": (1, None),
    "selftest --budget": (0, None),
}


def commands() -> dict[str, Any]:
    """Each command by its words, from the modules that register them."""
    found: dict[str, Any] = {}

    def collect(group: Any, words: str) -> None:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                collect(command, f"{words}{name} ")
            else:
                found[f"{words}{name}"] = command

    for module in MODULES:
        home = typer.Typer(rich_markup_mode=None)
        module.register(home)
        if module in (record, report, submit, verdict, bench_run):
            home, outer = typer.Typer(rich_markup_mode=None), home
            home.add_typer(outer, name="bench")
        home.command("nothing")(lambda: None)  # so that one command is a group, too
        collect(typer.main.get_group(home), "")
    return found


def parameters() -> dict[str, Any]:
    return {
        f"{words} {one.opts[0] if one.opts[0].startswith('-') else one.name}": one
        for words, command in commands().items()
        for one in command.params
    }


def test_without_an_option_nothing_is_switched_on_and_the_rest_is_as_documented() -> None:
    found = parameters()
    given = {words: one.default for words, one in found.items() if one.default is not None}
    flags = {words for words, value in given.items() if isinstance(value, bool)}
    assert len(flags) > 60
    assert [words for words in flags if given[words]] == []
    assert {words: value for words, value in given.items() if words not in flags} == DEFAULTS


def test_numbers_have_the_least_and_the_most_that_make_sense() -> None:
    found = parameters()
    limits = {
        words: (one.min, one.max)
        for words, one in found.items()
        if getattr(one, "min", None) is not None or getattr(one, "max", None) is not None
    }
    assert limits == LIMITS


class Chosen:
    """Stands in for the settings' loader: keeps what it is asked for, and ends the command."""

    def __init__(self, looks: int) -> None:
        self.asked: list[dict[str, Any]] = []
        self._looks = looks

    def load(self, folder: object, **chosen: Any) -> config.Settings:
        self.asked.append({key: value for key, value in chosen.items() if value is not None})
        if len(self.asked) == self._looks:
            raise NitroError("this far")
        return config.Settings(cloud="aws", origin="a test")


WHERE = {"--cloud": "aws", "--region": "eu-west-1", "--profile": "work"}
BUCKET, SUBNET = {"--bucket": "mine"}, {"--subnet": "subnet-0123456789abcdef0"}
INSTANCE = "i-0123456789abcdef0"
RAW = ("web.raw", "--name", "web", "--arch", "x86_64", "--boot-mode", "uefi")


@pytest.mark.parametrize(
    ("words", "given", "looks"),
    [
        (("ls",), WHERE | BUCKET, 2),
        (("destroy", INSTANCE), WHERE | BUCKET, 2),
        (("gc",), WHERE | BUCKET, 1),
        (("probe", INSTANCE), WHERE | BUCKET, 1),
        (("console", INSTANCE), WHERE, 1),
        (("logs", INSTANCE), WHERE, 1),
        (("strace", INSTANCE), WHERE, 1),
        (("launch", "ami-0123456789abcdef0", "--instance", "c5.large"), WHERE | SUBNET, 1),
        (("publish", *RAW), WHERE | BUCKET, 1),
        (("selftest",), WHERE | BUCKET | SUBNET, 1),
        (("bench", "run", "plan.toml"), WHERE | BUCKET | SUBNET, 1),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_where_to_work_reaches_the_settings(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: tuple[str, ...],
    given: dict[str, str],
    looks: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(options, "verbose", False)
    Path("web.raw").write_bytes(b"a disk")
    Path("plan.toml").write_text(
        'name = "p"\n[matrix]\ntypes = ["c5.large"]\n[[test]]\nprotocol = "http"\n'
    )
    chosen = Chosen(looks)
    monkeypatch.setattr(config, "load", chosen.load)
    pairs = [word for pair in given.items() for word in pair]
    assert "this far" in nitro_(*words, *pairs, code=1).stderr
    wanted = {key.removeprefix("--"): value for key, value in given.items()}
    assert chosen.asked == [wanted] * looks
