"""The faults of days: conditions, what the forecast decides and what calls meet, as transcripts."""

from __future__ import annotations

import io
import logging
import uuid
from pathlib import Path
from typing import Any

import pytest

from nitro.local.weather import calls, conditions, forecast
from nitro.local.weather.calls import ApiCall
from nitro.local.weather.conditions import Conditions
from nitro.local.weather.forecast import Forecast
from nitro.local.weather.gate import AnswerLost, Gate
from nitro.local.weather.visibility import Visibility
from tests.transcripts import compare
from tests.unit.local.told import Told

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"


def test_conditions(tmp_path: Path) -> None:
    told = Told(tmp_path)
    for seed in range(40):
        told.note(f"{seed}: {conditions.draw(seed).model_dump(exclude_defaults=True)}")
    file = tmp_path / "day.toml"
    for content in (
        *("", "seed = 3", "seed = -1", "throttled = 0", "throttled = 1", "throttled = 1.1"),
        *("throttled = -0.1", 'throttled_apis = {"ec2:RunInstances" = 0.5}', "x = 1", "x ="),
        *('throttled_apis = {"a" = 2}', "ids_late_seconds = 600", "ids_late_seconds = 601"),
        *("ids_late_seconds = -1", 'full_zones = ["a", "b"]', "import_factor = 0.9"),
        *("import_factor = 100", "import_factor = 101", "credentials_expire_after = 0"),
        *("credentials_expire_after = 1", "credentials_renewed_after = 0", "full_zones = 5"),
        *("#" + "x" * ((64 << 10) - 1), "#" + "x" * (64 << 10)),
    ):
        file.write_text(content)
        told.outcome(content[:60], conditions.read, str(file))
    file.write_bytes(b"\xff")
    told.outcome("no text", conditions.read, str(file))
    for text in ("0", "7", "1" * 18, "1" * 19, "-1", "7a", "٣", "", str(tmp_path / "none")):
        told.outcome(f"{text!r}", conditions.read, text)
    told.note(f"{Conditions() == conditions.FAIR}")
    compare(HERE / "conditions.txt", told.text)


def test_forecasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    monkeypatch.setattr(forecast._log, "info", told.stand_in("info"))
    now = [100.0]
    day = Forecast(
        Conditions(
            seed=3,
            full_zones=("a", "c"),
            spot_taken=0.5,
            imports_failing=0.5,
            console_late_seconds=2,
            metadata_late_seconds=3,
        ),
        lambda: now[0],
    )
    for share in (0, 0.01, 0.5, 0.99, 1):
        for where in ("ec2:A", "ec2:B"):
            for fault in ("one", "two"):
                said = [day.happens(fault, share, where) for _ in range(4)]
                told.note(f"{fault} {share} {where}: {said}")
    for zone in ("us-east-1a", "us-east-1b", "c", ""):
        told.outcome(f"capacity in {zone}", day.has_capacity, zone)
    for _ in range(6):
        told.outcome("spot", day.spot_is_taken)
        told.outcome("import", day.import_failure)
    for step, text in ((0, b""), (1, b"a"), (0.5, b"ab"), (0.5, b"abc"), (1, b"abcd"), (9, b"e")):
        now[0] += step
        told.note(f"{now[0]}: {day.console('i-1', text)!r} {day.console('i-2', text)!r}")
        answers = [day.metadata_answers("i-1"), day.metadata_answers("i-3")]
        told.note(f"    {answers} {day.metadata_answers('i-4') if step else ''}")
    told.note(f"{dict(day.happened)}")
    fair = Forecast(Conditions())
    told.note(f"{fair.console('i-1', b'text')!r} {fair.metadata_answers('i-1')}")
    told.note(f"{fair.has_capacity('a')} {fair.spot_is_taken()} {fair.import_failure()}")
    compare(HERE / "forecasts.txt", told.text)


def environ(
    uri: str = "/",
    *,
    method: str = "POST",
    host: str = "localhost:5000",
    body: bytes = b"",
    length: str | None = None,
    target: str = "",
    region: str = "eu-west-1",
) -> dict[str, Any]:
    return {
        "RAW_URI": uri,
        "REQUEST_METHOD": method,
        "HTTP_HOST": host,
        "CONTENT_LENGTH": str(len(body)) if length is None else length,
        "wsgi.input": io.BytesIO(body),
        "HTTP_X_AMZ_TARGET": target,
        "HTTP_AUTHORIZATION": f"AWS4 Credential=KEY/20260102/{region}/ec2/aws4_request",
    }


