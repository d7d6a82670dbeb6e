"""The local EC2: moto's, with the parts of this folder in front."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from moto.ec2 import urls
from moto.ec2.models import EC2Backend
from moto.ec2.responses import EC2Response

from nitro.local.aws import archive
from nitro.local.aws.images import ImageActions, ImagesBackend
from nitro.local.aws.imports import ImportActions, ImportsBackend
from nitro.local.aws.instances import InstanceActions, InstancesBackend
from nitro.local.aws.site import Site
from nitro.local.aws.snapshots import SnapshotsBackend


class LocalEC2Backend(
    ImportsBackend,
    ImagesBackend,
    SnapshotsBackend,
    InstancesBackend,
    EC2Backend,  # type: ignore[misc]
):
    """One region of one account."""

    def __init__(self, region_name: str, account_id: str, site: Site) -> None:
        self.site = site
        self.lock = threading.RLock()
        EC2Backend.__init__(self, region_name, account_id)
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

    @property
    def _url_module(self) -> Any:
        paths = {"{0}/": LocalEC2Response.dispatch}
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=paths)


class LocalEC2Response(
    ImportActions,
    ImageActions,
    InstanceActions,
    EC2Response,  # type: ignore[misc]
):
    """One request. moto's models know no locks, so requests to a region take turns."""

    def call_action(self) -> Any:
        backend = self.ec2_backend
        with backend.lock:
            backend.settle()
            try:
                return super().call_action()
            finally:
                archive.save(backend)
