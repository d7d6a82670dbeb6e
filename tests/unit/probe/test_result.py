"""Results as JSON and metrics as people read them."""

import pytest

from nitro.probe.result import Metric, Result


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        (Metric(2.314e9, "bit/s", "more"), "2.31 Gbit/s"),
        (Metric(45.84e9, "bit/s", "more"), "45.8 Gbit/s"),
        (Metric(12, "bit/s", "more"), "12 bit/s"),
        (Metric(999.4e6, "bit/s", "more"), "999 Mbit/s"),
        (Metric(999.6e6, "bit/s", "more"), "1.00 Gbit/s"),
        (Metric(99.96e6, "bit/s", "more"), "100 Mbit/s"),
        (Metric(9.996, "s", "less"), "10.0 s"),
        (Metric(0, "bit/s", "more"), "0 bit/s"),
        (Metric(46e-6, "s", "less"), "46 µs"),
        (Metric(0.001, "s", "less"), "1 ms"),
        (Metric(3.41, "s", "less"), "3.41 s"),
        (Metric(17597.52, "transactions/s", "more"), "17,598 transactions/s"),
        (Metric(0.881, "%", "less"), "0.88 %"),
    ],
)
def test_metrics_read_well(metric, text):
    assert str(metric) == text


def test_json_has_every_field():
    result = Result(
        "iperf3",
        "iperf3-tcp-in",
        {"tcp_in": Metric(1e9, "bit/s", "more")},
        "{}",
        started=0.5,
        seconds=2.0,
    )
    assert result.to_json() == {
        "schema": "nitro.result/1",
        "tool": "iperf3",
        "name": "iperf3-tcp-in",
        "ok": True,
        "error": None,
        "metrics": {"tcp_in": {"value": 1e9, "unit": "bit/s", "better": "more"}},
        "command": "",
        "version": None,
        "started": "1970-01-01T00:00:00.500+00:00",
        "seconds": 2.0,
        "conditions": None,
        "raw": "{}",
    }
    assert Result("http", "http", error="nothing answered").to_json()["ok"] is False