def test_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    monkeypatch.setattr(calls, "LARGEST_FORM", 20)
    for service in ("ec2", "s3", "ebs", "ssm", "iam"):
        for what, given in (
            ("nothing", {}),
            ("a form", environ(body=b"Action=RunX&A.1=b")),
            ("an empty value", environ(body=b"Action=&A=")),
            ("a query", environ("/a?Action=FromQuery&x=&y=1", body=b"z=")),
            ("both", environ("/?Action=Q", body=b"Action=B")),
            ("a large form", environ(body=b"Action=RunXYZ&A=12345")),
            ("larger", environ(body=b"Action=RunXYZ&A=123456")),
            ("no length", environ(body=b"Action=X", length="")),
            ("odd length", environ(body=b"Action=X", length="x")),
            ("short length", environ(body=b"Action=XYZ", length="8")),
            ("no text", environ(body=b"Action=\xff&b=%ff")),
            ("a target", environ(target="AmazonSSM.PutParameter")),
            ("a plain target", environ(target="Put", body=b"Action=X")),
            ("a path", environ("/bucket/key?x=1&y", method="GET", host="b.s3.amazonaws.com:80")),
            ("no region", environ(region="")),
        ):
            given = {"REQUEST_METHOD": "PUT", "wsgi.input": io.BytesIO(b"rest"), **given}
            told.outcome(f"{service}, {what}", calls.read, service, given)
            told.note(f"    left {given['wsgi.input'].read()!r}")
    told.note(ApiCall("ec2", "RunInstances", "/", "", "", "").api)
    compare(HERE / "calls.txt", told.text)


RUN = '<R xmlns="http://x/"><instanceId>{}</instanceId><instanceId>{}</instanceId></R>'
LIST = (
    '<R xmlns="http://x/"><reservationSet>'
    "<item><instancesSet><item><instanceId>{0}</instanceId></item></instancesSet></item>"
    "<item><instancesSet><item><instanceId>{1}</instanceId></item>"
    "<item><instanceId>i-0</instanceId></item></instancesSet></item></reservationSet></R>"
)


def call(name: str, service: str = "ec2", **parameters: str) -> ApiCall:
    named = {key.replace("_", "."): value for key, value in parameters.items()}
    return ApiCall(service, name, "/", "", "localhost", "us-east-1", named)


def test_what_is_visible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    monkeypatch.setattr(forecast._log, "info", told.stand_in("info"))
    for share in (0.0, 0.5, 1.0):
        now = [10.0]
        day = Conditions(seed=5, ids_late=share, ids_late_seconds=2)
        seen = Visibility(Forecast(day, lambda now=now: now[0]))  # type: ignore[misc]
        told.note(f"share {share}")
        for kind, name, element in (
            ("i", "RunInstances", "instanceId"),
            ("ami", "RegisterImage", "imageId"),
            ("sg", "CreateSecurityGroup", "groupId"),
            ("snap", "CopySnapshot", "snapshotId"),
            ("import-snap", "ImportSnapshot", "importTaskId"),
        ):
            for operation in (name, "Other", name):
                body = f"<{element}>{kind}-1a</{element}><{element}>{kind}-2b</{element}>"
                seen.note_created(call(operation), f"{body}<other>{kind}-3c</other>")
            for number in ("1a", "2b", "3c"):
                resource = f"{kind}-{number}"
                for asked in (
                    call("Describe", Id_1=resource),
                    call("Describe", Filter_1_Value_1=resource),
                    call("Describe", "s3", Id_1=resource),
                ):
                    told.note(f"    {resource} {asked.parameters} {seen.hides(asked)}")
        for at in (10.0, 11.9, 12.0, 12.1):
            now[0] = at
            body = LIST.format("i-1a", "i-2b")
            told.note(f"    at {at}: {seen.without_hidden(call('DescribeInstances'), body)}")
            told.note(f"    {seen.without_hidden(call('DescribeImages'), body) == body}")
            told.note(f"    {seen.without_hidden(call('Other'), body) == body}")
            told.note(f"    {seen.hides(call('X', Id_1='ami-1a'))}")
        images = "<R><imagesSet><item><imageId>ami-1a</imageId></item></imagesSet></R>"
        now[0] = 11.0
        told.note(f"    {seen.without_hidden(call('DescribeImages'), images)}")
    compare(HERE / "visibility.txt", told.text)


