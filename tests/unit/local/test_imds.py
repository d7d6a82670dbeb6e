"""The metadata service."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.local.hypervisor import Disk, Guest, Profile
from nitro.local.imds import MAX_TOKENS, Metadata, MetadataServer

from .test_hypervisor import GUEST

ASK = {"x-aws-ec2-metadata-token-ttl-seconds": "60"}
HERE = GUEST.private_ip


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def service(guest: Guest = GUEST, clock: Clock | None = None) -> Metadata:
    return Metadata(lambda ip: guest if ip == guest.private_ip else None, clock or Clock())


def token(metadata: Metadata, source: str = HERE, **headers: str) -> dict[str, str]:
    answer = metadata.put(source, "/latest/api/token", {**ASK, **headers})
    assert answer.status is HTTPStatus.OK
    return {"x-aws-ec2-metadata-token": answer.body.decode()}


def read(metadata: Metadata, path: str) -> bytes:
    answer = metadata.get(HERE, path, token(metadata))
    assert answer.status is HTTPStatus.OK, path
    return answer.body


@pytest.mark.parametrize(
    "version", ["latest", "1.0", "2009-04-04", "2016-09-02", "2018-09-24", "2021-03-23"]
)
def test_every_version_that_clients_ask_for_is_there(version: str) -> None:
    metadata = service()
    assert version in read(metadata, "/").decode().splitlines()
    assert read(metadata, f"/{version}/meta-data/instance-id") == b"i-1"


def test_disks_are_listed_by_what_they_are_for() -> None:
    disks = (*GUEST.disks, Disk("/dev/sdf", 1 << 30), Disk("/dev/sdg", 1 << 30))
    metadata = service(replace(GUEST, disks=disks))
    at = "/latest/meta-data/block-device-mapping"
    assert read(metadata, at) == b"ami\nebs1\nebs2\nroot"
    assert [read(metadata, f"{at}/{name}") for name in ("ami", "root", "ebs1", "ebs2")] == [
        b"/dev/xvda",
        b"/dev/xvda",
        b"/dev/sdf",
        b"/dev/sdg",
    ]


def test_a_guest_reads_about_itself() -> None:
    guest = replace(GUEST, user_data=b"NITRO=1\n\n\xff", security_groups=("a", "b"))
    metadata = service(guest)
    expected = {
        "instance-id": b"i-1",
        "ami-id": b"ami-1",
        "instance-type": b"c5.large",
        "local-ipv4": b"10.0.0.4",
        "public-ipv4": b"127.42.0.1",
        "mac": b"02:00:00:00:00:01",
        "security-groups": b"a\nb",
        "placement/availability-zone": b"us-east-1a",
        "placement/region": b"us-east-1",
        "network/interfaces/macs/02:00:00:00:00:01/subnet-id": b"subnet-1",
    }
    for path, value in expected.items():
        assert read(metadata, f"/latest/meta-data/{path}") == value
    assert read(metadata, "/latest/user-data") == b"NITRO=1\n\n\xff"
    document = json.loads(read(metadata, "/latest/dynamic/instance-identity/document"))
    assert (document["instanceId"], document["privateIp"]) == ("i-1", "10.0.0.4")


def test_folders_list_what_is_in_them() -> None:
    metadata = service()
    assert read(metadata, "/latest/") == read(metadata, "/latest") == b"dynamic\nmeta-data"
    names = read(metadata, "/latest/meta-data/").split(b"\n")
    assert b"instance-id" in names
    assert b"placement/" in names
    assert b"tags/" not in names


def test_what_a_guest_has_not_is_not_found() -> None:
    metadata = service(replace(GUEST, public_ip=None))
    for path in ("user-data", "meta-data/public-ipv4", "meta-data/no", "meta-data/mac/more"):
        answer = metadata.get(HERE, f"/latest/{path}", token(metadata))
        assert answer.status is HTTPStatus.NOT_FOUND, path
        assert answer.ttl is not None, "the token's time left is told in any case"


def test_tags_are_shown_when_the_instance_allows_it() -> None:
    metadata = service(replace(GUEST, metadata_tags={"Name": "one"}))
    assert read(metadata, "/latest/meta-data/tags/instance/Name") == b"one"


def test_a_token_is_required_where_the_instance_says_so() -> None:
    strict = service(replace(GUEST, metadata_tokens_required=True))
    path = "/latest/meta-data/instance-id"
    assert strict.get(HERE, path, {}).status is HTTPStatus.UNAUTHORIZED
    assert strict.get(HERE, path, token(strict)).body == b"i-1"
    assert service().get(HERE, path, {}).body == b"i-1"


def test_a_wrong_token_is_refused_even_where_none_is_required() -> None:
    headers = {"x-aws-ec2-metadata-token": "guess"}
    answer = service().get(HERE, "/latest/meta-data/", headers)
    assert answer.status is HTTPStatus.UNAUTHORIZED


def test_tokens_end() -> None:
    clock = Clock()
    metadata = service(clock=clock)
    held = token(metadata)
    clock.now = 58.5
    answer = metadata.get(HERE, "/latest/meta-data/", held)
    assert (answer.status, answer.ttl) == (HTTPStatus.OK, 2)
    clock.now = 60
    assert metadata.get(HERE, "/latest/meta-data/", held).status is HTTPStatus.UNAUTHORIZED


def test_a_token_is_of_one_guest() -> None:
    other = replace(GUEST, instance_id="i-2", private_ip="10.0.0.5")
    guests = {guest.private_ip: guest for guest in (GUEST, other)}
    metadata = Metadata(guests.get, Clock())
    answer = metadata.get(other.private_ip, "/latest/meta-data/", token(metadata))
    assert answer.status is HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize("ttl", ["1", "21600"])
def test_the_shortest_and_the_longest_lifetime_are_taken(ttl: str) -> None:
    headers = {"x-aws-ec2-metadata-token-ttl-seconds": ttl}
    assert service().put(HERE, "/latest/api/token", headers).status is HTTPStatus.OK


@pytest.mark.parametrize("ttl", ["", "0", "21601", "-1", "x", "²", "9" * 400, "0021600000000000"])
def test_bad_lifetimes_are_refused(ttl: str) -> None:
    headers = {"x-aws-ec2-metadata-token-ttl-seconds": ttl}
    answer = service().put(HERE, "/latest/api/token", headers)
    assert answer.status is HTTPStatus.BAD_REQUEST


def test_the_answer_with_a_token_goes_as_far_as_the_instance_says() -> None:
    headers = {"x-aws-ec2-metadata-token-ttl-seconds": "60"}
    distant = service(replace(GUEST, metadata_hops=3))
    assert distant.put(HERE, "/latest/api/token", headers).hops == 3
    assert distant.get(HERE, "/latest/meta-data/", {}).hops is None


def test_strangers_and_forwarded_requests_get_nothing() -> None:
    metadata = service()
    assert metadata.get("10.0.0.99", "/latest/", {}).status is HTTPStatus.FORBIDDEN
    forwarded = {**ASK, "x-forwarded-for": "192.0.2.1"}
    answer = metadata.put(HERE, "/latest/api/token", forwarded)
    assert answer.status is HTTPStatus.FORBIDDEN
    closed = service(replace(GUEST, metadata_enabled=False))
    assert closed.get(HERE, "/latest/", {}).status is HTTPStatus.FORBIDDEN


def test_tokens_do_not_pile_up() -> None:
    metadata = service()
    for _ in range(MAX_TOKENS + 10):
        last = token(metadata)
    assert len(metadata._tokens) <= MAX_TOKENS
    assert metadata.get(HERE, "/latest/meta-data/", last).status is HTTPStatus.OK


@pytest.mark.extended
@given(st.text(max_size=60), st.dictionaries(st.text(max_size=20), st.text(max_size=20)))
def test_any_request_gets_an_answer(path: str, headers: dict[str, str]) -> None:
    metadata = service()
    for method in (metadata.get, metadata.put):
        assert isinstance(method(HERE, path, headers).status, HTTPStatus)


@pytest.fixture
def url() -> Iterator[str]:
    here = replace(GUEST, private_ip="127.0.0.1", user_data=b"\x00data")
    with MetadataServer(("127.0.0.1", 0), service(here)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/latest"
        server.shutdown()
        thread.join()


def test_it_speaks_http(url: str) -> None:
    ask = urllib.request.Request(f"{url}/api/token", method="PUT", headers=ASK)
    with urllib.request.urlopen(ask) as answer:
        assert answer.headers["X-aws-ec2-metadata-token-ttl-seconds"] == "60"
        held = answer.read().decode()
    get = urllib.request.Request(f"{url}/user-data", headers={"X-aws-ec2-metadata-token": held})
    with urllib.request.urlopen(get) as answer:
        assert answer.read() == b"\x00data"
    get.method = "HEAD"
    with urllib.request.urlopen(get) as answer:
        assert answer.headers["Content-Length"] == "5"
        assert answer.read() == b""


def test_what_is_not_there_is_answered_as_a_page(url: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{url}/meta-data/spot/instance-action")
    assert caught.value.code == 404
    assert caught.value.headers["Content-Type"] == "text/html"
    assert b"404 - Not Found" in caught.value.read()


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_other_methods_are_not_allowed(url: str, method: str) -> None:
    request = urllib.request.Request(f"{url}/meta-data/", method=method)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert (caught.value.code, caught.value.headers["Allow"]) == (405, "GET, HEAD, PUT")


def test_the_hop_limit_is_set_on_the_connection_of_a_token(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[int] = []
    stock = socket.socket.setsockopt

    def record(connection: socket.socket, *option: Any) -> None:
        if option[:2] == (socket.IPPROTO_IP, socket.IP_TTL):
            limits.append(option[2])
        stock(connection, *option)

    monkeypatch.setattr(socket.socket, "setsockopt", record)
    urllib.request.urlopen(f"{url}/meta-data/").close()
    ask = urllib.request.Request(f"{url}/api/token", method="PUT", headers=ASK)
    urllib.request.urlopen(ask).close()
    assert limits == [GUEST.metadata_hops]


def test_every_instance_has_credentials_of_its_own() -> None:
    at = "/latest/meta-data/identity-credentials/ec2"
    metadata = service()
    assert json.loads(read(metadata, f"{at}/info"))["AccountId"] == GUEST.account_id
    assert read(metadata, f"{at}/security-credentials/") == b"ec2-instance"
    found = json.loads(read(metadata, f"{at}/security-credentials/ec2-instance"))
    assert found["Type"] == "AWS-HMAC"


def test_a_guest_reads_its_key_as_clients_ask_for_it() -> None:
    metadata = service(replace(GUEST, key_name="mine", public_key="ssh-ed25519 AAAA me"))
    keys = "/2009-04-04/meta-data/public-keys"
    assert read(metadata, f"{keys}/") == b"0=mine"
    assert read(metadata, f"{keys}/0/") == b"openssh-key"
    assert read(metadata, f"{keys}/0/openssh-key") == b"ssh-ed25519 AAAA me"
    answer = service().get(HERE, keys, token(service()))
    assert answer.status is not HTTPStatus.OK


def test_a_guest_reads_of_its_network_and_place() -> None:
    network = replace(GUEST.network, vpc_cidr="10.0.0.0/16")
    guest = replace(
        GUEST,
        network=network,
        interface_id="eni-1",
        security_group_ids=("sg-1", "sg-2"),
        zone_id="use1-az1",
        placement_group="near",
    )
    metadata, at = service(guest), f"network/interfaces/macs/{GUEST.mac}"
    for path, value in {
        f"{at}/interface-id": b"eni-1",
        f"{at}/security-group-ids": b"sg-1\nsg-2",
        f"{at}/vpc-ipv4-cidr-blocks": b"10.0.0.0/16",
        f"{at}/ipv4-associations/127.42.0.1": b"10.0.0.4",
        "placement/availability-zone-id": b"use1-az1",
        "placement/group-name": b"near",
        "public-hostname": b"ec2-127-42-0-1.compute-1.amazonaws.com",
        "events/maintenance/scheduled": b"[]",
        "system": b"nitro",
    }.items():
        assert read(metadata, f"/latest/meta-data/{path}") == value


def test_a_guest_with_a_profile_reads_credentials() -> None:
    metadata = service(replace(GUEST, profile=Profile("arn:profile", "AIPA1", "role")))
    iam = "/latest/meta-data/iam"
    assert json.loads(read(metadata, f"{iam}/info"))["InstanceProfileArn"] == "arn:profile"
    assert read(metadata, f"{iam}/security-credentials/") == b"role"
    found = json.loads(read(metadata, f"{iam}/security-credentials/role"))
    assert found["Code"] == "Success"
    assert {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"} <= set(found)
