"""S3 as a booted guest sees it: names and TLS as AWS's regions have them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from nitro import client, local
from nitro.cloud import Cloud, Keep, Undo, find_instance_type, launch, publish, results, storage
from nitro.cloud.launch import create_placement
from nitro.image.builder import build
from nitro.measure import client_recipe, disk_of
from nitro.probe import archive
from nitro.progress import Reporter
from tests.cloud.policed import granted

from .running import TIMEOUT, processes, wait

pytestmark = pytest.mark.boot

REGION, OTHER = "eu-west-1", "us-west-2"
ASK = "exec curl -sS -o /dev/null -w '%{http_code} %{ssl_verify_result} %{redirect_url}'"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[local.Endpoint]:
    state = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NITRO_STATE", str(state))
        yield local.up()
        local.down()
        wait(lambda: not processes(str(state)), TIMEOUT)


@dataclass(frozen=True)
class Answer:
    out: str
    err: str


@pytest.fixture(scope="module")
def answers(endpoint: local.Endpoint) -> dict[str, Answer]:
    """What a client's curl said, by the name of the step; the results came by S3 themselves."""
    report = Reporter()
    with granted("deploy"):
        connected = {
            region: Cloud.connect(
                region=region,
                endpoint_url=endpoint.url,
                guest_ca=endpoint.guest_ca,
                key=endpoint.key,
            )
            for region in (REGION, OTHER)
        }
    cloud, recipe = connected[REGION], client_recipe()
    kind = find_instance_type(cloud, "c5.large")
    with Undo(keep=Keep.NOTHING, report=report) as undo:
        disk = disk_of(recipe, build(recipe, report=report))
        ami_id = publish(cloud, disk, undo, report=report).ami_id
        upload = results.prepare(cloud, undo, deployment="d-1", name="r.tar.gz")
        assert upload.bucket.name.endswith(REGION)
        wrong = results.presign_put(connected[OTHER], upload.bucket, upload.key, timedelta(hours=1))
        host = str(urlsplit(upload.url).hostname)
        everywhere = host.replace(f".{REGION}", "")
        put = "--cacert ../ca.pem -T /usr/bin/curl"
        # The runner writes the authority's certificate when it sends: steps need it before.
        pem = "{ echo -----BEGIN CERTIFICATE-----; echo $NITRO_RESULT_CA | fold -w 64; "
        pem += "echo -----END CERTIFICATE-----; } > ../ca.pem"
        plan = "".join(
            f"{name} 60 {command}\n"
            for name, command in {
                "ca": pem,
                "unknown": f"{ASK} https://{host}/",
                "known": f"{ASK} --cacert ../ca.pem https://{host}/",
                "wrong": f"{ASK} {put} '{wrong}'",
                "global": f"{ASK} {put} '{upload.url.replace(host, everywhere)}'",
                "service": f"{ASK} https://ec2.{REGION}.amazonaws.com/",
                "large": "exec head -c 60000 /dev/urandom",
            }.items()
        )
        placement = create_placement(cloud, undo, deployment="d-1", ports=())
        instance = launch(
            cloud,
            ami_id,
            kind,
            placement,
            undo,
            name="client",
            environment=upload.environment,
            payload=plan,
            report=report,
        )
        sent = results.wait_result(
            cloud, instance.id, lambda _: None, upload, deadline=client.BOOT_WITHIN + 300
        )
        assert storage.ensure_bucket(cloud, undo).name == upload.bucket.name
    return {name: Answer(step.stdout, step.stderr) for name, step in archive.read(sent).items()}


def test_results_arrive_outside_the_first_region_under_the_name_of_its_s3(
    answers: dict[str, Answer],
) -> None:
    assert "large" in answers


def test_only_the_certificate_from_the_user_data_vouches_for_s3(
    answers: dict[str, Answer],
) -> None:
    assert answers["known"].out == "403 0 ", "no signature, but a certificate that holds"
    assert answers["unknown"].out.startswith("000 ")
    assert "certificate" in answers["unknown"].err


def test_a_bucket_of_another_region_is_pointed_to(answers: dict[str, Answer]) -> None:
    assert answers["wrong"].out == "301 0 "
    code, _, location = answers["global"].out.split()
    assert code == "307"
    assert f".s3.{REGION}.amazonaws.com/results/d-1/r.tar.gz?" in location


def test_other_services_have_no_name_here(answers: dict[str, Answer]) -> None:
    assert answers["service"].out.startswith("000 ")
    assert "resolve" in answers["service"].err
