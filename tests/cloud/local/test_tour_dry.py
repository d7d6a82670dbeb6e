"""Whatever the local EC2 does, it says beforehand that it would, and does not do it.

The tours are those of the other tests, with the same transcripts.
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.moto_api._internal import mock_random

from tests.cloud.local.conftest import Account
from tests.cloud.local.test_tour_images import (
    test_copies,
    test_encryption,
    test_images,
    test_imports_of_images,
    test_imports_of_snapshots,
    test_the_end_of_images,
    test_who_may_use_them,
)
from tests.cloud.local.test_tour_instances import (
    image,
    test_a_day_without_capacity,
    test_a_rich_instance,
    test_credits_and_what_an_account_says,
    test_images_of_instances,
    test_refused_launches,
    test_the_states_of_an_instance,
    test_what_changes_of_an_instance,
)
from tests.cloud.local.test_tour_kinds import (
    test_launch_templates,
    test_placement_groups,
    test_tags_and_keys,
    test_what_there_is_none_of,
)
from tests.cloud.local.test_tour_networks import (
    test_elastic_addresses,
    test_interfaces,
    test_networks,
    test_security_groups,
)
from tests.cloud.local.test_tour_volumes import (
    test_attachments,
    test_changes_of_volumes,
    test_snapshots,
    test_volumes,
)
from tests.cloud.local.tour import Tour

__all__ = [
    "image",
    "test_a_day_without_capacity",
    "test_a_rich_instance",
    "test_attachments",
    "test_changes_of_volumes",
    "test_copies",
    "test_credits_and_what_an_account_says",
    "test_elastic_addresses",
    "test_encryption",
    "test_images",
    "test_images_of_instances",
    "test_imports_of_images",
    "test_imports_of_snapshots",
    "test_interfaces",
    "test_launch_templates",
    "test_networks",
    "test_placement_groups",
    "test_refused_launches",
    "test_security_groups",
    "test_snapshots",
    "test_tags_and_keys",
    "test_the_end_of_images",
    "test_the_states_of_an_instance",
    "test_volumes",
    "test_what_changes_of_an_instance",
    "test_what_there_is_none_of",
    "test_who_may_use_them",
]
pytestmark = pytest.mark.extended


class DryTour(Tour):
    """Asks for everything with `DryRun` first; what is done then has to be announced there."""

    def __call__(self, operation: str, /, **parameters: Any) -> dict[str, Any]:
        service, _, method = operation.partition(".")
        client = getattr(self.account, service)
        name = client.meta.method_to_api_mapping.get(method, method)
        shape = client.meta.service_model.operation_model(name).input_shape
        if "DryRun" in parameters or not shape or "DryRun" not in shape.members:
            return super().__call__(operation, **parameters)
        said = "it is done"
        try:
            getattr(client, method)(**parameters, DryRun=True)
        except ClientError as error:
            said = error.response["Error"]["Code"]
        except Exception as error:
            said = str(error)
        answer = super().__call__(operation, **parameters)
        assert not answer or said == "DryRunOperation", f"{operation} {parameters}: {said}"
        return answer


@pytest.fixture
def tour(account: Account) -> Tour:
    mock_random.seed(1)
    return DryTour(account)
