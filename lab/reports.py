"""What a debug kernel reports: faults that it finds, whatever the system was doing."""

from __future__ import annotations

import re

from lab.driver import Machine

# How a report begins.
_FAULT = re.compile(
    r"BUG:|WARNING:|Oops|KASAN|ODEBUG:|refcount_t:|general protection|leaked reference"
    r"|DMA-API: (?!preallocated|debugging)|suspicious RCU|inconsistent lock state"
    r"|sleeping function|scheduling while|blocked for more than|lockup|NETDEV WATCHDOG"
    r"|page_pool_release_retry|unregister_netdevice: waiting"
)
_RACE = "BUG: KCSAN:"
_RULE = re.compile(r"^(?:\[ *[\d.]+\] )?={20,}$", re.MULTILINE)
# Memory that nothing points to: found by two scans, and when it is older than five seconds.
_SCAN = "echo scan > /sys/kernel/debug/kmemleak"
_LEAKS = f"sleep 6; {_SCAN}; {_SCAN}; cat /sys/kernel/debug/kmemleak"


def faults(console: str, *known: str) -> list[str]:
    """The first lines of all reports but those of KCSAN and those that match a pattern `known`."""
    passed = re.compile("|".join((_RACE, *known)))
    lines = console.splitlines()
    return [line for line in lines if _FAULT.search(line) and not passed.search(line)]


def races(console: str, module: str) -> list[str]:
    """Reports of KCSAN that name a function of `module` as one of the two that race.

    The kernel's own code has races as well, which its authors know of.
    """
    found = []
    for block in _RULE.split(console):
        title = next((line for line in block.splitlines() if _RACE in line), "")
        if f"[{module}]" in title:
            found.append(block.strip())
    return found


def reports(subject: Machine, module: str, *known: str) -> list[str]:
    """All that the guest's kernel has to report, with memory that got lost, but for what matches a
    pattern `known`."""
    console = subject.guest.console()
    leaks = subject.run(f"[ ! -e /sys/kernel/debug/kmemleak ] || {{ {_LEAKS}; }}", 300)
    lost = [leaks] if "unreferenced object" in leaks else []
    return faults(console, *known) + races(console, module) + lost
