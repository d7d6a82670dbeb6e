"""What commands ask of kernels and of sources of publications, call by call."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.cli import publish_source
from nitro.image import build_cache
from nitro.progress import LineReporter
from tests.said import told
from tests.transcripts import compare
from tests.unit.cli.calls import connected_of, new_log
from tests.unit.cli.said import said

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"


def test_kernels(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, log = "", new_log()
    about = {"version": "v1", "size_bytes": 1_250_000, "drivers": ["ena", "nitro"]}
    stored = SimpleNamespace(title="stored", name="mine", about=about, headers=True)
    bare = SimpleNamespace(name="bare", about={**about, "drivers": []}, headers=None)
    monkeypatch.setattr("nitro.image.osv.store.add", log.of("add", stored))
    monkeypatch.setattr("nitro.image.osv.store.summary", lambda a: {"version": a["version"]})
    monkeypatch.setattr("nitro.image.osv.store.check_file", log.of("check_file"))
    offers = {
        "plain": SimpleNamespace(url="u", sha256="s", boot_sector=None, headers_url=None),
        "whole": SimpleNamespace(
            url="u", sha256="s", boot_sector="b", headers_url="h", headers_sha256="hs"
        ),
    }
    monkeypatch.setattr("nitro.cloud.download.download", log.of("download"))
    digest = "0" * 64
    for index in (None, "plain", "whole"):
        is_index = log.of("is_index", index is not None)
        monkeypatch.setattr("nitro.image.osv.store.is_index", is_index)
        offered = log.of("offered", offers.get(index or ""))
        monkeypatch.setattr("nitro.image.osv.store.offered", offered)
        for words in (
            (),
            ("--sha256", digest),
            ("--source", "tree"),
            ("--region", "eu-west-1", "--profile", "p", "--json"),
        ):
            text += f"{index}: {said('kernel', 'add', 'mine', 'https://x/y', *words)}{log.take()}"
    for words in ((), ("--sha256", digest.upper()), ("--sha256", "x"), ("--source", "tree")):
        text += said("kernel", "add", "mine", "a.raw", *words) + log.take()
    text += said("kernel", "add", "no name", "a.raw")
    found = {"mine": stored, "bare": bare}
    monkeypatch.setattr("nitro.image.osv.store.find", found.__getitem__)
    for names in ([], ["mine", "bare"]):
        monkeypatch.setattr("nitro.image.osv.store.names", lambda n=names: n)
        text += said("kernel", "ls") + said("kernel", "ls", "--json")
    monkeypatch.setattr("nitro.image.osv.store.remove", log.of("remove"))
    monkeypatch.setattr("nitro.image.osv.store.export", log.of("export", Path("site/index.json")))
    text += said("kernel", "rm", "a", "b") + said("kernel", "export", "site") + log.take()
    shown = text.replace(str(here), "<folder>")
    shown = re.sub(r"'[^']*/nitro-kernel-\w+", "'<temporary>", shown)
    compare(HERE / "calls-kernels.txt", shown)


def test_sources_of_publications(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, log = "", new_log()
    monkeypatch.setattr("nitro.publish.source.of_raw_disk", log.of("of_raw_disk", "raw"))

    def of_image(disk: Any, provenance: Any, _stage: Any) -> str:
        return f"{disk} {provenance}"

    monkeypatch.setattr("nitro.publish.source.of_image", of_image)
    for name in publish_source._OF_CI:
        monkeypatch.delenv(name, raising=False)
    bill = here / "bill.json"
    bill.write_text("{}")
    built = SimpleNamespace(
        **{"title": "built", "path": here / "d.raw", "digest": "sha256:1", "size_bytes": 5},
        **{"name": "web", "architecture": "arm64", "boot_mode": "uefi", "minimum_memory_mib": 64},
        **{"description": "d", "tags": {"a": "b"}, "ports": [80], "processors": 2},
        **{"bill_of_materials": bill},
    )
    monkeypatch.setattr("nitro.image.build_cache.read", log.of("read", built))
    monkeypatch.setattr("nitro.image.known", log.of("known"))
    monkeypatch.setattr("nitro.image.build", log.of("build", built))
    monkeypatch.setattr(
        "nitro.cli.recipe_arg.find", log.of("find", SimpleNamespace(title="recipe"))
    )
    said_by_git = SimpleNamespace(stdout=" abc-dirty \n")
    monkeypatch.setattr("nitro.cli.publish_source.subprocess.run", log.of("git", said_by_git))
    folder = here / "built"
    folder.mkdir()
    (folder / build_cache.MANIFEST).write_text("{}")
    (folder / build_cache.DISK).write_bytes(b"x")
    (here / "empty").mkdir()
    (here / "other.raw").write_bytes(b"x")
    (here / "other.img").write_bytes(b"x")
    (here / "program").write_bytes(b"x")
    none: dict[str, Any] = dict.fromkeys(("name", "architecture", "boot_mode", "revision"))
    places = ("built", f"built/{build_cache.MANIFEST}", f"built/{build_cache.DISK}", "empty")
    for what in (*places, "other.raw", "other.img", "none.raw", "program", "web", "ami-1"):
        text += f"{what}: "
        text += told(publish_source.find, what, **none, locked=False, report=LineReporter())
        text += f"\n{log.take()}"
    for given in (
        {"name": "x"},
        {"revision": "r1"},
        {"architecture": "arm64"},
        {"boot_mode": "uefi"},
        {"architecture": "arm64", "boot_mode": "uefi"},
        {"name": "x", "architecture": "arm64", "boot_mode": "uefi"},
        {"name": "x", "architecture": "arm64"},
    ):
        asked = {**none, **given}
        text += f"{given}: "
        text += told(publish_source.find, "web", **asked, locked=True, report=LineReporter())
        text += f"\n{log.take()}"
    monkeypatch.setattr("nitro.image.known", log.of("known", built))
    text += told(publish_source.find, "web", **none, locked=True, report=LineReporter())
    text += f"\n{log.take()}"
    bill.unlink()
    for error in (OSError("no git"), subprocess.TimeoutExpired("git", 10)):
        monkeypatch.setattr("nitro.cli.publish_source.subprocess.run", log.of("git", error))
        text += told(publish_source.find, "web", **none, locked=True, report=LineReporter())
        text += f"\n{log.take()}"
    for name in reversed(publish_source._OF_CI):
        monkeypatch.setenv(name, f"of {name}")
        text += told(publish_source.find, "web", **none, locked=True, report=LineReporter())
        text += f"\n{log.take()}"
    monkeypatch.setattr("nitro.cli.publish_source.getpass.getpass", log.of("getpass", "typed"))
    for word, terminal in ((None, False), (None, True), ("", True), ("word", True)):
        monkeypatch.delenv("NITRO_SIGN_PASSWORD", raising=False)
        if word is not None:
            monkeypatch.setenv("NITRO_SIGN_PASSWORD", word)
        monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda t=terminal: t))
        text += f"{word!r} {terminal}: {publish_source.password()!r}\n{log.take()}"
    compare(HERE / "calls-sources.txt", text.replace(str(here), "<folder>"))


def test_releases(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish, verify and roll back: what is asked for, written and signed, and how it ends."""
    text, log = "", new_log()
    monkeypatch.setattr("nitro.cli.publish.connected", connected_of(log))
    for name in ("show_plan", "show", "show_verdicts", "show_flips"):
        monkeypatch.setattr(f"nitro.cli.publish_output.{name}", log.of(name))
    document = {"regions": [{"region": "eu-north-1"}, {"region": "us-east-1"}]}
    manifest = SimpleNamespace(title="manifest", document=document)
    monkeypatch.setattr("nitro.publish.manifest.read", log.of("read", manifest))
    monkeypatch.setattr("nitro.publish.minisign.read_public_key", log.of("public_key", "key"))
    monkeypatch.setattr("nitro.publish.minisign.verify_file", log.of("verify_file"))
    good, bad = SimpleNamespace(problems=()), SimpleNamespace(problems=("gone",))
    for verdicts in ([], [good], [good, bad]):
        monkeypatch.setattr("nitro.publish.verify.verify", log.of("verify", verdicts))
        for words in ((), ("--all-blocks", "--json"), ("--public-key", "k", "--profile", "p")):
            text += said("verify", "web.json", "--cloud", "aws", *words) + log.take()
    target = SimpleNamespace(title="target", regions=("eu-west-1", "us-east-1"))
    monkeypatch.setattr("nitro.publish.rollback.of_manifest", log.of("of_manifest", target))
    monkeypatch.setattr("nitro.publish.rollback.roll_back", log.of("roll_back", ["flip"]))
    (here / "old.json").write_text("{}")
    named = ("--parameter", "/web", "--region", "eu-west-1")
    lines: tuple[tuple[str, ...], ...] = (
        *(("old.json",), ("old.json", "--public-key", "k", "--json"), ("web-1",)),
        *(("web-1", *named), ("web-1", *named[:2]), ("web-1", *named[2:])),
    )
    for line in lines:
        text += said("rollback", *line, "--cloud", "aws") + log.take()
    (here / "publish.toml").write_text('regions = ["eu-north-1"]\nparameter = "/from/file"\n')
    text += said("rollback", "web-1", "--cloud", "aws") + log.take()
    (here / "publish.toml").unlink()
    monkeypatch.setattr("nitro.cli.publish_source.find", log.of("find", "source"))
    monkeypatch.setattr("nitro.cli.publish_source.password", log.of("password", "secret"))
    monkeypatch.setattr(
        "nitro.publish.release.make", log.of("make", lambda asked, _: asked_of(asked))
    )
    monkeypatch.setattr("nitro.publish.manifest.of_publication", log.of("of_publication", {"a": 1}))
    monkeypatch.setattr("nitro.publish.minisign.read_secret_key", log.of("secret_key", "key"))
    monkeypatch.setattr("nitro.publish.minisign.sign", log.of("sign", "signature"))

    def asked_of(asked: Any) -> Any:
        return SimpleNamespace(title=f"release for {asked.regions}", name="web-1")

    (here / "key").write_text("key")
    written = ("--manifest", "out.json")
    commands: tuple[tuple[str, ...], ...] = (
        *(
            (),
            ("--plan",),
            ("--plan", "--json"),
            ("--region", "eu-north-1", "--region", "us-east-1"),
        ),
        *(written, (*written, "--sign", "key"), ("--sign", "key"), ("--manifest", "none/x")),
        *(
            ("--name", "x", "--arch", "arm64", "--boot-mode", "uefi"),
            ("--revision", "r", "--locked"),
        ),
        *(
            ("--share", "1" * 12, "--public"),
            ("--keep", "0"),
            ("--deprecate", "soon"),
            ("--protect",),
        ),
    )
    for failed, errors in ((False, {}), (True, {"eu-west-1": "x"})):
        done = SimpleNamespace(title="done", failed=failed)
        planned = SimpleNamespace(title="plan", errors=errors)
        monkeypatch.setattr("nitro.publish.publication.publish", log.of("publish", done))
        monkeypatch.setattr("nitro.publish.publication.plan", log.of("plan", planned))
        for line in commands:
            text += said("publish", "web", "--cloud", "aws", *line) + log.take()
            for path in sorted(here.glob("out.json*")):
                text += f"  wrote {path.name} {path.read_text()!r}\n"
                path.unlink()
    compare(HERE / "calls-releases.txt", text.replace(str(here), "<folder>"))
