"""Telling a verdict to others: a webhook, or a topic of SNS.

What one of them took is noted beside the samples until all have it and the steps count as told:

    ROOT/sent/PLAN/CHANNEL.json
"""

from __future__ import annotations

import hashlib
import json
import re
import urllib.request
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPException
from urllib.parse import urlsplit

from nitro.bench.store import Store
from nitro.bench.summary import headline, markdown
from nitro.bench.verdict import Verdict
from nitro.cloud import Cloud
from nitro.errors import InputError, NitroError
from nitro.printable import printable

_SUBJECT = 100  # characters; SNS takes no more
_TIMEOUT = 10  # seconds
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}")


@dataclass(frozen=True)
class Channel:
    """Somebody to tell. `send` raises NitroError when they do not take the verdicts."""

    address: str
    send: Callable[[Sequence[Verdict]], None]

    def path(self, plan: str) -> str:
        """Of the note of what it took. The address may have a secret in it."""
        return f"sent/{plan}/{hashlib.sha256(self.address.encode()).hexdigest()[:16]}.json"


def channels(url: str | None, topic: str | None, cloud: Cloud | None) -> list[Channel]:
    """Those that are asked for."""
    found = [Channel(url, partial(webhook, url))] if url else []
    return [*found, Channel(topic, partial(publish, cloud, topic))] if topic and cloud else found


def send(store: Store, verdicts: Sequence[Verdict], to: Sequence[Channel]) -> None:
    """Send each channel the news that it has not taken before.

    Raises the first NitroError of one, after all were tried.
    """
    errors: list[NitroError] = []
    for channel in to:
        taken = {one.plan: _taken(store, channel, one.plan) for one in verdicts}
        news = worth_telling([_without(one, taken[one.plan]) for one in verdicts])
        try:
            if news:
                channel.send(news)
        except NitroError as error:
            errors.append(error)
            continue
        for one in news:
            keys = sorted(taken[one.plan] | set(_keys(one)))
            store.write(channel.path(one.plan), json.dumps(keys).encode())
    if errors:
        raise errors[0]


def forget(store: Store, verdicts: Sequence[Verdict], to: Sequence[Channel]) -> None:
    """All is told: the notes of who took what are done with."""
    for channel in to:
        for one in worth_telling(verdicts):
            store.remove(channel.path(one.plan))


def _keys(verdict: Verdict) -> list[str]:
    """What names each piece of news, in this night's check and later ones."""
    failed = [f"{verdict.night} {one}" for one in verdict.failed]
    return [*(step.id for step in verdict.new), *failed]


def _taken(store: Store, channel: Channel, plan: str) -> set[str]:
    """The keys of what a channel took; none where the note cannot be read: it is told again."""
    path = channel.path(plan)
    try:
        return set(json.loads(store.read(f"sent/{plan}").get(path, b"[]")))
    except (ValueError, TypeError):
        return set()


def _without(verdict: Verdict, taken: Set[str]) -> Verdict:
    return replace(
        verdict,
        new=tuple(step for step in verdict.new if step.id not in taken),
        failed=tuple(one for one in verdict.failed if f"{verdict.night} {one}" not in taken),
    )


def worth_telling(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Those with steps that no check has told before, or with failed cells."""
    return [
        verdict
        for verdict in verdicts
        if verdict.failed or any(step.told is None for step in verdict.new)
    ]


def check_url(url: str) -> None:
    """Raises InputError for what is no web address."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("https", "http") and parts.hostname and parts.port != 0
    except ValueError:  # no port, or no address in brackets
        valid = False
    if not valid or not url.isprintable() or " " in url:
        raise InputError(
            f"--webhook {printable(url, keep='')}: not a web address",
            hint="such as https://example.org/hook",
        )


def check_addresses(url: str | None, topic: str | None) -> None:
    """Raises InputError for what is no web address, and for what is no ARN of an SNS topic."""
    if url:
        check_url(url)
    if topic and not _TOPIC.fullmatch(topic):
        raise InputError(
            f"--sns {topic}: not the ARN of a topic",
            hint="such as arn:aws:sns:eu-west-1:123456789012:nights",
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Elsewhere, urllib would ask by GET, without the verdict, and take the answer for a yes."""

    def redirect_request(self, *_: object) -> None:
        return None


def webhook(url: str, verdicts: Sequence[Verdict]) -> None:
    """POST the verdicts as JSON: `text` in words, `verdicts` as `--json` prints them.

    Raises NitroError when the other side does not take them.
    """
    check_url(url)
    body = {"text": markdown(verdicts), "verdicts": [one.to_json() for one in verdicts]}
    request = urllib.request.Request(
        url,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=_TIMEOUT):
            pass
    except (OSError, HTTPException, ValueError) as error:
        raise NitroError(
            f"the webhook did not take the verdict: {str(error).strip()}",
            hint="run the check again",
        ) from None


def publish(cloud: Cloud, topic: str, verdicts: Sequence[Verdict]) -> None:
    """Publish the verdicts in words to a topic of SNS, by its ARN."""
    subject = "; ".join(f"{one.plan}: {headline(one)}" for one in verdicts)
    shown = subject.encode("ascii", "replace").decode()[:_SUBJECT]
    cloud.sns.publish(TopicArn=topic, Subject=shown, Message=markdown(verdicts))
