"""The XML of EC2's answers: filtered, paged, and in the envelope that AWS's answers have.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from botocore.model import ListShape, OperationModel, Shape, StructureShape

from nitro.local.aws.api.filters import Filter
from nitro.local.aws.api.pages import Page

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
CONTENT_TYPE = "text/xml;charset=UTF-8"


@dataclass(frozen=True)
class Listing:
    """The list in an operation's answer that filters and pages apply to.

    `outer` is the element around the records; instances lie one level deeper, in reservations.
    """

    outer: str
    record: Shape
    inner: str | None = None


def listing(model: OperationModel) -> Listing | None:
    """The list that a Describe operation answers with; None where it has none."""
    output = model.output_shape
    lists = {
        name: member
        for name, member in (output.members if output else {}).items()
        if isinstance(member, ListShape) and isinstance(member.member, StructureShape)
    }
    if len(lists) != 1:
        return None
    ((name, found),) = lists.items()
    outer = found.serialization.get("name", name)
    if model.name == "DescribeInstances":
        instances = found.member.members["Instances"]  # type: ignore[attr-defined]
        return Listing(outer, instances.member, instances.serialization["name"])
    return Listing(outer, found.member)


def finish(
    body: str,
    model: OperationModel,
    request_id: str,
    filters: Sequence[Filter] = (),
    page: Page | None = None,
) -> str:
    """The answer to send: `body` with its list filtered and cut to the page."""
    root = _parse(body)
    if root.tag == "Response":
        return error_body(
            root.findtext(".//Error/Code", "InternalError"),
            root.findtext(".//Error/Message", ""),
            request_id,
        )
    found = listing(model)
    holder = root.find(found.outer) if found else None
    if found and holder is not None:
        _apply(found, holder, filters)
        if page:
            _cut(root, holder, page)
    _complete(root, model)
    for old in root.findall("requestId"):
        root.remove(old)
    identifier = Element("requestId")
    identifier.text = request_id
    root.insert(0, identifier)
    root.set("xmlns", NAMESPACE)
    return _text(root)


def error_body(code: str, message: str, request_id: str) -> str:
    """The body of an error answer; it has no namespace."""
    root = Element("Response")
    error = SubElement(SubElement(root, "Errors"), "Error")
    SubElement(error, "Code").text = code
    SubElement(error, "Message").text = message
    SubElement(root, "RequestID").text = request_id
    return _text(root)


def _apply(found: Listing, holder: Element, filters: Sequence[Filter]) -> None:
    if not filters:
        return
    for item in holder.findall("item"):
        records = item.find(found.inner) if found.inner else None
        if found.inner is None:
            if not all(each.matches(item, holder) for each in filters):
                holder.remove(item)
        elif records is not None:
            for record in records.findall("item"):
                if not all(each.matches(record, item) for each in filters):
                    records.remove(record)
            if len(records) == 0:
                holder.remove(item)


def _cut(root: Element, holder: Element, page: Page) -> None:
    kept, token = page.of(holder.findall("item"))
    holder[:] = kept
    for old in root.findall("nextToken"):
        root.remove(old)
    if token:
        SubElement(root, "nextToken").text = token


def _complete(root: Element, model: OperationModel) -> None:
    """Operations that return nothing, or whether they succeeded, say so."""
    output = model.output_shape
    names = {m.serialization.get("name", n) for n, m in output.members.items()} if output else set()
    if (not names or "return" in names) and root.find("return") is None:
        SubElement(root, "return").text = "true"


def _parse(body: str) -> Element:
    without_namespace = re.sub(r'\sxmlns="[^"]*"', "", body, count=1)
    return ElementTree.fromstring(without_namespace)


def _text(root: Element) -> str:
    text: str = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'
