"""The sample report of the documentation shows what a reader is to see, and says what it is."""

from __future__ import annotations

import re

import pytest

from tools import sample_report


@pytest.mark.extended
def test_the_sample_shows_a_step_a_limit_and_a_failure_of_simulated_nights(tmp_path):
    page = tmp_path / "index.html"
    sample_report.make(page)
    for text in (page.read_text(), sample_report.PAGE.read_text()):
        assert "simulated" in re.findall(r"<h2[^>]*>([^<]*)", text)[0]
        for said in (
            r"c6in\.large eu-west-1 bench nitro iperf3-tcp in: tcp_in -[0-9.]+ %",
            r"changed with it: digest",
            r"limited by its allowance: [^<]*\(server bw_in_allowance_exceeded\)",
            r"failed: [^<]*1 of 10 runs failed: the server never came up",
        ):
            assert re.search(said, text), said
