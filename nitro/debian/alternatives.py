"""The links that packages' scripts make by update-alternatives(1): /usr/bin/awk to mawk.

Scripts do not run. Their calls are read instead, with variables and loops over lists of words,
which is what Debian's packages write; a call that takes more to understand is passed over.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePosixPath

from nitro.debian.tree import locate

_ASSIGNMENT = re.compile(r"\s*([A-Za-z_]\w*)=(.*)")
_LOOP = re.compile(r"\s*for\s+([A-Za-z_]\w*)\s+in\s+(.*?)\s*(?:;\s*do\b.*)?")
_CALL = re.compile(r"\bupdate-alternatives\s([^;&|]*)")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[\w.+@:~-]+)+")
_NAME = re.compile(r"(?!\.{1,2}$)[\w.+@:~-]+")
_PLACE = "/etc/alternatives"
_PRIORITY = re.compile(r"-?[0-9]{1,9}")
_LONGEST_PATH, _LONGEST_NAME = 500, 200  # bytes: room for a file system's own limits
_LONGEST_VALUE = 10_000  # characters of a variable, which may name itself twice
_MANY = 200  # links of one call, which a loop repeats
_LINK_WORDS, _CALL_WORDS = 3, 4  # path, name and target; and a priority


@dataclass(frozen=True)
class Link:
    """`path` is to lead to `target`; `name` is what it is called in /etc/alternatives."""

    path: str
    name: str
    target: str


@dataclass(frozen=True)
class Alternative:
    """One call: the link that it offers, those that follow it, and its priority."""

    link: Link
    priority: int
    slaves: tuple[Link, ...] = ()


def offered(script: str) -> list[Alternative]:
    """What the text of a package's script offers to update-alternatives, in its order."""
    found: list[Alternative] = []
    variables: dict[str, list[str]] = {}
    for line in script.replace("\\\n", " ").splitlines():
        if line.lstrip().startswith("#"):
            continue
        if match := _LOOP.fullmatch(line):
            variables[match[1]] = _values(match[2], variables)
        elif (match := _ASSIGNMENT.fullmatch(line)) and (values := _values(match[2], variables)):
            # Another value than a known one is not taken.
            variables[match[1]] = [" ".join(values)[:_LONGEST_VALUE]]
        for call in _CALL.finditer(line):
            found += _read(_words(call[1]), variables)
    return found


def add(root: Path, scripts: Iterable[str]) -> None:
    """Make the links of `scripts` in the packages unpacked at `root`.

    Of several alternatives for one name, that of the highest priority whose file is there counts.
    What the packages have themselves stays.
    """
    best: dict[str, Alternative] = {}
    for script in scripts:
        for one in offered(script):
            old = best.get(one.link.name)
            is_there = locate(root, one.link.target) is not None
            if is_there and (old is None or one.priority > old.priority):
                best[one.link.name] = one
    for _, one in sorted(best.items()):
        for link in (one.link, *one.slaves):
            if locate(root, link.target) is not None:
                for path in (link.path, f"{_PLACE}/{link.name}"):
                    _link(root, path, link.target)


def _link(root: Path, path: str, target: str) -> None:
    place = PurePosixPath(path)
    folder = _folder(root, place.parent)
    if folder is not None and not os.path.lexists(folder / place.name):
        with suppress(PermissionError):  # a folder that packages have without that for its owner
            (folder / place.name).symlink_to(target)


def _folder(root: Path, path: PurePosixPath) -> Path | None:
    """The folder at `path`, made where it lacks; None where a link or a file is in the way."""
    if (found := locate(root, str(path))) is not None:
        return found if found.is_dir() else None
    above = _folder(root, path.parent)
    if above is None or (above / path.name).is_symlink():
        return None
    try:
        (above / path.name).mkdir()
    except PermissionError:
        return None
    return above / path.name


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:  # a quotation of several lines
        return []


def _values(text: str, variables: Mapping[str, list[str]]) -> list[str]:
    """The words of a list, or nothing where one of them is not known before the script runs."""
    if "`" in text or "$(" in text:
        return []
    known = [one for word in _words(text) for one in _expanded([word], variables)]
    return [part for [word] in known for part in word.split()]


def _expanded(words: Sequence[str], variables: Mapping[str, list[str]]) -> Iterator[list[str]]:
    """`words` with each combination of the values of what they name; none where one is unknown."""
    names = {one or other for word in words for one, other in _VARIABLE.findall(word)}
    known = [variables.get(name, []) for name in sorted(names)]
    for _, values in zip(range(_MANY), product(*known), strict=False):
        told = dict(zip(sorted(names), values, strict=True))
        yield [_substituted(word, told) for word in words]


def _substituted(word: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: values[match[1] or match[2]], word)


def _read(words: Sequence[str], variables: Mapping[str, list[str]]) -> Iterator[Alternative]:
    if "--install" not in words:
        return
    start = words.index("--install") + 1
    call, rest = words[start : start + _CALL_WORDS], words[start + _CALL_WORDS :]
    for at, word in enumerate(rest):
        slave = rest[at + 1 : at + 1 + _LINK_WORDS]
        if word == "--slave" and next(_expanded(slave, variables), None):
            call = [*call, *slave]
    for expanded in _expanded(call, variables):
        if len(expanded) < _CALL_WORDS:
            continue
        path, name, target, priority, *others = expanded
        link = _checked(path, name, target)
        if link is not None and _PRIORITY.fullmatch(priority):
            groups = (others[at : at + _LINK_WORDS] for at in range(0, len(others), _LINK_WORDS))
            slaves = (_checked(*group) for group in groups if len(group) == _LINK_WORDS)
            yield Alternative(link, int(priority), tuple(one for one in slaves if one))


def _checked(path: str, name: str, target: str) -> Link | None:
    good = _is_path(path) and _NAME.fullmatch(name) and _fits(name) and _is_path(target)
    return Link(path, name, target) if good else None


def _is_path(text: str) -> bool:
    good = _PATH.fullmatch(text) and len(text.encode()) <= _LONGEST_PATH
    return bool(good) and all(map(_fits, text.split("/")))


def _fits(name: str) -> bool:
    return len(name.encode()) <= _LONGEST_NAME
