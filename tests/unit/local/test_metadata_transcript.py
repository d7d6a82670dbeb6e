"""All that guests read of the metadata tree, and what the service answers, as transcripts."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from nitro.local.hypervisor import Disk, Guest, Network, Profile
from nitro.local.imds import Metadata
from nitro.local.metadata_tree import find
from nitro.local.metadata_versions import VERSIONS
from tests.transcripts import compare

from .test_hypervisor import GUEST

HERE = Path(__file__).parent / "transcripts"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
RICH = replace(
    GUEST,
    disks=(*GUEST.disks, Disk("/dev/sdf", 1 << 30), Disk("/dev/sdg", 2 << 30)),
    network=Network("subnet-1", "vpc-1", "10.0.0.0/24", "10.0.0.0/16"),
    user_data=b"NITRO=1\n",
    reservation_id="r-1",
    launch_index=2,
    security_groups=("web", "ssh"),
    security_group_ids=("sg-1", "sg-2"),
    metadata_tags={"Name": "one", "Owner": "me"},
    key_name="mine",
    public_key="ssh-ed25519 AAAA me",
    profile=Profile("arn:aws:iam::123456789012:instance-profile/reader", "AIPA1", "reader"),
    interface_id="eni-1",
    zone_id="use1-az1",
    placement_group="close",
    launched_at="2026-01-02T03:04:05Z",
)
FAR = replace(
    GUEST,
    region="eu-west-1",
    availability_zone="eu-west-1b",
    public_ip="52.1.2.3",
    profile=Profile("arn:aws:iam::123456789012:instance-profile/empty", "AIPA2", ""),
)


def walk(guest: Guest, version: str) -> dict[str, bytes]:
    """All leaves below a version, and the listing of each folder, whose path ends in a slash."""
    found: dict[str, bytes] = {}

    def look(path: tuple[str, ...]) -> None:
        listing = find(guest, path)
        assert listing is not None
        found["/".join(path) + "/"] = listing
        for name in listing.decode().splitlines():
            entry = (*path, name.rstrip("/").partition("=")[0])
            if "/" in name or "=" in name or (len(path) == 1 and name != "user-data"):
                look(entry)
                continue
            leaf = find(guest, entry)
            assert leaf is not None, entry
            found["/".join(entry)] = leaf

    look((version,))
    return found


def told(path: str, content: bytes) -> str:
    """A leaf's text, with its times made equal: of two, how far apart they are."""
    if path.rpartition("/")[2] in ("pkcs7", "rsa2048", "signature"):
        return "<signature>"
    text = content.decode()
    if '"Expiration"' in text:
        held = json.loads(text)
        first, last = (datetime.fromisoformat(held[name]) for name in ("LastUpdated", "Expiration"))
        text += f"\n({last - first} between the times)"
    elif "pendingTime" in text:
        return text
    return _TIME.sub("<time>", text)


def lines(guest: Guest, version: str) -> list[str]:
    found = []
    for path, content in walk(guest, version).items():
        shown = told(path, content)
        found += (
            [f"{path}: {shown}"]
            if "\n" not in shown
            else [f"{path}:", *(f"    {line}" for line in shown.splitlines())]
        )
    return found


def test_the_tree() -> None:
    text = "\n".join(["a guest with all that one can have", *lines(RICH, "latest"), ""])
    for title, guest in (("one with nothing more", GUEST), ("one elsewhere", FAR)):
        text += "\n".join(["", title, *lines(guest, "latest"), ""])
    compare(HERE / "metadata-tree.txt", text)


@pytest.mark.extended
def test_what_came_with_each_version() -> None:
    text, before = "", set[str]()
    whole = walk(RICH, "latest")
    for version in VERSIONS:
        found = walk(RICH, version)
        paths = {path.removeprefix(f"{version}/") for path in found}
        new = [path for path in sorted(paths - before) if path and path[-1] != "/"]
        text += "\n".join([f"{version}:", *(f"    + {path}" for path in new)])
        text += "".join(f"\n    - {path}" for path in sorted(before - paths)) + "\n"
        before = paths
        for path, content in found.items():
            below = path.removeprefix(f"{version}/")
            if not path.endswith("/") and told(path, content) != told(
                path, whole[f"latest/{below}"]
            ):
                text += f"    {path} differs\n"
    compare(HERE / "metadata-versions.txt", text)


def test_requests() -> None:
    now, silent = [0.0], set[str]()
    guests = {"10.0.0.4": RICH, "10.0.0.5": replace(GUEST, instance_id="i-2", metadata_hops=3)}
    guests["10.0.0.6"] = replace(RICH, instance_id="i-3", metadata_tokens_required=True)
    guests["10.0.0.7"] = replace(RICH, instance_id="i-4", metadata_enabled=False)
    service = Metadata(guests.get, lambda: now[0], lambda one: one not in silent)
    text, tokens = "", dict[str, str]()

    def ask(method: str, source: str, path: str, name: str = "", **headers: str) -> None:
        nonlocal text
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        if name:
            sent["x-aws-ec2-metadata-token"] = tokens.get(name, name)
        answer = getattr(service, method)(source, path, sent)
        body = answer.body.decode()
        if method == "put" and body:
            tokens[f"token {len(tokens) + 1}"] = body
            body = f"<token {len(tokens)}>"
        shown = " ".join(f"{key}={value}" for key, value in headers.items())
        shown += f" with {name}" if name else ""
        text += f"\n> {method} {path} from {source} {shown}".rstrip() + "\n"
        text += f"{answer.status.value} ttl={answer.ttl} hops={answer.hops} {body}".rstrip() + "\n"

    def token(source: str, ttl: str, path: str = "/latest/api/token", **more: str) -> None:
        ask("put", source, path, **{"x_aws_ec2_metadata_token_ttl_seconds": ttl}, **more)

    for ttl in ("60", "1", "21600", "0", "21601", "", "x", "-1", "1.5", "0000060", "000060", "²"):
        token("10.0.0.4", ttl)
    ask("put", "10.0.0.4", "/latest/api/token")
    token("10.0.0.4", "60", x_forwarded_for="1.2.3.4")
    for path in ("latest/api/token/", "/latest/api", "/1.0/api/token", "/latest/api/token?a=b"):
        token("10.0.0.4", "60", path)
    for source in ("10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8"):
        token(source, "60")
        ask("get", source, "/latest/meta-data/instance-id")
    for name in ("token 1", "token 2", "wrong", *sorted(tokens)[-2:]):
        for source in ("10.0.0.4", "10.0.0.6"):
            ask("get", source, "/latest/meta-data/ami-id", name)
    for path in ("/", "", "//latest//meta-data//mac/", "/latest/meta-data/mac?x=/", "/latest/no"):
        ask("get", "10.0.0.4", path)
    for seconds in (0.5, 0.5, 58.5, 0.5):
        now[0] += seconds
        text += f"\n--- at {now[0]:g} s\n"
        for name in ("token 1", "token 2"):
            ask("get", "10.0.0.4", "/latest/meta-data/mac", name)
    silent.add("i-1")
    text += f"\nsilent: {[one for one in (*guests, '10.0.0.8') if service.is_silent(one)]}\n"
    compare(HERE / "metadata-requests.txt", text)
