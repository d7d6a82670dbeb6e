"""The local EC2: moto's, with the parts of this folder in front."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import get_service_model
from moto.ec2 import urls
from moto.ec2.exceptions import DryRunClientError
from moto.ec2.models import EC2Backend
from moto.ec2.responses import EC2Response
from moto.kms.models import kms_backends

from nitro.local.aws import absent, archive, quotas
from nitro.local.aws.addresses import AddressActions, AddressesBackend
from nitro.local.aws.api import answers, filters, pages, requests, support, tags
from nitro.local.aws.api.filters import Filter
from nitro.local.aws.api.tokens import Tokens
from nitro.local.aws.attributes import AttributeActions, AttributesBackend
from nitro.local.aws.copies import CopiesBackend, CopyActions
from nitro.local.aws.described import KeyPairActions
from nitro.local.aws.encryption import EncryptionActions, EncryptionBackend
from nitro.local.aws.image_imports import ImageImportActions
from nitro.local.aws.image_life import ImageLifeActions
from nitro.local.aws.images import ImageActions, ImagesBackend
from nitro.local.aws.imports import ImportActions, ImportsBackend
from nitro.local.aws.instance_attributes import InstanceAttributeActions
from nitro.local.aws.instance_images import InstanceImageActions
from nitro.local.aws.instances import NO_CAPACITY, InstanceActions, InstancesBackend
from nitro.local.aws.interfaces import InterfaceActions, InterfacesBackend
from nitro.local.aws.launch_templates import LaunchTemplateActions
from nitro.local.aws.placement_groups import PlacementGroupActions, PlacementGroupsBackend
from nitro.local.aws.profiles import ProfileActions, ProfilesBackend
from nitro.local.aws.regions import RegionActions, RegionsBackend
from nitro.local.aws.rules import RuleActions
from nitro.local.aws.site import Site
from nitro.local.aws.snapshots import SnapshotsBackend
from nitro.local.aws.status import StatusActions
from nitro.local.aws.tagging import TagActions
from nitro.local.aws.volume_changes import VolumeChangeActions
from nitro.local.aws.volumes import VolumeActions, VolumesBackend

_log = logging.getLogger(__name__)

# Operations that look at what they would act on before they say that they would.
_OWN_DRY_RUN = frozenset({"RunInstances", "TerminateInstances", "ImportSnapshot"})

# Operations whose tokens answer with the present state of what the first request made.
_OWN_TOKENS = frozenset({"RunInstances", "ImportSnapshot"})


class LocalEC2Backend(
    RegionsBackend,
    AddressesBackend,
    InterfacesBackend,
    EncryptionBackend,
    CopiesBackend,
    AttributesBackend,
    PlacementGroupsBackend,
    ImportsBackend,
    ImagesBackend,
    SnapshotsBackend,
    VolumesBackend,
    ProfilesBackend,
    InstancesBackend,
    EC2Backend,  # type: ignore[misc]
):
    """One region of one account."""

    def __init__(self, region_name: str, account_id: str, site: Site) -> None:
        self.site = site
        self.lock = threading.RLock()
        self.tokens = Tokens()
        EC2Backend.__init__(self, region_name, account_id)
        AttributesBackend.__init__(self)
        PlacementGroupsBackend.__init__(self)
        EncryptionBackend.__init__(self)
        ImportsBackend.__init__(self)
        InstancesBackend.__init__(self)
        archive.restore(self)

    def reset(self) -> None:
        """moto calls this to forget everything; what is archived on disk stays there."""
        self.__init__(self.region_name, self.account_id, self.site)  # type: ignore[misc]

    def settle(self) -> None:
        """Bring everything that changes by itself to its present state."""
        self.advance_imports()
        self.settle_instances()
        self.settle_volumes()

    @property
    def _url_module(self) -> Any:
        paths = {"{0}/": LocalEC2Response.dispatch}
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=paths)


class LocalEC2Response(
    RegionActions,
    AddressActions,
    InterfaceActions,
    RuleActions,
    ProfileActions,
    VolumeChangeActions,
    EncryptionActions,
    CopyActions,
    AttributeActions,
    ImageLifeActions,
    LaunchTemplateActions,
    PlacementGroupActions,
    StatusActions,
    TagActions,
    KeyPairActions,
    ImportActions,
    ImageImportActions,
    ImageActions,
    InstanceAttributeActions,
    InstanceImageActions,
    VolumeActions,
    InstanceActions,
    EC2Response,  # type: ignore[misc]
):
    """One request. moto's models know no locks, so requests to a region take turns."""

    filters: Sequence[Filter] = ()
    page: pages.Page | None = None

    def _dispatch(self, request: Any, full_url: str | None = None, headers: Any = None) -> Any:
        """Every answer has AWS's form; what was not foreseen is `InternalError` and in the log."""
        request_id = str(uuid.uuid4())
        try:
            self.setup_class(request, full_url, headers)
            status, sent, body = self._answer(request_id)
        except ServiceException as error:
            status, sent = _status(error), {}
            body = answers.error_body(error.code, error.message, request_id)
        except Exception:
            _log.exception("request %s, %s", request_id, self.data.get("Action"))
            status, sent = 500, {}
            body = answers.error_body("InternalError", "An internal error has occurred", request_id)
        sent = {name: value for name, value in sent.items() if name.lower() != "content-type"}
        return status, {**sent, "content-type": answers.CONTENT_TYPE}, body

    def parse_parameters(self, request: Any) -> None:
        """Read the parameters by the service model, instead of moto's own reading."""
        values = request.values
        self.operation = requests.operation(get_service_model("ec2"), values.get("Action"))
        self.params = requests.parse(self.operation, values.items(multi=True))

    def _answer(self, request_id: str) -> Any:
        if not self._get_action():
            requests.operation(get_service_model("ec2"), None)
        self.filters, self.page = self._take_listing_parameters()
        self._refuse_unsupported()
        with self._locked():
            status, headers, body = self._act()
        body = answers.finish(body, self.operation, request_id, self.filters, self.page)
        return status, headers, body

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The region of the request, and the one that it copies from, always in the same order."""
        both = (self.ec2_backend, self.source_backend())
        backends = {each.region_name: each for each in both if each}
        with ExitStack() as held:
            for _, backend in sorted(backends.items()):
                held.enter_context(backend.lock)
            for backend in backends.values():
                backend.settle()
            yield

    def _act(self) -> Any:
        """Do what is asked, or answer as before when the same client token comes again."""
        backend, name, asked = self.ec2_backend, self.operation.name, dict(self.params)
        if name in absent.HONOURED:
            return self.serialized(absent.answer(self.operation, asked))
        if body := backend.tokens.find(name, asked):
            return 200, {}, body
        quotas.check(backend, name, asked)
        try:
            status, headers, body = self.call_action()
        finally:
            archive.save(backend)
            self._keep_keys()
        if not name.startswith(("Describe", "Get")):
            backend.refresh_guests()
        if status == 200 and name not in _OWN_TOKENS:
            backend.tokens.remember(name, asked, body)
        return status, headers, body

    def _keep_keys(self) -> None:
        """EC2 makes the key of EBS when it first encrypts something."""
        keys = kms_backends[self.ec2_backend.account_id][self.ec2_backend.region_name]
        if keys.keys and hasattr(keys, "keep"):
            keys.keep()

    def serialized(self, action_result: Any) -> Any:
        """moto knows no status of an error that its model does not have."""
        status, headers, body = super().serialized(action_result)
        error = action_result.result
        if isinstance(error, ServiceException) and error.code == NO_CAPACITY:
            status = 500
        return status, headers, body

    def describe_instance_types(self) -> ActionResult:
        named = self._get_param("InstanceTypes", [])
        return self._of_types("InstanceTypes", self.ec2_backend.describe_instance_types(named))

    def describe_instance_type_offerings(self) -> ActionResult:
        kind = self._get_param("LocationType")
        # moto has no file of this kind, and an account has no Outpost unless it bought one.
        offerings = (
            [] if kind == "outpost" else self.ec2_backend.describe_instance_type_offerings(kind)
        )
        return self._of_types("InstanceTypeOfferings", offerings)

    def _of_types(self, name: str, records: Any) -> ActionResult:
        """Filtered by type already here: it takes seconds to write all records of a region.

        For the same reason the page is cut here, where no other filter is to be applied to all.
        """
        others = []
        for each in self.filters:
            if each.path == ("instanceType",):
                records = [one for one in records if each.accepts(one["InstanceType"])]
            else:
                others.append(each)
        if self.page is None or others:
            return ActionResult({name: records})
        kept, token = self.page.of(list(records))
        self.page = None
        return ActionResult({name: kept, "NextToken": token})

    def _refuse_unsupported(self) -> None:
        support.check(self.operation.name, self.params)
        tags.check(self.params)
        if self.params.get("DryRun") and self.operation.name not in _OWN_DRY_RUN:
            raise DryRunClientError()

    def _take_listing_parameters(self) -> tuple[list[Filter], pages.Page | None]:
        """What applies to the answer, and is kept from moto."""
        found = answers.listing(self.operation)
        if found is None:
            return [], None
        name = self.operation.name
        page = pages.parse(name, self.params, *pages.bounds(self.operation))
        given = self.params.pop("Filters", [])
        for parameter in ("MaxResults", "NextToken"):
            self.params.pop(parameter, None)
        return filters.parse(name, found.record, given), page


def _status(error: ServiceException) -> int:
    return 412 if isinstance(error, DryRunClientError) else 400
