"""Transcripts: all that a flow sends or says, held against a text in the repository.

`NITRO_WRITE_TRANSCRIPTS=1` before the command that runs the tests writes the texts anew; whoever
changes them reads the difference.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

_LONGEST = 200  # lines of a difference that a person reads
_IDS = "acl|aclassoc|ami|dopt|eipalloc|eipassoc|eni|eni-attach|fleet|i|igw|iip-assoc|import-ami"
_IDS += "|import-snap|key|lt|pg|r|rtb|rtbassoc|sfr|sg|sgr|sir|snap|subnet|vol|vpc|vpc-cidr-assoc"
_ID = re.compile(rf"\b({_IDS})-[0-9a-f]{{8,17}}\b")


def compare(path: Path, text: str) -> None:
    """Fails with the difference unless the file has this text."""
    if os.environ.get("NITRO_WRITE_TRANSCRIPTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    kept = path.read_text().splitlines() if path.exists() else []
    difference = list(
        difflib.unified_diff(kept, text.splitlines(), path.name, "now", lineterm="", n=2)
    )
    assert not difference, "\n".join(
        [
            "the transcript has changed; if it should, NITRO_WRITE_TRANSCRIPTS=1 writes it anew",
            *difference[:_LONGEST],
        ]
    )


class Names:
    """Names for what AWS gives an id of random digits: `ami-1` for the first AMI that appears."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        return _ID.sub(lambda found: self._name(found[0], found[1]), text)

    def _name(self, id_: str, kind: str) -> str:
        if id_ not in self._names:
            number = sum(name.rpartition("-")[0] == kind for name in self._names.values()) + 1
            self._names[id_] = f"{kind}-{number}"
        return self._names[id_]
