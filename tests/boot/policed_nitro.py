"""`python -m tests.boot.policed_nitro`: `nitro`, held against the shipped policies."""

from __future__ import annotations

import sys

from nitro.cli import main
from tests.cloud.policed import granted

# Whoever benchmarks deploys, too.
POLICIES = {
    "bench": ("deploy", "bench"),
    "gc": ("gc",),
    "publish": ("publish",),
    "rollback": ("publish",),
    "verify": ("publish",),
}

if __name__ == "__main__":
    with granted(*POLICIES.get(sys.argv[1], ("deploy",))):
        main()
