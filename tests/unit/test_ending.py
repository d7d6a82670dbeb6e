"""How programs and machines ended, from consoles as guests write them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nitro import ending

START = '{"nitro":"start","uptime":2.50,"command":"serve","memory_kib":491520,"free_kib":409600}'
KILLED = (
    "[   41.6] Out of memory: Killed process 84 (hog) total-vm:922000kB, anon-rss:405504kB, "
    "file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:1000kB oom_score_adj:0"
)


def run(status: int, seconds: float, *said: str, restart: bool = False) -> str:
    """A console of one run of a program."""
    again = "true" if restart else "false"
    end = f'{{"nitro":"exit","uptime":{2.5 + seconds:.2f},"code":{status},"restart":{again}}}'
    return "\r\n".join([START, *said, end, ""])


def test_a_program_that_says_no_more_has_not_ended() -> None:
    assert ending.endings(START + "\r\nserving\r\n") == []


def test_the_status_and_how_long_it_ran() -> None:
    [end] = ending.endings(run(3, 0.4, "no configuration"))
    assert (end.status, end.seconds, end.restarts) == (3, 0.4, False)
    assert str(end) == "ended with status 3 after 0.4 s"


def test_a_signal_has_its_name() -> None:
    [end] = ending.endings(run(139, 1))
    assert str(end) == "ended with status 139 (SIGSEGV) after 1.0 s"
    assert str(ending.Ending(255, None, restarts=False)) == "ended with status 255"


def test_an_end_whose_start_the_console_no_longer_has() -> None:
    [end] = ending.endings(run(1, 0.4).replace(START, ""))
    assert end.seconds is None
    assert not end.quick


def test_three_quick_ends_are_a_crash_loop_and_a_long_run_is_none() -> None:
    quick = run(1, 0.2, restart=True)
    assert not ending.crash_loop(ending.endings(quick * 2))
    assert ending.crash_loop(ending.endings(quick * 3))
    assert not ending.crash_loop(ending.endings(quick * 2 + run(1, 60, restart=True)))


def test_killed_for_memory_says_what_there_was() -> None:
    [end] = ending.endings(run(137, 4, KILLED, "Killed"))
    assert str(end) == (
        "was killed for lack of memory after 4.0 s: hog had 396 MiB of 400 MiB that were free "
        "when it started, on a machine with 480 MiB"
    )
    assert end.out_of_memory
    assert end.out_of_memory.lacking == 512  # 922000 kB were asked for, 400 MiB were free


def test_reserved_address_space_is_not_taken_for_need() -> None:
    reserves = KILLED.replace("total-vm:922000kB", "total-vm:9220000kB")
    [end] = ending.endings(run(137, 4, reserves))
    assert end.out_of_memory
    assert end.out_of_memory.lacking == 448  # twice 396 MiB, less 400


def test_a_kill_by_somebody_else_is_no_lack_of_memory() -> None:
    [end] = ending.endings(run(137, 4))
    assert end.out_of_memory is None
    [end] = ending.endings(run(1, 4, KILLED))  # a child, whose parent lived on
    assert end.out_of_memory is None


def test_a_panic_is_the_kernels_own_line_only() -> None:
    line = "Kernel panic - not syncing: No working init found."
    assert ending.panic(f"my log: {line}\r\n") is None
    assert ending.panic(f"[    7.911402] {line}\r\n") == ending.Panic(
        "No working init found.", lacks_memory=False
    )
    unpacking = "[    2.1] Initramfs unpacking failed: write error\r\n"
    panic = ending.panic(f"{unpacking}[    7.911402] {line}\r\n")
    assert panic
    assert panic.lacks_memory


def test_osv_stops_in_its_own_words() -> None:
    reason = "/usr/bin/x: failed looking up symbol fork"
    text = f"OSv v0.57.0\r\n{reason}\r\n[backtrace]\r\n0x1\r\n"
    assert ending.panic(text) == ending.Panic(reason, lacks_memory=False)
    assert ending.panic(text.removeprefix("OSv v0.57.0\r\n")) is None


def test_a_program_that_failed_for_lack_of_space() -> None:
    said = "dd: writing '/big': No space left on device"
    [end] = ending.endings(run(1, 0.2, said))
    assert str(end).endswith(": there was no space left for its files, which are kept in memory")
    [end] = ending.endings(run(0, 0.2, said))
    assert not end.no_space


def test_what_aborts_on_osv_is_the_program_once_it_has_started() -> None:
    aborted, start = "Aborted\r\n\r\n[backtrace]\r\n0x1\r\n", "Cmdline: /usr/bin/x\r\n"
    assert ending.panic(f"OSv v0.57.0\r\n{aborted}") == ending.Panic("Aborted", lacks_memory=False)
    text = f"OSv v0.57.0\r\n{start}{aborted}Powering off.\r\n"
    assert ending.panic(text) is None
    assert [end.status for end in ending.endings(text)] == [134]
    fault = "page fault outside application, addr: 0x1"
    text = f"OSv v0.57.0\r\n{start}{fault}\r\n[registers]\r\nRIP: 0\r\n{aborted}Powering off.\r\n"
    assert ending.panic(text) == ending.Panic(fault, lacks_memory=False)
    assert ending.endings(text) == []


def test_osvs_program_ends_with_its_status() -> None:
    console = "OSv v0.57.0\r\nCmdline: /usr/bin/x\r\none\r\ntwoprogram exited with status 3\r\n"
    [end] = ending.endings(f"{console}[I/26 dhcp]: Unicasting\r\nPowering off.\r\n")
    assert str(end) == "ended with status 3"
    assert not end.restarts
    assert ending.output(f"{console}Powering off.\r\n") == "one\ntwo"


def test_the_output_is_the_last_runs_without_the_guests_lines() -> None:
    first, second = run(1, 0.2, "one", restart=True), run(0, 0.2, "two", "", "three")
    ready = '{"nitro":"ready","uptime":2.6,"ports":[]}'
    text = f"[  1.0] booting\r\n{first}{second}[    9.8] reboot: Power down\r\n"
    assert ending.output(text.replace("two", f"two{ready}")) == "two\n\nthree"
    assert ending.output(f"{START}\r\nstill here\r\n") == "still here"


@given(st.text(alphabet=st.sampled_from('{}":,nitroexitstartcode01 \r\n[].'), max_size=300))
def test_no_console_is_too_strange(text: str) -> None:
    for end in ending.endings(text):
        str(end)
    ending.output(text)
    ending.panic(text)
