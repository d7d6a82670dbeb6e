"""Keys of a recipe that have no effect on OSv, and do no harm there."""

from __future__ import annotations

from nitro.image.decisions import Decision
from nitro.recipe import Recipe


def keys(recipe: Recipe) -> list[Decision]:
    """What the recipe asks for and OSv does not do, with the reason."""
    found = []
    if recipe.on_exit == "restart":
        why = "OSv powers off when the program has ended"
        found.append(Decision("ignored", 'on_exit = "restart"', why))
    if recipe.stop_signal:
        why = "OSv sends no signal before it powers off"
        found.append(Decision("ignored", "stop_signal", why))
    owned = [file.target for file in (*recipe.programs, *recipe.files) if file.owner or file.mode]
    owned += [one.path for one in recipe.folders if (one.owner, one.mode) != ("root", "0755")]
    if owned:
        more = f" and of {len(owned) - 1} more" if len(owned) > 1 else ""
        why = "in OSv's RAMFS everything belongs to root and has mode 0777"
        found.append(Decision("ignored", f"owner and mode of {owned[0]}{more}", why))
    return found


def say(decision: Decision) -> str:
    """The decision as a line of its own."""
    return f"{decision.choice} has no effect: {decision.reason}"
