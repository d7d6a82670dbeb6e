"""What is wrong with a plan is said in TOML's words, with what to write instead."""

from __future__ import annotations

import pytest

from nitro.bench.plan import Plan
from nitro.errors import InputError

TEXT = """
name = "small"
[matrix]
types = ["c5.large"]
[[test]]
protocol = "iperf3-udp"
rates = ["100M"]
"""


@pytest.mark.parametrize(
    ("change", "says", "hint"),
    [
        (("small", "Small plan"), "name: 'Small plan' is not a name of a-z, 0-9", "docs/"),
        (('name = "small"', ""), "name is missing", "docs/benchmarking.md"),
        (('["100M"]', '"100M"'), 'test.0.rates: is not a list: write ["100M"]', "docs/"),
        (("100M", "fast"), "test.0.rates.0: 'fast' is not a rate in bit/s, such as 100M", "docs/"),
        (("types", "kinds"), "matrix.types is missing", "docs/"),
        (
            ("[matrix]", "[matrix]\nkinds = 1"),
            "unknown key 'matrix.kinds'",
            "images, drivers, types",
        ),
        (("rates", "rate"), "unknown key 'test.0.rate'", "protocol, images, directions, streams"),
        (("[matrix]", "[amis]\na = 1\n[matrix]"), "amis.a: 1 is not a table", "docs/"),
        (("[matrix]", "[amis.a]\nid = 1\n[matrix]"), "amis.a.ids is missing", "docs/"),
        (("[matrix]", "[amis.a]\nids = {}\n[matrix]"), "amis.a.ids: has nothing in it", "docs/"),
        (("[matrix]", "[amis.A]\nids.x = 1\n[matrix]"), "amis.A: 'A' is not a name", "docs/"),
        (('["c5.large"]', '["c5.large"]\nregions = ["x"]'), "'x' is not a region", "docs/"),
        (("[matrix]", "repetitions = true\n[matrix]"), "true is not a whole number", "docs/"),
        (("[matrix]", "seconds = '3'\n[matrix]"), '"3" is not a whole number', "docs/"),
        (("[matrix]", "seconds = 3.0\n[matrix]"), "3.0 is not a whole number", "docs/"),
        (("[matrix]", "max_cost = true\n[matrix]"), "max_cost: true is not a number", "docs/"),
        (("[matrix]", "max_cost = inf\n[matrix]"), "Infinity should be a finite", "docs/"),
        (("[matrix]", "max_hours = 0\n[matrix]"), "0 should be greater than 0", "docs/"),
        (("rates", "streams = [true]\nrates"), "streams.0: true is not a whole", "docs/"),
        (("small", 'small"\nmarket = "Spot'), "\"Spot\" should be 'on-demand' or", "docs/"),
        (("c5.large", ""), "matrix.types.0: has nothing in it", "docs/"),
        (('"c5.large"', "5"), "matrix.types.0: 5 is not text in quotes", "docs/"),
        (('"small"', '"small"\nplacement_group = ""'), "placement_group: has nothing", "docs/"),
        (("[matrix]", "pairs = 3\n[matrix]"), "unknown key 'pairs'", "pairs_at_once"),
        (('rates = ["100M"]', ""), "test.0: iperf3-udp needs rates", "docs/"),
        (("[matrix]", "matrix = 1\n[other]"), "matrix: 1 is not a table", "docs/"),
        (("[matrix]", "[[matrix]]"), "matrix: is a list: write [matrix]", "docs/"),
        (("[[test]]", "[test]"), "test: is one table: write [[test]]", "docs/"),
        (('types = ["c5.large"]', "types = 3"), "matrix.types: is not a list: write [3]", "docs/"),
        (
            ("[matrix]", "[prices]\n'c5.larg' = 1\n[matrix]"),
            "prices has 'c5.larg', which the matrix's types do not have",
            "docs/",
        ),
    ],
)
def test_the_first_problem_is_said_with_what_to_do(tmp_path, change, says, hint):
    assert change[0] in TEXT
    path = tmp_path / "plan.toml"
    path.write_text(TEXT.replace(*change))
    with pytest.raises(InputError) as error:
        Plan.load(path)
    assert str(error.value.what).startswith(f"{path}: ")
    assert says in error.value.what
    assert hint in str(error.value.hint)
