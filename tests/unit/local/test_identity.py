"""The identity document, and whether its signatures hold."""

from __future__ import annotations

import base64
import json

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs7

from nitro.local import identity

from .test_hypervisor import GUEST


def certificate() -> x509.Certificate:
    pem = identity.pkcs7_signature(identity.document(GUEST))
    (found,) = pkcs7.load_pem_pkcs7_certificates(
        b"-----BEGIN PKCS7-----\n" + pem + b"\n-----END PKCS7-----\n"
    )
    return found


def test_the_document_has_the_fields_of_aws() -> None:
    found = json.loads(identity.document(GUEST))
    assert found["instanceId"] == GUEST.instance_id
    assert found["region"] == GUEST.region
    assert found["version"] == "2017-09-30"
    assert identity.document(GUEST) == identity.document(GUEST)


def test_the_signature_is_of_the_document_and_by_the_certificate() -> None:
    content = identity.document(GUEST)
    key = certificate().public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    signed = base64.b64decode(identity.signature(content))
    key.verify(signed, content, padding.PKCS1v15(), hashes.SHA256())  # raises when it is not


def test_the_pkcs7_signature_holds_the_document() -> None:
    content = identity.document(GUEST)
    assert content in base64.b64decode(identity.pkcs7_signature(content))
