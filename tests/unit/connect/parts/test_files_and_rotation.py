import datetime
from typing import Any

import pyarrow as pa
import pytest

from kafka2parquet.connect.build import TaskPlan
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.load import load_connect_config
from kafka2parquet.connect.parts import files_and_rotation
from kafka2parquet.connect.parts.converters import make_converter
from kafka2parquet.connect.text import read_properties
from kafka2parquet.connect.worker import load_worker_config
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.string import ByteArrayConverter, StringConverter
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.records import ConsumedBatch, TopicPartition
from kafka2parquet.rotation.base import Due, FlushStats
from kafka2parquet.rows import Converted, Partitioned, PartitionedRows, Rows
from kafka2parquet.schema.learned import LearnedSchema
from tests.support.connect_story import STORY

_PACKAGE = "io.confluent.connect.storage.partitioner"
_NOON = datetime.datetime(2026, 5, 17, 12, tzinfo=datetime.timezone.utc)
_NOON_MS = int(_NOON.timestamp()) * 1000
_HOUR_MS = 3_600_000


def _config(**changes: str | None) -> ConnectConfig:
    given = {**read_properties(STORY).values, **{name.replace("_", "."): text for name, text in changes.items()}}
    return load_connect_config({name: text for name, text in given.items() if text is not None})


def _rows(*timestamps_ms: int, **columns: object) -> Rows:
    batch = ConsumedBatch.of_values(TopicPartition("t", 3), [b""] * len(timestamps_ms), timestamps_ms=timestamps_ms)
    return Rows(batch, batch.offsets, batch.timestamps_ms, pa.table(columns or {"value": pa.nulls(len(batch))}))


def _folder(config: ConnectConfig, rows: Rows | None = None) -> str:
    partitioned = files_and_rotation.make_partitioner(config).partition(rows if rows is not None else _rows(_NOON_MS), _NOON)
    return partitioned.rows.encoded_partitions[0]


def _cut(config: ConnectConfig, rows: Rows, stats: FlushStats) -> int | None:
    partitioner = files_and_rotation.make_partitioner(config)
    cut = files_and_rotation.make_rotation(config, partitioner).cut(stats, partitioner.partition(rows, _NOON).rows)
    return None if cut is None else cut.rows


def _stats(rows: int = 0, **more: Any) -> FlushStats:
    return FlushStats(rows=rows, size_bytes=0, encoded_partitions=frozenset(), opened_at=_NOON, last_row_at=_NOON, **more)


class ByWeekday(Partitioner):
    """A user's partitioner."""

    fingerprint = "weekday"

    def __init__(self, properties: Any) -> None:
        self._prefix = properties["weekday.prefix"]

    def partition(self, rows: Any, opened_at: Any) -> Any:
        folder = f"{self._prefix}sunday"
        return Partitioned(PartitionedRows(rows, (folder,), pa.array([0] * len(rows), pa.int32()), rows.timestamps_ms))


class Upper(RecordConverter):
    """A user's converter."""

    fingerprint = "upper"

    def __init__(self, properties: Any) -> None:
        self.name = properties["name"]

    def convert(self, batch: Any) -> Any:
        return Converted(Rows(batch, batch.offsets, batch.timestamps_ms, pa.table({})))


@pytest.mark.parametrize(
    ("changes", "folder"),
    [
        ({}, "year=2026/month=05/day=17/hour=12"),
        ({"timezone": "Asia/Tokyo"}, "year=2026/month=05/day=17/hour=21"),
        ({"path_format": "'d'=dd", "partition_duration_ms": "86400000"}, "d=17"),
        ({"partitioner_class": f"{_PACKAGE}.HourlyPartitioner"}, "year=2026/month=05/day=17/hour=12"),
        ({"partitioner_class": f"{_PACKAGE}.DailyPartitioner"}, "year=2026/month=05/day=17"),
        ({"partitioner_class": f"{_PACKAGE}.DefaultPartitioner"}, "partition=3"),
        ({"directory_delim": "|", "partitioner_class": f"{_PACKAGE}.DailyPartitioner"}, "year=2026|month=05|day=17"),
    ],
)
def test_partitioners(changes: dict[str, Any], folder: str) -> None:
    """The class and its properties determine the folder."""
    assert folder == _folder(_config(**changes))


