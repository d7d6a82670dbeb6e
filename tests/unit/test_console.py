"""Milestones are found among everything else that a serial console carries."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.console import LONGEST, Milestone, milestones, tail

READY = '{"nitro":"ready","uptime":3.41,"ports":[5201,12865,80]}'
THE_READY = Milestone("ready", 3.41, {"ports": [5201, 12865, 80]})


def test_a_boot():
    text = (
        "\x1b[2J\x1b[HBooting...\r\n"
        "[    0.000000] Linux version 6.12\r\n"
        '{"nitro":"kernel","uptime":0.91,"release":"6.12.0"}\r\n'
        "[    1.204] ena 0000:00:05.0: LLQ is {not} supported\r\n"
        f"{READY}\r\n"
        '{"nitro":"exit","uptime":9,"code":0}\r\n'
    )
    assert milestones(text) == [
        Milestone("kernel", 0.91, {"release": "6.12.0"}),
        THE_READY,
        Milestone("exit", 9.0, {"code": 0}),
    ]


OSV = """OSv v0.57.0-398-g0e34e4dc\r
{"nitro":"driver","uptime":0.35,"driver":"nitro_ena","kind":"nitro"}\r
eth0: 172.31.32.4\r
"""
CHART = """\tdisk read (real mode): 116.12ms, (+116.12ms)\r
\tTotal time: 347.51ms, (+231.39ms)\r
"""
COMMAND = "Cmdline: /usr/bin/iperf3 --server\r\neth0: 10.0.0.1\r\n"


def test_osv_says_it_in_its_own_words():
    assert milestones(OSV + CHART + COMMAND) == [
        Milestone("kernel", 0.0, {"release": "OSv v0.57.0-398-g0e34e4dc"}),
        Milestone("driver", 0.35, {"driver": "nitro_ena", "kind": "nitro"}),
        Milestone("address", None, {"interface": "eth0", "address": "172.31.32.4"}),
        Milestone("start", 0.34751, {"command": "/usr/bin/iperf3 --server"}),
        Milestone("ready", 0.34751),
    ]


def test_osv_without_a_chart():
    assert milestones(OSV + "Booted up in 120.50 ms\r\n" + COMMAND)[-1].uptime == 0.1205
    assert milestones(OSV + COMMAND)[-1] == Milestone("ready", None)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("hello\r\nprogram /usr/bin/iperf3 returned 3\r\nPowering off.\r\n", 3),
        ("no end of lineprogram exited with status 4\r\nVFS: unmounting /dev\r\n", 4),
        ("program exited with status 0\r\nPowering off.\r\n", 0),
        ("program /a b returned -1\r\n", 255),
        ("hello\r\nVFS: unmounting /dev\r\nVFS: unmounting /\r\nPowering off.\r\n", 0),
        ("Failed to load object: /usr/bin/iperf3. Powering off.\r\n", 126),
        ('Uncaught signal 6 ("Aborted"). Powering off.\r\n', 134),
        ("x" * 100_000 + "program exited with status 5", 5),
        ("textAborted\r\n\r\n[backtrace]\r\n0x1\r\nPowering off.\r\n", 134),
        ("Assertion failed: a == b (x.c: main: 3)\r\n\r\n[backtrace]\r\nPowering off.\r\n", 134),
        ("Aborted\r\ngoes on\r\n[backtrace]\r\nPowering off.\r\n", 0),
    ],
)
def test_osv_says_how_the_program_ended(said: str, code: int):
    *_, ready, end = milestones(OSV + COMMAND + said)
    assert (ready.name, end) == (
        "ready",
        Milestone("exit", None, {"code": code, "restart": False}),
    )


def test_a_fault_of_osv_itself_is_no_end_of_the_program():
    fault = "page fault outside application, addr: 0x1\r\n[registers]\r\nRIP: 0\r\n"
    text = OSV + COMMAND + fault + "Aborted\r\n\r\n[backtrace]\r\n0x1\r\nPowering off.\r\n"
    assert [m.name for m in milestones(text)][-1] == "ready"


def test_before_its_program_osv_unmounts_what_it_mounts_again():
    assert "exit" not in [m.name for m in milestones(OSV + "VFS: unmounting /dev\r\n" + COMMAND)]


def test_an_osv_that_starts_anew():
    again = milestones((OSV + COMMAND + "Powering off.\r\n") * 2)
    names = [milestone.name for milestone in again]
    assert names == ["kernel", "driver", "address", "start", "ready", "exit"] * 2


def test_osvs_words_mean_nothing_elsewhere():
    assert milestones("[1.0] OSv v1 \r\neth0: 10.0.0.1\r\n" + COMMAND) == []
    assert milestones("program exited with status 3\r\nPowering off.\r\n") == []


def test_noise_around_a_milestone():
    assert milestones(f"[   3.40] eth0: link up{READY}[   3.41] more") == [THE_READY]
    assert milestones(f"{READY}{READY}") == [THE_READY, THE_READY]
    assert milestones(f'{{"nitro": "rea{READY}') == [THE_READY]


def test_spaces_as_other_writers_of_json_put_them():
    assert milestones('{ "nitro" : "link", "uptime": 1e0 }') == [Milestone("link", 1.0)]


def test_a_partial_line_is_not_there_yet():
    for end in range(len(READY)):
        assert milestones(READY[:end]) == []


def test_a_milestone_broken_by_the_kernel_is_passed_over():
    assert milestones(f"{READY[:20]}[  3.4] hello\n{READY[20:]}\n{READY}") == [THE_READY]


def test_what_is_not_a_milestone():
    for text in (
        '{"nitro":1,"uptime":1}',
        '{"nitro":"ready"}',
        '{"nitro":"ready","uptime":"soon"}',
        '{"nitro":"ready","uptime":true}',
        '{"nitro":"ready","uptime":NaN}',
        '{"nitro":"ready","uptime":-1}',
        '{"nitro":"ready","uptime":1e999}',
        '{"uptime":1,"nitro":"ready"}',
        '["nitro"]',
    ):
        assert milestones(text) == [], text


def test_a_milestone_inside_another_is_none():
    inner = '{"nitro":"ready","uptime":1}'
    assert [m.name for m in milestones(f'{{"nitro":"start","uptime":1,"x":{inner}}}')] == ["start"]


@pytest.mark.extended
def test_hostile_guests_cost_little():
    assert milestones('{"nitro":' * 5_000) == []
    assert milestones('{"nitro":"a","uptime":1,"x":' + "[" * 100_000) == []
    long = json.dumps({"nitro": "start", "uptime": 1, "x": "y" * LONGEST})
    assert milestones(long) == []
    assert milestones('{"nitro":"a","uptime":' + "9" * 4000 + "}") == []


@given(st.text())
def test_nothing_raises(text):
    assert isinstance(milestones(text), list)
    assert isinstance(milestones('{"nitro":"x","uptime":1,' + text), list)
    assert isinstance(tail(text), str)


NOISE = st.text(st.characters(blacklist_characters="{"), max_size=40)
FIELDS = st.dictionaries(
    st.text(max_size=8).filter(lambda key: key not in ("nitro", "uptime")),
    st.none() | st.integers(-(2**53), 2**53) | st.text(max_size=20) | st.lists(st.integers()),
    max_size=4,
)


@pytest.mark.extended
@given(
    st.lists(st.tuples(NOISE, st.text(max_size=10), st.floats(0, 1e6), FIELDS, NOISE), max_size=6),
    st.sampled_from(["\n", "\r\n", "\r\r\n"]),
)
def test_every_milestone_is_found_in_order(boots, newline):
    lines = [
        before + json.dumps({"nitro": name, "uptime": uptime, **fields}) + after
        for before, name, uptime, fields, after in boots
    ]
    expected = [Milestone(name, uptime, fields) for _, name, uptime, fields, _ in boots]
    assert milestones(newline.join(lines)) == expected


def test_tail_shows_the_last_lines_without_control_characters():
    text = "one\r\n\r\n\x1b[31mtwo\x1b[0m\r\nthree\x1b]0;title\x07\x9b2J\r\n"
    assert tail(text, 2) == "two\nthree"
    assert tail("") == ""
    assert not any(ord(c) < 32 for c in tail(text, 1))
