"""What a client's launch is handed, and what comes of the client's console."""

from __future__ import annotations

from typing import Any

import pytest

from nitro import client
from nitro.cloud import Cloud, results
from nitro.cloud.storage import Bucket
from nitro.probe.plan import build
from nitro.probe.tools.http import Http
from nitro.probe.tools.iperf3 import Iperf3
from tests.cloud.answers import ACCOUNT, Answering
from tests.cloud.handed import Handed
from tests.cloud.test_handed_on import PLACE, SERVER, SMALL
from tests.unit.probe.test_archive import archive as packed
from tests.unit.probe.test_console_result import block_of

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="nothing is called"),
]


def test_clients(aws: Answering, handed: Handed) -> None:
    upload = results.ResultUpload(Bucket("mine", ACCOUNT), "key", "https://x", "Y2E=")
    handed.stand_in("nitro.cloud.results.prepare", upload)
    handed.stand_in("nitro.client.launch", SERVER)
    small, large = build([Http()], "10.0.0.7"), build([Iperf3()] * 9, "10.0.0.7")

    def run(cloud: Cloud, plan: Any, options: dict[str, Any]) -> object:
        with (
            aws.undo(cloud) as outer,
            client.launched_client(
                cloud, outer, "ami-2", SMALL, PLACE, plan, **({"report": aws.report} | options)
            ) as running,
        ):
            return running.instance_id, running.upload, running.plan is plan

    aws.case("small", run, {}, small, {})
    aws.case("small, with a bucket", run, {}, small, {"bucket": "mine"})
    aws.case("large", run, {}, large, {})
    aws.case("large, with a bucket", run, {}, large, {"bucket": "mine", "report": None})
    files = {"http.out": b"x", "http.times": b"1700000000 1.0 4.1\n"}
    data = packed(files)

    def wait(cloud: Cloud, texts: list[str], listen: bool) -> object:
        def waited(_: Cloud, __: str, read: Any, *___: Any, **____: Any) -> bytes:
            found = [read(text) for text in texts]
            aws.note(f"read {[each and each == data for each in found]}")
            return data

        handed.stand_in("nitro.cloud.results.wait_result", waited)
        told: list[object] = []
        one = client.Client(cloud, "i-2", upload, small, aws.report)
        step = (lambda number, result: told.append((number, result.name))) if listen else None
        return [result.name for result in one.results(step)], told

    whole = block_of(data)
    error = "NITRO-RESULT-ERROR tar: no space\nleft\n"
    for title, texts in {
        "whole": [whole],
        "nothing, then whole": ["boot", whole],
        "an error": [error],
    }.items():
        for listen in (False, True):
            aws.case(f"{title}, {listen}", wait, {}, texts, listen)
    aws.compare("handed-client")
