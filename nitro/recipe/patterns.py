"""What words of a recipe look like, for the machine and for people."""

from __future__ import annotations

NAME = r"^[a-z0-9][a-z0-9.-]{0,62}$"
# Debian Policy, 5.6.1
PACKAGE = r"^[a-z0-9][a-z0-9+.-]+$"
KERNEL = r"^[a-z][a-z0-9]*(:[A-Za-z0-9][A-Za-z0-9._-]*)?$"
TRACED = r"^[a-z][a-z0-9_*]*$"
OCTAL = r"^[0-7]{3,4}$"
SUITE = r"^[a-z][a-z-]*$"
SIGNAL = r"^[A-Z0-9+-]{1,12}$"
_USER = r"([A-Za-z_][A-Za-z0-9_.-]{0,31}|[0-9]{1,10})"
OWNER = rf"^{_USER}(:{_USER})?$"

_MEANT = {
    NAME: "a name of a-z, 0-9, dots and hyphens, at most 63 of them, such as my-server",
    PACKAGE: "the name of a Debian package, such as redis-server",
    KERNEL: "linux or osv:NAME",
    TRACED: "the beginning of a system call's name, such as open",
    OCTAL: "an octal mode, such as 0755",
    SUITE: "a suite of Debian's, such as trixie",
    SIGNAL: "a signal, such as QUIT",
    OWNER: "the name or number of a user, and after a colon a group's, such as www-data:adm",
}


def meant(pattern: str) -> str:
    """What a word that fits `pattern` is, in words."""
    return _MEANT.get(pattern, f"of the form {pattern}")


def word(text: str) -> str:
    """A word of a command line. Raises ValueError."""
    if "\0" in text:
        raise ValueError("has a NUL byte in it")
    return text
