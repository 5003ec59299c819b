"""Makes the partitioner, the rotation policy, the writer and the names of files."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import cast

from kafka2parquet.connect.config import ConnectConfig, PartitionerKind
from kafka2parquet.connect.parts.key_transforms import make_transformed_keys
from kafka2parquet.connect.parts.records import passing_folder, with_schema_name
from kafka2parquet.connect.parts.transforms import topic_folders
from kafka2parquet.connect.properties.names import (
    DIRECTORY_DELIM,
    FILE_DELIM,
    FLUSH_SIZE,
    METADATA_COLUMNS,
    PARQUET_TYPES,
    PARTITION_ESCAPE,
    PARTITION_FIELD,
    PARTITION_FIELD_NAME,
    PARTITIONER_CLASS,
    PARTITIONER_MAX_OPEN_FILES,
    PATH_FORMAT,
    ROTATE_FILE_ON_PARTITION_CHANGE,
    ROTATE_INTERVAL_MS,
    ROTATE_SCHEDULE_INTERVAL_MS,
    ROTATION_POLICY,
    TARGET_FILE_BYTES,
    TIMESTAMP_FIELD,
    TIMEZONE,
    TOPICS_DIR,
)
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
    """Make the partitioner that `partitioner.class` names, with the configured outer folders."""
    partitioner = make_inner_partitioner(config)
    fields, labels = outer_fields(config)
    if fields:
        by_field = _by_field(config, fields, labels=labels)
        partitioner = CompositePartitioner(by_field, partitioner, directory_delimiter=config.text(DIRECTORY_DELIM))
    return with_schema_name(config, partitioner)


def outer_fields(config: ConnectConfig) -> tuple[tuple[str, ...], bool]:
    """Return the fields that name the folders around folders by time, and whether folders are called `field=value`."""
    if config.partitioner is not PartitionerKind.FIELD_AND_TIME:
        return config.items("kafka2parquet.partition.field.name"), True
    fields = config.items(PARTITION_FIELD_NAME)
    if fields:
        return fields, config.flag("partition.field.format.path")
    return tuple(filter(None, [config.text(PARTITION_FIELD)])), False


def make_inner_partitioner(config: ConnectConfig, extractor: TimestampExtractor | None = None) -> Partitioner:
    """Make the partitioner that `partitioner.class` names, without outer folders.

    Args:
        config: the configuration.
        extractor: source of a row's time; None for the configured one.
    """
    kind = config.partitioner
    if kind is PartitionerKind.CUSTOM:
        return cast(Partitioner, make_part(config.text(PARTITIONER_CLASS), Partitioner, config.given))
    if kind is PartitionerKind.DEFAULT:
        return DefaultPartitioner()
    if kind is PartitionerKind.FIELD:
        return _by_field(config, config.items(PARTITION_FIELD_NAME))
    timestamp_extractor = extractor if extractor is not None else make_extractor(config)
    timezone, locale, delimiter = (config.text(name) for name in ("timezone", "locale", "directory.delim"))
    if not kind.has_pattern:
        of_kind = HourlyPartitioner if kind is PartitionerKind.HOURLY else DailyPartitioner
        return of_kind(timezone=timezone, locale=locale, timestamp_extractor=timestamp_extractor, directory_delimiter=delimiter)
    return TimeBasedPartitioner(
        path_format=config.text(PATH_FORMAT),
        partition_duration=_milliseconds(config, "partition.duration.ms"),
        timezone=timezone,
        locale=locale,
        timestamp_extractor=timestamp_extractor,
        directory_delimiter=delimiter,
    )


def _by_field(config: ConnectConfig, fields: Sequence[str], *, labels: bool = True) -> FieldPartitioner:
    escape = config.flag(PARTITION_ESCAPE)
    return FieldPartitioner(fields, directory_delimiter=config.text(DIRECTORY_DELIM), escape=escape, labels=labels)


def make_extractor(config: ConnectConfig) -> TimestampExtractor:
    """Make the extractor of a row's time."""
    name = config.extractor
    if name == "Wallclock":
        return WallclockTimestamp()
    if name == "RecordField":
        if not config.text(TIMESTAMP_FIELD):
            raise ConfigurationError("The field to extract cannot be null or empty.")
        return RecordFieldTimestamp(config.text(TIMESTAMP_FIELD))
    return RecordTimestamp()


def make_rotation(config: ConnectConfig, partitioner: Partitioner) -> RotationPolicy:
    """Make the policy that ends flushes: the first rule that applies ends a flush."""
    policies: list[RotationPolicy] = []
    if config.text(ROTATION_POLICY):
        policies.append(make_part(config.text(ROTATION_POLICY), RotationPolicy, config.given))
    if partitioner.time_based and config.number(ROTATE_INTERVAL_MS) > 0:
        if config.flag(ROTATE_FILE_ON_PARTITION_CHANGE):
            policies.append(EncodedPartitionRotation(passing=passing_folder(config)))
        policies.append(RecordTimeRotation(_milliseconds(config, "rotate.interval.ms")))
    if config.number(ROTATE_SCHEDULE_INTERVAL_MS) > 0:
        policies.append(ScheduledRotation(_milliseconds(config, "rotate.schedule.interval.ms"), timezone=config.text(TIMEZONE)))
    if config.number(PARTITIONER_MAX_OPEN_FILES) >= 0:
        policies.append(MaxOpenFilesRotation(max(1, config.number(PARTITIONER_MAX_OPEN_FILES))))
    if config.number(TARGET_FILE_BYTES) > 0:
        policies.append(CompressedBytesRotation(config.number(TARGET_FILE_BYTES)))
    policies.append(RecordCountRotation(max(1, config.number(FLUSH_SIZE))))
    return FirstOf(*policies)


def make_naming(config: ConnectConfig) -> ObjectNaming:
    """Make the names of objects."""
    return ObjectNaming(
        topics_dir=config.text(TOPICS_DIR),
        directory_delimiter=config.text(DIRECTORY_DELIM),
        file_delimiter=config.text(FILE_DELIM),
        zero_pad_width=config.number("filename.offset.zero.pad.width"),
        compression=config.text("parquet.codec"),
        topic_folders=topic_folders(config),
    )


def make_writer(config: ConnectConfig) -> ParquetWriter:
    """Make the writer of files."""
    return ParquetWriter(
        compression=config.text("parquet.codec"),
        compression_level=config.number("kafka2parquet.parquet.compression.level") or None,
        types=cast(ParquetTypes, config.text(PARQUET_TYPES)),
        row_group_bytes=config.number("kafka2parquet.row.group.bytes"),
        staging_directory=config.text("kafka2parquet.staging.dir") or None,
    )


def make_metadata_columns(config: ConnectConfig) -> MetadataColumns:
    """Make the columns that are added to each row; by default none."""
    return MetadataColumns(config.items(METADATA_COLUMNS), key_converter=make_transformed_keys(config))


def _milliseconds(config: ConnectConfig, name: str) -> datetime.timedelta:
    """Return a duration, limited to Python's longest, which is millions of years."""
    longest_ms = datetime.timedelta.max // datetime.timedelta(milliseconds=1)
    return datetime.timedelta(milliseconds=min(config.number(name), longest_ms))
