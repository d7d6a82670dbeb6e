"""An endpoint for clients that nobody here wrote: the local Nitro's doors, without machines."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moto.backends import get_backend
from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from nitro.cloud import Cloud
from nitro.local import disk_formats
from nitro.local.aws import Site, install
from nitro.local.aws.site import INSTANT
from nitro.local.front import SERVICES, Door
from nitro.local.hypervisor import NullHypervisor
from nitro.local.service import add_vmimport_role
from nitro.local.signature import Key
from nitro.local.store import BlockStore

REGION, SECOND_REGION = "eu-central-1", "eu-west-1"


@dataclass
class Endpoint:
    """An account. `hypervisor` runs its instances, as far as saying so goes."""

    url: str
    key: Key
    hypervisor: NullHypervisor

    @property
    def environment(self) -> dict[str, str]:
        """What `nitro local env` prints, for a region in which the account is empty."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": self.key.access,
            "AWS_SECRET_ACCESS_KEY": self.key.secret,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def connect(self, region: str = REGION) -> Cloud:
        """nitro's own connection, to look with."""
        key = (self.key.access, self.key.secret)
        return Cloud.connect(region=region, endpoint_url=self.url, key=key)


@contextmanager
def serving(folder: Path) -> Iterator[Endpoint]:
    """Serve an account on a port of this machine until the block ends."""
    hypervisor, key = NullHypervisor(), Key()
    # As a client sees it that asks every 30 seconds: done at its first look.
    site = Site(BlockStore(folder), hypervisor, pace=INSTANT, qemu_img=disk_formats.find())
    for service in SERVICES.values():
        get_backend(service).reset()
    with install(site):
        add_vmimport_role()
        server = make_server(
            "127.0.0.1",
            0,
            Door(key, create_backend_app),
            threaded=True,
            request_handler=MotoRequestHandler,
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Endpoint(f"http://127.0.0.1:{server.server_port}", key, hypervisor)
        finally:
            server.shutdown()
            server.server_close()
