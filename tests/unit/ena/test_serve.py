"""The server as a process, traces, and the frames beside them."""

from __future__ import annotations

import io
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from nitro.ena.constants import Feature, Opcode
from nitro.ena.control import execute
from nitro.ena.explain import explain
from nitro.ena.offload import Buffer
from nitro.ena.pcapng import PcapngWriter
from nitro.ena.profiles import PROFILES
from nitro.ena.reporter import MAX_REPORTED_RESETS
from nitro.ena.serve import default_mac, parse_mac
from nitro.ena.trace import Trace
from nitro.errors import InputError
from tests.unit.ena.driver import Driver, ipv4_frame


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.02)


@pytest.mark.extended
def test_a_server_from_start_to_end(tmp_path: Path):
    ours, theirs = socket.socketpair()
    card, control, trace = tmp_path / "card", tmp_path / "control", tmp_path / "trace"
    command = [sys.executable, "-m", "nitro.ena", "serve", "--socket", str(card)]
    command += ["--port", f"fd:{theirs.fileno()}", "--profile", "c5.large", "--strict"]
    command += ["--trace", str(trace), "--control", str(control), "--mac", "02:00:00:00:00:07"]
    with subprocess.Popen(
        command, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE, text=True
    ) as server:
        wait_for(card)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(card))
            request = struct.pack("<QIII", 0x48, 0, 4, 1)
            client.sendall(struct.pack("<HHIII", 1, 10, 16 + len(request), 0, 0) + request)
            assert len(client.recv(100)) == 32
            with socket.socket(socket.AF_UNIX) as teller:
                teller.connect(str(control))
                teller.sendall(b"rules\n")
                assert teller.recv(1000).decode().endswith("unknown-register 1\nok\n")
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=20)
    assert server.returncode == 0
    assert "rule broken: unknown-register" in said
    assert not card.exists()
    assert not control.exists()
    assert any("writes offset 0x48" in line for line in explain(trace))
    ours.close()
    theirs.close()


@pytest.mark.extended
@pytest.mark.parametrize("options", [[], ["--map-llq"]])
def test_llq_memory_is_handed_to_the_client_if_asked(tmp_path: Path, options: list[str]):
    ours, theirs = socket.socketpair()
    card = tmp_path / "card"
    command = [sys.executable, "-m", "nitro.ena", "serve", "--socket", str(card), "--once"]
    command += ["--port", f"fd:{theirs.fileno()}", *options]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()]) as server:
        wait_for(card)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(card))
            request = struct.pack("<HHIIIIIIIQQ", 1, 5, 48, 0, 0, 32, 0, 2, 0, 0, 0)
            client.sendall(request)
            answer, descriptors, _, _ = socket.recv_fds(client, 100, 4)
            size = struct.unpack_from("<Q", answer, 32)[0]
            assert [os.fstat(one).st_size for one in descriptors] == [size] * bool(options)
            for one in descriptors:
                os.close(one)
        assert server.wait(20) == 0
    ours.close()
    theirs.close()


