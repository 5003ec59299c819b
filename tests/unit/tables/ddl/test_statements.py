"""The statements of `kafka2parquet ddl`, parsed by sqlglot, and run by DuckDB."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from sqlglot import exp

from kafka2parquet import build_task, load_connect_config
from kafka2parquet.bounded import drain
from kafka2parquet.cli.main import main
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.tables.ddl.layout import FolderColumn, TableLayout
from kafka2parquet.tables.ddl.projection import of_any_value
from kafka2parquet.tables.ddl.statements import ENGINES, statement
from kafka2parquet.testing import MemoryConsumer, MemoryKafka, MemoryRecord
from tests.support.sink_properties import json_sink

HOUR_MS = 3_600_000
BEGIN_MS = 1_779_012_000_000
HOURLY = {"partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner", "locale": "en", "timezone": "UTC"}
EVERY_TYPE = pa.schema(
    [
        ("flag", pa.bool_()),
        ("tiny", pa.int8()),
        ("count", pa.int64()),
        ("unsigned", pa.uint32()),
        ("ratio", pa.float32()),
        ("price", pa.decimal128(10, 2)),
        ("text of it's", pa.string()),
        ("raw", pa.binary()),
        ("day", pa.date32()),
        ("at", pa.timestamp("us", "UTC")),
        ("local", pa.timestamp("us")),
        ("tags", pa.list_(pa.string())),
        ("labels", pa.map_(pa.string(), pa.int64())),
        ("nested", pa.struct([("x", pa.int32()), ("inner", pa.struct([("y", pa.list_(pa.float64()))]))])),
    ]
)


class Sink:
    """A sink in memory Kafka that writes to a folder."""

    def __init__(self, folder: Path, **changes: str) -> None:
        self.path = folder / "sink.json"
        self.kafka = MemoryKafka()
        self.kafka.create_topic("events")
        settings = {"flush.size": "1000", "kafka2parquet.storage.url": str(folder / "files"), **changes}
        self.path.write_text(json.dumps(json_sink(settings)))

    def write(self, *values: bytes, step_ms: int = HOUR_MS) -> None:
        records = [MemoryRecord(value, timestamp_ms=BEGIN_MS + number * step_ms) for number, value in enumerate(values)]
        self.kafka.append("events", 0, records)
        consumer = MemoryConsumer(self.kafka, group_id="g", topics="events")
        drain(build_task(load_connect_config(self.path), WorkerConfig(), consumer=consumer))


def _printed(capsys: pytest.CaptureFixture[str], sink: Sink, engine: str, *arguments: str) -> str:
    assert 0 == main(["ddl", str(sink.path), "--for", engine, *arguments])
    return capsys.readouterr().out


def _layout(folder: str = "s3://bucket/topics/events", columns: pa.Schema = EVERY_TYPE) -> TableLayout:
    folders = [FolderColumn("year", pa.string(), {"type": "integer", "range": "2026,2036", "digits": "4"})]
    return TableLayout(folder, columns, folders, 1, f"{folder}/year=2026/events+0+0000000000.snappy.parquet")


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_sqlglot_parses_every_type(engine: str) -> None:
    """Each statement, with columns of all types, is a CREATE of the named table in the engine's dialect."""
    text = statement(engine, "raw.events", _layout())
    if engine == "bigquery":  # sqlglot doesn't know this clause of BigQuery's
        text = text.replace("\nWITH PARTITION COLUMNS (`year` STRING)", "")
    parsed = [found for found in sqlglot.parse(text, dialect=engine) if found is not None]
    created = [found for found in parsed if isinstance(found, exp.Create) and found.kind in ("TABLE", "VIEW")]
    assert ["events"] == [found.find(exp.Table).name.rpartition(".")[2] for found in created]  # type: ignore[union-attr]
    if engine in ("athena", "hive", "spark", "trino"):
        names = {column.name for column in created[0].this.find_all(exp.ColumnDef)}
        assert set(EVERY_TYPE.names) <= names


@pytest.mark.parametrize("changes", [{}, HOURLY], ids=["by partition", "hourly"])
def test_duckdb_reads_the_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str]) -> None:
    """DuckDB runs its statement, and reads all rows, also after a column was added, with the folders' columns as text."""
    sink = Sink(tmp_path, **changes)
    sink.write(*[b'{"n":1}'] * 3)
    sink.write(*[b'{"n":2,"s":{"x":"text"}}'] * 2)
    (sink.path.parent / "files" / "topics" / "events" / "_delta_log").mkdir()
    with duckdb.connect() as connection:
        connection.execute(_printed(capsys, sink, "duckdb", "--table", "all_events"))
        assert [(5, 7, 2)] == connection.execute("select count(*), sum(n), count(s.x) from all_events").fetchall()
        types = dict(connection.execute("select column_name, column_type from (describe all_events)").fetchall())
        assert {"VARCHAR"} == {types[name] for name in (("year", "hour") if changes else ("partition",))}
        if changes:
            assert [("10", 2), ("11", 2), ("12", 1)] == connection.execute(
                "select hour, count(*) from all_events group by all order by all"
            ).fetchall()


