"""What each command hands on of its options, held against a transcript."""

from __future__ import annotations

import dataclasses
import re
import shlex
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from nitro import local
from nitro.bench.store import FolderStore
from nitro.cli import app, connection
from nitro.cli.bench import submit
from nitro.cloud import Cloud
from nitro.errors import NitroError
from nitro.paths import resource
from nitro.progress import Reporter
from tests.transcripts import compare

SUBNET, GROUP, INSTANCE = (f"{kind}-0123456789abcdef0" for kind in ("subnet", "sg", "i"))
WHERE = "--cloud aws --region eu-west-1 --profile work"
PLACE = f"--security-group {GROUP} --placement-group rack --instance-profile reader --processors 2"
BUILD = "--port 80 --port udp:53 --env A=b --env C=d=e --kernel osv:mine --driver kernel"
RAW = "--name web --arch x86_64 --boot-mode uefi"
RELEASE = (
    "--ami-name {recipe} --version 1 --via ebs --parameter /x --kms-key k --share 123456789012"
)
RELEASE += " --deprecate 90d --protect --keep 3 --region eu-west-1 --region us-east-1"
PLAN = 'name = "p"\n[matrix]\ntypes = ["c5.large"]\n[[test]]\nprotocol = "http"\n'
RECIPE = 'command = ["/x"]\nports = [80, 5201]\n'

# What a command calls in the end, and command lines that do.
CALLS = {
    "nitro.deploy.deploy": f"""
deploy app.toml --instance C5.Large
deploy app.toml --instance c5.large --dry-run --region eu-west-1
launch app.toml --instance c5.large --region eu-west-1
deploy app.toml --instance c5.large --ephemeral --probe boot --probe http:seconds=1 --from host \
{WHERE}
deploy app.toml --instance c5.large --keep --ttl 2h --via ebs --locked --dry-run {WHERE}
deploy app.toml --instance c5.large --subnet {SUBNET} --bucket mine --allow 10.0.0.0/8 {PLACE} \
{WHERE}
deploy tool --instance c5.large {BUILD} {WHERE} -- -v --x
launch app.toml --instance c5.large {WHERE}
launch tool --instance c5.large {BUILD} --ttl 1d --locked {PLACE} --bucket mine {WHERE} -- -v
""",
    "nitro.launch_ami.launch_ami": f"""
launch ami-0123456789abcdef0 --instance c5.large
launch ami-0123456789abcdef0 --instance c5.large {WHERE}
launch ami-0123456789abcdef0 --instance c5.large --port 80 --port udp:53 --env A=b --ttl 1d \
{PLACE} --subnet {SUBNET} --allow 10.0.0.0/8,10.1.0.0/16 {WHERE}
""",
    "nitro.measure.measure": f"""
probe {INSTANCE} {WHERE}
probe {INSTANCE} --probe iperf3:streams=4 --probe boot --from host --bucket mine {WHERE}
""",
    "nitro.cloud.inventory": f"""
ls --bucket mine {WHERE}
destroy --all --bucket mine {WHERE}
""",
    "nitro.cloud.console_output": f"""
console {INSTANCE} {WHERE}
strace {INSTANCE} {WHERE}
""",
    "nitro.cloud.garbage.find_in": f"""
gc --older-than 3h --bucket mine {WHERE}
gc --plan {WHERE}
""",
    "nitro.image.build": f"""
build app.toml
build tool --locked {BUILD} -- -v
run app.toml --missing --locked
run tool --strace open {BUILD} -- -v
run tool --complete --locked
publish app.toml --locked
""",
    "nitro.selftest.Selftest.run": f"""
selftest
selftest {WHERE}
selftest tool --instance c6i.large --budget 0.5 --subnet {SUBNET} --bucket mine --allow \
10.0.0.0/8 {WHERE}
""",
    "nitro.ena.serve.serve": """
device serve --socket s --port tap:x
device serve --socket s --port fd:3 --profile c6in --mac 02:00:00:00:00:01 --queues 2 --no-llq \
--map-llq --offloads all --shape in=1M --strict --trace t --control c --once
""",
    "nitro.ena.explain.explain": """
device explain trace
""",
    "nitro.local.up": """
local up
local up --offloads all --map-llq --shape c5.large:in=500M --shape c5.xlarge:out=1M,uncounted \
--weather 7
""",
    "nitro.local.down": """
local down
local down --force
""",
    "nitro.publish.publication.plan": f"""
publish a.raw {RAW} --plan --cloud aws --profile work --bucket mine
publish a.raw {RAW} --plan {RELEASE} --cloud aws --profile work
publish a.raw {RAW} --plan --share \
arn:aws:organizations::123456789012:ou/o-abcdefghij/ou-abcd-abcdefgh --share \
arn:aws:organizations::123456789012:organization/o-abcdefghij --public --region eu-west-1 \
--cloud aws
publish a.raw {RAW} --plan --config publish.toml --cloud aws
""",
    "nitro.publish.publication.publish": f"""
publish a.raw {RAW} --bucket mine --region eu-west-1 --cloud aws
""",
    "nitro.publish.rollback.roll_back": """
rollback web-1 --parameter /x --region eu-west-1 --region us-east-1 --cloud aws --profile work
rollback web-1 --config publish.toml --cloud aws
""",
    "nitro.bench.night.run": f"""
bench run plan.toml --record record
bench run plan.toml --record record {WHERE}
bench run plan.toml --record record --night 2026-11-26 --subnet {SUBNET} --bucket mine {WHERE}
""",
    "nitro.bench.submit.submit": f"""
bench submit plan.toml --queue q --record s3://bucket/x {WHERE}
bench submit plan.toml --queue q --definition d --record s3://bucket/x --night 2026-11-26 \
--webhook https://x/y --sns arn:aws:sns:eu-west-1:123456789012:n --subnet {SUBNET} --bucket mine \
{WHERE}
""",
    "nitro.bench.verdict.check": """
bench check --record record --plan p
bench check --record record --plan p --night 2026-11-26
""",
    "nitro.bench.report.write": """
bench report --record record -o out --plan p
""",
    "nitro.bench.history.load": """
bench history --record record --plan p --cell c* --metric m*
bench export --record record --plan p --format openmetrics
""",
    "nitro.bench.export.as_csv": """
bench export --record record --plan p
""",
    "nitro.bench.export.as_json": """
bench export --record record --plan p --format json
""",
    "nitro.bench.compare.compare": """
bench compare driver=kernel,night=2026-11-26 driver=nitro --metric tcp* --record record
""",
    "nitro.bench.triage.differences": """
bench triage cell 2026-11-26 --plan p --record record
""",
    "nitro.image.osv.store.add": f"""
kernel add mine a.raw
kernel add mine a.raw --sha256 {"0" * 64} --source tree
""",
    "nitro.image.osv.store.remove": """
kernel rm a b
""",
    "nitro.image.osv.store.export": """
kernel export site
""",
    "nitro.cloud.download.download": f"""
kernel add mine https://x/y {WHERE.replace("--cloud aws ", "")}
""",
    "nitro.cloud.doctor.examine": f"""
doctor --bucket mine --subnet {SUBNET} {WHERE}
""",
    "nitro.cloud.role.create": f"""
doctor --create-role --bucket mine {WHERE}
""",
    "nitro.cloud.policies.document": """
policy deploy
policy bench --account 123456789012 --bucket mine --partition aws-cn --parameter /a --parameter \
/b/*
""",
    "nitro.image.inspect.inspect_kernel": """
inspect a.raw --files
""",
}


