"""The commands in this process, against moto: what they print, their JSON, their exit codes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import nitro.image
import nitro.local
import nitro.probe
from nitro.check import Check
from nitro.cli import app
from nitro.cloud import Cloud, DiskImage, instance
from nitro.cloud import doctor as account
from nitro.errors import NitroError, ProbeError
from nitro.local import Endpoint, LocalSession
from nitro.local import doctor as machine
from nitro.local.hypervisor import NullHypervisor
from nitro.progress import Reporter
from nitro.recipe import Recipe
from tests.cloud.cli.conftest import AWS
from tests.cloud.conftest import (
    NOTHING,
    REGION,
    connect,
    everything,
    make_bucket,
    refuse,
)
from tests.cloud.joint import FakeBuilder, FakeProber, running
from tests.cloud.policed import make_role
from tests.unit.cli.runner import json_of, nitro_

DEPLOY = ("deploy", "httpd", "--instance", "c5.large", *AWS)
MISSING = "ami-0123456789abcdef0"
CONSOLE = b'{"nitro":"kernel","uptime":0.9,"release":"6.12"}\r\n'


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LocalSession:
    """A local Nitro that is moto in this process."""
    session = LocalSession(Endpoint("", "", REGION, "", ""), tmp_path)

    @contextmanager
    def opened(report: Reporter) -> Iterator[LocalSession]:
        yield session

    connect_to_aws = Cloud.connect

    def connect_here(**options: Any) -> Cloud:
        addresses = ("endpoint_url", "guest_ca", "key")
        return connect_to_aws(**{k: v for k, v in options.items() if k not in addresses})

    monkeypatch.setattr(Cloud, "connect", connect_here)
    tun = tmp_path / "tun"
    tun.touch()
    monkeypatch.setattr(machine, "TUN", tun)
    monkeypatch.setattr(nitro.local, "session", opened)
    monkeypatch.setattr(nitro.local, "REGION", REGION)
    return session


@pytest.mark.extended
def test_deploy_for_people(cloud: Cloud, builder: FakeBuilder, prober: FakeProber) -> None:
    done = nitro_(*DEPLOY, "--probe", "boot", "--probe", "http")
    lines = [line.split() for line in done.stdout.splitlines() if line]
    assert lines[0][:3] == ["httpd", "on", "c5.large"]
    heads = [line[0] for line in lines[1:]]
    assert heads[:5] == ["image", "snapshot", "AMI", "instance", "NIC"]
    assert ["boot", "ready", "2.5", "s"] in lines
    assert ["HTTP", "requests", "59,083/s", "p50"] in [line[:4] for line in lines]
    assert re.search(r"\S+ MB uploaded, read back and equal", done.stdout)
    assert re.search(r"^ {2}timeline  check .* = [0-9.]+ s$", done.stdout, re.MULTILINE | re.DOTALL)
    assert re.search(r"^ {2}left over .*two AMIs and their snapshots", done.stdout, re.MULTILINE)
    assert "check: done in" in done.stderr
    again = nitro_(*DEPLOY, "--probe", "boot")
    assert "found, nothing uploaded" in again.stdout


@pytest.mark.extended
def test_deploy_for_programs(cloud: Cloud, builder: FakeBuilder, prober: FakeProber) -> None:
    document = json_of("deploy", *DEPLOY, "--probe", "boot", "--ephemeral", "--locked")
    assert builder.prepared == [("httpd", True)]
    assert document["leftovers"] == []
    assert [p["metrics"]["boot_ready"]["better"] for p in document["probes"]] == ["less"]
    assert document["probes"][0]["conditions"]["measured_from"] == "instance"


def test_a_deployment_that_is_kept_is_listed_probed_read_and_destroyed(
    cloud: Cloud, builder: FakeBuilder, prober: FakeProber, hypervisor: NullHypervisor
) -> None:
    kept = json_of("deploy", *DEPLOY, "--probe", "boot", "--keep", "--ttl", "2h")
    id_ = kept["instance"]["id"]
    assert kept["leftovers"][1] == f"instance {id_}, which ends itself after 2:00:00"
    table = nitro_("ls", *AWS).stdout
    assert table.splitlines()[0].split() == [
        *("KIND", "ID", "NAME", "STATE", "TYPE", "ADDRESS", "PORTS", "AGE", "ENDS"),
    ]
    row = next(line for line in table.splitlines() if line.startswith("instance"))
    address = kept["instance"]["public_ip"]
    assert re.fullmatch(
        rf"instance +{id_} +nitro-httpd +running +c5\.large +{address} +80 +\d+ s +in 119 min", row
    )
    listed = json_of("ls", "ls", *AWS)
    assert {r["kind"] for r in listed} == {
        "instance",
        "security-group",
        "image",
        "snapshot",
        "bucket",
    }
    measured = json_of("probe", "probe", id_, *AWS, "--probe", "boot")
    assert [result["conditions"]["instance"] for result in measured] == [id_]
    hypervisor.write_console(id_, CONSOLE + b"\x1b]52;c;eA==\x07httpd\r\n")
    assert nitro_("console", id_, *AWS).stdout == CONSOLE.decode().rstrip() + "\nhttpd\n"
    raw = nitro_("console", id_, "--raw", *AWS).stdout_bytes
    assert raw == CONSOLE + b"\x1b]52;c;eA==\x07httpd\r\n"
    said = json_of("console", "console", id_, *AWS)
    assert said["milestones"] == [{"nitro": "kernel", "uptime": 0.9, "release": "6.12"}]
    gone = json_of("destroy", "destroy", kept["deployment"], *AWS)
    assert {resource["kind"] for resource in gone} == {"instance", "security-group"}
    done = nitro_("destroy", "--all", *AWS)
    assert "3 removed" in done.stderr
    assert "no resources found" in nitro_("ls", *AWS).stderr
    assert everything(connect()) == NOTHING


@pytest.mark.extended
def test_a_dry_run_prints_calls(cloud: Cloud, builder: FakeBuilder, prober: FakeProber) -> None:
    document = json_of("dry-run", *DEPLOY, "--dry-run", "--keep")
    assert any(call.startswith("ec2:RunInstances(") for call in document["calls"])
    lines = nitro_(*DEPLOY, "--dry-run").stdout.splitlines()
    assert any(line.startswith("ec2:RunInstances(") for line in lines)
    assert lines[-1].startswith("would be left over: two AMIs and their snapshots")
    assert everything(connect()) == NOTHING


@pytest.mark.extended
def test_launch_keeps_the_instance(cloud: Cloud, builder: FakeBuilder, prober: FakeProber) -> None:
    document = json_of("launch", "launch", "httpd", "--instance", "c5.large", *AWS)
    assert everything(connect())["instances"] == [document["instance"]["id"]]
    assert [probe["name"] for probe in document["probes"]] == ["boot"]
    assert "left over" in nitro_("launch", "httpd", "--instance", "c5.large", *AWS).stdout


def test_launch_of_an_ami(cloud: Cloud, builder: FakeBuilder, prober: FakeProber) -> None:
    made = json_of("launch", "launch", "httpd", "--instance", "c5.large", *AWS)
    builder.built.clear()
    where = ("--instance", "c5.large", *AWS)
    again = json_of("launch", "launch", made["ami"]["id"], *where)
    assert (again["image"], again["ami"], builder.built) == (None, made["ami"], [])
    assert again["instance"]["id"] != made["instance"]["id"]
    shown = nitro_("launch", made["ami"]["id"], *where, "--port", "8080").stdout
    assert ":8080/" in shown


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("launch", "ami-0123"), "ami-0123 is no AMI's id"),
        (("launch", MISSING, "--locked"), "--locked given with the AMI"),
        (("launch", MISSING, "--", "-v"), "arguments given with the AMI"),
        (("launch", MISSING, "--port", "x"), "--port 'x' is not a port"),
        (("launch", MISSING), f"there is no AMI {MISSING} in {REGION}"),
        (("deploy", MISSING), f"`nitro launch {MISSING} --instance TYPE` starts it"),
        (("deploy", "resolve:ssm:/web"), "is an AMI, and there is nothing to build"),
    ],
)
def test_what_does_not_go_with_an_ami_is_code_2(
    cloud: Cloud, words: tuple[str, ...], says: str
) -> None:
    command, name, *more = words
    assert says in nitro_(command, name, "--instance", "c5.large", *AWS, *more, code=2).stderr


def test_probe_for_people(cloud: Cloud, disk: DiskImage, prober: FakeProber) -> None:
    id_ = running(cloud, disk).instance.id
    done = nitro_("probe", id_, *AWS, "--probe", "boot")
    assert done.stdout.split() == ["boot", "ready", "2.5", "s"]


def test_a_failed_probe_is_code_4_with_its_result(
    cloud: Cloud, builder: FakeBuilder, prober: FakeProber, disk: DiskImage
) -> None:
    prober.outputs["http"] = "unable to connect"
    words = ("--probe", "http", "--from", "host")
    from_here = (*DEPLOY, *words, "--allow", "198.51.100.7/32")
    assert re.search("http +failed: http: wrk printed", nitro_(*from_here, code=4).stdout)
    [result] = json_of("deploy", *from_here, code=4)["probes"]
    assert (result["ok"], result["metrics"]) == (False, {})
    id_ = running(cloud, disk).instance.id
    [result] = json_of("probe", "probe", id_, *AWS, *words, code=4)
    assert not result["ok"]


@pytest.mark.extended
def test_a_boot_that_fails_is_code_4(
    cloud: Cloud, builder: FakeBuilder, prober: FakeProber
) -> None:
    prober.fails["wait_boot"] = ProbeError("boot: the guest failed: no disk")
    done = nitro_(*DEPLOY, code=4)
    assert "nitro: boot: the guest failed: no disk\n" in done.stderr
    assert done.stdout == ""


@pytest.mark.extended
def test_a_failure_is_code_1_and_one_line(
    cloud: Cloud, builder: FakeBuilder, prober: FakeProber
) -> None:
    builder.fails["build httpd"] = NitroError("no space", hint="make room")
    assert nitro_(*DEPLOY, code=1).stderr.endswith("nitro: no space\n       make room\n")


def test_a_refusal_is_code_3(
    cloud: Cloud, builder: FakeBuilder, prober: FakeProber, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = connect()
    refuse(refused, "ec2.RunInstances", "UnauthorizedOperation", status=403)
    monkeypatch.setattr(Cloud, "connect", lambda **_: refused)
    assert "permission denied: ec2:RunInstances" in nitro_(*DEPLOY, code=3).stderr
    assert everything(connect())["images"] == []


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize("stage", ["prepare", "wait_boot"])
def test_an_interrupt_is_code_130_after_cleaning_up(
    cloud: Cloud, builder: FakeBuilder, prober: FakeProber, stage: str
) -> None:
    stop: Any = KeyboardInterrupt()
    if stage == "prepare":
        builder.fails["prepare httpd"] = stop
    prober.fails["wait_boot"] = stop
    assert "nitro: interrupted\n" in nitro_(*DEPLOY, code=130).stderr
    assert everything(connect())["instances"] == []


@pytest.mark.extended
def test_only_what_is_expired_is_destroyed(cloud: Cloud, disk: DiskImage) -> None:
    running(cloud, disk)
    assert json_of("destroy", "destroy", "--expired", *AWS) == []


def test_a_local_nitro_is_named_and_kept_up_for_what_stays(
    cloud: Cloud, builder: FakeBuilder, prober: FakeProber, local: LocalSession
) -> None:
    words = ("deploy", "httpd", "--instance", "c5.large", "--probe", "boot")
    done = nitro_(*words, "--ephemeral")
    assert "cloud: local (nothing set; --cloud aws for AWS)" in done.stderr
    assert prober.watched[0].address == ("127.42.0.1", 80)
    assert not local.runs_until_down
    nitro_(*words, "--keep", "--dry-run")
    assert not local.runs_until_down
    nitro_(*words, "--keep")
    assert local.runs_until_down
    assert "--region mars-1" in nitro_(*words, "--region", "mars-1", code=2).stderr


@pytest.mark.extended
def test_subnet_and_bucket_are_options(
    cloud: Cloud, builder: FakeBuilder, prober: FakeProber
) -> None:
    subnet = connect().ec2.describe_subnets()["Subnets"][-1]["SubnetId"]
    make_bucket(connect(), "shared")
    make_role(connect(), "shared")
    where = (*AWS, "--subnet", subnet, "--bucket", "shared")
    words = ("httpd", "--instance", "c5.large", *where)
    id_ = json_of("launch", "launch", *words)["instance"]["id"]
    assert instance.get(connect(), id_).subnet_id == subnet
    json_of("deploy", "deploy", *words, "--probe", "boot")
    json_of("probe", "probe", id_, "--probe", "boot", *AWS, "--bucket", "shared")
    json_of("destroy", "destroy", "--all", *AWS, "--bucket", "shared")
    assert json_of("ls", "ls", *AWS, "--bucket", "shared") == []
    assert everything(connect())["buckets"] == ["shared"]
    checks = {check["name"]: check for check in json_of("doctor", "doctor", *where)}
    assert checks["bucket"]["detail"] == "shared"
    assert checks["subnet"]["detail"].startswith(subnet)


def test_groups_and_a_profile_are_the_instances(
    cloud: Cloud, builder: FakeBuilder, prober: FakeProber
) -> None:
    """The client joins the groups; no credentials are its own."""
    groups = connect().ec2.describe_security_groups()["SecurityGroups"]
    own = next(group["GroupId"] for group in groups if group["GroupName"] == "default")
    connect().ec2.create_placement_group(GroupName="rack", Strategy="cluster")
    where = ("--security-group", own, "--placement-group", "rack", "--instance-profile", "reader")
    words = (*DEPLOY, "--probe", "http", *where, "--dry-run")
    calls = json_of("dry-run", *words)["calls"]
    server, client = (call for call in calls if call.startswith("ec2:RunInstances("))
    for call in (server, client):
        assert own in call
        assert "Placement={'GroupName': 'rack'}" in call
    assert "IamInstanceProfile={'Name': 'reader'}" in server
    assert "IamInstanceProfile" not in client


@pytest.mark.parametrize("command", ["deploy", "launch"])
def test_a_machine_that_cannot_run_instances_is_told_before_anything_is_built(
    cloud: Cloud,
    builder: FakeBuilder,
    prober: FakeProber,
    local: LocalSession,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: str,
) -> None:
    monkeypatch.setattr(machine, "TUN", tmp_path / "absent")
    words = (command, "httpd", "--instance", "c5.large")
    done = nitro_(*words, code=1)
    assert f"{tmp_path}/absent: No such file or directory\n       modprobe tun" in done.stderr
    assert builder.prepared == []
    nitro_("ls")
    if command == "deploy":
        nitro_(*words, "--dry-run")
    nitro_(*words, *AWS)
    assert builder.built


@pytest.mark.extended
def test_who_may_reach_an_instance(
    cloud: Cloud, builder: FakeBuilder, prober: FakeProber, local: LocalSession
) -> None:
    def ranges(*words: str) -> list[str]:
        document = json_of(
            "dry-run", "deploy", "httpd", "--instance", "c5.large", "--dry-run", *words
        )
        [call] = [c for c in document["calls"] if "AuthorizeSecurityGroupIngress" in c]
        return re.findall(r"'CidrIp': '([^']+)'", call)

    assert ranges() == ["127.0.0.0/8"]
    assert ranges("--allow", "10.1.0.0/16") == ["10.1.0.0/16"]


def test_build(builder: FakeBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    document = json_of("build", "build", "httpd")
    assert document["digest"] == builder.disk.digest
    assert document["cached"] is False
    path, line = nitro_("build", "httpd").stdout.splitlines()
    assert path == str(builder.disk.path)
    assert line == f"{builder.disk.digest}  0.0 MB  built in 1.5 s"
    image = builder.prepare(Recipe(name="httpd", command=("x",)), report=Reporter()).image
    monkeypatch.setattr(nitro.image, "known", lambda name: image)
    assert nitro_("build", "httpd").stdout.splitlines()[0] == path
    assert builder.built == ["httpd", "httpd"]


def test_doctor(cloud: Cloud, local: LocalSession, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = Check("kvm", True, "there"), Check("quota", False, "0 vCPUs", "ask for more")
    monkeypatch.setattr(machine, "examine", lambda: [good])
    monkeypatch.setattr(account, "examine", lambda *_: [good])
    assert nitro_("doctor").stdout == "ok   kvm: there\n" * 2
    monkeypatch.setattr(account, "examine", lambda *_: [bad])
    assert json_of("doctor", "doctor", code=1)[1]["remedy"] == "ask for more"
    assert "BAD  quota: 0 vCPUs\n     → ask for more\n" in nitro_("doctor", *AWS, code=1).stdout
    monkeypatch.setattr(machine, "examine", lambda: [bad])
    assert len(json_of("doctor", "doctor", code=1)) == 1  # no local Nitro is started for it


def test_files_that_cannot_be_written_and_readers_that_left(
    cloud: Cloud, builder: FakeBuilder, prober: FakeProber, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder.fails["prepare httpd"] = OSError(28, "No space left on device", "/cache/x")
    done = nitro_(*DEPLOY, code=1)
    assert "nitro: /cache/x: No space left on device\n" in done.stderr
    assert "NITRO_CACHE" in done.stderr
    builder.fails["prepare httpd"] = OSError(28, "No space left on device", "a", None, "/to")
    assert "nitro: /to: No space left on device\n" in nitro_(*DEPLOY, code=1).stderr
    builder.fails["prepare httpd"] = OSError(5, "Input/output error")
    assert isinstance(CliRunner().invoke(app, DEPLOY).exception, OSError)
    builder.fails["prepare httpd"] = BrokenPipeError()
    errors = io.StringIO()
    monkeypatch.setattr("sys.stderr", errors)
    with pytest.raises(SystemExit) as ended:
        app(DEPLOY)
    assert ended.value.code == 1
    assert errors.closed


@pytest.mark.extended
def test_what_an_instance_wrote_is_printed_before_the_error(
    cloud: Cloud, builder: FakeBuilder, prober: FakeProber, hypervisor: NullHypervisor
) -> None:
    class Dying(FakeProber):
        def wait_boot(self, watch: Any, **_: Any) -> Any:
            for instance_id in hypervisor.guests:
                hypervisor.write_console(instance_id, b"kernel panic\n")
                hypervisor.stop(instance_id)
            watch.console()

    prober.__class__ = Dying
    assert re.search(r"kernel panic\nnitro: i-\w+ is terminated", nitro_(*DEPLOY, code=1).stderr)
