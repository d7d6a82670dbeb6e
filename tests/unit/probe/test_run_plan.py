"""The client's runner, in busybox's shell with the applets and the curl of its image.

Its own pauses are left out, and `dmesg` is the test's: the console of this kernel stays as it is.
"""

import base64
import functools
import random
import re
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nitro.local.authority import Authority
from nitro.paths import resource
from nitro.probe import console_result
from nitro.probe.archive import read
from nitro.probe.plan import build
from nitro.probe.tools.http import Http
from nitro.probe.tools.iperf3 import Iperf3
from nitro.probe.tools.netperf import Netperf
from tests.unit.probe.servers import Ports, serving

pytestmark = pytest.mark.slow


@contextmanager
def bucket(*refusals: int, tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[bytes]]]:
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
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/results/x.tar.gz?a=b&c=d", got
        finally:
            server.shutdown()
            thread.join()


RUN_PLAN = resource("amis") / "client" / "run-plan"
COPIES = 30

TOO_LARGE = "large 5 head -c 40000 /dev/urandom\n"  # more than the console has room for


def run(
    tools: Path,
    folder: Path,
    plan: str,
    url: str | None = None,
    *,
    ca: str | None = None,
    start: str = "",
) -> subprocess.CompletedProcess[str]:
    (folder / "plan").write_text(plan)
    (folder / "tmp").mkdir()
    quick = 'dmesg() { echo "dmesg $*"; }\nsleep() { :; }\n'
    (folder / "run-plan").write_text(quick + start + RUN_PLAN.read_text())
    environment = {"PATH": str(tools), "TMPDIR": str(folder / "tmp")}
    given = {"NITRO_RESULT_URL": url, "NITRO_RESULT_CA": ca}
    environment |= {name: value for name, value in given.items() if value}
    done = subprocess.run(
        [tools / "sh", folder / "run-plan", folder / "plan"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert list((folder / "tmp").iterdir()) == []
    return done


def console_archive(done: subprocess.CompletedProcess[str]) -> bytes:
    """What the runner has written to the console, as a serial line carries it."""
    data = console_result.read(done.stdout.replace("\n", "\r\n"))
    assert data is not None, done.stdout + done.stderr
    return data


def test_every_command_leaves_its_output_whatever_became_of_it(tools, tmp_path):
    plan = (
        "good 5 echo out; echo err >&2\n"
        "bad 5 echo before; exit 3\n"
        "missing 5 exec no-such-tool\n"
        "hangs 1 echo started; exec sleep 30\n"
        "last 5 cat; exec echo 'a  b'\n"
    )
    done = run(tools, tmp_path, plan)
    assert done.returncode == 0, done.stderr
    outputs = read(console_archive(done))
    assert list(outputs) == ["bad", "good", "hangs", "last", "missing"]
    assert (outputs["good"].stdout, outputs["good"].stderr) == ("out\n", "err\n")
    assert outputs["bad"].stdout == "before\n"
    assert "no-such-tool" in outputs["missing"].stderr
    assert outputs["hangs"].stdout == "started\n"
    assert 1 <= outputs["hangs"].seconds < 10
    assert outputs["last"].stdout == "a  b\n"
    steps = [read(data) for data in console_result.steps(done.stdout.replace("\n", "\r\n"))]
    assert [list(step) for step in steps] == [["good"], ["bad"], ["missing"], ["hangs"], ["last"]]
    assert {name: step[name] for step in steps for name in step} == outputs
    assert outputs["last"].started > 1.6e9
    assert "run-plan: bad from" in done.stdout
    assert "exit code 3" in done.stdout


def test_results_are_written_several_times_to_a_quiet_console(tools, tmp_path):
    with bucket() as (url, got):
        done = run(tools, tmp_path, "good 5 echo hello\n", url)
    copies = done.stdout.partition("dmesg -n 1\n")[2].split("\n\n")
    assert len(copies) == COPIES
    for copy in copies:
        data = console_result.read(copy)
        assert data is not None
        assert read(data)["good"].stdout == "hello\n"
    assert got == [], "an address for the results is not used where the console has room"


@pytest.mark.parametrize("seed", range(3))
def test_results_up_to_the_limit_fit_on_the_console(tools, tmp_path, seed):
    """What cannot be compressed; the rest of the archive needs some bytes, too."""
    noise = tmp_path / "noise"
    noise.write_bytes(random.Random(seed).randbytes(console_result.CAPACITY - 2000))
    done = run(tools, tmp_path, f"noise 5 exec base64 {noise}\nall 5 exec sha256sum {noise}\n")
    data = console_archive(done)
    assert console_result.CAPACITY - 2000 < len(data) <= console_result.CAPACITY
    outputs = read(data)
    assert base64.b64decode(outputs["noise"].stdout) == noise.read_bytes()
    assert len(done.stdout.partition("dmesg -n 1\n")[2]) / COPIES < 48 * 1024


def test_larger_results_are_put_where_they_are_told_to(tools, tmp_path):
    with bucket(503, 307) as (url, got):
        done = run(tools, tmp_path, TOO_LARGE, url)
    assert done.returncode == 0, done.stderr
    [data] = got
    assert "large" in read(data)
    assert '"nitro"' not in done.stdout


@pytest.mark.parametrize("status", [307, 403, 204])
def test_a_put_that_is_never_answered_with_200_is_said_on_the_console(tools, tmp_path, status):
    with bucket(*[status] * 20) as (url, got):
        done = run(tools, tmp_path, TOO_LARGE, url)
    assert done.returncode == 1
    assert got == []
    said = console_result.error(done.stdout)
    assert said == f"the PUT to S3 ended with HTTP status {status}, curl with exit code 0"
    assert console_result.read(done.stdout) is None
    assert "dmesg -n 1\n" in done.stdout


def test_the_certificate_that_vouches_for_the_bucket_is_that_of_the_plan(tools, tmp_path):
    """It comes in the user data, and no other counts."""
    name = "b-1.s3.eu-west-1.amazonaws.com"
    url = f"https://{name}/results/x.tar.gz?a=b"
    given = [Authority(_folder(tmp_path / each)) for each in ("its", "other")]
    for authority, code in zip(given, (0, 60), strict=True):
        folder = _folder(tmp_path / f"run {code}")
        with bucket(tls=given[0].context(lambda _: [name])) as (address, got):
            port = address.split(":")[2].partition("/")[0]
            curl = f'curl() {{ "{tools}/curl" --connect-to ::127.0.0.1:{port} "$@"; }}\n'
            done = run(tools, folder, TOO_LARGE, url, ca=authority.certificate, start=curl)
        assert len(got) == (not code), done.stderr
        said = console_result.error(done.stdout)
        status = f"the PUT to S3 ended with HTTP status 000, curl with exit code {code}"
        assert said == (status if code else None)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_bucket_that_cannot_be_reached_is_said_on_the_console(tools, tmp_path):
    done = run(tools, tmp_path, TOO_LARGE, "http://127.0.0.1:9/results")
    assert done.returncode == 1
    assert console_result.error(done.stdout) == (
        "the PUT to S3 ended with HTTP status 000, curl with exit code 7"
    )


def test_results_without_room_anywhere_are_said_on_the_console(tools, tmp_path):
    done = run(tools, tmp_path, TOO_LARGE)
    assert done.returncode == 1
    assert re.fullmatch(
        r"4[0-9]{4} bytes are too many for the console", console_result.error(done.stdout) or ""
    )


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
    with serving(tools, tmp_path, ports):
        done = run(tools, tmp_path, plan.text())
    assert done.returncode == 0, done.stderr
    data = console_archive(done)
    assert len(data) < plan.output_bytes
    results = plan.results(read(data))
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
