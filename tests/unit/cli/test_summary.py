"""The summary of a deployment, whose words are partly a guest's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.cli import options, summary
from nitro.cloud import CleanUpError
from nitro.deploy import Deployment, InstanceReport, ProgramEnd
from nitro.launch_ami import Launched
from nitro.ports import Port
from nitro.probe.result import Metric, Result
from nitro.progress import Span


def test_what_the_guest_says_of_its_driver_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    instance = InstanceReport(
        "i-1",
        "c5.large",
        nic="\x1b]0;mine\x07ena",
        driver="ker\x9b2Jnel",
        fallback="no link\x1b]52;c;eA==\x1b\\ on\u202e eth0",
        accelerator="tcg",
        public_ip="",
        private_ip="10.0.0.4",
    )
    image: Any = SimpleNamespace(digest="sha256:00", size_bytes=1, path=Path("x"))
    published: Any = SimpleNamespace(
        snapshot_id="snap-1", ami_id="ami-1", ami_name="x", region="r", reused=True
    )
    summary.show(Deployment("d-1", "x", image, published, instance), as_json=False)
    shown = capsys.readouterr().out
    assert "ena, kernel driver (the nitro driver: no link on\ufffd eth0)" in shown
    assert "no public address" in shown
    assert all(c.isprintable() or c == "\n" for c in shown)


def test_the_summary_reads_like_a_result(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "verbose", False)
    summary.show(DEPLOYMENT, as_json=False)
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) <= 25
    assert max(map(len, shown)) <= 80
    assert shown[8:] == [
        "  boot                  kernel 2.0 · driver 2.3 · start 2.5 · ready 2.6 s",
        "                        first connection 9.8 s after the launch",
        "  TCP to the instance   457 Mbit/s  no retransmits  CPU 64 % there, 59 % here",
        "  UDP from the instance 1 Mbit/s  0.12 % lost  jitter 23 µs",
        "  TCP round trips       12,345/s  p50 71.5 µs  p90 92 µs  p99 180 µs",
        "  http                  failed: http: wrk printed no complete result: 'unable to",
        "                        connect'",
        "",
        *shown[16:],
    ]
    timeline = " ".join(shown[16:])
    assert timeline.count("clean up 0.5") == 1
    assert "= 20.6 s" in timeline


def test_the_long_form_has_every_metric(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "verbose", True)
    summary.show(DEPLOYMENT, as_json=False)
    shown = capsys.readouterr().out
    for result in DEPLOYMENT.probes:
        for name, metric in result.metrics.items():
            assert f" {name} " in shown
            assert str(metric) in shown


def test_an_ami_that_was_launched_is_told_as_a_deployment_without_an_image(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "verbose", False)
    launched = Launched(
        "d-1",
        "bench",
        DEPLOYMENT.published,
        DEPLOYMENT.instance,
        (),
        timeline=[Span("launch", 2.0)],
        leftovers=["instance i-1, which ends with `nitro destroy`"],
    )
    summary.show_launched(launched, as_json=False)
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert told[:2] == [["bench", "on", "c5.large", "(tcg),", "d-1"], []]
    assert told[2] == ["snapshot", "snap-3516116e6a305a3ac"]
    assert told[3][:2] == ["AMI", "ami-86a3530072845d3d7"]
    assert told[4][:3] == ["instance", "i-070e58d3225cef3f3", "127.28.0.1"]
    assert told[-1][:3] == ["left", "over", "instance"]
    assert any("launch" in line and "2.0" in line for line in told)


@pytest.mark.parametrize(
    ("ports", "last"),
    [
        ((Port("tcp", 80),), "curl http://127.28.0.1/"),
        ((Port("tcp", 8080), Port("tcp", 22)), "curl http://127.28.0.1:8080/"),
        ((Port("udp", 53),), "dig @127.28.0.1"),
        ((Port("tcp", 7000),), "nc -v 127.28.0.1 7000"),
        ((), "127.28.0.1"),
    ],
)
def test_an_address_comes_with_a_line_to_copy(
    capsys: pytest.CaptureFixture[str], ports: tuple[Port, ...], last: str
) -> None:
    summary.show_address(DEPLOYMENT.instance, ports)
    assert capsys.readouterr().out.splitlines()[-1] == last


def _metrics(**values: tuple[float, str]) -> dict[str, Metric]:
    return {name: Metric(value, unit, None) for name, (value, unit) in values.items()}


DEPLOYMENT: Any = Deployment(
    "d-20261126-d507041f",
    "bench",
    SimpleNamespace(digest="sha256:bc096fd3bcc38ea7475be8", size_bytes=19284480, path=Path("x")),  # type: ignore[arg-type]
    SimpleNamespace(  # type: ignore[arg-type]
        snapshot_id="snap-3516116e6a305a3ac",
        ami_id="ami-86a3530072845d3d7",
        ami_name="bench-bc096fd3bcc3-legacy-bios",
        region="us-east-1",
        reused=True,
    ),
    InstanceReport(
        "i-070e58d3225cef3f3",
        "c5.large",
        nic="ena",
        driver="nitro",
        fallback=None,
        accelerator="tcg",
        public_ip="127.28.0.1",
        private_ip="172.31.0.4",
    ),
    probes=[
        Result(
            "boot",
            "boot",
            _metrics(
                boot_kernel=(2.01, "s"),
                boot_driver=(2.31, "s"),
                boot_start=(2.5, "s"),
                boot_ready=(2.6, "s"),
                boot_first_connection=(9.83, "s"),
            ),
        ),
        Result(
            "iperf3",
            "iperf3-tcp-in",
            _metrics(
                tcp_in=(457e6, "bit/s"),
                tcp_in_retransmits=(0, "segments"),
                tcp_in_cpu_instance=(64.2, "%"),
                tcp_in_cpu_client=(59.1, "%"),
            ),
        ),
        Result(
            "iperf3",
            "iperf3-udp-out",
            _metrics(
                udp_out=(1e6, "bit/s"),
                udp_out_lost=(0.12, "%"),
                udp_out_jitter=(23e-6, "s"),
                udp_out_rate=(85, "packets/s"),
            ),
        ),
        Result(
            "netperf",
            "netperf-tcp-rr",
            _metrics(
                tcp_rr=(12345, "transactions/s"),
                tcp_rr_p50=(71.5e-6, "s"),
                tcp_rr_p90=(92e-6, "s"),
                tcp_rr_p99=(180e-6, "s"),
                tcp_rr_mean=(75e-6, "s"),
            ),
        ),
        Result("http", "http", error="http: wrk printed no complete result: 'unable to connect'"),
    ],
    timeline=[
        *(Span("check", 0.4), Span("build", 0.1), Span("publish", 5.0)),
        *(Span("launch server", 0.3), Span("boot", 9.8), Span("measure", 4.5)),
        *(Span("clean up", 0.2), Span("clean up", 0.3)),
    ],
)


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (ProgramEnd(3, 1.25, "hello"), "ended with status 3 after 1.2 s"),
        (ProgramEnd(0, None, ""), "ended with status 0"),
    ],
)
def test_a_program_that_was_to_end_is_told_with_what_it_wrote(
    end: ProgramEnd, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    summary.show(replace(DEPLOYMENT, program=end), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    (number,) = [n for n, line in enumerate(lines) if line.split()[:1] == ["program"]]
    assert lines[number].endswith(says)
    assert ("hello" in lines[number:]) is bool(end.output)


def test_what_could_not_be_removed_ends_the_command() -> None:
    summary.require_removed([])
    with pytest.raises(CleanUpError) as failed:
        summary.require_removed(["instance i-1", "volume vol-1"])
    assert "instance i-1" in str(failed.value)
    assert "volume vol-1" in str(failed.value)