@pytest.mark.extended
def test_once_ends_with_its_client(tmp_path: Path):
    ours, theirs = socket.socketpair()
    card = tmp_path / "card"
    command = [sys.executable, "-m", "nitro.ena", "serve", "--socket", str(card), "--once"]
    command += ["--port", f"fd:{theirs.fileno()}"]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()]) as server:
        wait_for(card)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(card))
        assert server.wait(20) == 0
    ours.close()
    theirs.close()


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--profile", "c9000"], "no ENA profile"),
        (["--queues", "0"], "1 to 128"),
        (["--mac", "03:00:00:00:00:00"], "not a MAC address"),
        (["--profile", "gen8", "--no-llq"], "no queues but LLQ"),
        (["--no-llq", "--map-llq"], "no LLQ memory to map"),
        (["--port", "wire:1"], "no port"),
    ],
)
def test_bad_options(tmp_path: Path, options: list[str], said: str):
    command = [sys.executable, "-m", "nitro.ena", "serve", "--socket", str(tmp_path / "card")]
    done = subprocess.run(
        [*command, "--port", "fd:999", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_mac_addresses():
    assert parse_mac("02-00-00-00-00-01") == bytes.fromhex("020000000001")
    assert default_mac(Path("/a")) == default_mac(Path("/a")) != default_mac(Path("/b"))
    for wrong in ("", "02:00", "zz:00:00:00:00:00"):
        with pytest.raises(InputError):
            parse_mac(wrong)


def test_a_trace_reads_like_a_dialogue(tmp_path: Path):
    out = io.StringIO()
    driver = Driver(trace=Trace(out))
    driver.reset(reason=0)
    driver.start()
    for tail in (1, 2, 3):
        driver.write(0x1000, tail)
    driver.reset(reason=1)
    path = tmp_path / "trace"
    path.write_text(out.getvalue())
    lines = list(explain(path))
    text = "\n".join(lines)
    assert "driver writes DEV_CTL: reset, normal" in text
    assert any("driver reads DEV_STS: " in line for line in lines)
    assert "driver writes AQ_CAPS: 8 entries of 64 bytes" in text
    assert "2 × TX doorbell 0" in text
    assert "the driver resets the card: keep-alive timeout" in text


def test_a_trace_names_broken_rules_in_silence(tmp_path: Path):
    out = io.StringIO()
    driver = Driver(strict=False, trace=Trace(out))
    driver.write(0x48, 0)
    path = tmp_path / "trace"
    path.write_text(out.getvalue())
    assert any("rule broken: unknown-register" in line for line in explain(path))
    assert not driver.reports


class Frames:
    """Those that a trace was given."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes]] = []

    def frame(self, direction: str, parts: Sequence[Buffer]) -> None:
        self.seen.append((direction, b"".join(parts)))


def test_the_frames_beside_a_trace_are_those_that_went_in_and_out():
    frames = Frames()
    driver = Driver(trace=Trace(io.StringIO(), frames))
    driver.start()
    sending, receiving = driver.tx_queue(), driver.rx_queue()
    there, back = ipv4_frame(b"there"), ipv4_frame(b"back")
    driver.port.full = True
    driver.send(sending, there)
    assert frames.seen == [], "the port had no room"
    driver.port.full = False
    driver.run()
    driver.port.deliver(back)
    driver.run()
    assert [data for _, data, _ in driver.received(receiving)] == [back]
    assert frames.seen == [("out", there), ("in", back)]


def test_a_driver_that_resets_in_a_loop_is_told_of_for_a_while(tmp_path: Path):
    driver = Driver()
    driver.start()
    for _ in range(MAX_REPORTED_RESETS + 5):
        driver.reset(reason=1)
    told = [line for line in driver.reports if "resets the card" in line]
    assert len(told) == MAX_REPORTED_RESETS
    assert driver.reports[-1] == "further resets are not reported"


def test_commands_and_answers_are_decoded(tmp_path: Path):
    path = tmp_path / "trace"
    with path.open("w") as out:
        trace = Trace(out)
        entry = struct.pack("<HBB12xBBH", 3, 8, 1, 0, 1, 0).ljust(64, b"\0")
        trace.event("command", id=3, opcode=8, entry=entry)
        trace.event("completion", id=3, opcode=8, error="UNSUPPORTED feature 1")
        create = struct.pack("<HBBBxBBHHQ", 4, 1, 1, 1 << 5, 3, 1, 2, 1024, 0).ljust(64, b"\0")
        trace.event("command", id=4, opcode=1, entry=create)
        groups = struct.pack("<HBB12xBBHII", 5, 9, 1, 0, 26, 0, 0, 0b10001).ljust(64, b"\0")
        trace.event("command", id=5, opcode=9, entry=groups)
        rx = struct.pack("<HBBBxBBHHQ", 6, 1, 1, 2 << 5, 1, 1, 7, 512, 0).ljust(64, b"\0")
        trace.event("command", id=6, opcode=1, entry=rx)
        cq = struct.pack("<HBBBBHIQ", 7, 3, 1, 1 << 5, 4, 256, 9, 0).ljust(64, b"\0")
        trace.event("command", id=7, opcode=3, entry=cq)
        trace.event("command", id=8, opcode=4, entry=struct.pack("<HBBH58x", 8, 4, 1, 11))
        trace.event("command", id=9, opcode=2, entry=struct.pack("<HBBH58x", 9, 2, 1, 12))
    lines = list(explain(path))
    assert "get feature device attributes" in lines[0]
    assert "UNSUPPORTED" in lines[1]
    assert "create sq, TX, 1024 entries in LLQ, completions to 2" in lines[2]
    assert lines[3].endswith("set feature aenq: enabled link change + keep alive")
    assert [line.partition("): ")[2] for line in lines[4:]] == [
        "create sq, RX, 512 entries in host memory, completions to 7",
        "create cq, 256 entries of 16 bytes, vector 9",
        "destroy cq 11",
        "destroy sq 12",
    ]


def explained(driver: Driver, out: io.StringIO, path: Path) -> str:
    path.write_text(out.getvalue())
    return "\n".join(explain(path))


def traced(profile: str) -> tuple[Driver, io.StringIO]:
    """A card whose every word is written down."""
    out = io.StringIO()
    return Driver(profile, trace=Trace(out)), out


@pytest.mark.parametrize("profile", PROFILES)
def test_answers_are_told_by_their_fields(tmp_path: Path, profile: str):
    driver, out = traced(profile)
    driver.start()
    for feature in Feature:
        driver.get_feature(feature)
    driver.send(driver.tx_queue(), bytes(60)) if not driver.profile.llq_only else None
    driver.command(Opcode.GET_STATS)
    execute(driver.device, "hints")
    for drops in (0, 3):
        driver.device.counters.rx_drops = drops
        driver.now += 1
        driver.run()
    text = explained(driver, out, tmp_path / "trace")
    assert "MAC 02:00:00:00:00:0a, MTU up to 9216" in text
    assert "features device attributes + max queues + " in text
    assert "card tells: link change: up" in text
    assert "card tells: notification: MMIO read ms 200, watchdog ms 6000" in text
    assert "1 × keep alive" in text
    assert "card tells: keep alive, 3 RX drops, 0 overruns" in text
    assert f"TX SQs {driver.profile.queues}" in text
    assert "done, 0" not in text, "nothing is left in hexadecimal"
    if not driver.profile.llq_only:
        assert "TX bytes 60, TX packets 1" in text
    if driver.profile.tx_offloads:
        assert "TX l4 v4 partial" in text


@pytest.mark.parametrize(
    "content",
    [
        b"no trace\n",
        b"[1]\n",
        b'{"t": 1}\n',
        b"\xff\xfe\n",
        b'{"t": 1, "event": "command", "id": 1}\n',
        b'{"t": 1, "event": "command", "id": 1, "entry": "0102"}\n',
        b'{"t": "one", "event": "report", "line": "x"}\n',
    ],
)
def test_what_is_no_trace(tmp_path: Path, content: bytes):
    path = tmp_path / "trace"
    path.write_bytes(content)
    with pytest.raises(InputError):
        list(explain(path))
    with pytest.raises(InputError, match="No such file"):
        list(explain(tmp_path / "none"))


def test_pcapng_blocks():
    out = io.BytesIO()
    PcapngWriter(out).frame("in", [b"abc", b"de"])
    data, blocks = out.getvalue(), []
    while data:
        kind, size = struct.unpack_from("<II", data)
        assert struct.unpack_from("<I", data, size - 4) == (size,)
        blocks.append((kind, data[8 : size - 4]))
        data = data[size:]
    assert [kind for kind, _ in blocks] == [0x0A0D0D0A, 1, 6]
    _, _, _, captured, original = struct.unpack_from("<5I", blocks[2][1])
    assert (captured, original) == (5, 5)
    assert blocks[2][1][20:25] == b"abcde"
