"""Nights, from their requests to their samples: each call that changes something, what is said
meanwhile, and what is recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.bench import budget
from nitro.bench.plan import Plan
from nitro.bench.record import Record
from nitro.bench.schedule import Part
from nitro.bench.store import FolderStore
from nitro.cloud import Cloud, DiskImage
from nitro.errors import NitroError, ProbeError
from nitro.progress import Reporter, Stage
from tests.cloud.joint import FakeProber
from tests.cloud.speed import same_ids
from tests.cloud.test_night import PAGE, TEXT, prober, run
from tests.cloud.test_night import _one_recipe as _one_recipe
from tests.transcripts import Names, compare

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
# What differs between cells and days, and what says how long something took.
_ROW = (
    *("position", "cell", "repetition", "phase", "error", "seconds", "tool", "version", "metrics"),
    *("limited", "allowances", "command", "zone", "placement", "market", "server", "accelerator"),
    *("kernel", "nic", "loaded_driver", "cloud", "baseline_bits", "peak_bits", "digest"),
    "plan_digest",
)

_OF_IMAGES = {"ImportSnapshot", "RegisterImage", "CreateTags"}
_RANDOM = {"ClientToken", "UserData"}


class Told(Reporter):
    """Writes notes, stages and their progress into the lines of a transcript."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def note(self, text: str) -> None:
        self._lines.append(f"note: {text}")

    def _open(self, title: str) -> Stage:
        self._lines.append(f"stage: {title}")
        told = self._lines

        class Shown(Stage):
            def progress(self, done: float, total: float | None = None, unit: str = "B") -> None:
                if unit == "runs":
                    told.append(f"progress: {done} of {total} {unit}")

            def status(self, text: str) -> None:
                pass

        return Shown()


@pytest.fixture(autouse=True)
def _same_account() -> None:
    same_ids()


@pytest.fixture
def lines(cloud: Cloud) -> list[str]:
    """What happens, in order: the calls that change something are written here."""
    found: list[str] = []

    def called(params: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name.startswith(("Describe", "Get")) or model.name in _OF_IMAGES:
            return
        kept = {key: value for key, value in params.items() if key not in _RANDOM}
        found.append(f"{model.name}")
        for key, value in sorted(kept.items()):
            found.append(f"    {key}: {json.dumps(value, sort_keys=True)}")

    cloud.session.events.register("provide-client-params.ec2", called)
    return found


Night = Callable[..., str]


@pytest.fixture
def night(cloud: Cloud, disk: DiskImage, tmp_path: Path, lines: list[str]) -> Night:
    """Runs the small plan with `more` in it, and returns all that came of it."""
    names = Names()
    store = FolderStore(tmp_path / "record")
    record = Record(store)

    def one(
        more: str = "",
        *,
        title: str = "",
        plan: str = TEXT,
        keep: bool = False,
        brief: bool = False,
        **options: Any,
    ) -> str:
        path = tmp_path / "plan.toml"
        path.write_text(plan.format(more=more))
        lines.clear()
        try:
            done = run(cloud, disk, record, Plan.load(path), report=Told(lines), **options)
            lines.append(f"{done}")
        except NitroError as error:
            lines.append(f"{type(error).__name__}: {error}")
        shown = "\n".join(one for one in lines if not brief or not one.startswith("    "))
        rows: list[dict[str, Any]] = []
        if record.plans():
            rows = record.query("SELECT * FROM samples ORDER BY position").to_pylist()
        for number, row in enumerate(rows):
            kept = [key for key in _ROW if row[key] not in (None, [], "")]
            if number:  # a metric is as in the first one
                kept = [key for key in kept if key != "metrics"]
            shown += "\n" + "  ".join(f"{key}={row[key]}" for key in kept)
        for file in [] if keep else store.folder.rglob("*.parquet"):
            file.unlink()
        return _timeless(names(f"---- {title or more}\n{shown}\n\n"))

    return one


def _timeless(text: str) -> str:
    text = re.sub(r"\bd-\d{8}-[0-9a-f]{8}\b", "<deployment>", text)
    text = re.sub(r"(?<![0-9a-f])[0-9a-f]{8}(?![0-9a-f])", "<token>", text)
    text = re.sub(r"\b20\d\d-\d\d-\d\dT[0-9:.]+(?:Z|\+00:00)?", "<time>", text)
    text = re.sub(r"\beu-central-1[a-f]\b", "<zone>", text)
    return re.sub(r"\b10\.147\.\d+\.\d+", "<address>", text)


def test_nights(night: Night) -> None:
    """As it is meant to go: whole, in parts, for money, on the spot market and again."""
    text = night(title="a night", keep=True) + night(title="the same night")
    text += night('market = "spot"\nplacement = "cluster"')
    text += night('max_cost = 100\n[prices]\n"c5.large" = 0.1', part=Part(1, 2))
    compare(HERE / "nights.txt", text)


def test_nights_that_go_wrong(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    brief = partial(night, brief=True)
    dead = prober(fails={"wait_boot": ProbeError("boot: no `ready`", hint="see the console")})
    text = brief(title="no tool on the client", prober=FakeProber(outputs={"http": PAGE}))
    text += brief(title="no server boots", prober=dead)
    text += brief(title="a server dies", prober=_dying(2))
    text += brief(title="no such type", plan=TEXT.replace("c5.large", "c9.large"))
    minutes = count(step=10)
    clock = SimpleNamespace(monotonic=lambda: 60.0 * next(minutes))
    monkeypatch.setattr(budget, "time", clock)
    text += brief("max_hours = 1")
    text += brief('max_cost = 0.5\n[prices]\n"c5.large" = 0.3')
    compare(HERE / "bad-nights.txt", text)


def _dying(number: int) -> FakeProber:
    """The boot of this number fails, and the ones after it do not."""
    boots = iter(range(1000))
    made: FakeProber = prober()
    wait = made.wait_boot

    def wait_boot(watch: Any, **options: Any) -> Any:
        if next(boots) == number:
            raise ProbeError("boot: the kernel panicked")
        return wait(watch, **options)

    setattr(made, "wait_boot", wait_boot)  # noqa: B010
    return made
