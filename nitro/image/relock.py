"""Writes the lock file that ships with nitro anew: `python -m nitro.image.relock`.

It pins what the shipped recipes and examples are made from, and what images are made with, to
the versions that Debian has today.
"""

from __future__ import annotations

from nitro import recipe
from nitro.debian import Lock
from nitro.image.builder import resolve
from nitro.paths import resource
from nitro.progress import LineReporter


def main() -> None:
    home = resource("amis")
    # Not the user's lock upon it: only what is written here travels.
    lock = Lock(home / "debian.lock")
    lock.path.unlink(missing_ok=True)
    for file in [*sorted(home.glob("*.toml")), *sorted(home.glob("examples/*.toml"))]:
        resolve(recipe.load(file), lock, LineReporter())


if __name__ == "__main__":
    main()
