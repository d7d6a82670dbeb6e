"""What an instance sends back."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from nitro.cloud import Cloud, DiskImage, Keep, NeverReady, Undo, results, storage
from nitro.errors import NitroError
from nitro.local.hypervisor import NullHypervisor
from tests.cloud.conftest import NOTHING, connect, everything, refuse
from tests.cloud.joint import running


def test_the_url_takes_one_put(cloud: Cloud) -> None:
    with Undo() as undo:
        upload = results.prepare(cloud, undo, deployment="d-1", name="client.tar.gz")
        assert results.fetch(cloud, upload) is None
        answer = requests.put(upload.url, data=b"numbers", timeout=5)
        assert answer.status_code == 200
        assert results.fetch(cloud, upload) == b"numbers"
    assert results.fetch(cloud, upload) is None


@pytest.mark.policies("deploy", buckets=["mine"])
def test_the_url_is_signed_for_the_name_that_guests_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5000")
    cloud = Cloud.connect(
        region="eu-central-1", endpoint_url="http://127.0.0.1:5000", guest_ca="certificate"
    )
    bucket = storage.Bucket("mine", "123456789012")
    url = urlsplit(results.presign_put(cloud, bucket, "results/d-1/x", timedelta(minutes=90)))
    assert (url.scheme, url.netloc, url.path) == (
        *("https", "mine.s3.eu-central-1.amazonaws.com"),
        "/results/d-1/x",
    )
    query = parse_qs(url.query)
    assert query["X-Amz-Expires"] == ["5400"]
    assert re.fullmatch(r"[0-9a-f]{64}", query["X-Amz-Signature"][0])
    assert query["X-Amz-SignedHeaders"] == ["host"]  # so that a plain PUT will do


@pytest.mark.policies("deploy", buckets=["plain", "a.b"])
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-southeast-4"])
@pytest.mark.parametrize(
    ("bucket", "address"),
    [("plain", "https://plain.s3.{}.amazonaws.com/"), ("a.b", "https://s3.{}.amazonaws.com/a.b/")],
)
def test_a_url_for_aws_names_the_buckets_region(region: str, bucket: str, address: str) -> None:
    cloud = Cloud.connect(region=region)
    place = storage.Bucket(bucket, "123456789012")
    url = results.presign_put(cloud, place, "results/x", timedelta(hours=1))
    assert url.startswith(address.format(region))
    # Version 2, boto3's own choice in us-east-1, is refused by regions since 2014.
    assert parse_qs(urlsplit(url).query)["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]


@pytest.mark.extended
def test_a_client_that_ends_without_a_result_is_not_waited_for(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    client = running(cloud, disk).instance
    hypervisor.write_console(client.id, b"curl: (6)\n")
    hypervisor.stop(client.id)
    with pytest.raises(NeverReady, match="terminated and has sent no result") as caught:
        wait(cloud, client.id, 60)
    assert caught.value.console == "curl: (6)"


@pytest.mark.extended
def test_a_client_that_takes_too_long_is_given_up(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    client = running(cloud, disk).instance
    hypervisor.write_console(client.id, b"iperf3 ...\n")
    with pytest.raises(NeverReady, match=r"result of .* took longer") as caught:
        wait(cloud, client.id, 0.05)
    assert caught.value.console == "iperf3 ..."


@pytest.mark.extended
def test_the_result_on_the_console_is_waited_for(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    client = running(cloud, disk).instance
    looks: list[str] = []

    def read(text: str) -> bytes | None:
        looks.append(text)
        hypervisor.write_console(client.id, b"more ")
        return b"numbers" if text == "more more " else None

    assert results.wait_result(cloud, client.id, read, deadline=5) == b"numbers"
    assert looks == ["", "more ", "more more "]


@pytest.mark.extended
def test_a_result_on_the_console_of_a_client_that_ended_counts(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    client = running(cloud, disk).instance
    hypervisor.write_console(client.id, b"numbers")
    hypervisor.stop(client.id)
    read = str.encode  # the whole console
    assert results.wait_result(cloud, client.id, read, deadline=5) == b"numbers"


@pytest.mark.extended
def test_a_console_that_is_not_there_yet_is_asked_for_again(cloud: Cloud, disk: DiskImage) -> None:
    client = running(cloud, disk).instance
    for code in ("InvalidInstanceID.NotFound", "IncorrectInstanceState"):
        early = connect()
        failures = refuse(early, "ec2.GetConsoleOutput", code, times=2)

        def read(_: str, failures: list[str] = failures) -> bytes | None:
            return b"numbers" if len(failures) == 2 else None

        assert results.wait_result(early, client.id, read, deadline=5) == b"numbers"


@pytest.mark.extended
def test_the_result_is_waited_for(cloud: Cloud, disk: DiskImage) -> None:
    client = running(cloud, disk).instance
    with Undo() as undo:
        upload = results.prepare(cloud, undo, deployment="d-2", name="r")
        requests.put(upload.url, data=b"numbers", timeout=5)
        assert results.wait_result(cloud, client.id, nothing, upload, deadline=5) == b"numbers"


@pytest.mark.extended
def test_a_result_that_arrives_after_its_sender_ended_counts(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    client = running(cloud, disk).instance
    hypervisor.stop(client.id)
    with Undo() as undo:
        upload = results.prepare(cloud, undo, deployment="d-2", name="r")
        late, looks = connect(), []

        def arrive(**_: object) -> None:
            looks.append(1)
            if len(looks) == 3:  # looked for once while it ended and twice afterwards
                requests.put(upload.url, data=b"numbers", timeout=5)

        late.session.events.register("before-call.s3.GetObject", arrive)
        assert results.wait_result(late, client.id, nothing, upload, deadline=5) == b"numbers"
        assert len(looks) == 3


def test_no_more_is_read_than_a_measurement_can_send(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "LARGEST", 7)
    with Undo() as undo:
        upload = results.prepare(cloud, undo, deployment="d-2", name="r")
        for data in (b"numbers", b""):
            requests.put(upload.url, data=data, timeout=5)
            assert results.fetch(cloud, upload) == data
        requests.put(upload.url, data=b"numbers and more", timeout=5)
        with pytest.raises(NitroError, match="has more than 7 bytes"):
            results.fetch(cloud, upload)


@pytest.mark.extended
def test_nothing_stays(cloud: Cloud) -> None:
    with Undo(Keep.NOTHING) as undo:
        upload = results.prepare(cloud, undo, deployment="d-1", name="r")
        requests.put(upload.url, data=b"numbers", timeout=5)
    assert everything(connect()) == NOTHING


def nothing(_: str) -> bytes | None:
    """A console without a result."""
    return None


def wait(cloud: Cloud, instance_id: str, deadline: float) -> bytes:
    with Undo() as undo:
        upload = results.prepare(cloud, undo, deployment="d-2", name="r")
        return results.wait_result(cloud, instance_id, nothing, upload, deadline=deadline)
