"""What an hour costs, as the Pricing API tells it: answers of its form, as moto has no such API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse, HTTPHeaders

from nitro.cloud import Cloud, prices
from nitro.errors import InputError, RefusedError
from tests.cloud.conftest import refuse

pytestmark = pytest.mark.policies("deploy", "bench")


def product(usd: str, unit: str = "Hrs") -> str:
    """One of the products of a price list: a JSON text of its own."""
    dimension = {"unit": unit, "pricePerUnit": {"USD": usd}, "beginRange": "0", "endRange": "Inf"}
    offer = {"priceDimensions": {"ABC.JRT.6YS": dimension}, "sku": "ABC"}
    terms = {"OnDemand": {"ABC.JRT": offer}}
    return json.dumps({"product": {"productFamily": "Compute Instance"}, "terms": terms})


def answers(cloud: Cloud, *pages: list[str]) -> list[dict[str, Any]]:
    """Answer GetProducts with these pages, again and again; returns what was asked."""
    asked: list[dict[str, Any]] = []

    def answer(params: Any, context: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        body = json.loads(params["body"])
        asked.append({"region": context["client_region"], **body})
        number = int(body.get("NextToken", "0"))
        more = {"NextToken": str(number + 1)} if number + 1 < len(pages) else {}
        found = {"FormatVersion": "aws_v1", "PriceList": pages[number], **more}
        metadata = {"ResponseMetadata": {"HTTPStatusCode": 200}}
        return AWSResponse("", 200, HTTPHeaders(), None), found | metadata

    events: Any = cloud.session.events
    events.register("before-call.pricing.GetProducts", answer)
    return asked


def test_the_price_is_that_of_a_plain_instance_in_the_clouds_region(cloud: Cloud) -> None:
    asked = answers(cloud, [product("0.0000000000")], [product("0.0970000000")])
    assert prices.on_demand(cloud, ["c5.large"]) == {"c5.large": 0.097}
    assert {one["region"] for one in asked} == {"us-east-1"}
    filters = {one["Field"]: one["Value"] for one in asked[0]["Filters"]}
    assert filters == {
        "instanceType": "c5.large",
        "regionCode": "eu-central-1",
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }


@pytest.mark.parametrize(
    "page", [[], [product("0.0000000000")], [product("1.5", "Quantity")], ["{}"]], ids=len
)
def test_a_type_without_a_price_is_refused(cloud: Cloud, page: list[str]) -> None:
    answers(cloud, page)
    with pytest.raises(InputError, match=r"no price of c5\.large in eu-central-1") as error:
        prices.on_demand(cloud, ["c5.large"])
    assert "[prices]" in str(error.value.hint)


@pytest.mark.extended
def test_a_policy_without_prices_is_told(cloud: Cloud) -> None:
    refuse(cloud, "pricing.GetProducts", "AccessDeniedException", status=400)
    with pytest.raises(RefusedError, match="pricing:GetProducts"):
        prices.on_demand(cloud, ["c5.large"])
