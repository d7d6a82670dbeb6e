"""The exceptions that users see: what failed, on which input, and what to do.

    NitroError          1    something failed
    ├── InputError      2    the recipe, the option or the file given is not usable
    ├── RefusedError    3    AWS (or the local Nitro) said no: credentials, permission, quota
    ├── ProbeError      4    a measurement failed, or its tool said so
    ├── Regression      5    a benchmark became slower than its history
    └── Interrupted   130    stopped by Ctrl-C or SIGTERM, after cleaning up

The number is the exit code of the command; `nitro run` has 125 for the first four, see
`nitro.cli`. Library code raises these and nothing else on
purpose; any other exception that reaches the command line is a bug and is reported as one.
"""

from __future__ import annotations


class NitroError(Exception):
    """A failure that a person can act on.

    `what` is one line naming what failed and on which input; `hint`, one line, says what to do.
    """

    exit_code = 1

    def __init__(self, what: str, *, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}; {self.hint}" if self.hint else self.what


class InputError(NitroError):
    """What the caller gave cannot be used."""

    exit_code = 2


class RefusedError(NitroError):
    """The cloud refused: credentials, permission, quota, unsupported type."""

    exit_code = 3


class ProbeError(NitroError):
    """A measurement failed, or its own output says that it did."""

    exit_code = 4


class Regression(NitroError):
    """A benchmark has a level that is worse than before."""

    exit_code = 5


class Interrupted(NitroError):
    """Stopped from outside; what was half done has been undone."""

    exit_code = 130
