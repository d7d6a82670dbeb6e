"""Faults of calls, as botocore's clients meet them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from nitro.cloud import ApiError, Cloud
from nitro.local.weather import Conditions, Forecast
from nitro.local.weather.gate import Gate
from tests.cloud.weather import Endpoint, endpoint
from tests.unit.local.test_front import CALLS, sent


def code_of(day: Endpoint, call: Any) -> str:
    with pytest.raises(ApiError) as caught:
        call(day.connect())
    return caught.value.code


@pytest.mark.extended(fast=1)
@pytest.mark.parametrize(
    ("call", "throttled", "unavailable", "expired"),
    [
        (
            lambda c: c.ec2.describe_images(),
            "RequestLimitExceeded",
            "Unavailable",
            "RequestExpired",
        ),
        (lambda c: c.s3.list_buckets(), "SlowDown", "InternalError", "ExpiredToken"),
        (
            lambda c: c.sts.get_caller_identity(),
            "Throttling",
            "ServiceUnavailable",
            "ExpiredToken",
        ),
        (
            lambda c: c.ebs.list_snapshot_blocks(SnapshotId="snap-00000000000000000"),
            "RequestThrottledException",
            "InternalServerError",
            "ExpiredTokenException",
        ),
    ],
    ids=["ec2", "s3", "sts", "ebs"],
)
def test_each_service_has_its_own_words(
    call: Any, throttled: str, unavailable: str, expired: str, tmp_path: Path
) -> None:
    for conditions, code in (
        (Conditions(throttled=1), throttled),
        (Conditions(unavailable=1), unavailable),
        (Conditions(credentials_expire_after=1, credentials_renewed_after=99), expired),
    ):
        with endpoint(conditions, tmp_path / code) as day:
            day.connect().iam  # noqa: B018 - a client that calls nothing
            if conditions.credentials_expire_after:
                day.connect().sts.get_caller_identity()
            assert code_of(day, call) == code


def test_a_call_whose_answer_is_lost_has_effect(tmp_path: Path) -> None:
    with endpoint(Conditions(answers_lost=1), tmp_path / "blocks") as day:
        assert code_of(day, lambda c: c.s3.create_bucket(Bucket="made")) == "ConnectionClosedError"
        (bucket,) = day.connect(fair=True).s3.list_buckets()["Buckets"]
        assert bucket["Name"] == "made"


@pytest.mark.extended
def test_single_apis_can_be_throttled(tmp_path: Path) -> None:
    conditions = Conditions(throttled_apis={"ec2:DescribeImages": 1})
    with endpoint(conditions, tmp_path / "blocks") as day:
        assert code_of(day, lambda c: c.ec2.describe_images()) == "RequestLimitExceeded"
        day.connect().ec2.describe_snapshots(OwnerIds=["self"])


@pytest.mark.extended
def test_credentials_are_valid_again_after_some_calls(tmp_path: Path) -> None:
    conditions = Conditions(credentials_expire_after=2, credentials_renewed_after=1)
    with endpoint(conditions, tmp_path / "blocks") as day:
        cloud = day.connect()
        for _ in range(2):
            cloud.s3.list_buckets()
        assert code_of(day, lambda c: c.s3.list_buckets()) == "ExpiredToken"
        cloud.s3.list_buckets()


def ask(gate: Gate, host: str, path: str, method: str = "PUT") -> tuple[str, dict[str, str]]:
    request = sent("s3", CALLS["s3"])
    environ = {
        **request.environ(), "HTTP_HOST": host, "RAW_URI": path, "REQUEST_METHOD": method
    }  # fmt: skip
    started: list[Any] = []

    def app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b""]

    list(gate.wrap("s3", app)(environ, lambda *given: started.extend(given)))
    return started[0], dict(started[1])


def test_the_global_name_of_s3_redirects_for_a_new_bucket() -> None:
    now = 0.0
    gate = Gate(forecast := Forecast(Conditions(redirect_seconds=60), lambda: now))
    ask(gate, "127.0.0.1", "/made")
    status, headers = ask(gate, "made.s3.amazonaws.com", "/key?a=b")
    assert status == "307 TemporaryRedirect"
    assert headers["Location"] == "https://made.s3.us-east-1.amazonaws.com/key?a=b"
    assert forecast.happened == {"redirect": 1}
    assert ask(gate, "made.s3.us-east-1.amazonaws.com", "/key")[0] == "200 OK"
    assert ask(gate, "old.s3.amazonaws.com", "/key")[0] == "200 OK"
    now = 60.0
    assert ask(gate, "made.s3.amazonaws.com", "/key")[0] == "200 OK"


def test_over_a_socket_a_lost_answer_is_a_connection_that_ends(tmp_path: Path) -> None:
    with endpoint(Conditions(answers_lost=1), tmp_path / "blocks") as day:
        server = make_server(
            "127.0.0.1", 0, day.door, threaded=True, request_handler=MotoRequestHandler
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            key = (day.key.access, day.key.secret)
            cloud = Cloud.connect(
                region="us-east-1", endpoint_url=url, key=key, sleep=day.clock.sleep
            )
            with pytest.raises(ApiError) as caught:
                cloud.s3.create_bucket(Bucket="made")
            assert caught.value.code == "ConnectionClosedError"
            assert caught.value.may_have_happened
        finally:
            server.shutdown()
            server.server_close()
