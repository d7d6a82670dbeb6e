"""Does everything work in this account? Checks in order of their cost.

    identity → account → build → direct snapshot → import → register → launch → boot → driver
             → probes → clean-up

Each says what was expected, what came, how long it took and what it cost at most. A check that
needs what an earlier one did not give is not run, nor is one that the budget does not cover.
Everything that a check makes is removed, however it ends.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from nitro import __version__
from nitro.cloud import Cloud, Keep, Undo, cost, direct, doctor, inventory, tags, verify
from nitro.deploy import MARGIN, Deployment, DeployRequest, deploy
from nitro.documents import SelftestDocument
from nitro.errors import Interrupted, NitroError
from nitro.interfaces import ImageBuilder, Prober
from nitro.measure import disk_of, longest_measurement
from nitro.probe import defaults
from nitro.progress import Reporter, Stage
from nitro.recipe import Recipe

Outcome = Literal["ok", "failed", "not run"]

# The checks that a deployment makes, each by the stages of which it consists.
_DEPLOYING: dict[str, tuple[str, tuple[str, ...]]] = {
    "import": ("a snapshot, equal to the disk when read back", ("import snapshot", "read back")),
    "register": ("an available AMI", ("register AMI",)),
    "launch": ("a running instance", ("launch server",)),
    "boot": ("the program has started", ("boot",)),
}
_ACCOUNT_NUMBER = re.compile(r"\b\d{12}\b")


@dataclass(frozen=True)
class SelftestCheck:
    """One line of the report. `usd`: what it cost, at most; `remedy`: "" where none is known."""

    name: str
    expected: str
    outcome: Outcome
    came: str
    seconds: float = 0.0
    usd: float = 0.0
    remedy: str = ""


@dataclass
class Report:
    """The checks so far, in the order in which they were made."""

    cloud: str
    region: str
    instance_type: str
    budget: float
    checks: list[SelftestCheck] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return all(check.outcome == "ok" for check in self.checks)

    @property
    def usd(self) -> float:
        """What all of it cost, at most."""
        return sum(check.usd for check in self.checks)

    def to_json(self) -> SelftestDocument:
        """The report to send, without the account's number."""
        return {
            "schema": "nitro.selftest/1",
            "nitro": __version__,
            "cloud": "local" if self.cloud == "local" else "aws",
            "region": self.region,
            "instance_type": self.instance_type,
            "ok": self.ok,
            "usd": round(self.usd, 4),
            "budget_usd": self.budget,
            "checks": [
                {
                    "name": check.name,
                    "expected": check.expected,
                    "outcome": check.outcome,
                    "came": _ACCOUNT_NUMBER.sub("(account)", check.came),
                    "seconds": round(check.seconds, 1),
                    "usd": round(check.usd, 4),
                    "remedy": check.remedy,
                }
                for check in self.checks
            ],
        }


@dataclass
class _Watcher(Reporter):
    """Passes stages on, and remembers how long each took and which was the first to fail."""

    shown: Reporter = field(default_factory=Reporter)
    passed: dict[str, float] = field(default_factory=dict)
    failed: str = ""

    @contextmanager
    def stage(self, title: str) -> Iterator[Stage]:
        started = time.monotonic()
        with self.shown.stage(title) as stage:
            try:
                yield stage
            except BaseException:
                self.failed = self.failed or title
                raise
        self.passed[title] = self.passed.get(title, 0.0) + time.monotonic() - started

    def note(self, text: str) -> None:
        self.shown.note(text)


