"""Compute environments, queues and job definitions: data, but for how many vCPUs there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]


class ClientError(Exception):
    """What Batch answers as ClientException."""


@dataclass
class Resources:
    """Of one region. `arn` is the start of all ARNs: `arn:aws:batch:REGION:ACCOUNT`."""

    arn: str
    environments: dict[str, Document] = field(default_factory=dict)
    queues: dict[str, Document] = field(default_factory=dict)
    definitions: dict[str, list[Document]] = field(default_factory=dict)

    def create_environment(self, given: Mapping[str, Any]) -> Document:
        name = given["computeEnvironmentName"]
        if name in self.environments:
            raise ClientError(f"Object already exists: {name}")
        self.environments[name] = {
            "computeEnvironmentName": name,
            "computeEnvironmentArn": f"{self.arn}:compute-environment/{name}",
            "type": given["type"],
            "state": given.get("state", "ENABLED"),
            "status": "VALID",
            "statusReason": "ComputeEnvironment Healthy",
            "computeResources": given.get("computeResources", {}),
            "serviceRole": given.get("serviceRole", ""),
        }
        return self.environments[name]

    def environment(self, name: str) -> Document:
        """By name or ARN. Raises ClientError."""
        return _found(self.environments, name, "compute environment")

    def delete_environment(self, name: str) -> None:
        found = self.environment(name)
        if found["state"] == "ENABLED":
            raise ClientError("Cannot delete, compute environment is not disabled.")
        arn = found["computeEnvironmentArn"]
        for queue in self.queues.values():
            if any(arn == one["computeEnvironment"] for one in queue["computeEnvironmentOrder"]):
                raise ClientError("Cannot delete, found existing JobQueue relationship")
        del self.environments[found["computeEnvironmentName"]]

    def create_queue(self, given: Mapping[str, Any]) -> Document:
        name = given["jobQueueName"]
        if name in self.queues:
            raise ClientError(f"Object already exists: {name}")
        self.queues[name] = {
            "jobQueueName": name,
            "jobQueueArn": f"{self.arn}:job-queue/{name}",
            "state": given.get("state", "ENABLED"),
            "status": "VALID",
            "statusReason": "JobQueue Healthy",
            "priority": given["priority"],
            "computeEnvironmentOrder": self._order(given.get("computeEnvironmentOrder") or []),
        }
        return self.queues[name]

    def queue(self, name: str) -> Document:
        """By name or ARN. Raises ClientError."""
        return _found(self.queues, name, "job queue")

    def update_queue(self, given: Mapping[str, Any]) -> Document:
        queue = self.queue(given["jobQueue"])
        if "computeEnvironmentOrder" in given:
            queue["computeEnvironmentOrder"] = self._order(given["computeEnvironmentOrder"])
        queue |= {key: given[key] for key in ("state", "priority") if key in given}
        return queue

    def delete_queue(self, name: str) -> None:
        queue = self.queue(name)
        if queue["state"] == "ENABLED":
            raise ClientError("Cannot delete, job queue is not disabled.")
        del self.queues[queue["jobQueueName"]]

    def room(self, queue: str) -> dict[str, int]:
        """vCPUs of the enabled environments of an enabled queue, in order of use."""
        found = self.queues.get(queue)
        if found is None or found["state"] != "ENABLED":
            return {}
        ordered = sorted(found["computeEnvironmentOrder"], key=lambda one: int(one["order"]))
        environments = [self.environment(one["computeEnvironment"]) for one in ordered]
        return {
            one["computeEnvironmentName"]: one["computeResources"].get("maxvCpus", 256)
            for one in environments
            if one["state"] == "ENABLED"
        }

    def register(self, given: Mapping[str, Any]) -> Document:
        """A new revision of a job definition."""
        if given["type"] != "container" or not given.get("containerProperties", {}).get("image"):
            raise ClientError("A job definition of the local Nitro is one container with an image")
        name = given["jobDefinitionName"]
        revisions = self.definitions.setdefault(name, [])
        definition = {
            **given,
            "revision": len(revisions) + 1,
            "jobDefinitionArn": f"{self.arn}:job-definition/{name}:{len(revisions) + 1}",
            "status": "ACTIVE",
        }
        revisions.append(definition)
        return definition

    def definition(self, name: str) -> Document:
        """By NAME, whose last active revision counts, NAME:REVISION or ARN. Raises ClientError."""
        plain, _, revision = name.rpartition("job-definition/")[2].partition(":")
        for found in reversed(self.definitions.get(plain, [])):
            if found["status"] == "ACTIVE" and revision in ("", str(found["revision"])):
                return found
        raise ClientError(f"JobDefinition {name} does not exist or is not active")

    def _order(self, order: list[Document]) -> list[Document]:
        if not order:
            raise ClientError("A job queue needs a compute environment")
        return [
            {
                **one,
                "computeEnvironment": self.environment(one["computeEnvironment"])[
                    "computeEnvironmentArn"
                ],
            }
            for one in order
        ]


def _found(documents: Mapping[str, Document], name: str, what: str) -> Document:
    found = documents.get(name.rpartition("/")[2])
    if found is None:
        raise ClientError(f"{name}: there is no such {what}")
    return found
