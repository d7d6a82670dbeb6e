"""The local Nitro: an AWS endpoint on this machine whose instances are real virtual machines.

    with session(report) as local:
        Cloud.connect(endpoint_url=local.endpoint.url, …)

One daemon in a network namespace of its own (`daemon`, `service`) holds moto, extended where it
is not true enough (`aws/`), the subnets, DHCP and metadata (`subnet`, `dnsmasq`, `imds`), the
machines (`qemu_hypervisor`, `qemu`, `nic`) and the way in from the host (`broker`, `relay`).

Not here: how images are made or published; both speak to this endpoint as they speak to AWS.
Not done: EBS volumes that outlive their instance, elastic addresses, security groups between
instances, anything that leaves this machine.
"""

from nitro.local.control import REGION, Endpoint, LocalSession, Status, down, session, status, up

__all__ = ["REGION", "Endpoint", "LocalSession", "Status", "down", "session", "status", "up"]
