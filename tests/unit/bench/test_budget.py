"""What a night may take: hours, and money by the prices of the plan or of AWS."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nitro.bench import budget
from nitro.bench.budget import Budget, prices_of
from nitro.bench.plan import Machine, Plan
from nitro.cloud import prices
from nitro.progress import Reporter
from tests.heard import Heard

FIRST, SECOND = (Machine("bench", "nitro", kind, "eu-west-1") for kind in ("c5.large", "t3.micro"))
PRICES = {("eu-west-1", "c5.large"): 2.0, ("eu-west-1", "t3.micro"): 1.0}
PLAN = {
    "name": "small",
    "matrix": {"types": ["c5.large", "t3.micro"], "regions": ["eu-west-1", "us-east-1"]},
    "test": [{"protocol": "http"}],
}


@pytest.fixture
def clock(monkeypatch):
    made = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(budget, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def test_money_is_spent_by_all_servers_and_a_client_of_the_dearest_type(clock):
    found = Budget(None, 10.0, PRICES)
    found.begin_group()
    clock.now += 3600
    assert found.cost([FIRST, SECOND]) == 2 + 1 + 2
    found.end_group([FIRST, SECOND])
    found.begin_group()
    clock.now += 1800
    assert found.cost([SECOND]) == 5 + (1 + 2) / 2
    assert not found.is_spent([SECOND])
    clock.now += 2 * 3600
    assert found.is_spent([SECOND])


def test_money_is_spent_when_the_last_cent_is(clock):
    found = Budget(None, 4.0, PRICES)
    found.begin_group()
    clock.now += 3600
    assert found.cost([FIRST]) == 4
    assert found.is_spent([FIRST])


def test_every_client_at_work_costs(clock):
    found = Budget(None, 10.0, PRICES, clients=3)
    found.begin_group()
    clock.now += 3600
    assert found.cost([FIRST]) == 2 + 3 * 2


def test_hours_count_from_the_beginning_of_all_groups(clock):
    found = Budget(2.0, None, {})
    clock.now += 7100
    found.begin_group()
    assert not found.is_spent([FIRST])
    clock.now += 100
    assert found.is_spent([])
    assert found.cost([FIRST]) == 0


def cloud(endpoint_url=None):
    made = SimpleNamespace(region="eu-west-1", endpoint_url=endpoint_url)
    made.in_region = lambda region: SimpleNamespace(region=region)
    return made


@pytest.fixture
def listed(monkeypatch):
    """What AWS was asked for: it lists 3 dollars for everything."""
    asked = []

    def on_demand(cloud, types):
        asked.append((cloud.region, list(types)))
        return dict.fromkeys(types, 3.0)

    monkeypatch.setattr(prices, "on_demand", on_demand)
    return asked


def test_prices_that_the_plan_lacks_are_asked_of_aws_in_each_region(listed):
    plan = Plan.model_validate(PLAN | {"max_cost": 5, "prices": {"t3.micro": 0.01}})
    assert prices_of(cloud(), plan, Reporter()) == {
        ("eu-west-1", "c5.large"): 3.0,
        ("us-east-1", "c5.large"): 3.0,
        ("eu-west-1", "t3.micro"): 0.01,
        ("us-east-1", "t3.micro"): 0.01,
    }
    assert listed == [("eu-west-1", ["c5.large"]), ("us-east-1", ["c5.large"])]


def test_nobody_is_asked_where_the_plan_has_all_prices_or_no_bound(listed):
    whole = {"c5.large": 0.1, "t3.micro": 0.01}
    bounded = Plan.model_validate(PLAN | {"max_cost": 5, "prices": whole})
    assert set(prices_of(cloud(), bounded, Reporter()).values()) == {0.1, 0.01}
    assert prices_of(cloud(), Plan.model_validate(PLAN), Reporter()) == {}
    assert listed == []


def test_on_the_local_nitro_what_has_no_price_costs_nothing(listed):
    plan = Plan.model_validate(PLAN | {"max_cost": 5, "prices": {"t3.micro": 0.01}})
    found = prices_of(cloud("http://127.0.0.1:1"), plan, heard := Heard())
    assert heard.notes == ["max_cost: on the local Nitro, a type without a price costs nothing"]
    assert found["us-east-1", "c5.large"] == 0
    assert found["us-east-1", "t3.micro"] == 0.01
    assert listed == []
