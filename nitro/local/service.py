"""Everything inside the namespace, put together: endpoint, subnets, metadata, machines."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import (
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.models import s3_backends
from werkzeug.serving import BaseWSGIServer, make_server

from nitro.local import disk_formats, s3_names
from nitro.local.authority import Authority, TlsServer
from nitro.local.aws import Pace, PublicAddresses, Site, archive, install, vmimport
from nitro.local.batch.app import BatchApp
from nitro.local.batch.runner import ProcessRunner
from nitro.local.broker import HostSockets
from nitro.local.front import Door, GuestDoor
from nitro.local.imds import Metadata, MetadataServer
from nitro.local.ntp import TimeServer
from nitro.local.qemu_hypervisor import QemuHypervisor
from nitro.local.signature import Key
from nitro.local.store import BlockStore
from nitro.local.subnet import METADATA_ADDRESS, S3_ADDRESS, TIME_ADDRESS, Subnets
from nitro.local.volumes import VolumeFiles
from nitro.local.weather import FAIR, Conditions, Forecast
from nitro.local.weather.gate import Gate

_STOP_SECONDS = 8.0
JOBS_PORT = 8080  # of the endpoint inside the namespace


class Service:
    """The local Nitro as one object.

    `url` is the endpoint for the host, `key` what requests to it and to the guests' S3 are signed
    with, `guest_ca` the certificate that guests know that S3 by: DER in base64.
    """

    def __init__(self, folder: Path, host: HostSockets, conditions: Conditions = FAIR) -> None:
        for past in ("instances", "subnets", "jobs", "volumes"):  # none outlives the daemon
            shutil.rmtree(folder / past, ignore_errors=True)
        store = BlockStore(folder / "snapshots")
        index = folder / "index"
        index.mkdir(exist_ok=True)
        subnets = Subnets(folder / "subnets")
        volumes = VolumeFiles(folder / "volumes", store)
        self.hypervisor = QemuHypervisor(volumes, subnets, host, folder / "instances")
        self._site = Site(
            store,
            self.hypervisor,
            pace=Pace(),
            addresses=PublicAddresses(second_octet(folder)),
            index=index,
            forecast=Forecast(conditions),
            qemu_img=disk_formats.find(),
            volumes=volumes,
        )
        self._gate = None if conditions == FAIR else Gate(self._site.forecast)
        self._undo = ExitStack()
        self._undo.enter_context(install(self._site))
        for account, region in archive.regions(index):
            ec2_backends[account][region]  # is restored by being made
        add_vmimport_role()
        self.key = Key()
        self._authority = Authority(folder)
        self.guest_ca = self._authority.certificate
        self._listener = host.open("tcp", "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        # Jobs run in here, where the loopback interface is another one.
        variables = {
            "AWS_ACCESS_KEY_ID": self.key.access,
            "AWS_SECRET_ACCESS_KEY": self.key.secret,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{JOBS_PORT}",
            "NITRO_GUEST_CA": self.guest_ca,
        }
        self._batch = BatchApp(DEFAULT_ACCOUNT_ID, ProcessRunner(folder / "jobs", variables))

    def start(self) -> None:
        """Answer requests from now on."""
        door = Door(self.key, create_backend_app, gate=self._gate, own={"batch": self._batch})
        outside = make_server(
            "127.0.0.1",
            0,
            door,
            threaded=True,
            request_handler=MotoRequestHandler,
            fd=self._listener.fileno(),
        )
        jobs = make_server(
            "127.0.0.1", JOBS_PORT, door, threaded=True, request_handler=MotoRequestHandler
        )
        guests = GuestDoor(self.key, create_backend_app, gate=self._gate, home_of=bucket_home)
        inside = make_server(
            S3_ADDRESS, 80, guests, threaded=True, request_handler=MotoRequestHandler
        )
        context = self._authority.context(certified_names)
        secure = TlsServer((S3_ADDRESS, 443), guests, MotoRequestHandler, context)
        metadata = MetadataServer(
            (METADATA_ADDRESS, 80),
            Metadata(self.hypervisor.guest_at, answers=self._site.forecast.metadata_answers),
        )
        for server in (outside, jobs, inside, secure, metadata, TimeServer((TIME_ADDRESS, 123))):
            self._serve(server)

    def stop(self) -> None:
        """End the jobs and the machines; everything else ends with the process."""
        self._batch.close()
        self.hypervisor.close(_STOP_SECONDS)

    def _serve(self, server: BaseWSGIServer | MetadataServer | TimeServer) -> None:
        threading.Thread(target=server.serve_forever, daemon=True).start()


def bucket_home(name: str) -> tuple[str, datetime] | None:
    """A bucket's region, and when it was made; None for one that is not there."""
    if name not in s3_backends.bucket_accounts:
        return None
    partition, account = s3_backends.bucket_accounts[name]
    bucket = s3_backends[account][partition].buckets.get(name)
    return bucket and (bucket.region_name, bucket.creation_date)


def certified_names(asked: str | None) -> list[str]:
    """The names in the certificate for a client; for one that asks for none of S3's, as for none.

    AWS answers such a client with a certificate, too, which it then refuses by itself.
    """
    place = s3_names.place(asked or "")
    return s3_names.certified((place and place.region) or s3_names.HOME)


def add_vmimport_role() -> None:
    """Make the role that VM Import needs, with the permissions that AWS documents for it.

    https://docs.aws.amazon.com/vm-import/latest/userguide/required-permissions.html
    """
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": vmimport.SERVICE},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:Externalid": vmimport.EXTERNAL_ID}},
    }
    importing = {
        "Effect": "Allow",
        "Action": [
            "s3:GetBucketLocation",
            "s3:GetObject",
            "s3:ListBucket",
            "ec2:ModifySnapshotAttribute",
            "ec2:CopySnapshot",
            "ec2:RegisterImage",
            "ec2:Describe*",
        ],
        "Resource": ["*"],
    }
    iam = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    iam.create_role("vmimport", _policy(trust), "/", None, "", [], None)
    iam.put_role_policy("vmimport", "vmimport", _policy(importing))


def second_octet(folder: Path) -> int:
    """Of 127.x.0.0/16: so that two local Nitros on one machine keep out of each other's way."""
    return 16 + hashlib.sha256(str(folder.resolve()).encode()).digest()[0] % 224


def _policy(statement: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