class Answers:
    def __init__(self, told: Told) -> None:
        self._told = told

    def __call__(self, status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
        self._told.note(f"    {status} {headers}")


class Connection:
    def __init__(self, told: Told, error: type[Exception] | None = None) -> None:
        self._told, self._error = told, error

    def shutdown(self, how: int) -> None:
        self._told.note(f"    shutdown({how})")
        if self._error:
            raise self._error


def test_calls_that_meet_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    monkeypatch.setattr(uuid, "uuid4", lambda: "an-id")
    logging.getLogger("nitro.local.weather.forecast").setLevel(logging.ERROR)
    now = [10.0]
    days: dict[str, dict[str, Any]] = {
        "fair": {},
        "throttled": {"throttled": 1},
        "throttled in part": {"throttled": 0.5, "seed": 4},
        "one API": {"throttled_apis": {"ec2:RunInstances": 1, "ebs:PUT": 1, "s3:PUT": 1}},
        "all but one API": {"throttled": 1, "throttled_apis": {"ec2:RunInstances": 0}},
        "unavailable": {"unavailable": 1},
        "answers lost": {"answers_lost": 1},
        "ids late": {"ids_late": 1, "ids_late_seconds": 2},
        "expired at once": {"credentials_expire_after": 1, "credentials_renewed_after": 2},
        "expired later": {"credentials_expire_after": 3, "credentials_renewed_after": 1},
        "redirects": {"redirect_seconds": 5},
    }
    instance = RUN.format("i-1a", "i-2b")
    for name, given in days.items():
        told.note(f"--- {name}")
        day = Forecast(Conditions(**given), lambda: now[0])
        gate = Gate(day)
        apps: dict[str, Any] = {}
        for service in ("ec2", "s3", "ebs", "iam", "ssm"):

            def app(_: Any, start: Any, service: str = service) -> list[bytes]:
                told.note(f"    {service} is asked")
                headers = [("Content-Type", "text/xml"), ("CONTENT-length", "3"), ("X", "1")]
                start("200 OK", headers, None)
                return [instance[:9].encode(), instance[9:].encode()]

            apps[service] = gate.wrap(service, app)

        def ask(what: str, service: str, asked: dict[str, Any], apps: Any = apps) -> None:
            told.note(what)
            try:
                body = b"".join(apps[service](asked, Answers(told)))
                told.note(f"    {body.decode()}")
            except AnswerLost as error:
                told.note(f"    lost {error}")

        socket = {"werkzeug.socket": Connection(told)}
        broken = {"werkzeug.socket": Connection(told, OSError)}
        run = b"Action=RunInstances"
        ask("run", "ec2", environ(body=run) | socket)
        ask("run without a socket", "ec2", environ(body=run))
        ask("describe", "ec2", environ(body=b"Action=DescribeInstances&Id.1=i-1a") | broken)
        for service in ("s3", "ebs"):
            ask(f"PUT to {service}", service, environ("/bucket", method="PUT") | socket)
        ask("iam", "iam", environ(body=b"Action=GetUser") | socket)
        ask("ssm", "ssm", environ(target="AmazonSSM.GetParameter") | socket)
        for uri, host in (
            *(("/bucket/key?x=1", "s3.amazonaws.com"), ("/bucket/", "s3.amazonaws.com:80")),
            *(("/key", "bucket.s3.amazonaws.com"), ("/other/key", "s3.amazonaws.com")),
            *(("/bucket/key", "s3.eu-west-1.amazonaws.com"), ("/bucket", "localhost")),
            ("/a", "xs3.amazonaws.com"),
        ):
            for step in (0.0, 4.9, 0.2):
                now[0] += step
                ask(f"GET {uri} of {host}", "s3", environ(uri, method="GET", host=host) | socket)
                if name != "redirects":
                    break
            now[0] -= 5.1 if name == "redirects" else 0
        for uri in ("/", "/a/b", "/second/", "/second", "/third?x"):
            ask(f"PUT {uri}", "s3", environ(uri, method="PUT", region="sa-east-1") | socket)
        kept = {bucket: (f"{at:.1f}", region) for bucket, (at, region) in gate._buckets.items()}
        told.note(f"    {kept} {dict(day.happened)}")
    compare(HERE / "gate.txt", told.text)
