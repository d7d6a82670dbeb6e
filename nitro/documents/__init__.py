"""The JSON that commands print with `--json`, one type for each document.

docs/schemas/ has a JSON Schema of each, made from these types by `tools/schemas.py`. A key is
never renamed or taken away without a new version; a new key may come at any time.
"""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

from nitro.documents import bench, images, releases
from nitro.documents.metrics import MetricDocument

RESULT_SCHEMA: Literal["nitro.result/1"] = "nitro.result/1"


class HostDocument(TypedDict):
    """The machine that ran nitro."""

    system: str
    """Operating system and its release."""
    architecture: str
    processor: str | None
    """The processor's model; null where the system does not tell it."""
    processors: int


class ConditionsDocument(TypedDict):
    """What a measurement was taken under. "unknown": the guest did not say."""

    nitro: str
    """nitro's version."""
    revision: str | None
    """The commit of nitro's source tree, with `-dirty` if it was changed; null when installed."""
    cloud: Literal["aws", "local"]
    region: str
    instance: str
    """The instance's id."""
    instance_type: str
    accelerator: str
    """`nitro` on AWS; `kvm` or `tcg` on the local Nitro."""
    kernel: str
    """The guest's kernel release."""
    nic: str
    """The guest's network card: `ena` or `virtio-net`."""
    driver: str
    """Whose driver the card had."""
    driver_version: str | None
    measured_from: str
    """`instance`: a second instance. `host`: the machine that ran nitro."""
    host: HostDocument


class ResultDocument(TypedDict):
    """One run of one tool: what is stored as a record."""

    schema: Literal["nitro.result/1"]
    tool: str
    name: str
    """The run's name, unique in its plan."""
    ok: bool
    error: str | None
    """Why it failed; null when it did not."""
    metrics: dict[str, MetricDocument]
    """Empty when the run failed."""
    command: str
    """What was run; empty for `boot`."""
    version: str | None
    """The tool's version, where it tells it."""
    started: str
    """When the run began, UTC, ISO 8601, by the clock of the machine that ran the tool."""
    seconds: float
    """How long the run took, with everything around the measurement."""
    conditions: ConditionsDocument | None
    raw: str
    """What the tool printed."""


class BuiltImageDocument(TypedDict):
    """A deployment's image."""

    digest: str
    """`sha256:` and the hexadecimal digest of the raw disk."""
    path: str
    size_bytes: int
    build_seconds: float


class SnapshotDocument(TypedDict):
    """A deployment's snapshot."""

    id: str
    via: str
    """The way in which the disk became a snapshot; `unknown` for an AMI that was there already."""
    bytes_uploaded: int
    """0 when the snapshot was there already."""


class AmiDocument(TypedDict):
    """A deployment's AMI."""

    id: str
    name: str
    region: str


class InstanceDocument(TypedDict):
    """A deployment's instance as it was while it ran. Addresses are empty where it has none."""

    id: str
    type: str
    nic: str
    """The guest's network card: `ena` or `virtio-net`."""
    driver: str
    """Whose driver the card had."""
    fallback: str | None
    """Why the kernel's driver took over from the nitro driver; null when it did not."""
    accelerator: str
    public_ip: str
    private_ip: str


class SpanDocument(TypedDict):
    """A stage of the work and how long it took."""

    stage: str
    seconds: float


class ProgramDocument(TypedDict):
    """How a program ended that was meant to."""

    status: int
    seconds: float | None
    """How long it ran; null where the console no longer tells when it started."""
    output: str
    """What it wrote: the last 64 KiB of the console, without the guest's own lines."""


class _DeploymentDocument(TypedDict):
    """What deployments have in common."""

    deployment: str
    """The deployment's id, which all its resources carry as a tag."""
    snapshot: SnapshotDocument
    ami: AmiDocument
    instance: InstanceDocument
    timeline: list[SpanDocument]
    probes: list[ResultDocument]
    program: ProgramDocument | None
    """Null unless the recipe says `service = false`."""
    leftovers: list[str]
    """What the deployment was told to keep, in words, with its cost."""
    not_removed: list[str]
    """What should be gone and could not be removed; then the exit code is 1."""


class DeployDocument(_DeploymentDocument):
    """`nitro deploy --json`."""

    image: BuiltImageDocument


class LaunchDocument(_DeploymentDocument):
    """`nitro launch --json`."""

    image: BuiltImageDocument | None
    """Null when an AMI was launched that was there already."""


class PlanDocument(TypedDict):
    """`nitro deploy --dry-run --json`."""

    calls: list[str]
    """The calls that would change something, in order."""
    leftovers: list[str]


class ConsoleDocument(TypedDict):
    """`nitro console --json`."""

    instance: str
    milestones: list[dict[str, Any]]
    """The guest's JSON lines: `nitro` is the milestone, `uptime` in seconds, the rest its own."""
    output: str


