"""Service Quotas: what the local Nitro enforces is what it tells.

https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/Welcome.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.ec2.exceptions import EC2ClientError
from moto.servicequotas.responses import ServiceQuotasResponse
from moto.utilities.utils import get_partition

from nitro.local.aws.api import pages
from nitro.local.aws.quotas import QUOTAS, Quota

SERVICES: Mapping[str, str] = {
    "ec2": "Amazon Elastic Compute Cloud (Amazon EC2)",
    "s3": "Amazon Simple Storage Service (Amazon S3)",
    "vpc": "Amazon Virtual Private Cloud (Amazon VPC)",
}
_GLOBAL = ("s3",)  # one account, whatever the region
_MOST = 100  # results of a page


@dataclass(frozen=True)
class Place:
    """Whose quotas are told, and where; without an account they are AWS's defaults."""

    region: str
    account: str = ""

    def told(self, quota: Quota) -> dict[str, Any]:
        default = quota.most if quota.default is None else quota.default
        everywhere = quota.service in _GLOBAL
        place = f"{'' if everywhere else self.region}:{self.account}"
        arn = f"arn:{get_partition(self.region)}:servicequotas:{place}:{quota.service}/{quota.id}"
        said: dict[str, Any] = {
            "ServiceCode": quota.service,
            "ServiceName": SERVICES[quota.service],
            "QuotaArn": arn,
            "QuotaCode": quota.id,
            "QuotaName": quota.name,
            "Value": float(quota.most if self.account else default),
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": everywhere,
        }
        return {**said, "QuotaAppliedAtLevel": "ACCOUNT"} if self.account else said


class LocalServiceQuotasResponse(ServiceQuotasResponse):  # type: ignore[misc]
    """Answers to the calls that read quotas."""

    def list_services(self) -> str:
        listed = [{"ServiceCode": code, "ServiceName": name} for code, name in SERVICES.items()]
        return self._page("ListServices", "Services", listed)

    def get_service_quota(self) -> str:
        return json.dumps({"Quota": self._here.told(self._one())})

    def get_aws_default_service_quota(self) -> str:
        return json.dumps({"Quota": Place(self.region).told(self._one())})

    def list_service_quotas(self) -> str:
        asked = self._asked
        found = [q for q in self._of_service() if asked.get("QuotaCode", q.id) == q.id]
        if asked.get("QuotaAppliedAtLevel") == "RESOURCE":
            found = []  # all are of an account
        return self._page("ListServiceQuotas", "Quotas", [self._here.told(each) for each in found])

    def list_aws_default_service_quotas(self) -> str:
        listed = [Place(self.region).told(each) for each in self._of_service()]
        return self._page("ListAWSDefaultServiceQuotas", "Quotas", listed)

    @property
    def _here(self) -> Place:
        return Place(self.region, self.current_account)

    @property
    def _asked(self) -> dict[str, Any]:
        return dict(json.loads(self.body or "{}"))

    def _of_service(self) -> list[Quota]:
        code = self._asked["ServiceCode"]
        if code not in SERVICES:
            raise _none(f"There are no quotas of a service {code} here.")
        return [each for each in QUOTAS if each.id and each.service == code]

    def _one(self) -> Quota:
        code = self._asked["QuotaCode"]
        for quota in self._of_service():
            if quota.id == code:
                return quota
        raise _none(f"The service has no quota {code} here.")

    def _page(self, operation: str, name: str, results: Sequence[Any]) -> str:
        try:
            listed, token = pages.parse(operation, self._asked, 1, _MOST).of(results)
        except EC2ClientError as error:
            raise JsonRESTError("InvalidPaginationTokenException", error.message) from None
        return json.dumps({name: listed} | ({"NextToken": token} if token else {}))


def _none(message: str) -> JsonRESTError:
    return JsonRESTError("NoSuchResourceException", message)
