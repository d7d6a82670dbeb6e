"""The instance identity document and its signatures.

They are made with a key of this process: their form is AWS's, their certificate is not.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html
"""

from __future__ import annotations

import base64
import functools
import json
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from nitro.local.hypervisor import Guest


def document(guest: Guest) -> bytes:
    """The document, always the same for a guest."""
    fields = {
        "accountId": guest.account_id,
        "architecture": guest.architecture,
        "availabilityZone": guest.availability_zone,
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": guest.image_id,
        "instanceId": guest.instance_id,
        "instanceType": guest.instance_type,
        "kernelId": None,
        "pendingTime": guest.launched_at,
        "privateIp": guest.private_ip,
        "ramdiskId": None,
        "region": guest.region,
        "version": "2017-09-30",
    }
    return json.dumps(fields, indent=2).encode()


def signature(content: bytes) -> bytes:
    """RSA with SHA-256, in base64."""
    key, _ = _signer()
    signed = key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    return base64.encodebytes(signed).strip()


def pkcs7_signature(content: bytes) -> bytes:
    """PKCS #7 with document and certificate in it, as PEM without its first and last line."""
    key, certificate = _signer()
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content)
    pem = builder.add_signer(certificate, key, hashes.SHA256()).sign(
        serialization.Encoding.PEM, [pkcs7.PKCS7Options.Binary]
    )
    return b"\n".join(pem.strip().splitlines()[1:-1])


@functools.cache
def _signer() -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "local Nitro")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    return key, certificate
