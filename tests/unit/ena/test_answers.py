"""What each card answers, byte for byte: features, queues, statistics, registers.

answers.json is what the drivers of tests/boot and tests/driver work with; what the fields mean is
tested beside this. `python -m tests.unit.ena.test_answers > tests/unit/ena/answers.json` writes it
anew, and the difference is then to be read.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from nitro.ena.constants import DIRECTION_RX, DIRECTION_TX, Feature, Opcode, Reg, StatsType
from nitro.ena.profiles import PROFILES
from tests.unit.ena.driver import Driver

KEPT = Path(__file__).with_name("answers.json")


def answers(profile: str) -> dict[str, str]:
    """By what was asked, in hex."""
    driver = Driver(profile, strict=False)
    driver.start()
    found = {
        f"register {register.name}": f"{driver.device.read(register):08x}"
        for register in (Reg.VERSION, Reg.CONTROLLER_VERSION, Reg.CAPS, Reg.CAPS_EXT, Reg.DEV_STS)
    }
    for feature in Feature:
        for buffer in (0, 1024):
            driver.poke(driver.control, bytes(1024))
            answer = driver.get_feature(feature, buffer=buffer)
            name = f"feature {feature.name}{' with a buffer' * bool(buffer)}"
            found[name] = f"{answer.status} {answer.payload.hex()}"
            found[f"{name}: the buffer"] = driver.peek(driver.control, 1024).rstrip(b"\0").hex()
    for number in range(2):
        for direction, words in ((DIRECTION_TX, 2), (DIRECTION_RX, 4)):
            address = driver.alloc(4096)
            answer = driver.create_cq(words, 32, address, vector=number + 1)
            cq = int.from_bytes(answer.payload[:2], "little")
            found[f"completion queue {number} {direction}"] = answer.payload.hex()
            answer = driver.create_sq(direction, cq, 32, address)
            found[f"queue {number} {direction}"] = f"{answer.status} {answer.payload.hex()}"
    for number, counter in enumerate(fields(driver.device.counters), start=1):
        setattr(driver.device.counters, counter.name, number << 33 | number)
    for stats in StatsType:
        answer = driver.command(Opcode.GET_STATS, bytes(8) + bytes([0] * 4) + bytes([stats]))
        found[f"statistics {stats.name}"] = f"{answer.status} {answer.payload.hex()}"
    for number in range(8):
        group = driver.event()
        if group is None:
            driver.now += 1
            driver.run()
        else:
            found[f"event {number}"] = f"{group[0]} {group[1]} {group[2].hex()}"
    return found


@pytest.mark.parametrize("profile", PROFILES)
def test_a_card_answers_as_ever(profile: str) -> None:
    kept, found = json.loads(KEPT.read_text())[profile], answers(profile)
    changed = {name for name in kept if found.get(name) != kept[name]}
    assert not changed
    assert kept.keys() == found.keys()


def test_every_profile_is_kept() -> None:
    assert json.loads(KEPT.read_text()).keys() == PROFILES.keys()


if __name__ == "__main__":
    print(json.dumps({profile: answers(profile) for profile in PROFILES}, indent=1))
