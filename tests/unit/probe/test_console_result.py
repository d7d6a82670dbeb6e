"""The client's archive is found on a console, whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.console import milestones
from nitro.probe.console_result import CAPACITY, LARGEST, error, read, steps

RING = 64 * 1024  # bytes of a console that EC2 returns
PART = 2048  # characters of base64 in a line

KERNEL = "[   12.345678] nitro_ena 0000:00:05.0 eth0: the link is down\r\n"


def lines_of(data: bytes, part: int = PART, kind: str = "result") -> list[str]:
    """The lines that the client writes for an archive."""
    text, sha256 = base64.b64encode(data).decode(), hashlib.sha256(data).hexdigest()
    parts = [text[at : at + part] for at in range(0, len(text), part)]
    return [line_of(sha256, line, len(parts), each, kind) for line, each in enumerate(parts, 1)]


def line_of(sha256: str, line: int, of: int, data: str, kind: str = "result") -> str:
    check = hashlib.sha256(f"{sha256} {line} {of} {data}\n".encode()).hexdigest()
    line_fields = {"nitro": kind, "sha256": sha256, "line": line, "of": of}
    return json.dumps(line_fields | {"check": check, "data": data}, separators=(",", ":")) + "\r\n"


def block_of(data: bytes, part: int = PART, kind: str = "result") -> str:
    return "\r\n" + "".join(lines_of(data, part, kind))


def archive_of(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def test_one_copy_is_enough():
    assert read(f"{KERNEL}run-plan: http from 3 to 6 s{block_of(b'numbers')}") == b"numbers"


def test_an_archive_is_not_there_before_its_last_line():
    lines = lines_of(archive_of(5000))
    for end in range(len(lines)):
        assert read("".join(lines[:end])) is None
    assert read("".join(lines)) == archive_of(5000)


def test_the_largest_archive_is_whole_wherever_the_console_is_cut():
    data = archive_of(CAPACITY)
    block = block_of(data)
    assert len(block) <= RING * 3 // 4
    text = KERNEL * 100 + 4 * block
    for end in range(len(text) - len(block), len(text), 997):
        assert read(text[:end][-RING:]) == data


def test_lines_of_different_copies_make_one_archive():
    data = archive_of(20_000)
    damaged = [block_of(data), block_of(data)]
    for copy, block in enumerate(damaged):
        lines = block.splitlines(keepends=True)
        for at in range(1 + copy, len(lines), 2):
            lines[at] = lines[at][:500] + KERNEL + lines[at][500:]
        damaged[copy] = "".join(lines)
    assert [read(text) for text in damaged] == [None, None]
    assert read("".join(damaged)) == data


def test_the_last_archive_counts():
    assert read(block_of(b"first") + block_of(b"second")) == b"second"
    assert read(block_of(b"first") + block_of(archive_of(5000))[:3000]) == b"first"


def test_a_result_is_no_milestone_and_a_milestone_no_result():
    assert milestones(block_of(archive_of(5000))) == []
    assert read('{"nitro":"result","uptime":1.5,"error":"no room"}') is None


def test_a_client_says_why_it_sends_nothing():
    said = '{"nitro":"result","uptime":41.20,"error":"HTTP status 307"}\r\n'
    assert error(KERNEL + said) == "HTTP status 307"
    assert error(KERNEL + block_of(b"numbers")) is None
    assert error('{"nitro":"fail","uptime":1,"error":"x"}{"nitro":"result","uptime":1}') is None
    assert error('{"nitro":"result","uptime":1,"error":[1]}') == "[1]"


SHA256 = hashlib.sha256(b"numbers").hexdigest()
NUMBERS = base64.b64encode(b"numbers").decode()


@pytest.mark.parametrize(
    "text",
    [
        line_of(SHA256, 1, 99, NUMBERS),
        line_of(SHA256, 2, 1, NUMBERS),
        line_of(SHA256, 1, 10**9, NUMBERS),
        line_of(SHA256, 0, 0, NUMBERS),
        line_of(SHA256, 1, 1, NUMBERS[:-1]),
        line_of(SHA256, 1, 1, "bnVtYmVycw=") + line_of(SHA256, 2, 2, "="),
        line_of(SHA256, 1, 2, NUMBERS) + line_of(SHA256, 2, 2, NUMBERS),
        line_of(SHA256, 1, 1, base64.b64encode(b"Numbers").decode()),
        line_of("0" * 64, 1, 1, NUMBERS),
        line_of(SHA256, 1, 1, NUMBERS).replace('"line":1', '"line":01'),
        line_of(SHA256, 1, 1, '{"nitro":"result"}'),
        '{"nitro":"result",' * 5000,
        '{"nitro":"result","sha256":"' * 5000,
    ],
)
def test_what_is_not_a_whole_archive(text):
    assert read(text) is None


def test_steps_come_before_the_result_and_are_none():
    first, second = archive_of(5000, seed=1), archive_of(300, seed=2)
    text = block_of(first, kind="step") + KERNEL + block_of(second, kind="step")
    assert steps(text) == [first, second]
    assert read(text) is None
    assert milestones(text) == []
    text += block_of(b"numbers")
    assert (steps(text), read(text)) == ([first, second], b"numbers")


def test_a_console_that_has_lost_its_beginning_still_has_later_steps():
    archives = [archive_of(20_000, seed) for seed in range(4)]
    text = "".join(block_of(data, kind="step") for data in archives)[-RING:]
    assert steps(text) == archives[2:]


def test_a_step_and_a_result_do_not_complete_each_other():
    lines = lines_of(archive_of(5000), kind="step")
    lines[1] = lines_of(archive_of(5000))[1]
    assert (steps("".join(lines)), read("".join(lines))) == ([], None)


@pytest.mark.extended
@given(
    archives=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=4, unique=True),
    changes=st.lists(st.tuples(st.integers(0, 5000), st.characters(codec="ascii")), max_size=6),
    begin=st.integers(0, 5000),
    length=st.integers(0, 6000),
)
def test_a_damaged_console_gives_some_of_the_steps_in_their_order(archives, changes, begin, length):
    text = list("".join(block_of(data, part=80, kind="step") for data in archives))
    for at, character in changes:
        text[at % len(text)] = character
    found = steps("".join(text)[begin % len(text) :][:length])
    assert found == [data for data in archives if data in found]


def test_a_marker_inside_another_hides_nothing():
    start = line_of(SHA256, 1, 1, NUMBERS)[:120]
    assert read(start + block_of(b"numbers")) == b"numbers"


def test_a_console_without_end_costs_little():
    endless = "".join(line_of(f"{n:064x}", 1, 2, NUMBERS) for n in range(1000)) * 20
    assert len(endless) > 10 * LARGEST
    assert read(endless) is None
    assert read(endless + block_of(b"numbers")) == b"numbers"
    assert read(block_of(b"numbers") + endless) is None


@pytest.mark.extended
@given(st.text() | st.text(alphabet='{}":,nitroesulalinfcheckd0123456789 '))
def test_nothing_raises(text):
    assert read(text) is None
    assert read('{"nitro":"result","sha256":"' + text) is None
    assert error(text) is None
    assert steps('{"nitro":"step","sha256":"' + text) == []


NOISE = st.text(max_size=30) | st.sampled_from([KERNEL, "\r", "\n", "\x00", '{"nitro":"result"'])


@pytest.mark.extended
@given(
    data=st.binary(min_size=1, max_size=400),
    noise=st.lists(st.tuples(st.integers(0, 5000), NOISE), max_size=8),
    begin=st.integers(0, 5000),
    length=st.integers(0, 6000),
    copies=st.integers(1, 3),
)
def test_a_cut_and_noisy_console_gives_the_archive_or_nothing(data, noise, begin, length, copies):
    text = block_of(data, part=80) * copies
    for at, what in noise:
        text = text[: at % len(text)] + what + text[at % len(text) :]
    assert read(text[begin % len(text) :][:length]) in (data, None)


@pytest.mark.extended
@given(
    data=st.binary(min_size=1, max_size=400),
    changes=st.lists(st.tuples(st.integers(0, 5000), st.characters(codec="ascii")), min_size=1),
)
def test_a_damaged_copy_gives_the_archive_or_nothing_and_a_good_one_helps(data, changes):
    good = block_of(data, part=80)
    bad = list(good)
    for at, character in changes:
        bad[at % len(bad)] = character
    assert read("".join(bad)) in (data, None)
    assert read("".join(bad) + good) == data


@pytest.mark.extended
@given(
    st.lists(
        st.tuples(
            st.sampled_from([SHA256, "0" * 64]),
            st.integers(0, 120),
            st.integers(0, 120),
            st.text(alphabet="bnVtYmVycw=+/", max_size=20) | st.just(NUMBERS),
        ),
        max_size=12,
    )
)
def test_whatever_a_guest_claims_what_is_read_has_its_checksum(claims):
    found = read("".join(line_of(*claim) for claim in claims))
    assert found in (b"numbers", None)
