"""What a guest's kernel says at warning level and worse, while its card works as it should.

Every line counts but those of `HARMLESS`, and those from before the guest's init ran: they are
about emulated processors, clocks and boards, and no driver of a card is loaded yet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MARK = "lab: init runs"
# For init's script. The number is the level of a message that tells of nothing wrong.
SET_MARK = f"echo '<6>{MARK}' > /dev/kmsg"
# What picks the lines in the guest: `dmesg -r` begins each with its level, <0> to <7>. Those of
# programs that write to /dev/kmsg begin with 8 and more.
COMMAND = f"dmesg -r | sed -n '/{MARK}/,$p' | grep -E '^<[0-4]>|{MARK}' || true"
_LINE = re.compile(r"<(\d+)>\[ *[\d.]+\] ?(.*)")

# A pattern, and why a kernel may say this on a machine whose card is right.
HARMLESS: dict[str, str] = {
    r"^(clocksource: |hrtimer: interrupt took|workqueue: \S+ hogged CPU)": (
        "an emulated machine stands still while its host does something else"
    ),
    r"^net_ratelimit: \d+ callbacks suppressed": "lines like others, which count themselves",
    r"^ena \S+ eth\d+: Command parameter 46 is not supported": (
        "ethtool asks for flow rules, which Amazon's driver refuses aloud"
    ),
    r"^nitro_ena \S+ (an admin interrupt got lost|no interrupt comes for events); polling": (
        "on a busy host an interrupt comes later than the driver looks; it goes on"
    ),
    r"^\w+: (loading out-of-tree module taints|module verification failed)": (
        "a module that Debian has neither built nor signed"
    ),
}


def complaints(raw: str, provoked: Sequence[str] = ()) -> list[str]:
    """The lines of what `COMMAND` printed that are neither harmless nor match `provoked`.

    `provoked` are patterns of lines that a test brings about: a reset that it asks for.
    """
    known = [re.compile(pattern) for pattern in (*HARMLESS, *provoked)]
    found = [] if MARK in raw else ["the kernel's log no longer reaches back to init"]
    for line in raw.splitlines():
        match = _LINE.match(line)
        text = match[2] if match else line
        harmless = MARK in text or any(pattern.search(text) for pattern in known)
        if text.strip() and not harmless:
            found.append(text)
    return found
