"""The record: samples in Parquet files, added and never changed, queried where they lie.

    ROOT/samples/night=2026-11-26/plan=NAME/ID.parquet

Each call of `append` writes one file, whose name follows from what is in it: a crash loses at
most what was not written yet, two writers never touch each other's files, and a sample that is
written again is the same file again. `compact` joins a finished night's files into one; whatever
is in two files for a moment is read once, by its id.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, TypeVar

import duckdb
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import ArrowException, Table, fs

from nitro.bench.columns import FILE_SCHEMA, PARTITION_SCHEMA, SCHEMA, table
from nitro.bench.sample import Sample
from nitro.bench.store import Store
from nitro.errors import InputError, NitroError

T = TypeVar("T")
Parameters = Sequence[Any] | Mapping[str, Any]  # for ? and for $name

_SAMPLES = "samples"
_MEMORY = "600MB"  # of DuckDB; beyond it works on disk
_PARTITIONING = ds.partitioning(PARTITION_SCHEMA, flavor="hive")

# Of runs that two processes made of one measurement: one that succeeded, and of those the first.
_FIRST = "SELECT DISTINCT ON (id) * FROM parts ORDER BY id, error IS NOT NULL, started"

# What is wrong with a query itself, whatever the files are.
_MISTAKES = (
    *(duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException),
    duckdb.OutOfMemoryException,
)
_TOO_MUCH = "ask for fewer columns (raw is the largest) or nights"
_VIEWS = "the views are samples and metrics; `nitro bench schema` lists their columns"

# One row for each number. What has no metric, a failed run, is in `samples` only, and so is what no
# number is: DuckDB takes NaN for the greatest of all.
_METRICS = """
CREATE VIEW metrics AS
SELECT * EXCLUDE (metrics, m, raw),
       m.name AS metric, m.value AS value, m.unit AS unit, m.better AS better