def test_field_partitioner() -> None:
    """Folders have the order of the fields, and dots name nested fields."""
    rows = _rows(_NOON_MS, country=["FR"], user=[{"city": "Paris"}])
    config = _config(partitioner_class=f"{_PACKAGE}.FieldPartitioner", partition_field_name="country, user.city")
    assert "country=FR/user.city=Paris" == _folder(config, rows)


@pytest.mark.parametrize(
    ("extractor", "hour"),
    [("Record", "13"), ("RecordField", "15"), ("Wallclock", "12")],
)
def test_sources_of_the_time(extractor: str, hour: str) -> None:
    """The time comes from the record, a field, or the clock at the opening of the flush."""
    rows = _rows(_NOON_MS + _HOUR_MS, at=[_NOON_MS + 3 * _HOUR_MS])
    folder = _folder(_config(timestamp_extractor=extractor, timestamp_field="at"), rows)
    assert folder.endswith(f"hour={hour}")


def test_custom_partitioner_sees_all_properties() -> None:
    """A Python class gets the configuration as written."""
    name = f"{__name__}:ByWeekday"
    given = {**read_properties(STORY).values, "partitioner.class": name, "weekday.prefix": "day-"}
    assert "day-sunday" == _folder(load_connect_config(given))


def test_custom_converter_sees_all_properties() -> None:
    """A Python converter gets the configuration as written."""
    config = _config(value_converter=f"{__name__}:Upper")
    converter = make_converter(config, lambda _: LearnedSchema())
    assert isinstance(converter, Upper)
    assert "s3-sink-my-topic-parquet-hourly" == converter.name


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("org.apache.kafka.connect.storage.StringConverter", StringConverter),
        ("String", StringConverter),
        ("org.apache.kafka.connect.converters.ByteArrayConverter", ByteArrayConverter),
    ],
)
def test_converters(name: str, kind: Any) -> None:
    """Converters are known by class name or alias."""
    assert kind is type(make_converter(_config(value_converter=name), lambda _: LearnedSchema()))


@pytest.mark.parametrize(("escape", "folder"), [("true", "c=a%2Fb"), ("false", "c=a/b"), (None, "c=a/b")])
def test_escaped_folders(escape: str | None, folder: str) -> None:
    """Folders are escaped only if requested, because Confluent's sinks don't escape."""
    partitioner = "io.confluent.connect.storage.partitioner.FieldPartitioner"
    by_field = {"partitioner_class": partitioner, "partition_field_name": "c"}
    around_times = {"kafka2parquet_partition_field_name": "c"}
    for changes in (by_field, around_times):
        config = _config(**changes, kafka2parquet_partition_escape=escape)
        assert f"{_folder(config, _rows(_NOON_MS, c=['a/b']))}/".startswith(f"{folder}/")


def test_rows_end_a_flush() -> None:
    """`flush.size` counts the rows of the flush and the arriving rows."""
    assert 2 == _cut(_config(flush_size="10"), _rows(*[_NOON_MS] * 5), _stats(8))


def test_flush_size_of_zero_means_one() -> None:
    """With a flush size of zero each record gets one file, as in Connect."""
    assert 1 == _cut(_config(flush_size="0"), _rows(_NOON_MS, _NOON_MS), _stats())


def test_another_folder_ends_a_flush() -> None:
    """By default, another folder ends a flush with an interval and a time-based partitioner."""
    stats = _stats(
        1, first_timestamp_ms=_NOON_MS, last_timestamp_ms=_NOON_MS, last_encoded_partition="year=2026/month=05/day=17/hour=12"
    )
    rows = _rows(_NOON_MS, _NOON_MS + _HOUR_MS - 1, _NOON_MS - 1)
    assert 2 == _cut(_config(), rows, stats)
    assert _cut(_config(rotate_file_on_partition_change="false"), rows, stats) is None


def test_another_folder_without_interval() -> None:
    """Without `rotate.interval.ms` several folders stay open."""
    config = _config(rotate_interval_ms="-1")
    assert _cut(config, _rows(_NOON_MS, _NOON_MS + _HOUR_MS), _stats()) is None


