"""New resources that are hidden for a while."""

from __future__ import annotations

import pytest

from nitro.local.weather import Conditions, Forecast
from nitro.local.weather.calls import ApiCall
from nitro.local.weather.visibility import Visibility

ANSWER = (
    '<RunInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><instancesSet><item>'
    "<instanceId>i-00000000000000001</instanceId></item></instancesSet></RunInstancesResponse>"
)
LIST = (
    "<?xml version='1.0' encoding='utf-8'?>\n"
    '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet>'
    "<item><instancesSet><item><instanceId>i-00000000000000001</instanceId></item></instancesSet>"
    "</item><item><instancesSet><item><instanceId>i-00000000000000002</instanceId></item>"
    "</instancesSet></item></reservationSet></DescribeInstancesResponse>"
)


def call(name: str, **parameters: str) -> ApiCall:
    named = {key.replace("_", "."): value for key, value in parameters.items()}
    return ApiCall("ec2", name, "/", "", "localhost", "us-east-1", named)


class Day:
    def __init__(self, share: float) -> None:
        self.now = 0.0
        conditions = Conditions(ids_late=share, ids_late_seconds=2)
        self.visibility = Visibility(Forecast(conditions, lambda: self.now))
        self.visibility.note_created(call("RunInstances"), ANSWER)


def test_a_new_instance_is_not_found_and_not_listed_for_a_while() -> None:
    day = Day(share=1)
    naming = call("TerminateInstances", InstanceId_1="i-00000000000000001")
    assert day.visibility.hides(naming) == ("i-00000000000000001", "InvalidInstanceID.NotFound")
    listed = day.visibility.without_hidden(call("DescribeInstances"), LIST)
    assert "i-00000000000000001" not in listed
    assert listed.count("<instancesSet>") == 1
    assert 'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"' in listed
    day.now = 2.0
    assert day.visibility.hides(naming) is None
    assert day.visibility.without_hidden(call("DescribeInstances"), LIST) == LIST


@pytest.mark.parametrize(
    "harmless",
    [
        call("DescribeInstances", InstanceId_1="i-00000000000000002"),
        call("DescribeInstances", Filter_1_Value_1="i-00000000000000001"),
    ],
)
def test_other_resources_and_filters_pass(harmless: ApiCall) -> None:
    assert Day(share=1).visibility.hides(harmless) is None


def test_where_none_is_late_nothing_is_hidden() -> None:
    day = Day(share=0)
    assert day.visibility.without_hidden(call("DescribeInstances"), LIST) == LIST


@pytest.mark.parametrize("name", ["StopInstances", "DescribeInstances", "CreateTags"])
def test_only_what_creates_a_resource_hides_it(name: str) -> None:
    """The answers of other calls name instances, too."""
    day = Day(share=1)
    other = ANSWER.replace("00001<", "00002<")
    day.visibility.note_created(call(name), other)
    assert day.visibility.hides(call("StopInstances", InstanceId_1="i-00000000000000002")) is None


def test_the_same_answer_again_hides_nothing_anew() -> None:
    """A client that repeats a call with its token gets the instance that it has seen."""
    day = Day(share=1)
    day.now = 2.0
    day.visibility.note_created(call("RunInstances"), ANSWER)
    naming = call("TerminateInstances", InstanceId_1="i-00000000000000001")
    assert day.visibility.hides(naming) is None
