"""The helpers of a machine, each a process: whether one has died, and in which words to say so."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from nitro.errors import NitroError

LOOK_SECONDS = 0.5  # between two looks at the helpers
END_SECONDS = 2.0  # a machine that powers off takes its card along, and needs a moment to end


@dataclass(frozen=True)
class Helper:
    """A process without which a machine is of no use. `name` is how people know it."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def death(self) -> NitroError | None:
        """Names the process and its log; None while it lives.

        Its number would be that of the local Nitro's namespace, and mean nothing outside.
        """
        code = self.process.poll()
        if code is None:
            return None
        how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with status {code}"
        return NitroError(
            f"{self.name} {how}{_last_line(self.log)}",
            hint=f"its log is {self.log}",
        )


def wait_for_end(
    machine: Helper, helpers: Iterable[Helper], look: Callable[[], object] = lambda: None
) -> None:
    """Wait until the machine powers off, and call `look` now and then.

    Raises NitroError when the machine or one of its helpers dies before.
    """
    helpers = tuple(helpers)
    while machine.process.poll() is None:
        dead = next((death for helper in helpers if (death := helper.death())), None)
        try:
            machine.process.wait(END_SECONDS if dead else LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if dead:
                raise dead from None
        look()
    if machine.process.returncode:
        crashed = (h.death() for h in helpers if h.process.poll())  # and took the machine along
        raise next((error for error in crashed if error), None) or _death_of(machine)


def _death_of(machine: Helper) -> NitroError:
    error = machine.death()
    assert error
    return error


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return f": {lines[-1]}" if lines and lines[-1].strip() else ""