def test_interval_ends_a_flush() -> None:
    """A flush ends an interval after its first row, by record time."""
    config = _config(rotate_file_on_partition_change="false", rotate_interval_ms="1000")
    assert 1 == _cut(config, _rows(_NOON_MS, _NOON_MS + 1000), _stats())


def test_interval_without_time_has_no_effect() -> None:
    """The interval has no effect with other partitioners, as in Connect."""
    config = _config(partitioner_class=f"{_PACKAGE}.DefaultPartitioner", rotate_interval_ms="1000")
    assert _cut(config, _rows(_NOON_MS, _NOON_MS + 1000), _stats()) is None


def test_schedule_ends_a_flush() -> None:
    """A flush ends at the next full period of the clock in the time zone."""
    config = _config(rotate_interval_ms="-1", rotate_schedule_interval_ms="21600000", timezone="Asia/Tokyo")
    rotation = files_and_rotation.make_rotation(config, files_and_rotation.make_partitioner(config))
    assert Due(datetime.datetime(2026, 5, 17, 15, tzinfo=datetime.timezone.utc), "schedule") == rotation.due_at(_stats(1))


def test_the_longest_durations_are_taken() -> None:
    """Kafka's largest long exceeds Python's durations and means never."""
    longest = str(2**63 - 1)
    config = _config(
        rotate_file_on_partition_change="false",
        rotate_interval_ms=longest,
        rotate_schedule_interval_ms=longest,
        partition_duration_ms=longest,
    )
    assert "year=1970" in _folder(config, _rows(_NOON_MS))
    assert _cut(config, _rows(_NOON_MS, _NOON_MS + 1000), _stats()) is None
    rotation = files_and_rotation.make_rotation(config, files_and_rotation.make_partitioner(config))
    assert Due(datetime.datetime(2026, 5, 18, tzinfo=datetime.timezone.utc), "schedule") == rotation.due_at(_stats(1))


def test_open_files_end_a_flush() -> None:
    """`partitioner.max.open.files` bounds the folders of a flush."""
    config = _config(rotate_interval_ms="-1", partitioner_max_open_files="1")
    assert 1 == _cut(config, _rows(_NOON_MS, _NOON_MS + _HOUR_MS), _stats())


def test_names() -> None:
    """Names have the prefix, the delimiters, the padding and the codec."""
    config = _config(topics_dir="a/b", file_delim="-", filename_offset_zero_pad_width="3", parquet_codec="zstd")
    assert "a/b/t/p=1/t-3-007.zstd.parquet" == files_and_rotation.make_naming(config).key("t", 3, "p=1", 7)


def test_writer() -> None:
    """The writer has the codec, the size of row groups and the staging folder."""
    writer = files_and_rotation.make_writer(_config(parquet_codec="none", kafka2parquet_row_group_bytes="2097152"))
    assert ("none", 2_097_152) == (writer.compression, writer.row_group_bytes)


def test_writer_types_and_level() -> None:
    """The writer has Confluent's types and the codec's level, unless others are configured."""
    assert ("connect", None) == (
        files_and_rotation.make_writer(_config()).types,
        files_and_rotation.make_writer(_config()).compression_level,
    )
    own = _config(parquet_codec="zstd", kafka2parquet_parquet_types="own", kafka2parquet_parquet_compression_level="9")
    assert ("own", 9) == (files_and_rotation.make_writer(own).types, files_and_rotation.make_writer(own).compression_level)


def test_a_level_that_the_codec_does_not_have() -> None:
    """The level is reported with the other problems, before any connection."""
    config = _config(kafka2parquet_parquet_compression_level="3")
    with pytest.raises(ConfigurationError, match="snappy has no levels"):
        TaskPlan.of(config, load_worker_config({}), brokers_needed=False)


def test_metadata_columns() -> None:
    """By default there aren't metadata columns; requested ones keep their order."""
    assert () == files_and_rotation.make_metadata_columns(_config()).names
    wanted = _config(kafka2parquet_metadata_columns="offset,topic")
    assert ("topic", "offset") == files_and_rotation.make_metadata_columns(wanted).names
