"""What commands about instances ask for, call by call, and how they end."""

from __future__ import annotations

import contextlib
import io
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.cli import unchanged
from nitro.cloud import tags
from nitro.cloud.inventory import Resource
from nitro.errors import NitroError
from tests.transcripts import compare
from tests.unit.cli.calls import CONNECTION, connected_of, new_log
from tests.unit.cli.said import said

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
ID = "i-0123456789abcdef0"


def test_what_is_there_and_goes(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, log = "", new_log()
    monkeypatch.setattr("nitro.cli.instances.connected", connected_of(log))
    created = datetime(2026, 1, 2, tzinfo=UTC)
    some = [
        Resource("instance", ID, "web", "running", created, tags={tags.DEPLOYMENT: "d-1"}),
        Resource("image", "ami-1", tags={tags.DEPLOYMENT: "d-2"}),
        Resource("bucket", "mine"),
    ]
    monkeypatch.setattr("nitro.cloud.inventory", log.of("inventory", some))
    monkeypatch.setattr("nitro.cloud.expired", log.of("expired", lambda found: found[1:2]))
    monkeypatch.setattr("nitro.cloud.destroy", log.of("destroy", lambda _, chosen, __: chosen))
    monkeypatch.setattr("nitro.local.remains.anything", log.of("anything", False))
    monkeypatch.setattr("nitro.local.remains.may_hold", log.of("may_hold", lambda _, n: n == "d-1"))
    lines: tuple[tuple[str, ...], ...] = (
        *((), (ID,), ("d-1",), ("d-2", "mine"), (ID, "d-1"), ("none", ID), ("--all",)),
        *(("--expired",), ("--all", "--expired"), (ID, "--all"), (ID, "--json"), ("d-1", "ami-9")),
    )
    for folder in (None, Path("/state")):
        monkeypatch.setattr("nitro.cli.instances.idle", log.of("idle", folder))
        for line in lines:
            text += said("destroy", *line) + log.take()
        for anything in (False, True):
            monkeypatch.setattr("nitro.local.remains.anything", log.of("anything", anything))
            monkeypatch.setattr("nitro.cloud.inventory", log.of("inventory", []))
            for line in ((), ("--json",), ("--bucket", "b")):
                text += said("ls", *line) + log.take()
        monkeypatch.setattr("nitro.cloud.inventory", log.of("inventory", some))
    compare(HERE / "calls-instances.txt", text)


def test_measurements(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, log = "", new_log()
    monkeypatch.setattr("nitro.cli.instances.connected", connected_of(log))
    monkeypatch.setattr("nitro.cli.summary.show_probes", log.of("show_probes"))
    good, bad = SimpleNamespace(ok=True, title="good"), SimpleNamespace(ok=False, title="bad")
    for results, left in (([], ()), ([good], ()), ([good, bad], ()), ([good], ("i-2",))):
        measured = SimpleNamespace(results=results, not_removed=list(left))
        monkeypatch.setattr("nitro.measure.measure", log.of("measure", measured))
        for line in (
            (),
            ("--from", "host", "--json"),
            ("--probe", "http:seconds=1", "--bucket", "b"),
        ):
            text += said("probe", ID, *line) + log.take()
    text += said("probe", ID, "--from", "moon") + said("probe", ID, "--probe", "x")
    compare(HERE / "calls-measurements.txt", text)


def test_deployments(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, log = "", new_log()
    for module in ("deploy", "launch"):
        monkeypatch.setattr(f"nitro.cli.{module}.connected", connected_of(log))
    for name in ("show", "show_address", "show_launched"):
        monkeypatch.setattr(f"nitro.cli.summary.{name}", log.of(name))
    recipe = SimpleNamespace(title="recipe", name="web", ports=(), tcp_ports=())
    monkeypatch.setattr("nitro.cli.recipe_arg.find", log.of("find", recipe))
    monkeypatch.setattr(CONNECTION, "keep", log.of("keep"))

    def came(ok: bool, *left: str) -> Any:
        instance = SimpleNamespace(title="instance")
        return SimpleNamespace(
            **{"title": "result", "ok": ok, "not_removed": list(left), "leftovers": ["an AMI"]},
            **{"instance": instance, "ports": (80,)},
        )

    lines: tuple[tuple[str, ...], ...] = (
        *(
            (),
            ("--keep",),
            ("--ephemeral",),
            ("--keep", "--ephemeral"),
            ("--json",),
            ("--dry-run",),
        ),
        *(("--dry-run", "--keep", "--json"), ("--ttl", "1h", "--via", "ebs", "--locked")),
        *(
            ("--probe", "http"),
            ("--probe", "boot"),
            ("--from", "x"),
            ("--via", "x"),
            ("--ttl", "x"),
        ),
    )
    for result in (came(True), came(False), came(True, "i-9")):
        monkeypatch.setattr("nitro.deploy.deploy", log.of("deploy", result))
        monkeypatch.setattr("nitro.launch_ami.launch_ami", log.of("launch_ami", result))
        for line in lines:
            dry = "--dry-run" in line
            plan = SimpleNamespace(changes=["call 1", "call 2"]) if dry else None
            monkeypatch.setattr(CONNECTION.cloud, "plan", plan)
            text += said("deploy", "web", "--instance", "c5.large", *line) + log.take()
        monkeypatch.setattr(CONNECTION.cloud, "plan", None)
        for name in ("web", "ami-0123456789abcdef0"):
            for line in ((), ("--json",), ("--port", "80", "--env", "A=b"), ("--locked",)):
                text += said("launch", name, "--instance", "c5.large", *line) + log.take()
    for line in (("--kernel", "linux"), ("--driver", "kernel"), ("--bucket", "b"), ("--", "-v")):
        text += said("launch", "ami-1", "--instance", "c5.large", *line) + log.take()
    compare(HERE / "calls-deployments.txt", text)


def test_builds(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, log = "", new_log()
    built = SimpleNamespace(
        **{"title": "image", "digest": "sha256:1", "path": Path("/d.raw"), "cached": True},
        **{"manifest_path": Path("/m.json"), "size_bytes": 1_250_000, "build_seconds": 2.55},
        minimum_memory_mib=96,
    )
    recipe = SimpleNamespace(title="recipe")
    monkeypatch.setattr("nitro.cli.recipe_arg.find", log.of("find", recipe))
    decision = SimpleNamespace(subject="memory", choice="96 MiB", reason="files")
    monkeypatch.setattr("nitro.image.decisions.of", log.of("decisions", [decision]))
    monkeypatch.setattr("nitro.image.decisions.to_json", log.of("to_json", [{"a": 1}]))
    monkeypatch.setattr("nitro.image.build", log.of("build", built))
    lines: tuple[tuple[str, ...], ...] = (
        *(
            (),
            ("--explain",),
            ("--json",),
            ("--json", "--explain"),
            ("--locked",),
            ("--port", "80"),
        ),
        *(("--env", "A=b"), ("--kernel", "linux"), ("--driver", "kernel"), ("--", "-v")),
    )
    for known in (built, None):
        monkeypatch.setattr("nitro.image.known", log.of("known", known))
        built.cached = known is not None
        for line in lines:
            text += said("build", "web", *line) + log.take()
        text += said("build", "ami-1") + log.take()
    for answer in (built, None, NitroError("no"), OSError("x"), ValueError("y")):
        monkeypatch.setattr("nitro.cli.unchanged.known", log.of("known", answer))
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            try:
                outcome = repr(unchanged.show("web"))
            except ValueError as error:
                outcome = repr(error)
        text += f"{printed.getvalue()}{outcome}\n"
    files = [
        SimpleNamespace(mode=0o100644, size=5, path="/a", target=""),
        SimpleNamespace(mode=0o120777, size=0, path="/b", target="/a"),
    ]
    found = SimpleNamespace(
        files=files, summary=lambda: {"kind": "x"}, to_json=lambda files: {"files": files}
    )
    monkeypatch.setattr("nitro.image.inspect.inspect", log.of("inspect", found))
    kernel = {"version": "v1", "ramfs_files": ["/x"]}
    for known_kernel in (None, kernel):
        monkeypatch.setattr(
            "nitro.image.inspect.inspect_kernel", log.of("inspect_kernel", known_kernel)
        )
        monkeypatch.setattr("nitro.image.osv.store.summary", lambda k: {"version": k["version"]})
        for line in ((), ("--files",), ("--json",), ("--json", "--files")):
            text += said("inspect", "disk", *line) + log.take()
    compare(HERE / "calls-builds.txt", text)
