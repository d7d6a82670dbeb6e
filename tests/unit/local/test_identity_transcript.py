"""Certificates, identities and metadata over HTTP, as transcripts."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.serialization import pkcs7

from nitro.local import authority, identity, imds
from nitro.local.authority import Authority
from tests.transcripts import compare
from tests.unit.local.test_hypervisor import GUEST
from tests.unit.local.test_metadata_transcript import RICH
from tests.unit.local.told import Told

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Clock(datetime):
    at = NOW

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls.at.astimezone(tz)


def described(certificate: x509.Certificate) -> list[str]:
    names = [certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()]
    algorithm = certificate.signature_hash_algorithm
    lines = [f"    {names} {certificate.version.name} {algorithm and algorithm.name}"]
    lines.append(f"    {certificate.not_valid_before_utc} to {certificate.not_valid_after_utc}")
    for extension in certificate.extensions:
        value: Any = extension.value
        if isinstance(value, x509.SubjectKeyIdentifier | x509.AuthorityKeyIdentifier):
            value = type(value).__name__
        lines.append(f"    {extension.critical} {value}")
    return lines


def test_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    monkeypatch.setattr(authority, "datetime", Clock)
    made = Authority(tmp_path)

    def show(what: str, certificate: x509.Certificate) -> None:
        told.note(what)
        told.lines += described(certificate)

    own = x509.load_der_x509_certificate(base64.b64decode(made.certificate))
    show("its own", own)
    for path in sorted(tmp_path.rglob("*")):
        mode = path.stat().st_mode & 0o777
        told.note(f"    {path} {'' if path.suffix == '.pem' else f'{mode:o}'}")
    context = made.context(lambda name: [name or "s3.amazonaws.com", "*.s3.amazonaws.com"])
    told.note(f"    {context.minimum_version.name}")
    choose: Any = context.sni_callback
    connections = [SimpleNamespace(context=None) for _ in range(3)]
    for connection, name in zip(
        connections, ("a.amazonaws.com", "a.amazonaws.com", None), strict=True
    ):
        choose(connection, name, context)
    told.note(f"    {connections[0].context is connections[1].context}")
    told.note(f"    {connections[2].context is context}")
    for path in sorted((tmp_path / "tls").iterdir()):
        content = path.read_bytes()
        show(f"{path} {path.stat().st_mode & 0o777:o}", x509.load_pem_x509_certificate(content))
        leaf = x509.load_pem_x509_certificate(content)
        leaf.verify_directly_issued_by(own)
        key = serialization.load_pem_private_key(content, None)
        told.note(f"    {key.public_key() == leaf.public_key()}")
        told.note(f"    {[line for line in content.decode().splitlines() if '-' in line]}")
    serials = {own.serial_number, leaf.serial_number}
    told.note(f"    {len(serials)}")
    for days in (0, 1, 3650 - 396, 3650 - 395, 3650 - 394, 3650, 4000):
        Clock.at = NOW + timedelta(days=days)
        kept = Authority(tmp_path).certificate == made.certificate
        told.note(f"{days} days later: {kept}")
        (tmp_path / authority.CERTIFICATE).write_bytes(own.public_bytes(serialization.Encoding.PEM))
        if not kept:
            break
    Clock.at = NOW
    good = Authority(tmp_path)
    key_file = tmp_path / "ca.key"
    others: dict[str, bytes] = {
        "another key": _pem(ec.generate_private_key(ec.SECP256R1())),
        "a key of another kind": _pem(ed25519.Ed25519PrivateKey.generate()),
        "no key": b"rubbish",
    }
    for what, content in others.items():
        before = Authority(tmp_path).certificate
        key_file.write_bytes(content)
        told.note(f"{what}: kept {Authority(tmp_path).certificate == before}")
        told.note(
            f"    then kept {Authority(tmp_path).certificate == Authority(tmp_path).certificate}"
        )
    key_file.unlink()
    told.note(f"none: kept {Authority(tmp_path).certificate == good.certificate}")
    (tmp_path / authority.CERTIFICATE).write_bytes(b"rubbish")
    told.note(f"damaged: {len(Authority(tmp_path).certificate) > 100}")
    compare(HERE / "certificates.txt", told.text)


def _pem(key: Any) -> bytes:
    kind, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return bytes(key.private_bytes(kind, form, serialization.NoEncryption()))


def test_identities(tmp_path: Path) -> None:
    told = Told(tmp_path)
    for guest in (GUEST, RICH):
        content = identity.document(guest)
        told.note(content.decode())
        key, certificate = identity._signer()
        signature = identity.signature(content)
        public = key.public_key()
        public.verify(base64.b64decode(signature), content, padding.PKCS1v15(), hashes.SHA256())
        lines = signature.decode().splitlines()
        told.note(f"{[len(line) for line in lines]} {public.key_size} {public.public_numbers().e}")
        signed = identity.pkcs7_signature(content)
        told.note(f"{[len(line) for line in signed.decode().splitlines()][:3]}")
        whole = base64.b64decode(signed)
        told.note(f"{content in whole}")
        (found,) = pkcs7.load_der_pkcs7_certificates(whole)
        assert found == certificate
    told.note(f"{certificate.subject.rfc4514_string()} {certificate.issuer.rfc4514_string()}")
    ago = datetime.now(UTC) - certificate.not_valid_before_utc
    told.note(
        f"{ago.days} {(certificate.not_valid_after_utc - certificate.not_valid_before_utc).days}"
    )
    compare(HERE / "identities.txt", told.text)


def test_metadata_over_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    tokens = iter(f"token-{number}" for number in range(99999))
    monkeypatch.setattr(secrets, "token_urlsafe", told.stand_in("token", lambda _: next(tokens)))
    now = [0.0]
    silent: list[str] = []
    guests = {"10.0.0.4": GUEST, "10.0.0.5": RICH}
    service = imds.Metadata(guests.get, lambda: now[0], lambda name: name not in silent)

    class Connection:
        def __init__(self, request: bytes) -> None:
            self._request = request
            self.answer = b""

        def makefile(self, mode: str, size: int = -1) -> Any:
            import io

            return io.BytesIO(self._request)

        def sendall(self, data: bytes) -> None:
            self.answer += bytes(data)

        def settimeout(self, seconds: float) -> None:
            told.note(f"    timeout {seconds}")

        def setsockopt(self, *option: int) -> None:
            told.note(f"    option {tuple(map(int, option))}")

    server: Any = SimpleNamespace(metadata=service)
    monkeypatch.setattr(imds._Handler, "date_time_string", lambda *_: "DATE")

    def ask(source: str, method: str, path: str, more: str = "", *, times: int = 1) -> None:
        request = f"{method} {path} HTTP/1.1\r\nHost: h\r\n{more}\r\n".encode() * times
        connection: Any = Connection(request)
        told.note(f"{source} {method} {path} {more.strip()} × {times}")
        imds._Handler(connection, (source, 1), server)
        told.note(f"    {connection.answer!r}")

    ttl, held = "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"
    for source in ("10.0.0.4", "10.0.0.5", "10.0.0.6"):
        for value in ("60", "0", "1", "21600", "21601", "-1", "x", "", "٣", "0000060", "000060"):
            ask(source, "PUT", "/latest/api/token", f"{ttl}: {value}\r\n")
        ask(source, "PUT", "/latest/api/token")
        ask(source, "PUT", "/latest/api/token", f"{ttl}: 60\r\nX-Forwarded-For: a\r\n")
        for path in ("/latest/api/token/", "latest/api/token", "//latest/api/token", "/latest/api"):
            ask(source, "PUT", path, f"{ttl.lower()}: 60\r\n")
        for path in ("/latest/meta-data/instance-id", "/latest//meta-data/ami-id?x", "/none", "/"):
            for number in (0, 20, 999):
                ask(source, "GET", path, f"{held}: token-{number}\r\n")
            ask(source, "GET", path)
        for method in ("HEAD", "POST", "DELETE", "OPTIONS"):
            ask(source, method, "/latest/meta-data/ami-id", times=2)
        ask(source, "GET", "/latest/meta-data/ami-id", times=2)
        ask(source, "PUT", "/latest/api/token", f"{ttl}: 60\r\n", times=2)
    silent.append(GUEST.instance_id)
    for method in ("GET", "PUT"):
        ask("10.0.0.4", method, "/latest/meta-data/ami-id", times=2)
    silent.clear()
    for at in (58.5, 59.0, 59.5, 60.0, 60.5):
        now[0] = at
        answer = service.get("10.0.0.4", "/latest/meta-data/ami-id", {held.lower(): "token-0"})
        told.note(f"at {at}: {answer}")
    monkeypatch.setattr(secrets, "token_urlsafe", lambda _: next(tokens))
    monkeypatch.setattr(imds, "MAX_TOKENS", 5)
    for at, seconds in (
        (100, 5),
        (100, 50),
        (101, 50),
        (104.9, 50),
        (105, 50),
        (105, 50),
        (105, 9),
    ):
        now[0] = at
        service.put("10.0.0.4", "/latest/api/token", {ttl.lower(): str(seconds)})
        told.note(f"at {at}: {[until for _, until in service._tokens.values()]}")
    compare(HERE / "metadata-http.txt", told.text)
