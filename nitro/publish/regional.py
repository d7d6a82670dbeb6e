"""Progress of regions that work side by side: one stage for all of them, a line for each end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nitro.progress import Ended, Reporter, Stage, amount


@dataclass
class RegionReporter(Reporter):
    """Says what a region does as the status of a stage that it has in common with others."""

    region: str = ""
    outer: Reporter = field(default_factory=Reporter)
    shared: Stage = field(default_factory=Stage)

    def note(self, text: str) -> None:
        self.outer.note(f"{self.region}: {text}")

    def _open(self, title: str) -> Stage:
        return _RegionStage(f"{self.region}: {title}", self.shared)

    def _show(self, ended: Sequence[Ended]) -> None:
        for stage in ended:
            how = "failed after" if stage.failed else "done in"
            if stage.seconds >= 1 or stage.failed:  # what takes no time is no news
                self.note(f"{stage.title}: {how} {stage.seconds:.1f} s")


class _RegionStage(Stage):
    def __init__(self, title: str, shared: Stage) -> None:
        self._title, self._shared = title, shared

    def progress(self, done: float, total: float | None = None, unit: str = "B") -> None:
        self._shared.status(f"{self._title}, {amount(done, total, unit)}")

    def status(self, text: str) -> None:
        self._shared.status(f"{self._title}, {text}")
