"""What leaves for AWS, as text that is the same in every run: each call with all its parameters."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from base64 import b64decode
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from nitro.cloud import Cloud
from tests.transcripts import Names

# Made by several threads at once, in any order.
AT_ONCE = {"GetSnapshotBlock", "PutSnapshotBlock", "UploadPart"}
_PARAMS = "tests-params"


class Sent:
    """The calls that connections make; of each region one after the other, as they came."""

    def __init__(self) -> None:
        self._calls: list[tuple[str, str, str]] = []  # region, operation, text
        self._names = Names()

    def listen(self, cloud: Cloud) -> Cloud:
        """To a connection whose clients have not been used yet."""
        cloud.session.events.register("provide-client-params", self._remember)
        cloud.session.events.register("before-call", self._note)
        return cloud

    def text(self, title: str) -> str:
        """What came since the last time that this was asked."""
        calls, self._calls = self._calls, []
        text = f"== {title}\n"
        for region, its in groupby(sorted(calls, key=itemgetter(0)), itemgetter(0)):
            text += f"-- {region}\n" + "".join(_once(list(its)))
        return _same(self._names(text))

    def _remember(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context[_PARAMS] = said(params)

    def _note(self, model: Any, context: dict[str, Any], **_: Any) -> None:
        service = model.service_model.service_name
        params = "".join(
            f"  {key}: {json.dumps(value, sort_keys=True)}\n"
            for key, value in sorted(context.get(_PARAMS, {}).items())
        )
        text = f"{service}.{model.name}\n{params}"
        self._calls.append((context["client_region"], model.name, _relative(text)))


def _once(calls: list[tuple[str, str, str]]) -> list[str]:
    """The texts, a call that is repeated at once (a wait) only once, what is concurrent sorted."""
    said: list[str] = []
    for _, its in groupby(calls, lambda call: call[1] in AT_ONCE and call[1]):
        texts = [text for _, _, text in its]
        said += sorted(texts) if texts[0].partition("\n")[0].split(".")[1] in AT_ONCE else texts
    return [text for text, _ in groupby(said)]


def said(value: Any) -> Any:
    """The value as JSON can have it. Bytes by their digest, user data in words."""
    if isinstance(value, bytes):
        return f"<{len(value)} bytes {hashlib.sha256(value).hexdigest()[:12]}>"
    if isinstance(value, dict):
        if str(value.get("Key")).startswith("nitro:blocks-"):  # as zlib packs it
            return {"Key": value["Key"], "Value": said(zlib.decompress(b64decode(value["Value"])))}
        return {
            key: _user_data(each) if key == "UserData" else said(each)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [said(each) for each in value]
    if isinstance(value, str) and len(value) > 400:
        return f"{value[:100]}… <{len(value)} characters>"
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _user_data(text: str) -> str:
    raw = b64decode(text).decode() if re.fullmatch(r"[\w+/=]+", text) else text
    return raw if len(raw) < 1500 else f"{raw[:1500]}… <{len(raw)} characters>"


def _relative(text: str) -> str:
    """With the time left in place of a time that is to come."""
    now = datetime.now(UTC)

    def left(found: re.Match[str]) -> str:
        at = found[2]
        seconds = (
            int(at) - now.timestamp()
            if at.isdecimal()
            else (datetime.fromisoformat(at) - now).total_seconds()
        )
        minutes = round((seconds + 20) / 60)  # what came before took less
        return (
            f"{found[1]}<in {minutes} min>"
            if minutes < 6000
            else f"{found[1]}<in {minutes / 1440:.1f} days>"
        )

    text = re.sub(r"(NITRO_EXPIRES=)(\d+)", left, text)
    return re.sub(r'(")(\d{4}-\d\d-\d\d[T ][0-9:.]+(?:Z|\+00:00))', left, text)


def _same(text: str) -> str:
    """With numbers for what is random, in the order in which it appears."""
    text = re.sub(r"\bd-\d{8}-[0-9a-f]{8}\b", "<deployment>", text)
    text = re.sub(r"X-Amz-(Credential|Date|Signature)=[^&\\\s]+", r"X-Amz-\1=<random>", text)
    text = re.sub(r'(UploadId|BlockToken)": "[^"]+', r'\1": "<random>', text)
    text = re.sub(r'(UploadId|BlockToken): "[^"]+', r'\1: "<random>', text)
    text = re.sub(r"\b10\.147\.\d+\.\d+", "<address>", text)
    known: dict[str, str] = {}

    def named(found: re.Match[str]) -> str:
        return known.setdefault(found[0], f"<token {len(known) + 1}>")

    return re.sub(
        r'(?<=ClientToken: ")[^"]+|(?<="nitro-)[0-9a-f]{32}|(?<![0-9a-f])[0-9a-f]{8}(?![0-9a-f])',
        named,
        text,
    )
