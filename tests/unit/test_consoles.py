"""All that is read from consoles: milestones, ends, panics, listeners, reports and traced calls."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from nitro import conditions, console, ending, listening, strace
from nitro.console import LONGEST, Milestone
from nitro.ending import Ending, OutOfMemory
from nitro.listening import Listener, Listening
from tests.transcripts import compare

HERE = Path(__file__).parent / "transcripts"

pytestmark = pytest.mark.extended

START = '{"nitro": "start", "uptime": 1.5, "memory_kib": 131072, "free_kib": 65535}\n'
OSV = "OSv v0.57.0\nCmdline: /a\n"


def exit_(uptime: float = 3.0, code: object = 0, **more: object) -> str:
    fields = "".join(f', "{key}": {str(value).lower()}' for key, value in more.items())
    return f'{{"nitro": "exit", "uptime": {uptime}, "code": {code}{fields}}}\n'


def killed(total: int, anon: int, shared: int = 0) -> str:
    return (
        f"[    2.0] Out of memory: Killed process 7 (a (b) c) total-vm:{total}kB, "
        f"anon-rss:{anon}kB, file-rss:1kB, shmem-rss:{shared}kB\n"
    )


CONSOLES = {
    "nothing": "",
    "a run": f"boot\n{START}hello\r\nworld\r\n{exit_()}after\n",
    "two on a line": START.strip() + "x" + exit_(),
    "inside another": '{"nitro": "a", "uptime": 1, "b": {"nitro": "c", "uptime": 2}}',
    "spaces": '{ \t"nitro" : "a","uptime":0}',
    "a brace": '{{"nitro": "a", "uptime": 1}',
    "broken": '{"nitro": "a", "uptime": 1\n{"nitro": "b", "uptime": 2}',
    "broken, then whole": '{"nitro": {"nitro": "b", "uptime": 2}',
    "no name": '{"nitro": 1, "uptime": 1}{"nitro": "b"}{"nitro": "c", "uptime": null}',
    "times": "".join(
        f'{{"nitro": "a", "uptime": {text}}}'
        for text in ("true", "-1", "-0.0", "1e9", "1000000001", '"1"', "NaN", "1e400", "1" * 400)
    ),
    "the longest": '{"nitro": "a", "uptime": 1, "x": "' + "y" * (LONGEST - 36) + '"}',
    "too long": '{"nitro": "a", "uptime": 1, "x": "' + "y" * (LONGEST - 35) + '"}',
    "carriage returns": f'a\r{{"nitro": "b",\r "uptime": 1}}\r{exit_()}',
    "again": f"{START}a\n{exit_()}{START}b\n{exit_(4.0, 1, restart=True)}{START}c\n",
    "no start": f"a\n{exit_(2.0, 1)}b\n{exit_(2.0, 1)}",
    "no code": f"{START}{exit_(2.0, 'null')}{START}{exit_(2.0, chr(34) + 'x' + chr(34))}",
    "before its start": f"{START}{exit_(1.0)}",
    "no memory": f"{START}{killed(300 << 10, 70 << 10, 5 << 10)}{exit_(2.0, 137)}",
    "no memory, status 1": f"{START}{killed(300 << 10, 70 << 10)}{exit_(2.0, 1)}",
    "no memory, nothing said": f"{exit_(1.0)}{killed(1, 2)}{exit_(2.0, 137)}",
    "killed": f"{START}{exit_(2.0, 137)}",
    "odd sizes": f"{START.replace('131072', '-1').replace('65535', 'true')}"
    f"{killed(9999, 1023)}{exit_(2.0, 137)}",
    "no space": f"{START}write: no space LEFT on device\n{exit_(2.0, 1)}",
    "no space, well": f"{START}No space left on device\n{exit_(2.0, 0)}",
    "no space before": f"No space left on device\n{START}{exit_(2.0, 1)}",
    "no space at first": f"No space left on device\n{exit_(2.0, 1)}",
    "panic": "[    1.0] Kernel panic - not syncing: Attempted to kill init!\r\n",
    "a bug": "[ 12.34] cpu 1: kernel BUG at mm/slub.c:1!\n",
    "a far panic": f"[ 12.34] {'x' * 21} Kernel panic - not syncing: x\n",
    "a panic for lack of memory": "[ 1.0] Out of memory and no killable\n[ 1.1] Kernel panic - not "
    "syncing: System is deadlocked on memory\n",
    "no room to unpack": "[ 1.0] Initramfs unpacking failed: write error\n"
    "[ 1.1] Kernel panic - not syncing: no init\n",
    "lack of memory afterwards": "[ 1.1] Kernel panic - not syncing: x\n[ 1.2] Out of memory\n",
    "a panic that is only said": "Kernel panic - not syncing: x\n",
    "OSv": f"{OSV}hello\nprogram /a returned 3\n",
    "OSv, not first": f"boot\n{OSV}Powering off.\n",
    "OSv of no version": "OSv v\nCmdline: /a\n",
    "OSv's clocks": "OSv 1\n\ta: 1500.5ms, (+1.0ms)\nCmdline: /a\n",
    "OSv booted": "OSv v1\nBooted up in 2500.25 ms\neth0: 10.0.0.1\nCmdline: /a b\n",
    "OSv's address afterwards": f"{OSV}eth0: 10.0.0.1\n",
    "OSv twice": f"{OSV}Powering off.\n{OSV}program exited with status 2\n",
    "down": f"{OSV}VFS: unmounting /dev\n",
    "off": f"{OSV}Powering off.\n",
    "off behind text": f"{OSV}xPowering off.\n",
    "not started": f"{OSV}Failed to load. Powering off.\n",
    "a signal": f'{OSV}Uncaught signal 11 ("Segmentation fault"). Powering off.\n',
    "statuses": "".join(
        f"{OSV}program exited with status {n}\n" for n in (-1, 0, 255, 256, 12345678901)
    ),
    "a status of text": f"{OSV}program exited with status 123456789012\n",
    "a status behind much": f"{OSV}{'x' * 371}program exited with status 5\n",
    "a status that is far": f"{OSV}{'x' * 400}program exited with status 5{'y' * 372}\n",
    "aborted": f"{OSV}Aborted\n\n[backtrace]\n",
    "aborted, more said": f"{OSV}Aborted\nmore\n[backtrace]\n",
    "an assertion": f"{OSV}Assertion failed: a == b\n[backtrace]\n",
    "aborted before": "OSv v1\nAborted\n[backtrace]\n",
    "registers": f"{OSV}page fault\n[registers]\nprogram exited with status 1\n",
    "halted": "OSv v1\nOut of memory: could not reclaim\nHalting.\n",
    "halted, a line between": "OSv v1\r\nno root\r\n\r\nHalting.\r\n",
    "halted, two lines between": "OSv v1\nno root\n\n\nHalting.\n",
    "not OSv": "no root\nHalting.\n",
}


def test_consoles() -> None:
    text = ""
    for title, said in CONSOLES.items():
        text += f"== {title}\n"
        for first, last, one in console.located(said):
            fields = {k: v if len(str(v)) < 99 else len(str(v)) for k, v in one.fields.items()}
            text += f"  {first}-{last} {one.name} {one.uptime} {fields}\n"
        ends = ending.endings(said)
        for end in ends:
            lacking = end.out_of_memory and end.out_of_memory.lacking
            text += f"  {end}, quick {end.quick}, again {end.restarts}, lacks {lacking}\n"
            text += f"    {end!r}\n" if end.out_of_memory else ""
        text += f"  {ending.panic(said)} {ending.output(said)[-99:]!r}\n"
    compare(HERE / "consoles.txt", text)


def test_ends() -> None:
    text = ""
    for seconds in (None, 0.0, 9.99, 10.0, 12.34):
        for status in (0, 1, 128, 129, 137, 143, 192, 193, 255):
            for no_space in (False, True):
                end = Ending(status, seconds, False, no_space=no_space)
                text += f"{end}, quick {end.quick}\n"
    quick, slow = Ending(1, 1.0, True), Ending(1, 10.0, True)
    for ends in ([], [quick] * 2, [quick] * 3, [slow, *[quick] * 3], [quick] * 3 + [slow]):
        text += f"{len(ends)}: {ending.crash_loop(ends)}\n"
    for used, reserved, total, free in (
        *((100, 400, 512, 300), (100, 401, 512, 300), (100, 364, None, 300), (100, 365, 0, 300)),
        *((100, 300, 512, 300), (100, 10, 512, 300), (100, 400, 512, None), (100, 301, 512, 300)),
    ):
        out = OutOfMemory("a", used, reserved, total, free)
        text += f"{out}, lacks {out.lacking}; {Ending(137, 1.0, False, out)}\n"
    for lines in (0, 1, 2, 20):
        text += (
            f"{lines}: {console.tail('a ' * 3 + chr(10) * 3 + 'b' + chr(13) + ' c ', lines)!r}\n"
        )
    text += f"{console.tail(chr(10).join(map(str, range(30))))!r}\n"
    compare(HERE / "ends.txt", text)


def test_listeners() -> None:
    text = ""
    tables: list[tuple[str, object, object]] = [
        ("all", ["00000000:0050", "0100007F:0016"], []),
        ("IPv6", ["0" * 32 + ":0050", "0" * 24 + "01000000:0016"], [80]),
        ("mapped", ["0000000000000000FFFF00000100007F:0016"], []),
        ("mapped, outward", ["0000000000000000FFFF00000A00000A:0050"], []),
        ("of no use", ["x", 7, None, "00000000:50", "0000000G:0050", "00000000:00500"], ["80", 22]),
        ("lower case", ["0a00000a:0050"], []),
        ("no lists", "x", {}),
        ("nothing", [], []),
    ]
    for title, sockets, only in tables:
        said = [
            Milestone("listening", 1.0, {}),
            Milestone("listening", 2.0, {"sockets": sockets, "ipv6_only": only}),
            Milestone("ready", 3.0),
        ]
        found = listening.read(said)
        assert found
        text += f"== {title}: {', '.join(map(str, found.listeners))} {found.ipv6_only}\n"
        for ports in ((), (80,), (22,), (22, 80), (443, 80)):
            text += f"  {ports}: {found.lacks(ports)}\n"
    for address in ("127.0.0.1", "10.0.0.1", "::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1"):
        one = Listener(ip_address(address), 80)
        text += f"{one} {one.inward} {Listening((one,), ()).lacks((80,))}\n"
    text += f"{listening.read([])} {listening.read([Milestone('ready', 1.0)])}\n"
    compare(HERE / "listeners.txt", text)


def test_reports() -> None:
    kernel = '{"nitro": "kernel", "uptime": 1, "release": "6.1"}\n'
    driver = '{"nitro": "driver", "uptime": 2, "driver": "%s", "kind": "nitro"}\n'
    text = ""
    for title, said in {
        "nothing": "",
        "a kernel": kernel,
        "without a release": '{"nitro": "kernel", "uptime": 1}',
        "ena": kernel + driver % "ena",
        "nitro_ena": kernel + driver % "nitro_ena",
        "virtio": driver % "virtio_net",
        "another": driver % "e1000",
        "the last": driver % "nitro_ena" + driver % "virtio_net",
        "a version": '{"nitro": "driver", "uptime": 2, "version": 5}',
        "a fallback": '{"nitro": "fallback", "uptime": 2, "what": "no reset"}',
        "a fallback for nothing": '{"nitro": "fallback", "uptime": 2}',
        "warnings": '{"nitro": "warning", "uptime": 2, "what": "a"}\n'
        '{"nitro": "warning", "uptime": 2}',
        "ends": START + exit_(),
        "OSv": "OSv v1\neth0: 10.0.0.1\n",
        "OSv, no address": "OSv v1\n",
        "OSv, its driver named": "OSv v1\neth0: 10.0.0.1\n" + driver % "nitro_ena",
        "Linux, an address": kernel + '{"nitro": "address", "uptime": 1}',
    }.items():
        text += f"== {title}\n  {conditions.read_console(said)}\n"
    compare(HERE / "reports.txt", text)


def test_traced_calls() -> None:
    text = ""
    mark = strace.MARK
    for title, said in {
        "Linux": f'{mark} 1 read(3, "a) = 1", 9) = -1 EAGAIN (x) <0.000001>\n'
        f"x{mark} 22   close(3)   = 0\n{mark} 1 brk(NULL) = 0x5 <1.5>  \n",
        "resumed": f"{mark} 1 poll([] <unfinished ...>\n{mark} 1 <... poll resumed>) = ? <0.5>\n",
        "not traced": f"{mark}\n{mark} x read() = 0\n{mark} 1 --- SIG ---\n read() = 0\n",
        "failures": "".join(f"{mark} 1 a() = {r}\n" for r in ("-1", "-2", "1", "-1 E", "?")),
        "OSv": "a 0 1.000000000 syscall_read(0 <= 1)\na 0 1.500000000 vfs_x(1)\n"
        "b 1 2.000000000 syscall_long_y(0 <= )\na 0 1.250000000 z()\n",
        "OSv's names": "a 0 1.000000000 syscall_syscall_x()\na 0 1.000000000 x_syscall_y()\n",
        "OSv's failures": "".join(
            f"a 0 1.000000000 f({r} <= 1)\n"
            for r in ("-1", "0xffffffff", "0xffffffffffffffff", "0xfffffffe", "1", " -1 ")
        ),
        "begun and ended": "a 0 1.000000000 vfs_open(x)\na 0 1.250000000 vfs_read(3)\n"
        "a 0 2.000000000 vfs_open_ret(3)\na 0 3.000000000 vfs_open_err(2)\n"
        "a 0 4.000000000 vfs_open(x)\nb 0 5.000000000 vfs_open_ret(3)\n"
        "a 0 3.500000000 vfs_open_err(2)\n",
        "begun twice": "a 0 1.000000000 f(x)\na 0 2.000000000 f(x)\na 0 3.000000000 f_ret(0)\n",
        "answered at once": "a 0 1.000000000 f(0 <= 1)\na 0 2.000000000 f_ret(0)\n",
        "no lines of OSv's": "a 0 1.0 f()\na 12345 1.000000000 f()\n"
        + "a" * 65
        + " 0 1.000000000 f()\n"
        + "a" * 65
        + " 0 1.000000000 f()\n"
        "a 0 1.000000000 F()\n",
    }.items():
        found = strace.calls(said)
        text += f"== {title}\n" + "".join(f"  {one}\n" for one in found)
        text += "".join(f"  {one}\n" for one in strace.totals(found))
    compare(HERE / "traced.txt", text)