def _shown(value: Any) -> str:
    """A value; of what is large, only what differs from its defaults."""
    if isinstance(value, BaseModel):
        keys = sorted(value.model_fields_set)
        return _called(type(value).__name__, _pairs({key: getattr(value, key) for key in keys}))
    if isinstance(value, Reporter):
        return "<Reporter>"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
        for one in dataclasses.fields(value):
            if one.name in _OF_THE_FILE or fields[one.name] == _default(one):
                del fields[one.name]
        return _called(type(value).__name__, _pairs(fields))
    if isinstance(value, Mapping):
        return f"{{{', '.join(_pairs(value))}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, Enum | timedelta):
        return str(value)
    if isinstance(value, Path):
        return f"Path({str(value)!r})"
    if isinstance(value, str | int | float | date | None):
        return repr(value)
    return value.__name__ if isinstance(value, ModuleType) else f"<{type(value).__name__}>"


_OF_THE_FILE = {"blocks", "state"}  # of a disk: its time, and what is in it


def _default(field: Any) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _pairs(values: Mapping[Any, Any]) -> list[str]:
    return [f"{key}={_shown(value)}" for key, value in values.items()]


def _called(name: str, arguments: list[str]) -> str:
    """A call in one line, or with a line for each argument where that is long."""
    line = f"{name}({', '.join(arguments)})"
    if len(line) < 180 and "\n" not in line:
        return line
    return f"{name}(\n{textwrap.indent(''.join(f'{one},{chr(10)}' for one in arguments), '  ')})"


@pytest.mark.extended
@pytest.mark.parametrize("part", ["instances", "others"])
def test_what_options_become(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    (here / "a.raw").write_bytes(b"a disk")
    (here / "app.toml").write_text(RECIPE)
    (here / "plan.toml").write_text(PLAN)
    (here / "publish.toml").write_text('regions = ["eu-north-1"]\nparameter = "/from/file"\n')
    (here / "tool").write_text("#!/bin/sh\n")
    (here / "record").mkdir()
    monkeypatch.delenv("NITRO_RECORD", raising=False)
    heard: list[str] = []

    def connect(**options: Any) -> Any:
        heard.append(_called("connect", _pairs(options)))
        region = options.get("region") or "us-east-1"
        return SimpleNamespace(region=region, account="123456789012", endpoint_url=None)

    monkeypatch.setattr(Cloud, "connect", connect)
    monkeypatch.setattr(submit, "store_of", lambda *_: FolderStore(here / "record"))

    @contextmanager
    def session(_: Reporter) -> Iterator[Any]:
        endpoint = SimpleNamespace(url="http://local", region="mars", guest_ca="ca", key=("a", "b"))
        yield SimpleNamespace(endpoint=endpoint, death=lambda: None)

    monkeypatch.setattr(local, "session", session)
    monkeypatch.setattr(connection, "_check_tap_devices", lambda: heard.append("TAP devices?"))
    text = ""
    end = list(CALLS).index("nitro.image.build")
    for target, lines in list(CALLS.items())[
        slice(end) if part == "instances" else slice(end, None)
    ]:
        text += f"---- {target}\n"
        with monkeypatch.context() as patch:

            def ends(*args: Any, _name: str = target.rpartition(".")[2], **options: Any) -> None:
                heard.append(_called(_name, [*map(_shown, args), *_pairs(options)]))
                raise NitroError("this far")

            patch.setattr(target, ends)
            for line in lines.strip().splitlines():
                heard.clear()
                done = CliRunner().invoke(app, shlex.split(line))
                assert "this far" in done.output, (line, done.output)
                text += f"$ nitro {line}\n" + "".join(f"{one}\n" for one in heard) + "\n"
    text = re.sub(r"'[^']*/nitro-kernel-\w+", "'<temporary>", text)
    path = Path(__file__).parent / f"transcripts/arguments-{part}.txt"
    text = text.replace(str(tmp_path), "<folder>").replace(str(resource("amis")), "<amis>")
    compare(path, text)
