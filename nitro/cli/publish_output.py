"""Prints plans, publications, verdicts and flips, as text or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nitro.cli.output import print_json, print_table, print_text

if TYPE_CHECKING:
    from nitro.documents.releases import (
        FlipDocument,
        PublishDocument,
        PublishPlanDocument,
        VerifiedRegionDocument,
    )
    from nitro.publish.parameters import Flip
    from nitro.publish.plan import PublishPlan
    from nitro.publish.publication import Publication
    from nitro.publish.verify import Verdict


def show_plan(plan: PublishPlan, *, as_json: bool) -> None:
    """What exists, what would change, and what that takes."""
    if as_json:
        print_json(_plan_document(plan))
        return
    release = plan.release
    print_text(f"{release.name}  {release.digest}\n")
    rows = []
    for region, state in plan.states.items():
        exists = state.error.what if state.error else state.ami.id if state.ami else "no AMI yet"
        texts = [step.text for step in plan.in_region(region)] or ["nothing to do"]
        rows += [(region, exists, texts[0]), *(("", "", text) for text in texts[1:])]
    print_table(("REGION", "EXISTS", "STEP"), rows)
    for image_id, users in plan.kept.items():
        print_text(f"\nkept: {image_id}, which {'; '.join(users)} names")
    calls = ", ".join(f"{name} × {count}" for name, count in plan.calls.items()) or "none"
    print_text(f"\ncalls that change something, at the most: {calls}")
    print_text(f"to send from here, at the most: {plan.bytes_sent / 1e6:.1f} MB")


def show(done: Publication, manifest: Path | None, *, as_json: bool) -> None:
    """What came of each region."""
    if as_json:
        print_json(_publication_document(done, manifest))
        return
    release = done.release
    print_text(f"{release.name}  {release.digest}\n")
    rows = []
    for outcome in done.outcomes:
        if outcome.error:
            rows.append((outcome.region, "failed", outcome.error.what))
        elif outcome.ami:
            how = "published" if outcome.changed else "unchanged"
            rows.append((outcome.region, outcome.ami.id, f"{outcome.ami.snapshot_id}  {how}"))
    print_table(("REGION", "AMI", "SNAPSHOT"), rows)
    if release.parameter:
        state = "is left as it was" if done.failed else "names the AMI in every region"
        print_text(f"\nthe parameter {release.parameter} {state}")
    if done.failed:
        print_text("run the same command again to go on")


def show_verdicts(verdicts: Sequence[Verdict], *, as_json: bool) -> None:
    if as_json:
        documents: list[VerifiedRegionDocument] = [
            {
                "region": verdict.region,
                "ok": not verdict.problems,
                "problems": list(verdict.problems),
                "blocks_read": verdict.blocks_read,
            }
            for verdict in verdicts
        ]
        print_json(documents)
        return
    for verdict in verdicts:
        mark = "BAD " if verdict.problems else "ok  "
        print_text(f"{mark} {verdict.region}: {verdict.blocks_read} blocks compared")
        for problem in verdict.problems:
            print_text(f"     {problem}")


def show_flips(flips: Sequence[Flip], *, as_json: bool) -> None:
    if as_json:
        documents: list[FlipDocument] = [
            {
                "region": flip.cloud.region,
                "parameter": flip.name,
                "before": flip.before,
                "after": flip.after,
            }
            for flip in flips
        ]
        print_json(documents)
        return
    rows = [(flip.cloud.region, flip.name, flip.before or "nothing", flip.after) for flip in flips]
    if rows:
        print_table(("REGION", "PARAMETER", "NAMED", "NAMES"), rows)
    else:
        print_text("nothing to do: the parameters name that release already")


def _plan_document(plan: PublishPlan) -> PublishPlanDocument:
    return {
        "name": plan.release.name,
        "digest": plan.release.digest,
        "exists": {
            region: state.ami.id if state.ami else None for region, state in plan.states.items()
        },
        "errors": {region: error.what for region, error in plan.errors.items()},
        "steps": [
            {
                "region": step.region,
                "step": step.text,
                "calls": dict(step.calls),
                "bytes": step.bytes_sent,
            }
            for step in plan.steps
        ],
        "calls": dict(plan.calls),
        "bytes": plan.bytes_sent,
        "kept": {image_id: list(users) for image_id, users in plan.kept.items()},
    }


def _publication_document(done: Publication, manifest: Path | None) -> PublishDocument:
    return {
        "name": done.release.name,
        "digest": done.release.digest,
        "parameter": done.release.parameter,
        "flipped": bool(done.release.parameter) and not done.failed,
        "bytes_planned": done.plan.bytes_sent,
        "regions": [
            {
                "region": outcome.region,
                "ami": outcome.ami.id if outcome.ami else None,
                "snapshot": outcome.ami.snapshot_id if outcome.ami else None,
                "changed": outcome.changed,
                "error": outcome.error.what if outcome.error else None,
            }
            for outcome in done.outcomes
        ],
        "manifest": str(manifest) if manifest else None,
    }
