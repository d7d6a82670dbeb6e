"""The columns of the record: what Parquet, DuckDB and Athena call each field of a sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from nitro.bench.sample import Sample
from nitro.bench.store import s3_place

SCHEMA_VERSION = "nitro.sample/1"


@dataclass(frozen=True)
class Column:
    """A column: its type, and what is in it, for docs/benchmarking.md and Athena's comments."""

    name: str
    type: pa.DataType
    meaning: str


_TEXT, _COUNT, _NUMBER = pa.string(), pa.int64(), pa.float64()
METRIC = pa.struct({"name": _TEXT, "value": _NUMBER, "unit": _TEXT, "better": _TEXT})
ALLOWANCE = pa.struct({"where": _TEXT, "counter": _TEXT, "count": _COUNT})

#: In the names of folders, not in the files.
PARTITIONS = (
    Column("night", pa.date32(), "the UTC date that the night is keyed by"),
    Column("plan", _TEXT, "the plan's name"),
)
COLUMNS = (
    Column("id", _TEXT, "follows from plan, night, cell and repetition: 32 hexadecimal digits"),
    Column("cell", _TEXT, "the cell in words, the same from night to night"),
    Column("repetition", _COUNT, "from 0"),
    Column("position", _COUNT, "place in the night's shuffled order, from 0"),
    Column("phase", _TEXT, "warm-up or steady"),
    Column("started", pa.timestamp("ms", "UTC"), "when the tool began"),
    Column("seconds", _NUMBER, "how long the run took with everything around the measurement"),
    Column("error", _TEXT, "why the run failed; null when it did not"),
    Column("metrics", pa.list_(METRIC), "empty when the run failed"),
    Column("limited", pa.bool_(), "whether an allowance was exceeded during the run"),
    Column("allowances", pa.list_(ALLOWANCE), "by how much each allowance counter grew"),
    Column("image", _TEXT, "recipe, or the plan's name of an AMI"),
    Column("driver", _TEXT, "the driver that the plan asks for; own: the one that an AMI brings"),
    Column("instance_type", _TEXT, "of client and server"),
    Column("region", _TEXT, "where they ran"),
    Column("protocol", _TEXT, "the tool and its test"),
    Column("direction", _TEXT, "in or out of the server; null where requests are answered"),
    Column("streams", _COUNT, "connections at a time"),
    Column("message_bytes", _COUNT, "null: the tool's default"),
    Column("rate", _TEXT, "of each UDP stream"),
    Column("mtu", _COUNT, "of the client's card during the run; null: the network's"),
    Column("plan_digest", _TEXT, "SHA-256 of the plan"),
    Column(
        "digest",
        _TEXT,
        "SHA-256 of the server's disk image; of an AMI that nitro did not make, its id",
    ),
    Column("cloud", _TEXT, "aws or local"),
    Column("zone", _TEXT, "availability zone of the server"),
    Column("placement", _TEXT, "name of the placement group; cluster: one of the pair's own"),
    Column("market", _TEXT, "on-demand or spot"),
    Column("server", _TEXT, "instance id"),
    Column("client", _TEXT, "instance id"),
    Column("accelerator", _TEXT, "nitro on AWS; kvm or tcg on the local Nitro"),
    Column("kernel", _TEXT, "the server's kernel release"),
    Column("nic", _TEXT, "the server's network card"),
    Column("loaded_driver", _TEXT, "whose driver the card had in fact"),
    Column("driver_version", _TEXT, "null for nitro's own, which revision identifies"),
    Column("nitro", _TEXT, "nitro's version"),
    Column("revision", _TEXT, "the commit of nitro's source tree"),
    Column("host", _TEXT, "processor of the machine that ran nitro"),
    Column("baseline_bits", _NUMBER, "bit/s that the instance type sustains, as EC2 says"),
    Column("peak_bits", _NUMBER, "bit/s that the instance type reaches in bursts, as EC2 says"),
    Column("tool", _TEXT, "the measuring tool"),
    Column("version", _TEXT, "its version, where it tells it"),
    Column("command", _TEXT, "what was run"),
    Column("raw", _TEXT, "what the tool printed"),
)

FILE_SCHEMA = pa.schema(
    [pa.field(c.name, c.type) for c in COLUMNS], metadata={"schema": SCHEMA_VERSION}
)
PARTITION_SCHEMA = pa.schema([pa.field(c.name, c.type) for c in PARTITIONS])
SCHEMA = pa.schema([*FILE_SCHEMA, *PARTITION_SCHEMA])


def table(samples: Iterable[Sample]) -> pa.Table:
    """Samples of one plan and night, sorted, each once."""
    rows = {sample.id: _row(sample) for sample in samples}
    return pa.Table.from_pylist([rows[id_] for id_ in sorted(rows)], schema=FILE_SCHEMA)


def _row(sample: Sample) -> Mapping[str, Any]:
    machine, test, circumstances = sample.cell.machine, sample.cell.test, sample.circumstances
    values: dict[str, Any] = {"loaded_driver": circumstances.driver}
    # A later source wins: the driver of the plan, not the one that was loaded.
    for source in (circumstances, test, machine, sample):
        values |= {name: getattr(source, name) for name in _NAMES if hasattr(source, name)}
    return values | {
        "cell": sample.cell.key,
        "metrics": [
            {"name": name, "value": m.value, "unit": m.unit, "better": m.better}
            for name, m in sample.metrics.items()
        ],
        "allowances": [
            {"where": a.where, "counter": a.counter, "count": a.count} for a in sample.allowances
        ],
    }


_NAMES = tuple(column.name for column in COLUMNS)


def athena(location: str) -> str:
    """The statement that makes a table of the record at `location` (s3://…) in Athena and Glue.

    Raises InputError for what is no such place.
    """
    bucket, prefix = s3_place(location)
    folder = _quoted("/".join(part for part in (bucket, prefix, "samples") if part))
    columns = ",\n".join(
        f"  `{c.name}` {_hive(c.type)} COMMENT '{_quoted(c.meaning)}'" for c in COLUMNS
    )
    partitions = ", ".join(f"`{c.name}` {_hive(c.type)}" for c in PARTITIONS)
    properties = {
        "projection.enabled": "true",
        "projection.night.type": "date",
        "projection.night.format": "yyyy-MM-dd",
        "projection.night.range": "2026-01-01,NOW",
        "projection.plan.type": "injected",
    }
    listed = ",\n".join(f"  '{key}' = '{value}'" for key, value in properties.items())
    return (
        f"CREATE EXTERNAL TABLE nitro_samples (\n{columns}\n)\n"
        f"PARTITIONED BY ({partitions})\n"
        f"STORED AS PARQUET\nLOCATION 's3://{folder}/'\n"
        f"TBLPROPERTIES (\n{listed}\n)"
    )


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _hive(kind: pa.DataType) -> str:
    """A type in the words of Hive, which Athena and Glue use."""
    if pa.types.is_list(kind):
        return f"array<{_hive(kind.value_type)}>"
    if pa.types.is_struct(kind):
        return f"struct<{','.join(f'{f.name}:{_hive(f.type)}' for f in kind)}>"
    if pa.types.is_timestamp(kind):
        return "timestamp"
    names = {pa.string(): "string", pa.int64(): "bigint", pa.float64(): "double"}
    return names.get(kind) or {pa.bool_(): "boolean", pa.date32(): "date"}[kind]