class TracedCallDocument(TypedDict):
    """All calls of one name that a traced program made and that have ended."""

    call: str
    count: int
    errors: int
    seconds: float | None
    """On Linux how long they took together; on OSv the most that they can have taken. Null where
    the console does not tell."""


class StraceDocument(TypedDict):
    """`nitro strace --json`."""

    instance: str
    calls: list[TracedCallDocument]
    """What took longest first."""


class ResourceDocument(TypedDict):
    """One resource of `nitro ls --json` and `nitro destroy --json`."""

    kind: str
    id: str
    name: str
    state: str
    deployment: str | None
    digest: str | None
    created: str | None
    """UTC, ISO 8601."""
    expires: str | None
    type: str | None
    """Of an instance, as the following two."""
    address: str | None
    """The public one, or the private one where it has none."""
    ports: list[int | str]
    """Numbers for TCP, `udp:53` for UDP."""


class GarbageItemDocument(TypedDict):
    """One resource that can go."""

    kind: str
    id: str
    name: str
    reason: str
    removed: bool
    """False with `--plan`, and when it could not be removed."""


class KeptDocument(TypedDict):
    """An AMI or a snapshot that stays because something names it."""

    id: str
    users: list[str]


class GarbageDocument(TypedDict):
    """One region of `nitro gc --json`."""

    region: str
    garbage: list[GarbageItemDocument]
    kept: list[KeptDocument]
    error: str | None
    """Why the region could not be looked through or cleared; null when it was."""


class CacheKindDocument(TypedDict):
    """One kind of things in the cache, of `nitro cache ls --json`."""

    kind: str
    """`images`, `trees` (unpacked packages), `debs` and others."""
    entries: int
    size_bytes: int
    """The room that they take on the disk."""
    used: str
    """When one of them was last used, to within ten minutes; UTC, ISO 8601."""


class PrunedDocument(TypedDict):
    """`nitro cache prune --json`."""

    removed: bool
    """False with `--plan`."""
    size_bytes: int
    kinds: list[CacheKindDocument]
    """What was or would be removed."""


class CheckDocument(TypedDict):
    """One check of `nitro doctor --json`."""

    name: str
    ok: bool
    detail: str
    remedy: str
    """What to do; empty when all is well."""


class SelftestCheckDocument(TypedDict):
    """One check of `nitro selftest`."""

    name: str
    expected: str
    outcome: Literal["ok", "failed", "not run"]
    came: str
    """What came, or why it failed or was not run; without account numbers."""
    seconds: float
    usd: float
    """What it cost, at most, at the list prices of us-east-1."""
    remedy: str
    """What to do about it; "" if nothing is known or needed."""


class SelftestDocument(TypedDict):
    """`nitro selftest`: the report to send."""

    schema: Literal["nitro.selftest/1"]
    nitro: str
    """nitro's version."""
    cloud: Literal["aws", "local"]
    region: str
    instance_type: str
    ok: bool
    usd: float
    budget_usd: float
    checks: list[SelftestCheckDocument]


class LocalStatusDocument(TypedDict):
    """`nitro local status --json` and `nitro local up --json`."""

    running: bool
    pid: int | None
    endpoint: str | None
    region: str | None
    folder: str


# What each command prints, by the name of its schema.
DOCUMENTS: dict[str, Any] = {
    "bench-check": list[bench.VerdictDocument],
    "bench-compare": list[bench.ComparisonDocument],
    "bench-triage": list[bench.ChangedConditionDocument],
    "bench-run": bench.NightDocument,
    "bench-submit": bench.SubmissionDocument,
    "bench-history": list[bench.HistoryDocument],
    "build": images.BuildDocument,
    "cache-ls": list[CacheKindDocument],
    "cache-prune": PrunedDocument,
    "console": ConsoleDocument,
    "deploy": DeployDocument,
    "destroy": list[ResourceDocument],
    "device-explain": list[str],
    "doctor": list[CheckDocument],
    "dry-run": PlanDocument,
    "gc": list[GarbageDocument],
    "inspect": images.InspectDocument,
    "kernel": images.KernelDocument,
    "kernel-index": images.KernelIndexDocument,
    "kernel-ls": list[images.KernelDocument],
    "launch": LaunchDocument,
    "local-status": LocalStatusDocument,
    "ls": list[ResourceDocument],
    "probe": list[ResultDocument],
    "publish": releases.PublishDocument,
    "publish-plan": releases.PublishPlanDocument,
    "release": releases.ReleaseDocument,
    "result": ResultDocument,
    "rollback": list[releases.FlipDocument],
    "strace": StraceDocument,
    "verify": list[releases.VerifiedRegionDocument],
    "selftest": SelftestDocument,
}
