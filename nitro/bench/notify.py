"""Telling a verdict to others: a webhook, or a topic of SNS."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Sequence

from nitro.bench.summary import headline, markdown
from nitro.bench.verdict import Verdict
from nitro.cloud import Cloud
from nitro.errors import InputError, NitroError

_SUBJECT = 100  # characters; SNS takes no more
_TIMEOUT = 10  # seconds
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}")


def worth_telling(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Those with steps that no check has told before, or with failed cells."""
    return [
        verdict
        for verdict in verdicts
        if verdict.failed or any(step.told is None for step in verdict.new)
    ]


def check_url(url: str) -> None:
    """Raises InputError for what is no web address."""
    if not url.startswith(("https://", "http://")):
        raise InputError(f"--webhook {url}: not a web address", hint="begin it with https://")


def check_addresses(url: str | None, topic: str | None) -> None:
    """Raises InputError for what is no web address, and for what is no ARN of an SNS topic."""
    if url:
        check_url(url)
    if topic and not _TOPIC.fullmatch(topic):
        raise InputError(
            f"--sns {topic}: not the ARN of a topic",
            hint="such as arn:aws:sns:eu-west-1:123456789012:nights",
        )


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
        with urllib.request.urlopen(request, timeout=_TIMEOUT):
            pass
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise NitroError(
            f"the webhook did not take the verdict: {error}", hint="run the check again"
        ) from None


def publish(cloud: Cloud, topic: str, verdicts: Sequence[Verdict]) -> None:
    """Publish the verdicts in words to a topic of SNS, by its ARN."""
    subject = "; ".join(f"{one.plan}: {headline(one)}" for one in verdicts)
    shown = subject.encode("ascii", "replace").decode()[:_SUBJECT]
    cloud.sns.publish(TopicArn=topic, Subject=shown, Message=markdown(verdicts))
