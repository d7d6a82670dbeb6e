"""A reporter that keeps what it is told, for tests of what people hear."""

from __future__ import annotations

from dataclasses import dataclass, field

from nitro.progress import Reporter, Stage


class HeardStage(Stage):
    """Keeps progress as it came, and statuses."""

    def __init__(self) -> None:
        self.progresses: list[tuple[float, float | None, str]] = []
        self.statuses: list[str] = []

    def progress(self, done: float, total: float | None = None, unit: str = "B") -> None:
        self.progresses.append((done, total, unit))

    def status(self, text: str) -> None:
        self.statuses.append(text)


@dataclass
class Heard(Reporter):
    """Keeps notes and stages, in order."""

    notes: list[str] = field(default_factory=list)
    stages: dict[str, HeardStage] = field(default_factory=dict)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def _open(self, title: str) -> Stage:
        return self.stages.setdefault(title, HeardStage())
