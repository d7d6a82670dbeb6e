"""New EC2 resources that are not visible for a while: not by their id, and in no list.

https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
"""

from __future__ import annotations

import re
import threading
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from nitro.local.weather.calls import ApiCall
from nitro.local.weather.forecast import Forecast

# Of each kind of resource: what creates it, what lists it, its element there, and the error.
_KINDS = {
    "i": ("RunInstances", "DescribeInstances", "instanceId", "InvalidInstanceID.NotFound"),
    "ami": ("RegisterImage", "DescribeImages", "imageId", "InvalidAMIID.NotFound"),
    "sg": ("CreateSecurityGroup", "DescribeSecurityGroups", "groupId", "InvalidGroup.NotFound"),
    "snap": ("CopySnapshot", "DescribeSnapshots", "snapshotId", "InvalidSnapshot.NotFound"),
    "import-snap": (
        "ImportSnapshot",
        "DescribeImportSnapshotTasks",
        "importTaskId",
        "InvalidConversionTaskId.Malformed",
    ),
}
_CREATED_BY = {created: (kind, element) for kind, (created, _, element, _) in _KINDS.items()}
_LISTED_BY = {listed: (kind, element) for kind, (_, listed, element, _) in _KINDS.items()}
_NAMESPACE = re.compile(r'\sxmlns="[^"]*"')


class Visibility:
    """Which resources are hidden. Only a part of the new ones is, as the forecast has it."""

    def __init__(self, forecast: Forecast) -> None:
        self._forecast = forecast
        self._visible_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def hides(self, call: ApiCall) -> tuple[str, str] | None:
        """The hidden resource that a call names, and the code of the error; None: it passes."""
        if call.service != "ec2":
            return None
        named = {value for name, value in call.parameters.items() if not name.startswith("Filter.")}
        for resource in named & self._hidden():
            return resource, _KINDS[_kind(resource)][3]
        return None

    def note_created(self, call: ApiCall, body: str) -> None:
        """Hide what the answer to a creating call says was made, where the forecast says so."""
        conditions = self._forecast.conditions
        if call.name not in _CREATED_BY or not conditions.ids_late:
            return
        kind, element = _CREATED_BY[call.name]
        for made in sorted(set(re.findall(rf"<{element}>({kind}-[0-9a-f]+)</{element}>", body))):
            with self._lock:
                if made in self._visible_at:  # a repeated answer to the same token
                    continue
                self._visible_at[made] = 0.0
            if self._forecast.happens("not visible", conditions.ids_late, kind):
                self._visible_at[made] = self._forecast.clock() + conditions.ids_late_seconds

    def without_hidden(self, call: ApiCall, body: str) -> str:
        """A list's answer without the hidden resources."""
        hidden = self._hidden()
        if call.name not in _LISTED_BY or not any(each in body for each in hidden):
            return body
        _, element = _LISTED_BY[call.name]
        namespace = _NAMESPACE.search(body)
        root = ElementTree.fromstring(_NAMESPACE.sub("", body, count=1))
        _remove(root, element, hidden)
        if namespace:
            root.set("xmlns", namespace[0].split('"')[1])
        return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)

    def _hidden(self) -> set[str]:
        now = self._forecast.clock()
        with self._lock:
            return {each for each, visible_at in self._visible_at.items() if visible_at > now}


def _kind(resource: str) -> str:
    return resource.rpartition("-")[0]


def _remove(parent: Element, element: str, hidden: set[str]) -> None:
    """Remove the records of hidden resources, and the reservations that have no other."""
    for record in list(parent):
        if record.findtext(element) in hidden:
            parent.remove(record)
        else:
            _remove(record, element, hidden)
            instances = record.find("instancesSet")
            if instances is not None and len(instances) == 0:
                parent.remove(record)
