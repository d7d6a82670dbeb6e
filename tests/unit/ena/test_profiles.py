"""Which card an instance type has."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import botocore.session
import pytest

from nitro.ena import profiles
from nitro.ena.constants import Feature, RxOffload, TxOffload
from nitro.ena.profiles import (
    ALL_RX_OFFLOADS,
    ALL_TX_OFFLOADS,
    PROFILES,
    find,
    with_all_offloads,
)
from nitro.errors import InputError

from .driver import Driver


@pytest.mark.parametrize(
    ("instance_type", "profile"),
    [
        ("c5.large", "c5"),
        ("t3.micro", "c5"),
        ("m7i-flex.large", "c5"),
        ("u-6tb1.56xlarge", "c5"),
        ("t4g.small", "t4g"),
        ("i3.large", "t4g"),
        ("i3en.large", "c5"),
        ("m4.16xlarge", "t4g"),
        ("c5n.large", "c6in"),
        ("m5dn.large", "c6in"),
        ("c6in.large", "c6in"),
        ("c7gn.medium", "c6in"),
        ("m6g.large", "graviton"),
        ("c7gd.large", "graviton"),
        ("x2gd.large", "graviton"),
        ("c8g.large", "gen8"),
        ("c8i-flex.large", "gen8"),
        ("m8gn.large", "gen8"),
    ],
)
def test_an_instance_type_has_the_card_of_its_generation(instance_type: str, profile: str):
    assert find(instance_type).name == profile


@pytest.mark.parametrize("name", ["c9000", "", "c5large"])
def test_names_that_are_no_profile(name: str):
    with pytest.raises(InputError, match="no ENA profile"):
        find(name)


@pytest.mark.parametrize("name", PROFILES)
def test_no_fleet_has_segmentation_ipv6_sums_or_receive_verdicts(name: str):
    offered = PROFILES[name].tx_offloads
    assert offered in (TxOffload.L4_V4_PARTIAL, TxOffload(0))
    assert not PROFILES[name].rx_offloads & ~RxOffload.HASH


def test_all_offloads_leave_the_rest_of_the_card_as_it_is():
    card = with_all_offloads(PROFILES["gen8"])
    assert (card.tx_offloads, card.rx_offloads) == (ALL_TX_OFFLOADS, ALL_RX_OFFLOADS)
    assert card.merged_segments
    assert card.llq_only


def test_a_profile_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "tiny.py").write_text(
        "from nitro.ena.profiles.profile import Profile\n"
        'PROFILE = Profile(name="tiny", note="for this test", queues=2, families="z9")\n'
    )
    monkeypatch.setattr(profiles, "__path__", [*profiles.__path__, str(tmp_path)])
    monkeypatch.setattr(profiles, "PROFILES", profiles.load())
    assert find("tiny") is find("z9.large")
    guest = Driver(find("tiny"))
    guest.start()
    _, queues = struct.unpack_from("<B3xI", guest.get_feature(Feature.MAX_QUEUES_EXT).payload)
    assert queues == 2


def test_no_family_of_instance_types_has_two_cards():
    model = botocore.session.get_session().get_service_model("ec2")
    types = model.shape_for("InstanceType").metadata["enum"]
    families = {name.partition(".")[0] for name in types}
    assert len(families) > 100
    for family in families:
        having = [p.name for p in PROFILES.values() if re.fullmatch(p.families, family)]
        assert len(having) <= 1, family
