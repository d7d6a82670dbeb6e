"""A restart as EC2 makes it: the guest is asked to shut down, and then the machine starts anew.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-reboot.html
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from nitro.local import qemu

LOOK_SECONDS = 0.2  # between two looks at whether the guest has shut down


def restart(
    folder: Path,
    grace: float,
    given_up: Callable[[], bool],
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Restart the machine whose control socket lies in `folder`.

    A guest that listens to the power button has `grace` seconds to shut down; the others are
    reset at once. `meanwhile` is called while the machine stands still. When `given_up` says so,
    the machine is left to what ends it.
    Raises NitroError, OSError or ValueError when QEMU does not do it.
    """
    with qemu.control(folder) as ask:
        ask("set-action", {"shutdown": "pause"})
    try:
        if qemu.press_power_button(folder):
            deadline = time.monotonic() + grace
            while not _is_shut_down(folder) and time.monotonic() < deadline and not given_up():
                time.sleep(LOOK_SECONDS)
    finally:
        with qemu.control(folder) as ask:
            ask("set-action", {"shutdown": "poweroff"})
    if not given_up():
        with qemu.control(folder) as ask:
            ask("stop")
        meanwhile()
        with qemu.control(folder) as ask:
            ask("system_reset")
            ask("cont")  # nothing, for a machine that was not paused
    elif _is_shut_down(folder):
        with qemu.control(folder) as ask:
            ask("quit")


def _is_shut_down(folder: Path) -> bool:
    with qemu.control(folder) as ask:
        status = ask("query-status")
    return isinstance(status, dict) and status.get("status") == "shutdown"
