"""The states of an instance, and what EC2 says about them.

pending -> running -> stopping -> stopped -> pending …
                   -> shutting-down -> terminated
"""

from __future__ import annotations

from typing import Any

from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import StateReason

CODES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}

BY_USER = StateReason("Client.UserInitiatedShutdown: User initiated shutdown",
                      "Client.UserInitiatedShutdown")  # fmt: skip
BY_MARKET = StateReason("Server.SpotInstanceTermination: Spot instance termination",
                        "Server.SpotInstanceTermination")  # fmt: skip
BY_GUEST = StateReason("Client.InstanceInitiatedShutdown: Instance initiated shutdown",
                       "Client.InstanceInitiatedShutdown")  # fmt: skip


def change(instance: Any, before: Any) -> dict[str, Any]:
    """How the answer to a request tells what it changed."""
    return {
        "InstanceId": instance.id,
        "CurrentState": {"Code": instance.state_code, "Name": instance.state},
        "PreviousState": {"Code": before.code, "Name": before.name},
    }


def set_state(instance: Any, name: str, reason: StateReason | None = None) -> None:
    instance._state.name, instance._state.code = name, CODES[name]
    if reason:
        instance.state_reason = reason
        said = "User initiated" if reason is BY_USER else reason.message
        instance._reason = f"{said} ({utcnow():%Y-%m-%d %H:%M:%S} GMT)"


def require(instance: Any, *states: str) -> None:
    """Refuse a request that the instance's state does not allow. Raises EC2ClientError."""
    if instance.state not in states:
        raise EC2ClientError(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' is not in a state from which it can do this: "
            f"it is {instance.state}.",
        )
