"""The certificate authority of the local Nitro, and TLS with its certificates.

Guests see S3 under AWS's names, for which nobody here has AWS's certificates. A guest that is to
trust these is given the authority's own certificate, in its user data. The authority is kept, so
that it is the same after a restart; it can certify nothing but names of AWS's.
"""

from __future__ import annotations

import base64
import os
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from werkzeug.serving import ThreadedWSGIServer

CERTIFICATE = "ca.pem"  # in the local Nitro's folder
_KEY = "ca.key"
_DOMAINS = ("amazonaws.com", "amazonaws.com.cn")
_CA_DAYS, _DAYS = 3650, 395  # that a certificate is good for
_EARLIER = timedelta(days=1)  # a guest's clock may be behind
HANDSHAKE_SECONDS = 30.0


class Authority:
    """The authority of a folder, made there if there is none that is good for a while yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "tls"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        held = _read(folder)
        self._key, self._certificate = held or _make(folder)
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()

    @property
    def certificate(self) -> str:
        """DER in base64, in one line."""
        return base64.b64encode(_der(self._certificate)).decode()

    def context(self, names: Callable[[str | None], list[str]]) -> ssl.SSLContext:
        """For a server. `names`: what to certify for a name that a client asks for (SNI)."""

        def choose(connection: Any, asked: str | None, _first: ssl.SSLContext) -> None:
            connection.context = self._context(names(asked))

        first = self._context(names(None))
        first.sni_callback = choose
        return first

    def _context(self, names: list[str]) -> ssl.SSLContext:
        with self._lock:
            if names[0] not in self._contexts:
                self._contexts[names[0]] = self._certified(names)
            return self._contexts[names[0]]

    def _certified(self, names: list[str]) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        certificate = (
            _builder(_name(names[0]), self._certificate.subject, key.public_key(), _DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([*map(x509.DNSName, names)]), critical=False)
            .add_extension(usage, critical=False)
            .add_extension(_identified(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        path = self._folder / f"{names[0]}.pem"
        _write_private(path, _pem(key) + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # as AWS asks for
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(path)
        return context


class TlsServer(ThreadedWSGIServer):
    """Shakes hands in the thread of the connection, for a client may take its time over it."""

    def __init__(
        self, address: tuple[str, int], app: Any, handler: type, context: ssl.SSLContext
    ) -> None:
        super().__init__(*address, app, handler)
        self.ssl_context = context

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        connection.settimeout(HANDSHAKE_SECONDS)
        assert isinstance(self.ssl_context, ssl.SSLContext)
        wrapped = self.ssl_context.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        )
        return wrapped, address


def _read(folder: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None:
    try:
        certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
        key = serialization.load_pem_private_key((folder / _KEY).read_bytes(), None)
    except (OSError, ValueError):
        return None
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    fits = isinstance(key, ec.EllipticCurvePrivateKey) and (
        key.public_key() == certificate.public_key()
    )
    if not fits or left < timedelta(days=_DAYS):
        return None
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key, certificate


def _make(folder: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("local Nitro")
    usage = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
            *("key_agreement", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    allowed = x509.NameConstraints([x509.DNSName(domain) for domain in _DOMAINS], None)
    certificate = (
        _builder(name, name, key.public_key(), _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(key_cert_sign=True, **usage), critical=True)
        .add_extension(allowed, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_private(folder / _KEY, _pem(key))
    (folder / CERTIFICATE).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return key, certificate


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + timedelta(days=days))
    )


def _identified(key: ec.EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
