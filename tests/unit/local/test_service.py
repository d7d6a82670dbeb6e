"""The pieces of the endpoint that need no namespace."""

from __future__ import annotations

from pathlib import Path

import pytest
from moto import mock_aws

from nitro.cloud import Cloud, role
from nitro.local.aws import vmimport
from nitro.local.service import add_vmimport_role, second_octet
from tests.cloud.policed import granted


@pytest.mark.extended
def test_the_account_is_ready_for_imports() -> None:
    with mock_aws():
        assert not vmimport.usable("123456789012", "aws", "vmimport")
        add_vmimport_role()
        assert vmimport.usable("123456789012", "aws", "vmimport")
        with granted("deploy"):
            assert role.problems(Cloud.connect(region="us-east-1"), "any") == []
        disk = "arn:aws:s3:::any/disk.raw"
        assert vmimport.may("123456789012", "aws", "vmimport", "s3:GetObject", disk)


def test_two_folders_have_their_own_addresses(tmp_path: Path) -> None:
    octets = {second_octet(tmp_path / str(number)) for number in range(50)}
    assert len(octets) > 20
    assert all(16 <= octet <= 239 for octet in octets)
    assert second_octet(tmp_path) == second_octet(tmp_path)


def test_a_folder_keeps_its_addresses() -> None:
    octets = [second_octet(Path(f"/nowhere/{number}")) for number in range(8)]
    assert octets == [234, 104, 44, 200, 118, 90, 125, 225]
