"""What a recipe leaves out of its folders: the key `exclude` and files called .nitroignore."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from nitro.errors import InputError
from nitro.recipe import Recipe

IGNORE_FILE = ".nitroignore"


def excluder(folder: Path, recipe: Recipe) -> Callable[[Path], bool]:
    """Says whether to leave out a path below `folder`, one of the recipe's.

    The patterns are gitignore's. Those of the recipe, and of the .nitroignore beside it, start at
    the recipe's folder (at `folder`, when that lies elsewhere); those of a .nitroignore in `folder`
    start there. One that would leave out `folder` itself does not count: the recipe names that.
    Raises InputError for a pattern that is none.
    """
    home = recipe.folder if folder.is_relative_to(recipe.folder) else folder
    rules = [_Rules(home, folder, recipe.exclude, "the key exclude")]
    for place in dict.fromkeys((recipe.folder, folder)):
        file = place / IGNORE_FILE
        if file.is_file():
            lines = file.read_text(errors="surrogateescape").splitlines()
            start = home if place == recipe.folder else folder
            rules.append(_Rules(start, folder, lines, str(file)))
    used = [rule for rule in rules if rule.patterns]
    return lambda path: path.name == IGNORE_FILE or any(rule.match(path) for rule in used)


class _Rules:
    def __init__(self, start: Path, folder: Path, patterns: Sequence[str], where: str) -> None:
        self.patterns = patterns
        self._start = start
        if not patterns:
            return
        from pathspec import GitIgnoreSpec

        inside = f"{folder.relative_to(start)}/"
        try:
            self._spec = GitIgnoreSpec.from_lines(
                one for one in patterns if not GitIgnoreSpec.from_lines([one]).match_file(inside)
            )
        except ValueError as error:
            raise InputError(f"{where}: {error}", hint="write it as in .gitignore") from None

    def match(self, path: Path) -> bool:
        inside = str(path.relative_to(self._start))
        is_folder = path.is_dir() and not path.is_symlink()
        return self._spec.match_file(f"{inside}/" if is_folder else inside)
