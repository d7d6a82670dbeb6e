"""The client's runner, in busybox's shell with the applets and the curl of its image."""

import functools
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nitro.paths import resource
from nitro.probe.archive import read
from nitro.probe.plan import build
from nitro.probe.tools.http import Http
from nitro.probe.tools.iperf3 import Iperf3
from nitro.probe.tools.netperf import Netperf
from tests.unit.probe.servers import Ports, serving

pytestmark = pytest.mark.slow


@contextmanager
def bucket(*refusals: int) -> Iterator[tuple[str, list[bytes]]]:
    """An address that takes PUTs after it has refused some with the given statuses."""
    got: list[bytes] = []
    left = list(refusals)

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = left.pop(0) if left else 200
            if status == 200:
                got.append(body)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/results/x.tar.gz?a=b&c=d", got
        finally:
            server.shutdown()
            thread.join()


def run(tools: Path, folder: Path, plan: str, url: str) -> subprocess.CompletedProcess[str]:
    (folder / "plan").write_text(plan)
    (folder / "tmp").mkdir()
    done = subprocess.run(
        [tools / "sh", resource("amis") / "client" / "run-plan", folder / "plan"],
        env={"PATH": str(tools), "NITRO_RESULT_URL": url, "TMPDIR": str(folder / "tmp")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert list((folder / "tmp").iterdir()) == []
    return done


def test_every_command_leaves_its_output_whatever_became_of_it(tools, tmp_path):
    plan = (
        "good 5 echo out; echo err >&2\n"
        "bad 5 echo before; exit 3\n"
        "missing 5 exec no-such-tool\n"
        "hangs 1 echo started; exec sleep 30\n"
        "last 5 cat; exec echo 'a  b'\n"
    )
    with bucket() as (url, got):
        done = run(tools, tmp_path, plan, url)
    assert done.returncode == 0, done.stderr
    [data] = got
    outputs = read(data)
    assert list(outputs) == ["bad", "good", "hangs", "last", "missing"]
    assert (outputs["good"].stdout, outputs["good"].stderr) == ("out\n", "err\n")
    assert outputs["bad"].stdout == "before\n"
    assert "no-such-tool" in outputs["missing"].stderr
    assert outputs["hangs"].stdout == "started\n"
    assert 1 <= outputs["hangs"].seconds < 10
    assert outputs["last"].stdout == "a  b\n"
    assert outputs["last"].started > 1.6e9
    assert "run-plan: bad from" in done.stdout
    assert "exit code 3" in done.stdout


def test_the_upload_is_tried_again(tools, tmp_path):
    with bucket(503, 503) as (url, got):
        done = run(tools, tmp_path, "good 5 echo hello\n", url)
    assert done.returncode == 0, done.stderr
    assert read(got[0])["good"].stdout == "hello\n"


def test_an_upload_that_is_always_refused_ends_and_is_an_error(tools, tmp_path):
    with bucket(*[403] * 20) as (url, got):
        done = run(tools, tmp_path, "good 5 echo hello\n", url)
    assert done.returncode != 0
    assert "403" in done.stderr
    assert got == []


def test_a_real_plan_measures_real_servers(tools, tmp_path):
    ports = Ports.choose()
    netperf = functools.partial(Netperf, seconds=1, port=ports.netserver, data_port=ports.data)
    probes = [
        Iperf3(seconds=1, streams=2, port=ports.iperf3),
        Iperf3(seconds=1, udp="10M", direction="in", port=ports.iperf3),
        netperf(),
        netperf(test="out"),
        Http(seconds=1, port=ports.lighttpd),
        Http(seconds=1, port=ports.lighttpd, path="/missing"),
    ]
    plan = build(probes, "127.0.0.1")
    with bucket() as (url, got), serving(tools, tmp_path, ports):
        done = run(tools, tmp_path, plan.text(), url)
    assert done.returncode == 0, done.stderr
    results = plan.results(read(got[0]))
    *good, missing = results
    assert [result.error for result in good] == [None] * 7
    values = {name: m.value for result in good for name, m in result.metrics.items()}
    for name in (
        "tcp_in",
        "tcp_out",
        "udp_in",
        "tcp_stream_in",
        "tcp_stream_out",
        "tcp_rr",
        "http",
    ):
        assert values[name] > 0
    assert 1e6 < values["udp_in"] < 12e6, "of the 10 Mbit/s asked for, what a busy machine sends"
    assert values["tcp_rr_p50"] <= values["tcp_rr_p99"] <= values["tcp_rr_max"]
    assert missing.error is not None
    assert "answered with an error status" in missing.error
