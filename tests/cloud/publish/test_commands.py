"""`nitro publish`, `verify` and `rollback` as commands."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

import nitro
from nitro.cli import options
from nitro.cloud import Cloud
from nitro.local.aws import Site
from tests.cloud.conftest import blink
from tests.cloud.publish.conftest import REGIONS
from tests.unit.cli.runner import json_of, nitro_
from tests.unit.publish.test_minisign import PUBLIC_TEXT, secret_file

pytestmark = pytest.mark.policies("publish")

HOME, SECOND, _ = REGIONS
AWS = ("--cloud", "aws")
RAW = ("web.raw", "--name", "web", "--arch", "x86_64", "--boot-mode", "uefi")
TWO = ("--region", HOME, "--region", SECOND)
PUBLISH = ("publish", *RAW, *TWO, "--parameter", "/images/{recipe}", *AWS)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No pauses, no settings of the user's own, and a raw disk."""
    monkeypatch.setattr(Cloud, "connect", functools.partial(Cloud.connect, sleep=blink))
    monkeypatch.setattr(options, "verbose", False)
    for name in ("NITRO_CLOUD", "NITRO_REGION", "NITRO_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    Path("web.raw").write_bytes(b"a disk")


def test_a_release_from_plan_to_rollback(account: Cloud) -> None:
    planned = json_of("publish-plan", *PUBLISH, "--version", "1", "--plan")
    assert planned["exists"] == {HOME: None, SECOND: None}
    assert "no AMI yet" in nitro_(*PUBLISH, "--version", "1", "--plan").stdout
    manifest = ("--manifest", "web-1.json", "--sign", str(secret_file(Path())))
    done = json_of("publish", *PUBLISH, "--version", "1", *manifest)
    assert done["flipped"]
    assert [each["region"] for each in done["regions"]] == [HOME, SECOND]
    again = nitro_(*PUBLISH, "--version", "1")
    assert again.stdout.count("unchanged") == 2
    verdicts = json_of("verify", "verify", "web-1.json", "--all-blocks", *AWS)
    assert [each["ok"] for each in verdicts] == [True, True]
    nitro_(*PUBLISH, "--version", "2")
    assert "names ami-" in nitro_("verify", "web-1.json", *AWS, code=1).stdout
    signed = ("--public-key", PUBLIC_TEXT, *AWS)
    flips = json_of("rollback", "rollback", "web-1.json", *signed)
    assert [flip["after"] for flip in flips] == [each["ami"] for each in done["regions"]]
    assert "nothing to do" in nitro_("rollback", "web-1.json", *signed).stdout
    nitro_("rollback", "web-2-x86_64-" + done["digest"][7:19], *TWO, "--parameter", "/images/web",
           *AWS)  # fmt: skip
    Path("web-1.json").write_text(Path("web-1.json").read_text() + " ")
    assert "does not match" in nitro_("verify", "web-1.json", *signed, code=3).stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("publish", "web.raw", *TWO, *AWS), "needs --name, --arch and --boot-mode"),
        (("publish", "web.raw", "--arch", "arm64", *AWS), "needs --name, --arch and --boot-mode"),
        (("publish", "none.raw", *RAW[1:], *TWO, *AWS), "none.raw: No such file"),
        (("publish", *RAW, "--region", "Frankfurt", *AWS), "regions.0"),
        (("publish", *RAW, *TWO, "--config", "none.toml"), "none.toml"),
        (("publish", *RAW, *TWO, "--sign", "key"), "--sign needs --manifest"),
        (("publish", *RAW, *TWO, "--share", "me"), "share.accounts.0"),
        (("verify", "web.raw", *AWS), "not a release manifest"),
        (("rollback", "web-0", *AWS), "needs a parameter and regions"),
    ],
)
def test_bad_input_is_code_2(words: tuple[str, ...], says: str) -> None:
    assert says in nitro_(*words, code=2).stderr


@pytest.mark.extended
def test_a_region_that_fails_is_code_1(account: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    from nitro.errors import NitroError
    from nitro.publish import make

    def fail(cloud: Cloud, *rest: Any) -> str:
        if cloud.region == SECOND:
            raise NitroError("the snapshot failed")
        return register(cloud, *rest)

    register = make.register
    monkeypatch.setattr(make, "register", fail)
    found = json_of("publish", *PUBLISH, code=1)
    assert [each["error"] for each in found["regions"]] == [None, "the snapshot failed"]
    assert not found["flipped"]


# Commands in a process that has Python and boto3, and nothing else of what nitro can use. No policy
# is in front of them: its evaluator needs moto. The same commands run behind one in this process.
BARE = """
import builtins, functools, sys
HIDDEN = {"moto", "flask", "duckdb", "pyarrow", "numpy", "vl_convert", "cryptography", "elftools"}
def refuse(event, arguments):
    if event in ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.fork"):
        raise SystemExit(f"a program was started: {arguments}")
    if event == "open" and str(arguments[0]) == "/dev/net/tun":
        raise SystemExit("/dev/net/tun was opened")
sys.addaudithook(refuse)
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hide())
from nitro.cloud.session import Cloud
Cloud.connect = functools.partial(Cloud.connect, endpoint_url=sys.argv[1])
from nitro.cli import app
for words in sys.argv[2:]:
    try:
        app(words.split(), standalone_mode=False)
    except SystemExit as end:
        assert not end.code, end
"""


@pytest.mark.slow
def test_a_host_without_apt_dpkg_qemu_and_extras_publishes(site: Site, tmp_path: Path) -> None:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        publish = " ".join(each.format(recipe="web") for each in PUBLISH)
        commands = [
            f"{publish} --plan",
            f"{publish} --revision 0123abc --manifest web.json",
            f"verify web.json {' '.join(AWS)}",
            f"rollback web.json {' '.join(AWS)}",
            f"ls {' '.join(AWS)} --region {HOME}",
            f"gc --plan {' '.join(AWS)} --region {HOME}",
        ]
        done = subprocess.run(
            [sys.executable, "-c", BARE, f"http://{host}:{port}", *commands],
            env={
                **{name: value for name, value in os.environ.items() if name != "PATH"},
                "PATH": "/nonexistent",
                "PYTHONPATH": os.pathsep.join([str(Path(nitro.__file__).parents[1]), *sys.path]),
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
    finally:
        server.stop()
    assert done.returncode == 0, done.stderr
    assert "blocks compared" in done.stdout
