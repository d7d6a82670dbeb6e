"""What an instance is told at its start: `KEY=VALUE` lines, an empty line, a payload."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from nitro.errors import InputError

LIMIT = 16 * 1024  # bytes, before base64; EC2's
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def compose(
    environment: Mapping[str, str], payload: str = "", expires: datetime | None = None
) -> str:
    """User data that the guest's init understands.

    `expires` becomes `NITRO_EXPIRES`, in seconds of Unix time: the guest then powers itself off,
    which ends the instance, however often it has started anew.
    Raises InputError for a name or value that does not fit a line, or more than 16 KiB.
    """
    lines = {"NITRO": "1"}
    if expires:
        lines["NITRO_EXPIRES"] = str(int(expires.timestamp()))
    lines |= environment
    for key, value in lines.items():
        if not _KEY.fullmatch(key):
            raise InputError(f"{key!r} cannot be the name of an environment variable")
        if "\n" in value:
            raise InputError(f"the value of {key} has more than one line")
    text = "".join(f"{key}={value}\n" for key, value in lines.items()) + "\n" + payload
    return _checked(text, "shorten the environment or the plan")


def compose_script(script: str, ttl: timedelta | None) -> str:
    """User data that cloud-init runs as root at the first boot.

    After `ttl` it powers the machine off, which ends the instance. Raises InputError for more than
    16 KiB.
    https://docs.cloud-init.io/en/latest/explanation/format.html
    """
    minutes = math.ceil(ttl.total_seconds() / 60) if ttl else 0
    end = f"shutdown -P +{minutes}\n" if minutes else ""
    return _checked(f"#!/bin/sh\n{end}{script}\n", "shorten the script")


def _checked(text: str, hint: str) -> str:
    if len(text.encode()) > LIMIT:
        raise InputError(
            f"the user data has {len(text.encode())} bytes, EC2 allows {LIMIT}", hint=hint
        )
    return text
