"""Adds entries to a recipe's file, and leaves all else in it as somebody wrote it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Sequence

from nitro.errors import InputError

#: source and path of a file
Entry = tuple[str, str]


def toml(entries: Iterable[str | Entry]) -> str:
    """The entries as TOML, with commas between them."""
    return ", ".join(
        _text(one)
        if isinstance(one, str)
        else f"{{ source = {_text(one[0])}, path = {_text(one[1])} }}"
        for one in entries
    )


def _text(word: str) -> str:
    return json.dumps(word, ensure_ascii=False)


def with_entries(text: str, key: str, entries: Sequence[str | Entry]) -> str:
    """The TOML `text` with `entries` in its list of strings or tables `key`.

    Raises InputError when the file is written in a way that this cannot change.
    """
    if not entries:
        return text
    words = toml(entries)
    array = re.search(rf"^{key}\s*=\s*\[", text, re.MULTILINE)
    if array:
        rest = text[array.end() :]
        comma = "" if rest.lstrip().startswith("]") else ", "
        changed = f"{text[: array.end()]}{words}{comma}{rest.lstrip(' ')}"
    elif re.search(rf"^\[\[{key}\]\]", text, re.MULTILINE):
        tables = "".join(f"\n[[{key}]]\n{_table(entry)}" for entry in entries)
        changed = text.rstrip("\n") + "\n" + tables
    else:
        table = re.search(r"^\[", text, re.MULTILINE)  # keys of the file itself come before it
        at = table.start() if table else len(text)
        head = text[:at].rstrip("\n")
        changed = f"{head}\n{key} = [{words}]\n" + ("\n" if table else "") + text[at:]
    if not _has(text, changed, key, entries):
        raise InputError(
            "the recipe is written in a way that cannot be added to", hint="add the lines by hand"
        )
    return changed


def _table(entry: str | Entry) -> str:
    source, *path = [entry] if isinstance(entry, str) else entry
    return f"source = {_text(source)}\n" + "".join(f"path = {_text(one)}\n" for one in path)


def _has(text: str, changed: str, key: str, entries: Sequence[str | Entry]) -> bool:
    try:
        old, new = tomllib.loads(text), tomllib.loads(changed)
    except tomllib.TOMLDecodeError:
        return False
    same = all(new.get(name) == value for name, value in old.items() if name != key)
    found = [one.get("source") if isinstance(one, dict) else one for one in new.get(key, [])]
    added = {entry if isinstance(entry, str) else entry[0] for entry in entries}
    return same and len(found) == len(old.get(key, [])) + len(entries) and added <= {*found}