@dataclass
class Selftest:
    """The parts that the checks use. `recipe` is what is built, with a name of this run's own."""

    cloud: Cloud
    cloud_name: str
    recipe: Recipe
    instance_type: str
    budget: float
    builder: ImageBuilder
    prober: Prober
    report: Reporter
    allow: Sequence[str] = ()
    subnet: str | None = None
    bucket: str | None = None

    def run(self) -> Report:
        """Make all checks. Raises InputError for an instance type whose price is not known."""
        region = self.cloud.region
        price = 0.0 if self.cloud_name == "local" else cost.of_hour(self.instance_type, region)
        found = Report(self.cloud_name, region, self.instance_type, self.budget)
        checks = found.checks
        checks += self._account()
        if checks[0].outcome != "ok":
            return found
        before = {resource.id for resource in inventory(self.cloud, self.bucket)}
        # Its own name and digest: nothing that is there already is taken for this run's work.
        token = secrets.token_hex(4)
        recipe = self.recipe.model_copy(
            update={
                "name": f"selftest-{token}",
                "env": {**self.recipe.env, "NITRO_SELFTEST": token},
            }
        )
        checks.append(self._direct(recipe))
        checks += self._deployment(recipe, price, self.budget - found.usd)
        checks.append(self._clean_up(before))
        return found

    def _account(self) -> list[SelftestCheck]:
        return [
            SelftestCheck(
                check.name if check.name != "credentials" else "identity",
                "usable" if check.name == "credentials" else "ready for deployments",
                "ok" if check.ok else "failed",
                check.detail,
                remedy=check.remedy,
            )
            for check in doctor.examine(self.cloud, self.bucket, self.subnet)
        ]

    def _direct(self, recipe: Recipe) -> SelftestCheck:
        def write() -> tuple[str, float]:
            image = self.builder.prepare(recipe, report=self.report).build()
            disk = disk_of(recipe, image)
            run = tags.Run(ephemeral=True)
            with Undo(keep=Keep.NOTHING, report=self.report, sleep=self.cloud.sleep) as undo:
                with self.report.stage("write snapshot") as stage:
                    written = direct.write_snapshot(
                        self.cloud, disk, run, undo, stage, incremental=False
                    )
                with self.report.stage("read back") as stage:
                    read = verify.compare(self.cloud, written.snapshot_id, disk, stage)
            came = f"{written.snapshot_id}, {read} blocks written and read back"
            usd = cost.of_blocks(written.blocks_sent, read)
            return came, 0.0 if self.cloud_name == "local" else usd

        return _made("direct snapshot", "a snapshot, equal to the disk when read back", write)

    def _deployment(self, recipe: Recipe, price: float, left: float) -> list[SelftestCheck]:
        selection = defaults(recipe.ports)
        hours = (longest_measurement(selection) + MARGIN).total_seconds() / 3600
        at_most = 2 * price * hours
        names = [*_DEPLOYING, "driver", "probes"]
        if at_most > left:
            reason = f"would cost up to {at_most:.2f} USD, the budget has {max(left, 0):.2f} left"
            return [_not_run(name, reason, "give a larger --budget") for name in names]
        watcher = _Watcher(shown=self.report)
        request = DeployRequest(
            recipe,
            self.instance_type,
            selection=selection,
            keep=Keep.NOTHING,
            allow=self.allow,
            subnet=self.subnet,
            bucket=self.bucket,
        )
        deployment, error = None, None
        try:
            deployment = deploy(
                self.cloud, request, builder=self.builder, prober=self.prober, report=watcher
            )
        except Interrupted:
            raise
        except NitroError as failure:
            error = failure
        checks = list(_stages(watcher, deployment, error))
        ran = sum(watcher.passed.get(s, 0.0) for s in ("launch server", "boot", "measure"))
        usd = 2 * price * max(ran, 60.0) / 3600 if "launch server" in watcher.passed else 0.0
        return [*checks, *_measured(deployment, usd)]

    def _clean_up(self, before: set[str]) -> SelftestCheck:
        def look() -> tuple[str, float]:
            left = [r for r in inventory(self.cloud, self.bucket) if r.id not in before]
            if left:
                named = ", ".join(f"{r.kind} {r.id}" for r in left)
                raise NitroError(
                    f"made since the start and still there: {named}",
                    hint="`nitro destroy` removes it, unless somebody else made it meanwhile",
                )
            return "nothing is left", 0.0

        return _made("clean-up", "nothing is left", look)


def _made(name: str, expected: str, check: Callable[[], tuple[str, float]]) -> SelftestCheck:
    """A check that returns what came and what it cost, or raises NitroError."""
    started = time.monotonic()
    try:
        came, usd = check()
    except Interrupted:
        raise
    except NitroError as error:
        seconds = time.monotonic() - started
        return SelftestCheck(name, expected, "failed", error.what, seconds, remedy=error.hint or "")
    return SelftestCheck(name, expected, "ok", came, time.monotonic() - started, usd)


def _not_run(name: str, reason: str, remedy: str = "") -> SelftestCheck:
    expected = _DEPLOYING[name][0] if name in _DEPLOYING else _EXPECTED[name]
    return SelftestCheck(name, expected, "not run", reason, remedy=remedy)


_EXPECTED = {"driver": "the nitro driver", "probes": "a figure from each"}


def _stages(
    watcher: _Watcher, deployment: Deployment | None, error: NitroError | None
) -> Iterator[SelftestCheck]:
    """The checks that consist of a deployment's stages; the error belongs to the first open one."""
    came = {} if deployment is None else {
        "import": deployment.published.snapshot_id,
        "register": deployment.published.ami_id,
        "launch": f"{deployment.instance.id}, {deployment.instance.accelerator}",
        "boot": "ready",
    }  # fmt: skip
    for name, (expected, stages) in _DEPLOYING.items():
        if all(stage in watcher.passed for stage in stages) and watcher.failed not in stages:
            seconds = sum(watcher.passed[stage] for stage in stages)
            yield SelftestCheck(name, expected, "ok", came.get(name, "done"), seconds)
        elif error:
            yield SelftestCheck(name, expected, "failed", error.what, remedy=error.hint or "")
            error = None
        else:
            yield _not_run(name, "an earlier check failed")


def _measured(deployment: Deployment | None, usd: float) -> Iterator[SelftestCheck]:
    if deployment is None:
        yield from (_not_run(name, "an earlier check failed") for name in _EXPECTED)
        return
    card = deployment.instance
    expected = _EXPECTED["driver"]
    if card.driver == "nitro" and card.fallback is None:
        yield SelftestCheck("driver", expected, "ok", f"nitro on {card.nic}")
    else:
        why = card.fallback or "no reason given"
        yield SelftestCheck("driver", expected, "failed", f"{card.driver} on {card.nic}: {why}")
    failed = [f"{p.name}: {p.error}" for p in deployment.probes if not p.ok]
    figures = len(deployment.probes) - len(failed)
    came = "; ".join(failed) or f"figures from {figures} probes"
    outcome: Outcome = "failed" if failed or not figures else "ok"
    yield SelftestCheck("probes", _EXPECTED["probes"], outcome, came, usd=usd)
