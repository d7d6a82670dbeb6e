"""All programs, in the order of docs/programs.md."""

from __future__ import annotations

from lab.programs.compiled import COMPILED
from lab.programs.images import IMAGES
from lab.programs.scripts import FRAMEWORKS, MADE, SCRIPTS
from lab.programs.servers import SERVERS

CASES = (*SERVERS, *SCRIPTS, *FRAMEWORKS, *MADE, *COMPILED, *IMAGES)
