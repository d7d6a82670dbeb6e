"""What an instance costs an hour, asked of the Pricing API.

https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from nitro.cloud.session import Cloud
from nitro.errors import InputError

# The plain instance: Linux, a machine shared with others, no software that costs, no reservation.
_PLAIN = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
}


def on_demand(cloud: Cloud, types: Iterable[str]) -> dict[str, float]:
    """US dollars an hour of Linux on demand in the cloud's region, by instance type.

    Raises InputError for a type that has no such price.
    """
    return {name: _price(cloud, name) for name in types}


def _price(cloud: Cloud, name: str) -> float:
    wanted = _PLAIN | {"instanceType": name, "regionCode": cloud.region}
    pages = cloud.pricing.get_paginator("get_products").paginate(
        ServiceCode="AmazonEC2",
        Filters=[
            {"Type": "TERM_MATCH", "Field": field, "Value": value}
            for field, value in wanted.items()
        ],
    )
    found = {usd for page in pages for text in page["PriceList"] for usd in _hourly(text)}
    if not found:
        raise InputError(
            f"AWS lists no price of {name} in {cloud.region}",
            hint="name it in the plan, under [prices]",
        )
    return max(found)


def _hourly(text: str) -> Iterable[float]:
    """The prices of a product for an hour on demand, in US dollars; 0 is none."""
    product: dict[str, Any] = json.loads(text)
    for offer in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in offer["priceDimensions"].values():
            usd = float(dimension["pricePerUnit"].get("USD", 0))
            if dimension["unit"] == "Hrs" and usd > 0:
                yield usd
