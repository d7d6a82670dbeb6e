"""Progress on a terminal: one live line for each stage under way, a plain line when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from nitro.printable import printable
from nitro.progress import Ended, Pace, Reporter, Stage


class _LiveStage(Stage):
    def __init__(self, live: Progress, title: str, depth: int) -> None:
        self._live = live
        self._pace = Pace()
        self.task: TaskID = live.add_task("  " * depth + _markup(title), detail="")

    def progress(self, done: float, total: float | None = None, unit: str = "B") -> None:
        self._live.update(self.task, detail=_markup(self._pace.describe(done, total, unit)))

    def status(self, text: str) -> None:
        self._live.update(self.task, detail=_markup(text))


@dataclass
class TerminalReporter(Reporter):
    """Draws with rich on stderr."""

    _live: Progress = field(init=False)

    def __post_init__(self) -> None:
        self._live = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TextColumn("[dim]{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )

    def note(self, text: str) -> None:
        self._live.console.print(printable(text), markup=False)

    def close(self) -> None:
        self._live.stop()

    def _open(self, title: str) -> Stage:
        self._live.start()
        return _LiveStage(self._live, title, len(self._inner) - 1)

    def _close(self, stage: Stage) -> None:
        assert isinstance(stage, _LiveStage)
        self._live.remove_task(stage.task)

    def _show(self, ended: Sequence[Ended]) -> None:
        for stage in ended:
            mark, colour = ("✗", "red") if stage.failed else ("✓", "green")
            self._live.console.print(
                f"{'  ' * stage.depth}[{colour}]{mark}[/] {_markup(stage.title)} "
                f"[dim]{stage.seconds:.1f} s[/]"
            )
        self._live.stop()


def _markup(text: str) -> str:
    """One line of a text, for rich to show as it is."""
    return escape(printable(text, keep=""))