FROM (SELECT *, unnest(metrics) AS m FROM samples)
WHERE isfinite(m.value)
"""


@dataclass(frozen=True)
class Record:
    """The samples that lie in a store."""

    store: Store

    def append(self, samples: Iterable[Sample]) -> int:
        """Add samples; one file for each plan and night. Returns how many files were written."""
        parts: dict[tuple[date, str], list[Sample]] = {}
        for sample in samples:
            parts.setdefault((sample.night, sample.plan), []).append(sample)
        for (night, plan), part in parts.items():
            self._write(night, plan, table(part))
        return len(parts)

    def ids(self, plan: str, night: date) -> set[str]:
        """The samples that a night has."""
        found = self._reading(lambda: self._read(plan, night, ["id"])[1])
        return set(found.column("id").to_pylist())

    def compact(self, plan: str, night: date) -> None:
        """Join the night's files into one. Others may write, read and compact meanwhile.

        A file is removed only when all that is in it has been written to another one.
        """
        files, rows = self._reading(lambda: self._read(plan, night, FILE_SCHEMA.names))
        if len(files) < 2:
            return
        kept = self._write(night, plan, _each_once(rows))
        for path in files:
            name = path.removeprefix(f"{self.store.root}/")
            if name != kept:
                self.store.remove(name)

    def plans(self) -> list[str]:
        """The names of all plans that the record has samples of."""
        marked = (part for path in self._files() for part in path.split("/"))
        return sorted({part[5:] for part in marked if part.startswith("plan=")})

    def query(self, sql: str, parameters: Parameters = (), *, plan: str | None = None) -> Table:
        """The answer to a query of the views `samples`, one row each, and `metrics`, one row a
        number; of one plan or of all.

        Raises InputError for SQL that cannot be run, without samples, and for a damaged file.
        """
        return self._reading(lambda: self._query(sql, parameters, plan))

    def _query(self, sql: str, parameters: Parameters, plan: str | None) -> Table:
        with self._connect(plan) as database:
            kinds = [one.type for one in duckdb.extract_statements(sql)]
            if kinds != [duckdb.StatementType.SELECT]:
                raise InputError("the query is not one SELECT", hint="the record is only read")
            return database.sql(sql, params=parameters).to_arrow_table()

    def _connect(self, plan: str | None) -> duckdb.DuckDBPyConnection:
        """A database that reads the record's files only, and writes nothing."""
        files = self._files(plan)
        if not files:
            of = f" of the plan {plan}" if plan else ""
            raise InputError(
                f"the record at {self.store.scheme}{self.store.root} has no samples{of}",
                hint="`nitro bench run` adds some; --record names another record",
            )
        database = duckdb.connect(":memory:", config={"memory_limit": _MEMORY})
        database.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
        # A file has each sample once; only where a night has several may they repeat each other.
        whole, parts = _by_partition(files)
        # Columns that all files are older than.
        database.register("none", SCHEMA.empty_table())
        selects = ["SELECT * FROM none"]
        if whole:
            self._register(database, "whole", whole)
            selects.append("SELECT * FROM whole")
        if parts:
            self._register(database, "parts", parts)
            selects.append(f"({_FIRST})")
        database.execute(f"CREATE VIEW samples AS {' UNION ALL BY NAME '.join(selects)}")
        database.execute(_METRICS)
        database.execute(f"SET allowed_paths = {_listed(files)}")
        database.execute("SET enable_external_access = false; SET lock_configuration = true")
        return database

    def _register(
        self, database: duckdb.DuckDBPyConnection, name: str, files: Sequence[str]
    ) -> None:
        """Make files known under a name: to DuckDB's own reader where they are on this machine."""
        if not isinstance(self.store.filesystem, fs.LocalFileSystem):
            database.register(name, self._dataset(files))
            return
        # Together, files of an older version would take twice as long to read.
        older = [path for path in files if not _has_all_columns(path)]
        selects = [
            f"SELECT * FROM read_parquet({_listed(part)}, union_by_name = {part is older}, "
            "hive_partitioning = true, hive_types = {'night': DATE, 'plan': VARCHAR})"
            for part in (sorted(set(files) - set(older)), older)
            if part
        ]
        database.execute(f"CREATE VIEW {name} AS {' UNION ALL BY NAME '.join(selects)}")

    def _reading(self, read: Callable[[], T]) -> T:
        """What `read` returns, read again when a file went while it read: it was compacted."""
        while True:
            before = self._files()
            try:
                return read()
            except (OSError, ArrowException, duckdb.Error) as error:
                if self._files() != before:
                    continue
                if not isinstance(error, _MISTAKES):
                    self._check_files(before)
                what = _one_line(error)
                if isinstance(error, duckdb.OutOfMemoryException):
                    raise InputError("the query needs too much memory", hint=_TOO_MUCH) from None
                if isinstance(error, duckdb.CatalogException):
                    raise InputError(f"the query failed: {what}", hint=_VIEWS) from None
                if isinstance(error, duckdb.Error):
                    raise InputError(f"the query failed: {what}") from None
                raise NitroError(f"the record cannot be read: {what}") from None

    def _check_files(self, files: Sequence[str]) -> None:
        """Raises InputError for the first file that is no whole Parquet file."""
        for path in files:
            try:
                with self.store.filesystem.open_input_file(path) as file:
                    for _ in pq.ParquetFile(file).iter_batches():
                        pass
            except (OSError, ArrowException) as error:
                raise InputError(
                    f"{self.store.scheme}{path} is damaged: {_one_line(error)}",
                    hint="move it out of the record; its runs are lost, the others are not",
                ) from None

    def _read(self, plan: str, night: date, columns: Sequence[str]) -> tuple[list[str], Table]:
        files = self._files(plan, night)
        if not files:
            return [], FILE_SCHEMA.empty_table().select(columns)
        return files, self._dataset(files).to_table(columns=list(columns))

    def _write(self, night: date, plan: str, rows: Table) -> str:
        """Write one file of a plan's night; returns its path in the store."""
        ids = rows.column("id").to_pylist()
        name = ids[0] if len(ids) == 1 else hashlib.sha256("\n".join(ids).encode()).hexdigest()[:32]
        path = f"{_SAMPLES}/night={night.isoformat()}/plan={plan}/{name}.parquet"
        buffer = io.BytesIO()
        pq.write_table(rows, buffer, compression="zstd")
        self.store.write(path, buffer.getvalue())
        return path

    def _files(self, plan: str | None = None, night: date | None = None) -> list[str]:
        """The paths of all files, or of those of a plan, or of a plan's night; sorted."""
        folder = f"{self.store.root}/{_SAMPLES}"
        if night:
            folder += f"/night={night.isoformat()}/plan={plan}"
        selector = fs.FileSelector(folder, allow_not_found=True, recursive=True)
        try:
            infos = self.store.filesystem.get_file_info(selector)
        except OSError as error:
            raise NitroError(
                f"the record at {self.store.scheme}{self.store.root} cannot be read: {error}"
            ) from None
        return sorted(
            info.path
            for info in infos
            if info.is_file
            and info.extension == "parquet"
            and not info.base_name.startswith(".")
            and (plan is None or f"/plan={plan}/" in info.path)
        )

    def _dataset(self, files: Sequence[str]) -> ds.Dataset:
        return ds.dataset(
            list(files),
            schema=SCHEMA,
            format="parquet",
            filesystem=self.store.filesystem,
            partitioning=_PARTITIONING,
            partition_base_dir=f"{self.store.root}/{_SAMPLES}",
        )


@lru_cache(maxsize=100_000)
def _has_all_columns(path: str) -> bool:
    """Whether a file has what this version of nitro writes. Files never change."""
    try:
        return set(pq.read_schema(path).names) >= set(FILE_SCHEMA.names)
    except (OSError, ArrowException):
        return True  # whatever it is, DuckDB says so


def _each_once(rows: Table) -> Table:
    """What _FIRST selects, by ids."""
    keys = (rows.column(name).to_pylist() for name in ("id", "error", "started"))
    order = sorted(
        (id_, error is not None, started, index)
        for index, (id_, error, started) in enumerate(zip(*keys, strict=True))
    )
    unique = {id_: index for id_, *_, index in reversed(order)}
    return rows.take([unique[id_] for id_ in sorted(unique)])


def _by_partition(files: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files that are alone in their folder, and the others."""
    count = Counter(path.rpartition("/")[0] for path in files)
    whole = [path for path in files if count[path.rpartition("/")[0]] == 1]
    return whole, [path for path in files if count[path.rpartition("/")[0]] > 1]


def _one_line(error: Exception) -> str:
    """What an error says, without the lines of SQL that DuckDB shows below it."""
    said = str(error).strip().partition("\n\n")[0]
    if isinstance(error, duckdb.CatalogException):  # below it, names of ours that are near
        said = said.partition("\n")[0]
    return " ".join(said.split())


def _listed(files: Sequence[str]) -> str:
    """Paths as a list in SQL."""
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in files) + "]"
