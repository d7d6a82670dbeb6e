"""Parameters that are taken with one value only."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import Account


@pytest.mark.parametrize(
    ("usual", "other", "said"),
    [
        ({"Placement": {"Tenancy": "default"}}, {"Placement": {"Tenancy": "dedicated"}},
         "dedicated as Placement.Tenancy"),
        ({"EnclaveOptions": {"Enabled": False}}, {"EnclaveOptions": {"Enabled": True}},
         "true as EnclaveOptions.Enabled"),
        ({"MaintenanceOptions": {"AutoRecovery": "default"}},
         {"MaintenanceOptions": {"AutoRecovery": "disabled"}},
         "disabled as MaintenanceOptions.AutoRecovery"),
    ],
)  # fmt: skip
def test_the_usual_value_is_taken_and_another_is_named(
    account: Account, usual: Any, other: Any, said: str
) -> None:
    image_id = account.image(account.snapshot())
    assert account.run(image_id, **usual)["InstanceId"]
    with pytest.raises(ClientError) as caught:
        account.run(image_id, **other)
    assert caught.value.response["Error"]["Code"] == "UnsupportedOperation"
    assert f"does not support {said} of RunInstances" in str(caught.value)
