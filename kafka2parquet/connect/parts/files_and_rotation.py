"""The parts of a task, each made from the properties that concern it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import cast

from kafka2parquet.connect.config import ConnectConfig, PartitionerKind
from kafka2parquet.connect.parts.key_transforms import make_transformed_keys
from kafka2parquet.connect.parts.records import passing_folder, with_schema_name
from kafka2parquet.connect.parts.transforms import topic_folders
from kafka2parquet.connect.python_classes import make_part
from kafka2parquet.converters.metadata_columns import MetadataColumns
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.parquet.types import ParquetTypes
from kafka2parquet.parquet.writer import ParquetWriter
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.partitioners.composite import CompositePartitioner
from kafka2parquet.partitioners.default import DefaultPartitioner
from kafka2parquet.partitioners.field import FieldPartitioner
from kafka2parquet.partitioners.time import DailyPartitioner, HourlyPartitioner, TimeBasedPartitioner
from kafka2parquet.partitioners.timestamps import (
    RecordFieldTimestamp,
    RecordTimestamp,
    TimestampExtractor,
    WallclockTimestamp,
)
from kafka2parquet.rotation.base import RotationPolicy
from kafka2parquet.rotation.policies import (
    CompressedBytesRotation,
    EncodedPartitionRotation,
    FirstOf,
    MaxOpenFilesRotation,
    RecordCountRotation,
    RecordTimeRotation,
    ScheduledRotation,
)


def make_partitioner(config: ConnectConfig) -> Partitioner:
    """The partitioner that `partitioner.class` names, with the outer folders that the configuration asks for."""
    partitioner = make_inner_partitioner(config)
    fields, labels = outer_fields(config)
    if fields:
        by_field = _by_field(config, fields, labels=labels)
        partitioner = CompositePartitioner(by_field, partitioner, directory_delimiter=config.text("directory.delim"))
    return with_schema_name(config, partitioner)


def outer_fields(config: ConnectConfig) -> tuple[tuple[str, ...], bool]:
    """The fields that name folders around the folders by time, and whether the fields' names are part of the folders' names."""
    if config.partitioner is not PartitionerKind.FIELD_AND_TIME:
        return config.items("kafka2parquet.partition.field.name"), True
    fields = config.items("partition.field.name")
    if fields:
        return fields, config.flag("partition.field.format.path")
    return tuple(filter(None, [config.text("partition.field")])), False


def make_inner_partitioner(config: ConnectConfig, extractor: TimestampExtractor | None = None) -> Partitioner:
    """The partitioner that `partitioner.class` names, without outer folders; `extractor` is another source of time."""
    kind = config.partitioner
    if kind is PartitionerKind.CUSTOM:
        return cast(Partitioner, make_part(config.text("partitioner.class"), Partitioner, config.given))
    if kind is PartitionerKind.DEFAULT:
        return DefaultPartitioner()
    if kind is PartitionerKind.FIELD:
        return _by_field(config, config.items("partition.field.name"))
    timestamp_extractor = extractor if extractor is not None else make_extractor(config)
    timezone, locale, delimiter = (config.text(name) for name in ("timezone", "locale", "directory.delim"))
    if not kind.has_pattern:
        of_kind = HourlyPartitioner if kind is PartitionerKind.HOURLY else DailyPartitioner
        return of_kind(timezone=timezone, locale=locale, timestamp_extractor=timestamp_extractor, directory_delimiter=delimiter)
    return TimeBasedPartitioner(
        path_format=config.text("path.format"),
        partition_duration=_milliseconds(config, "partition.duration.ms"),
        timezone=timezone,
        locale=locale,
        timestamp_extractor=timestamp_extractor,
        directory_delimiter=delimiter,
    )


def _by_field(config: ConnectConfig, fields: Sequence[str], *, labels: bool = True) -> FieldPartitioner:
    escape = config.flag("kafka2parquet.partition.escape")
    return FieldPartitioner(fields, directory_delimiter=config.text("directory.delim"), escape=escape, labels=labels)


def make_extractor(config: ConnectConfig) -> TimestampExtractor:
    """Where a row's time comes from."""
    name = config.extractor
    if name == "Wallclock":
        return WallclockTimestamp()
    if name == "RecordField":
        if not config.text("timestamp.field"):
            raise ConfigurationError("The field to extract cannot be null or empty.")
        return RecordFieldTimestamp(config.text("timestamp.field"))
    return RecordTimestamp()


def make_rotation(config: ConnectConfig, partitioner: Partitioner) -> RotationPolicy:
    """All rules that end a flush; the first one that applies counts."""
    policies: list[RotationPolicy] = []
    if partitioner.time_based and config.number("rotate.interval.ms") > 0:
        if config.flag("rotate.file.on.partition.change"):
            policies.append(EncodedPartitionRotation(passing=passing_folder(config)))
        policies.append(RecordTimeRotation(_milliseconds(config, "rotate.interval.ms")))
    if config.number("rotate.schedule.interval.ms") > 0:
        policies.append(
            ScheduledRotation(_milliseconds(config, "rotate.schedule.interval.ms"), timezone=config.text("timezone"))
        )
    if config.number("partitioner.max.open.files") >= 0:
        policies.append(MaxOpenFilesRotation(max(1, config.number("partitioner.max.open.files"))))
    if config.number("kafka2parquet.target.file.bytes") > 0:
        policies.append(CompressedBytesRotation(config.number("kafka2parquet.target.file.bytes")))
    policies.append(RecordCountRotation(max(1, config.number("flush.size"))))
    return FirstOf(*policies)


def make_naming(config: ConnectConfig) -> ObjectNaming:
    """How objects are called."""
    return ObjectNaming(
        topics_dir=config.text("topics.dir"),
        directory_delimiter=config.text("directory.delim"),
        file_delimiter=config.text("file.delim"),
        zero_pad_width=config.number("filename.offset.zero.pad.width"),
        compression=config.text("parquet.codec"),
        topic_folders=topic_folders(config),
    )


def make_writer(config: ConnectConfig) -> ParquetWriter:
    """How files are written."""
    return ParquetWriter(
        compression=config.text("parquet.codec"),
        compression_level=config.number("kafka2parquet.parquet.compression.level") or None,
        types=cast(ParquetTypes, config.text("kafka2parquet.parquet.types")),
        row_group_bytes=config.number("kafka2parquet.row.group.bytes"),
        staging_directory=config.text("kafka2parquet.staging.dir") or None,
    )


def make_metadata_columns(config: ConnectConfig) -> MetadataColumns:
    """Columns that are added to each row; none, unless they are asked for."""
    return MetadataColumns(config.items("kafka2parquet.metadata.columns"), key_converter=make_transformed_keys(config))


def _milliseconds(config: ConnectConfig, name: str) -> datetime.timedelta:
    """A duration; one that is too long for Python is as long as Python's longest, which is millions of years."""
    longest_ms = datetime.timedelta.max // datetime.timedelta(milliseconds=1)
    return datetime.timedelta(milliseconds=min(config.number(name), longest_ms))
