"""What the commands say of an account, from the first look to the last clean-up."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from nitro.cloud import Cloud
from nitro.errors import NitroError, ProbeError
from nitro.local.hypervisor import NullHypervisor
from tests.cloud.cli.conftest import AWS
from tests.cloud.joint import FakeBuilder, FakeProber
from tests.cloud.speed import same_ids
from tests.transcripts import Names, compare
from tests.unit.cli.said import said

HERE = Path(__file__).parent / "transcripts"
DEPLOY = ("deploy", "httpd", "--instance", "c5.large")
LAUNCH = ("launch", "httpd", "--instance", "c5.large")
MISSING = "ami-0123456789abcdef0"
CONSOLE = (
    b'{"nitro":"kernel","uptime":0.9,"release":"6.12"}\r\nhello \x1b[31mred\r\n'
    b"nitro-strace 9 openat(AT_FDCWD, 0x1, O_RDONLY) = -1 ENOENT (No such file) <0.000021>\r\n"
    b"nitro-strace 9 poll(0x1, 1, -1) = 1 <2.500000>\r\nnitro-strace 9 poll(0x1, 1, -1) = 1\r\n"
    b'{"nitro":"ready","uptime":2.5,"ports":[80]}\r\n'
)
Say = Callable[..., str]

pytestmark = pytest.mark.extended


@pytest.fixture(autouse=True)
def _same_account() -> None:
    """The ids that moto gives are those of every run: the subnets are chosen by them."""
    same_ids()


@pytest.fixture
def say(cloud: Cloud, builder: FakeBuilder, prober: FakeProber, tmp_path: Path) -> Say:
    """What a command says of AWS, with the same names and times in every run."""
    names = Names()

    def run(*words: str) -> str:
        text = said(*words, hidden=AWS).replace(str(tmp_path), "<folder>")
        return _timeless(names(text))

    return run


def _timeless(text: str) -> str:
    """Without how long something took, and what this machine and source tree are; of long lines,
    their beginnings."""
    text = re.sub(r"\bd-\d{8}-[0-9a-f]{8}\b", "<deployment>", text)
    text = re.sub(r"(?<![0-9a-f])[0-9a-f]{8}(?![0-9a-f])", "<token>", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|\+00:00)?", "<time>", text)
    text = re.sub(r"\beu-central-1[a-f]\b", "<zone>", text)
    text = re.sub(r"\b10\.147\.\d+\.\d+", "<address>", text)
    text = re.sub(r"^(.{240}).+$", r"\1…", text, flags=re.M)
    text = re.sub(r"^  timeline (?:.*\n)(?: {12}.*\n)*", _timeline, text, flags=re.M)
    text = re.sub(r"\b\d+\.\d s\b|(?<= )\d s(?= )", "<s>", text)
    text = re.sub(r'("seconds": )\d+\.\d+', r"\1<s>", text)
    host = 'system|architecture|processor|processors|revision|nitro(?=": "\\d)'
    return re.sub(
        rf'^( *"(?:{host})"): (?:null|\d+|"[^"]*")(,?)$', r"\1: <here>\2", text, flags=re.M
    )


def _timeline(found: re.Match[str]) -> str:
    return re.sub(r"\d+\.\d", "<s>", " ".join(found[0].split())) + "\n"


def test_a_deployment(
    say: Say, cloud: Cloud, hypervisor: NullHypervisor, prober: FakeProber
) -> None:
    text = say("ls") + say(*DEPLOY, "--dry-run", "--probe", "boot", "--keep", "--json")
    text += say(*DEPLOY, "--dry-run", "--probe", "boot", "--probe", "http", "--spot")
    text += say(*DEPLOY, "--probe", "boot", "--probe", "http")
    text += say(*DEPLOY, "--probe", "boot", "--keep", "--ttl", "2h", "--json")
    text += say("ls")
    [id_] = [
        one["InstanceId"]
        for group in cloud.ec2.describe_instances()["Reservations"]
        for one in group["Instances"]
        if one["State"]["Name"] == "running"
    ]
    text += say("probe", id_, "--probe", "boot", "--probe", "http")
    prober.outputs["http"] = "unable to connect"
    text += say("probe", id_, "--probe", "http", "--json")
    text += say("console", id_)
    hypervisor.write_console(id_, CONSOLE)
    text += say("console", id_) + say("logs", id_, "--raw") + say("console", id_, "--json")
    text += say("strace", id_) + say("strace", id_, "--json")
    text += say("destroy", "--expired") + say("destroy", id_) + say("console", id_)
    text += say("destroy", id_) + say("ps", "--json") + say("destroy", "--all", "--json")
    compare(HERE / "deployment.txt", text)


def test_launches(say: Say, cloud: Cloud) -> None:
    text = say(*LAUNCH, "--ttl", "1h", "--processors", "1")
    image = cloud.ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"]
    text += say("launch", image, "--instance", "c5.large", "--port", "8080")
    text += say("launch", image, "--instance", "c5.large", "--json")
    text += say("launch", MISSING, "--instance", "c5.large")
    text += say("launch", "httpd", "--instance", "c9.large")
    text += say("gc", "--plan", "--region", "eu-central-1") + say("destroy", "--all")
    compare(HERE / "launches.txt", text)


def test_failures(
    say: Say, builder: FakeBuilder, prober: FakeProber, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = ""
    builder.fails["prepare httpd"] = NitroError("no\x1b[31m space", hint="make room")
    text += say(*DEPLOY)
    builder.fails = {"build httpd": OSError(28, "No space left on device", "/cache/x")}
    text += say(*DEPLOY)
    builder.fails = {}
    prober.fails["wait_boot"] = ProbeError("boot: the guest failed: no disk", hint="give it one")
    text += say(*DEPLOY, "--ephemeral") + say(*LAUNCH)
    prober.fails = {}
    prober.outputs["http"] = "unable to connect"
    text += say(*DEPLOY, "--probe", "http") + say(*DEPLOY, "--probe", "http", "--ephemeral")
    text += say("ls") + say("destroy", "--all")
    for words in (
        (*DEPLOY, "--probe", "ping"),
        (*DEPLOY, "--probe", "netperf"),
        (*DEPLOY, "--ttl", "2h"),
        (*DEPLOY, "--keep", "--ephemeral"),
        (*DEPLOY, "--keep", "--ttl", "soon"),
        (*DEPLOY, "--from", "moon"),
        (*DEPLOY, "--subnet", "x"),
        (*DEPLOY, "--subnet", "subnet-0123456789abcdef0"),
        (*DEPLOY, "--allow", "10.0.0.1/8"),
        (*DEPLOY, "--bucket", "UPPER"),
        (*DEPLOY, "--placement-group", "none"),
        (*DEPLOY, "--security-group", "sg-0123456789abcdef0"),
        (*DEPLOY, "--instance-profile", "none"),
        ("deploy", "none", "--instance", "c5.large"),
        ("deploy", "httpd", "--instance", "m1.small"),
        ("deploy", MISSING, "--instance", "c5.large"),
        ("probe", "i-0123"),
        ("probe", "i-0123456789abcdef0"),
        ("console", "i-0123456789abcdef0", "--follow", "--json"),
        ("destroy",),
        ("destroy", "i-1", "--all"),
        ("destroy", "i-0123456789abcdef0", "snap-0123456789abcdef0"),
        ("gc", "--older-than", "soon"),
        ("selftest", "--budget", "-1"),
    ):
        text += say(*words)
    compare(HERE / "failures.txt", text)


def test_a_selftest(say: Say, prober: FakeProber, builder: FakeBuilder, tmp_path: Path) -> None:
    text = say("selftest", "httpd", "-o", "report.json")
    text += _timeless((tmp_path / "report.json").read_text())
    prober.fails["wait_boot"] = ProbeError("boot: no network", hint="connect it")
    text += say("selftest", "httpd")
    builder.fails["build httpd"] = NitroError("no space")
    text += say("selftest", "httpd", "--budget", "0.00001")
    compare(HERE / "selftest.txt", text)
