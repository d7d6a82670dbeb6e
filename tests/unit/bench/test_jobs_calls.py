"""What a submitted night asks of AWS Batch, call by call."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.bench import submit
from nitro.bench.images import CLIENT, Image
from nitro.bench.plan import OWN
from nitro.bench.record import Record
from nitro.bench.store import FolderStore
from nitro.cloud import ApiError, teardown
from tests.heard import Heard
from tests.said import told
from tests.transcripts import compare
from tests.unit.bench.calls import KIND, NIGHT, REGION, cloud_of, new_log, plan

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"


def test_jobs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = ""
    submitted = ApiError("no", hint=None, code="ClientException")
    cases: tuple[tuple[str, dict[str, Any]], ...] = (
        ("new", {}),
        ("one part", {"quota": [4]}),
        ("no quota is known", {"quota": [None]}),
        ("more vCPUs", {"quota": [9], "market": "spot"}),
        ("the array runs", {"running": {"nitro-p-2026-11-26": "RUNNABLE"}}),
        ("the check runs", {"running": {"nitro-p-2026-11-26-check": "PENDING"}}),
        (
            "both run",
            {"running": {"nitro-p-2026-11-26": "RUNNING", "nitro-p-2026-11-26-check": "STARTING"}},
        ),
        ("they have ended", {"running": {"nitro-p-2026-11-26": "SUCCEEDED"}}),
        ("another's", {"running": {"nitro-p-2026-11-2": "RUNNING"}}),
        ("the check is refused", {"refused": 2}),
        ("the array is refused", {"refused": 1}),
        (
            "the check is refused beside a job",
            {"refused": 1, "running": {"nitro-p-2026-11-26": "RUNNING"}},
        ),
        ("no queue", {"queues": []}),
        ("a queue that is off", {"queues": [{"state": "DISABLED"}]}),
        ("no definition", {"revisions": []}),
        ("a revision", {"definition": "nitro:7"}),
        ("a revision by its ARN", {"definition": "arn:aws:batch:r:1:job-definition/nitro:3"}),
        ("another revision", {"definition": "nitro:9"}),
        ("notices", {"notices": ["--sns", "arn"], "subnet": "s", "bucket": "b"}),
    )
    for number, (what, how) in enumerate(cases):
        with monkeypatch.context() as patch:
            record = Record(FolderStore(tmp_path / str(number)))
            text += f"---- {what}\n{_submitted(patch, record, submitted, **how)}"
    compare(HERE / "calls-jobs.txt", text.replace(str(tmp_path), "<folder>"))


def _submitted(patch: pytest.MonkeyPatch, record: Record, error: Exception, **how: Any) -> str:
    log = new_log()
    numbers = itertools.count(1)

    def job(**_: Any) -> Any:
        number = next(numbers)
        return error if number == how.get("refused") else {"jobId": f"job-{number}"}

    def pages(name: str) -> Any:
        def paginate(**options: Any) -> Any:
            log.lines.append(f"{name} {options}")
            if name == "list_jobs":
                running = how.get("running", {})
                found = [
                    {"jobName": n, "status": s, "jobId": f"id of {n}"} for n, s in running.items()
                ]
                return [
                    {"jobSummaryList": []},
                    {"jobSummaryList": [{"jobName": "x", "jobId": "x"}, *found]},
                ]
            revisions = how.get("revisions", [3, 7])
            return [{"jobDefinitions": [{"revision": each}]} for each in revisions]

        return SimpleNamespace(paginate=paginate)

    batch = SimpleNamespace(
        submit_job=log.of("submit_job", job),
        terminate_job=log.of("terminate_job"),
        describe_job_queues=log.of(
            "queues", {"jobQueues": how.get("queues", [{"state": "ENABLED"}])}
        ),
        get_paginator=pages,
    )
    one = plan(**({"market": how["market"]} if "market" in how else {}))
    images_ = {CLIENT: Image("ami-1", "sha256:1"), ("bench", "nitro"): Image("ami-2", "sha256:2")}
    cloud = cloud_of(batch=batch)
    site = SimpleNamespace(
        title="site",
        cloud=cloud,
        types={"c5.large": KIND},
        check=log.of("site.check"),
        published=log.of("site.published", images_),
    )
    patch.setattr(submit, "sites_of", log.of("sites_of", [site, site]))
    quotas = iter([None, *how.get("quota", [100])])
    vcpu_quota = log.of("vcpu_quota", lambda *_: next(quotas))
    patch.setattr("nitro.bench.submit.preflight.vcpu_quota", vcpu_quota)
    real = teardown.Undo

    def undo(*args: Any, **more: Any) -> Any:
        log.of("Undo")(*args, **more)
        return real(*args, **more)

    patch.setattr(submit, "Undo", undo)
    heard = Heard()
    done = told(
        submit.submit,
        *(cloud, one, record),
        place="s3://bucket/x",
        queue="q",
        definition=how.get("definition", "nitro"),
        builder=SimpleNamespace(title="builder"),
        report=heard,
        night=NIGHT,
        **{key: how[key] for key in ("subnet", "bucket", "notices") if key in how},
    )
    text = f"{done}\n{log.take()}  {[*heard.stages]}\n"
    return text + "".join(
        f"  {path.relative_to(record.store.root)}\n"
        for path in sorted(Path(record.store.root).rglob("*.json"))
    )


def test_parts_of_a_night() -> None:
    text = ""
    for machines, at_once, quota in itertools.product(
        (1, 2, 9), (1, 2, 9), (None, 0, 3, 4, 7, 8, 99)
    ):
        one = plan(matrix={"types": [f"t{n}" for n in range(machines)]}, pairs_at_once=at_once)
        kinds = [KIND, replace(KIND, vcpus=1)]
        text += f"{machines} {at_once} {quota}: {submit.count_parts(one, REGION, kinds, quota)}\n"
    wide = {"types": [f"t{n}" for n in range(101)], "images": [f"i{n}" for n in range(100)]}
    one = plan(matrix=wide, pairs_at_once=10_000)
    text += f"{submit.count_parts(one, REGION, [KIND], None)} of many; own {OWN}\n"
    done = submit.Submission("p", NIGHT, 1, 2)
    text += f"{done.to_json()} {replace(done, job='j', last='l', new=True).to_json()}\n"
    compare(HERE / "calls-parts.txt", text)
