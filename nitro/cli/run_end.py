"""How `nitro run` ends: with the program's own status, and with what is known of why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nitro import ending, listening
from nitro.cli.output import say
from nitro.console import milestones
from nitro.errors import NitroError

if TYPE_CHECKING:
    from nitro.image import Image
    from nitro.recipe import Recipe


def status(console: str, memory_mib: int) -> int:
    """The exit code of a machine with `memory_mib` that has ended, from its `console`.

    Raises NitroError when the machine ended before its program did.
    """
    if panic := ending.panic(console):
        hint = f"it lacks memory: try --memory {2 * memory_mib}" if panic.lacks_memory else None
        raise NitroError(f"the kernel panicked: {panic.reason}", hint=hint)
    ends = ending.endings(console)
    if not ends:
        raise NitroError(
            "the machine ended before its program did", hint="its console says how far it came"
        )
    last = ends[-1]
    if last.status or last.restarts:
        times = f", {len(ends)} times in a row" if last.restarts else ""
        say(f"nitro: the program {last}{times}")
    if last.out_of_memory and (lacking := last.out_of_memory.lacking):
        say(f"       try --memory {memory_mib + lacking}")
    elif last.no_space:
        say(f"       try --memory {2 * memory_mib}")
    return last.status


def explain_scripts(recipe: Recipe, built: Image) -> None:
    """Say which packages that the recipe names have scripts that would have made something."""
    from nitro.image.missing import scripts_hint

    if hint := scripts_hint(recipe, built.manifest_path):
        say(f"       {hint}")


def explain_silence(console: str, ports: Sequence[int]) -> None:
    """Say what the program listens on when that is not what the recipe says."""
    said = milestones(console)
    table = listening.read(said)
    ready = any(milestone.name == "ready" for milestone in said)
    if table and (table.ipv6_only or not ready) and (lacks := table.lacks(ports)):
        say(f"nitro: {lacks}")
