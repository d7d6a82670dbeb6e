"""S3's TLS in the guests' network, as a client sees it that knows the authority."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from moto import mock_aws
from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app

from nitro.cloud import Cloud, storage
from nitro.cloud.results import presign_put
from nitro.local import authority
from nitro.local.authority import CERTIFICATE, Authority, TlsServer
from nitro.local.aws import Site, install
from nitro.local.front import GuestDoor
from nitro.local.hypervisor import NullHypervisor
from nitro.local.service import bucket_home, certified_names
from nitro.local.signature import Key
from nitro.local.store import BlockStore
from tests.cloud.policed import granted

KEY = Key("ACCESS", "secret")
BUCKETS = {"of-us": "us-east-1", "of-eu": "eu-west-1", "of-new": "ap-southeast-5"}


@dataclass
class Endpoint:
    """S3 as guests see it, at a port of this machine in place of its own address."""

    authority: Authority
    port: int

    def trusting(self, certificate: str | None = None) -> ssl.SSLContext:
        der = base64.b64decode(certificate or self.authority.certificate)
        return ssl.create_default_context(cadata=der)

    def ask(
        self, method: str, url: str, body: bytes | None = None, trust: ssl.SSLContext | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(url)
        assert (parts.scheme, parts.hostname is None) == ("https", False)
        connection = http.client.HTTPSConnection(
            str(parts.hostname), context=trust or self.trusting()
        )
        connection._create_connection = lambda *_: socket.create_connection(  # type: ignore[attr-defined]
            ("127.0.0.1", self.port), timeout=20
        )
        try:
            connection.request(method, f"{parts.path}?{parts.query}", body)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def presigned(self, bucket: str, key: str = "k", region: str | None = None) -> str:
        with granted("deploy", buckets=[bucket]):
            cloud = Cloud.connect(
                region=region or BUCKETS[bucket],
                endpoint_url="http://127.0.0.1:1",
                guest_ca=self.authority.certificate,
                key=(KEY.access, KEY.secret),
            )
        place = storage.Bucket(bucket, "123456789012")
        return presign_put(cloud, place, key, timedelta(hours=1))


@contextmanager
def served(folder: Path) -> Iterator[Endpoint]:
    made = Authority(folder)
    door = GuestDoor(KEY, create_backend_app, home_of=bucket_home)
    context = made.context(certified_names)
    server = TlsServer(("127.0.0.1", 0), door, MotoRequestHandler, context)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Endpoint(made, server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    import boto3

    folder = tmp_path_factory.mktemp("local")
    with install(Site(BlockStore(folder / "disks"), NullHypervisor())), mock_aws():
        for name, region in BUCKETS.items():
            s3 = boto3.client("s3", region_name=region)
            place: Any = {"CreateBucketConfiguration": {"LocationConstraint": region}}
            s3.create_bucket(Bucket=name, **({} if region == "us-east-1" else place))
        with served(folder) as found:
            yield found


@pytest.mark.extended
@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_guest_puts_an_object_under_the_names_that_aws_uses(
    endpoint: Endpoint, bucket: str
) -> None:
    import boto3

    url = endpoint.presigned(bucket, "results/a b")
    assert url.startswith(f"https://{bucket}.s3.{BUCKETS[bucket]}.amazonaws.com/results/a%20b?")
    status, _, said = endpoint.ask("PUT", url, b"numbers")
    assert status == 200, said
    got = boto3.client("s3").get_object(Bucket=bucket, Key="results/a b")
    assert got["Body"].read() == b"numbers"


@pytest.mark.extended
def test_what_aws_has_no_certificate_for_is_not_certified(endpoint: Endpoint) -> None:
    good = endpoint.presigned("of-us")
    for name in ("a.b.s3.us-east-1.amazonaws.com", "ec2.us-east-1.amazonaws.com", "example.com"):
        other = good.replace("of-us.s3.us-east-1.amazonaws.com", name)
        with pytest.raises(ssl.SSLCertVerificationError, match=r"Hostname mismatch|not valid for"):
            endpoint.ask("PUT", other, b"x")


@pytest.mark.extended
def test_a_guest_that_was_not_given_the_certificate_refuses(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    for trust in (ssl.create_default_context(), endpoint.trusting(Authority(tmp_path).certificate)):
        with pytest.raises(ssl.SSLCertVerificationError):
            endpoint.ask("PUT", endpoint.presigned("of-us"), b"x", trust)


def test_a_bucket_of_another_region_is_pointed_to(endpoint: Endpoint) -> None:
    wrong = endpoint.presigned("of-eu", region="us-west-2")
    status, headers, said = endpoint.ask("PUT", wrong, b"x" * 100_000)
    assert (status, headers["x-amz-bucket-region"]) == (301, "eu-west-1")
    assert b"<Code>PermanentRedirect</Code>" in said
    assert b"<Endpoint>of-eu.s3.eu-west-1.amazonaws.com</Endpoint>" in said
    assert "location" not in headers


@pytest.mark.extended
def test_the_global_name_sends_to_the_region_of_a_new_bucket(endpoint: Endpoint) -> None:
    def globally(bucket: str) -> str:
        url = endpoint.presigned(bucket)
        return url.replace(f"s3.{BUCKETS[bucket]}.amazonaws.com", "s3.amazonaws.com")

    status, headers, said = endpoint.ask("PUT", globally("of-eu"), b"x")
    assert (status, headers["location"].partition("?")[0]) == (
        307,
        "https://of-eu.s3.eu-west-1.amazonaws.com/k",
    )
    assert b"<Code>TemporaryRedirect</Code>" in said
    status, _, said = endpoint.ask("PUT", globally("of-new"), b"x")
    assert (status, b"IllegalLocationConstraintException" in said) == (400, True)


def test_requests_without_a_signature_are_refused_with_tls_too(endpoint: Endpoint) -> None:
    for path in ("/k", "/"):
        status, _, said = endpoint.ask("GET", f"https://of-us.s3.us-east-1.amazonaws.com{path}")
        assert (status, b"AccessDenied" in said) == (403, True)


@pytest.mark.extended
def test_a_client_that_says_nothing_holds_up_nobody(endpoint: Endpoint) -> None:
    with (
        socket.create_connection(("127.0.0.1", endpoint.port)),
        socket.create_connection(("127.0.0.1", endpoint.port)) as rubbish,
    ):
        rubbish.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert endpoint.ask("PUT", endpoint.presigned("of-us"), b"x")[0] == 200


@pytest.mark.extended
def test_old_versions_of_tls_are_refused(endpoint: Endpoint) -> None:
    trust = endpoint.trusting()
    trust.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLS"):
        trust.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        endpoint.ask("PUT", endpoint.presigned("of-us"), b"x", trust)


def test_the_authority_is_the_same_after_a_restart(tmp_path: Path) -> None:
    first = Authority(tmp_path)
    assert Authority(tmp_path).certificate == first.certificate
    for private in (tmp_path / "ca.key", tmp_path / "tls"):
        assert not stat.S_IMODE(private.stat().st_mode) & 0o077
    pem = (tmp_path / CERTIFICATE).read_text()
    assert first.certificate == "".join(pem.splitlines()[1:-1])


@pytest.mark.parametrize("damage", ["ca.key", CERTIFICATE])
def test_an_authority_that_is_damaged_or_of_another_key_is_made_anew(
    tmp_path: Path, damage: str
) -> None:
    first, other = tmp_path / "1", tmp_path / "2"
    for folder in (first, other):
        folder.mkdir()
    before = Authority(first).certificate
    Authority(other)
    for content in (b"", (other / damage).read_bytes()):
        (first / damage).write_bytes(content)
        after = Authority(first).certificate
        assert after != before
        before = after
        name = "s3.eu-west-1.amazonaws.com"
        with (
            served(first) as made,
            socket.create_connection(("127.0.0.1", made.port)) as plain,
            made.trusting().wrap_socket(plain, server_hostname=name) as secure,
        ):
            assert secure.version() in ("TLSv1.2", "TLSv1.3")


def test_an_authority_that_is_about_to_end_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(authority, "_CA_DAYS", 300)
        before = Authority(tmp_path).certificate
    assert Authority(tmp_path).certificate != before