def test_athena_projects_partitions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Athena computes the hourly folders, from the first year that there is, without any registration."""
    sink = Sink(tmp_path, **HOURLY)
    sink.write(b"{}")
    text = _printed(capsys, sink, "athena")
    for line in (
        "'projection.enabled' = 'true'",
        "'projection.year.range' = '2026,2036'",
        "'projection.month.range' = '1,12'",
        "'projection.month.digits' = '2'",
        "'projection.hour.range' = '0,23'",
    ):
        assert line in text


def test_athena_projects_dates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder column that is a whole date is projected as one, from the first date that there is."""
    sink = Sink(
        tmp_path,
        **{
            **HOURLY,
            "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
            "path.format": "'dt'=YYYY-MM-dd/'hour'=HH",
            "partition.duration.ms": str(HOUR_MS),
        },
    )
    sink.write(b"{}")
    text = _printed(capsys, sink, "athena")
    for line in (
        "'projection.dt.type' = 'date'",
        "'projection.dt.format' = 'yyyy-MM-dd'",
        "'projection.dt.range' = '2026-05-17,NOW+1DAYS'",
        "'projection.dt.interval.unit' = 'DAYS'",
    ):
        assert line in text


def test_field_columns_have_the_type_of_the_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A column that is in the folders and in the files is a partition column alone, of the files' type."""
    sink = Sink(
        tmp_path,
        **{
            "partitioner.class": "io.confluent.connect.storage.partitioner.FieldPartitioner",
            "partition.field.name": "country,n",
        },
    )
    sink.write(b'{"country":"FR","n":1,"a":true}')
    text = _printed(capsys, sink, "hive")
    columns, _, partitions = text.partition("PARTITIONED BY")
    assert "`a` boolean" in columns
    assert "country" not in columns
    assert "`country` string" in partitions
    assert "`n` bigint" in partitions
    assert "each query has to say country" in _printed(capsys, sink, "athena")


def test_without_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without files and without a stored schema there is nothing to make a table of."""
    sink = Sink(tmp_path)
    assert 1 == main(["ddl", str(sink.path), "--for", "hive"])
    assert "no files of events yet" in capsys.readouterr().err


def test_a_stored_schema_stands_in_for_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the first file, the columns are those of the stored schema, and the folders those of the settings."""
    sink = Sink(tmp_path, **HOURLY)
    samples = tmp_path / "samples.jsonl"
    samples.write_text('{"n":1,"s":"text"}\n')
    assert 0 == main(["schema", "learn", str(sink.path), "--from", str(samples), "--write"])
    capsys.readouterr()
    text = _printed(capsys, sink, "spark")
    assert "Note: there are no files yet" in text
    assert "`n` bigint" in text
    assert "PARTITIONED BY (`year`, `month`, `day`, `hour`)" in text


def test_columns_without_a_type_are_named() -> None:
    """A column whose type the engine lacks is left out, with a note."""
    text = statement("hive", "t", _layout(columns=pa.schema([("at", pa.time64("us")), ("n", pa.int32())])))
    assert text.startswith("-- Note: the column at is left out, because there is no type for time64[us].\n")
    assert "`at`" not in text


def test_columns_that_differ_in_case() -> None:
    """Columns that an engine would confuse are refused."""
    layout = _layout(columns=pa.schema([("Id", pa.int32()), ("id", pa.int32())]))
    with pytest.raises(ConfigurationError, match="the columns Id, id"):
        statement("athena", "t", layout)
    assert "Id" in statement("snowflake", "t", layout)


def test_quotes_are_escaped() -> None:
    """Names and locations with quotes, backslashes and wildcards stay what they are."""
    columns = pa.schema([('a"b`c', pa.int32())])
    folders = [FolderColumn("f", pa.string(), of_any_value())]
    layout = TableLayout("/tmp/it's[1]", columns, folders, 1)
    assert '"a""b`c" integer' in statement("trino", "t", layout)
    assert '`a"b``c` int' in statement("hive", "t", layout)
    assert "'/tmp/it''s[[]1]/f=*/*.parquet'" in statement("duckdb", "t", layout)


def test_names_of_all_dialects_are_known() -> None:
    """sqlglot knows each engine, so that no test is about a dialect that is not its own."""
    known: Any = sqlglot.Dialects
    assert set(ENGINES) <= {dialect.value for dialect in known}
