"""Two sides are compared pair by pair where they were interleaved, with an honest interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nitro.bench.compare import compare, parse_side
from nitro.bench.plan import Cell
from nitro.errors import InputError
from nitro.probe import Allowance
from tests.unit.bench.samples import CELL, CELLS, days, fill, sample

NITRO, KERNEL = {"driver": "nitro"}, {"driver": "kernel"}


@pytest.mark.extended
def test_pairs_see_through_what_drifts_in_the_night(record):
    rng = np.random.default_rng(5)
    drift = {night: float(np.exp(rng.normal(0, 0.3))) for night in days(10)}

    def factor(cell, night):
        return drift[night] * (0.97 if cell.machine.driver == "nitro" else 1.0)

    fill(record, days(10), factor=factor)
    found = compare(record, KERNEL, NITRO)
    assert [one.what for one in found] == [
        f"small {kind} eu-west-1 bench iperf3-tcp in" for kind in ("c5.large", "c6in.large")
    ]
    for one in found:
        assert one.paired
        assert one.count_a == one.count_b == 30
        assert one.low < 0.97 < one.high
        assert one.high - one.low < 0.03
        assert one.verdict == "worse"
        assert one.spread_a > 0.1


@pytest.mark.extended
def test_streams_are_named_as_in_a_cell_where_there_are_several(record):
    several = [replace(cell, test=replace(cell.test, streams=8)) for cell in CELLS]
    fill(record, days(1), cells=[*CELLS, *several])
    said = {one.what.partition("bench ")[2] for one in compare(record, KERNEL, NITRO)}
    assert said == {"iperf3-tcp in", "iperf3-tcp in streams=8"}


def test_sides_of_different_nights_have_no_pairs(record):
    nights = days(2)
    fill(record, nights[:1], repetitions=10)
    fill(record, nights[1:], repetitions=7, factor=lambda cell, night: 1.2, seed=9)
    night_a, night_b = ({"night": night.isoformat()} for night in nights)
    one = compare(record, {**night_a, **NITRO}, {**night_b, **NITRO})[0]
    assert one.paired
    assert one.low < 1.2 < one.high
    assert one.verdict == "better"
    assert one.to_json()["runs"] == [10, 7]


@pytest.mark.extended
@pytest.mark.parametrize(("partners", "paired"), [(3, False), (4, True), (6, True)])
def test_more_than_half_of_the_larger_side_needs_a_partner(record, partners, paired):
    nights = days(2)
    fill(record, nights[:1], repetitions=6)
    fill(record, nights[1:], repetitions=partners, seed=9)
    first, second = ({"night": night.isoformat(), **NITRO} for night in nights)
    for one in (compare(record, first, second)[0], compare(record, second, first)[0]):
        assert one.paired is paired
        assert sorted((one.count_a, one.count_b)) == [partners, 6] or partners == 6


def test_the_interval_of_pairs_is_that_of_signed_ranks(record):
    """The 8th of 55 Walsh averages from either end: n (n + 1) / 4 − 1.96 of their spread."""
    record.append(sample(1e9, cell=CELLS[2], repetition=n) for n in range(10))
    record.append(
        sample(1e9 * np.exp(0.01 * (n + 1)), cell=CELLS[0], repetition=n) for n in range(10)
    )
    (one,) = compare(record, KERNEL, NITRO)
    assert one.paired
    assert np.log([one.low, one.ratio, one.high]) == pytest.approx([0.03, 0.055, 0.08])


def test_the_interval_without_pairs_is_that_of_rank_sums(record):
    """The 13th of 64 differences from either end."""
    first, second = days(2)
    record.append(sample(1e9, night=first, repetition=n) for n in range(8))
    record.append(
        sample(1e9 * np.exp(0.01 * (n + 1)), night=second, repetition=100 + n) for n in range(8)
    )
    (one,) = compare(record, {"night": str(first)}, {"night": str(second)})
    assert not one.paired
    assert np.log([one.low, one.ratio, one.high]) == pytest.approx([0.02, 0.045, 0.07])


def test_a_side_that_its_allowance_limited_is_neither_better_nor_worse(record):
    limit = (Allowance("client", "bw_out_allowance_exceeded", 12),)
    fill(record, days(5), cells=CELLS[:2])  # nitro's driver
    fill(record, days(5), cells=CELLS[2:3], factor=lambda cell, night: 0.5, allowances=limit)
    fill(record, days(5), cells=CELLS[3:], factor=lambda cell, night: 0.5)
    limited, slower = compare(record, NITRO, KERNEL)
    assert limited.to_json()["verdict"] == "limited by its allowance"
    assert limited.ratio == pytest.approx(0.5, rel=0.02)
    assert slower.verdict == "worse"


@pytest.mark.extended
def test_no_difference_is_said_to_be_none_and_few_runs_tell_nothing(record):
    fill(record, days(5))
    assert {one.verdict for one in compare(record, KERNEL, NITRO)} == {"no difference"}
    few = {"night": days(1)[0].isoformat()}
    found = compare(record, {**KERNEL, **few}, {**NITRO, **few})
    assert {one.verdict for one in found} == {"too few runs"}
    assert found[0].to_json()["interval"] is None


@pytest.mark.extended
def test_the_interval_covers_the_truth_as_often_as_it_says(record):
    for seed in range(20):
        fill(record, days(1), plan=f"p{seed}", seed=seed, repetitions=12, cells=CELLS[::2])
    found = compare(record, KERNEL, NITRO)
    assert len(found) == 20
    assert sum(one.low <= 1 <= one.high for one in found) >= 17


@pytest.mark.extended
def test_less_is_better_for_a_latency(record):
    fill(
        record,
        days(8),
        metric="tcp_rr_p99",
        better="less",
        factor=lambda cell, night: 0.5 if cell.machine.driver == "nitro" else 1.0,
    )
    assert {one.verdict for one in compare(record, KERNEL, NITRO)} == {"better"}


def test_a_side_has_one_value_of_a_column():
    with pytest.raises(InputError, match="names driver twice"):
        parse_side("driver=kernel,driver=nitro")


@pytest.mark.parametrize("text", ["", "driver", "driver=", "raw=x", "1=1", "driver;drop=1"])
def test_only_columns_name_a_side(text):
    with pytest.raises(InputError, match="cannot compare by"):
        parse_side(text)


def test_a_side_without_samples_is_refused(record):
    fill(record, days(1))
    with pytest.raises(InputError, match=r"no measurement of driver=a;drop"):
        compare(record, {"driver": "a;drop"}, NITRO)
    fill(record, days(1), plan="other", metric="tcp_out")
    with pytest.raises(InputError, match="no cell and metric in common") as error:
        compare(record, {"plan": "small"}, {"plan": "other"})
    assert error.value.hint is None


def test_sides_that_differ_in_more_than_they_say_are_told_in_what(record):
    other = replace(CELL, machine=replace(CELL.machine, image="debian", driver="own"))
    fill(record, days(1), cells=[CELL, other])
    with pytest.raises(InputError, match="no cell and metric in common") as error:
        compare(record, {"image": "debian"}, {"image": "bench"})
    assert error.value.hint == "they differ in driver: add driver=own and driver=nitro"
    sides = ({"image": "debian", "driver": "own"}, {"image": "bench", "driver": "nitro"})
    assert len(compare(record, *sides)) == 1


@pytest.mark.extended
def test_an_mtu_is_not_taken_for_the_size_of_a_message(record):
    kernel, nitro = replace(CELL.machine, driver="kernel"), CELL.machine
    sizes, mtu = replace(CELL.test, message_bytes=1500), replace(CELL.test, mtu=1500)
    fill(record, days(1), cells=[Cell(kernel, sizes), Cell(kernel, mtu), Cell(nitro, mtu)])
    [found] = compare(record, KERNEL, NITRO)
    assert found.what.endswith("iperf3-tcp in mtu=1500")
    assert found.count_a == found.count_b == 3
