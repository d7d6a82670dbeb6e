"""Checksums, against the check values of their standards."""

from __future__ import annotations

import base64

import pytest

from nitro.local.aws.checksums import ALGORITHMS, composite, digest, encoded

# Of b"123456789"; the CRCs are those of the catalogue of parametrised CRC algorithms.
CHECKS = {
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "SHA1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "SHA256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
}


@pytest.mark.extended
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_algorithm_gives_its_check_value(algorithm: str) -> None:
    assert digest(algorithm, b"123456789").hex() == CHECKS[algorithm]
    assert base64.b64decode(encoded(algorithm, b"123456789")).hex() == CHECKS[algorithm]


def test_a_composite_is_the_checksum_of_checksums_and_their_number() -> None:
    parts = [encoded("SHA256", b"a"), encoded("SHA256", b"b")]
    joined = digest("SHA256", b"a") + digest("SHA256", b"b")
    assert composite("SHA256", parts) == f"{encoded('SHA256', joined)}-2"
