"""The parts of a task, each made from the properties that concern it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import cast

from kafka2parquet.connect.classes import is_python_path, load_class
from kafka2parquet.connect.config import ConnectConfig, PartitionerKind
from kafka2parquet.connect.option import simple_name
from kafka2parquet.connect.records import passing_folder, with_schema_name
from kafka2parquet.connect.schemas import make_json_converter
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.json_envelope import JsonEnvelopeConverter
from kafka2parquet.converters.metadata_columns import MetadataColumns
from kafka2parquet.converters.string import ByteArrayConverter, StringConverter
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
from kafka2parquet.schema.learned import LearnedSchema


def make_converter(config: ConnectConfig, learned: Callable[[str], LearnedSchema]) -> RecordConverter:
    """The converter that `value.converter` names.

    Args:
        config: the configuration.
        learned: what is known of a topic's schema; asked when the topic's first record comes.
    """
    class_name = config.text("value.converter")
    if is_python_path(class_name):
        return cast(RecordConverter, load_class(class_name, RecordConverter)(config.given))
    name = _converter_name(class_name)
    if name == "Json" and config.flag("value.converter.schemas.enable"):
        null_is_default = config.flag("value.converter.replace.null.with.default")
        return make_json_converter(
            config,
            learned,
            lambda schemaless: JsonEnvelopeConverter(schemaless=schemaless, replace_null_with_default=null_is_default),
        )
    if name == "Json":
        return make_json_converter(config, learned)
    if name == "ByteArray":
        return ByteArrayConverter()
    return StringConverter(encoding=config.text("value.converter.converter.encoding"))


def _converter_name(class_name: str) -> str:
    return simple_name(class_name).removesuffix("Converter")


def make_partitioner(config: ConnectConfig) -> Partitioner:
    """The partitioner that `partitioner.class` names, with the folders around it that are asked for."""
    partitioner = make_inner_partitioner(config)
    fields, delimiter = config.items("kafka2parquet.partition.field.name"), config.text("directory.delim")
    if fields:
        by_field = FieldPartitioner(fields, directory_delimiter=delimiter)
        partitioner = CompositePartitioner(by_field, partitioner, directory_delimiter=delimiter)
    return with_schema_name(config, partitioner)


def make_inner_partitioner(config: ConnectConfig, extractor: TimestampExtractor | None = None) -> Partitioner:
    """The partitioner that `partitioner.class` names; with another source of time where `extractor` is given."""
    kind = config.partitioner
    if kind is PartitionerKind.CUSTOM:
        return cast(Partitioner, load_class(config.text("partitioner.class"), Partitioner)(config.given))
    if kind is PartitionerKind.DEFAULT:
        return DefaultPartitioner()
    if kind is PartitionerKind.FIELD:
        return FieldPartitioner(config.items("partition.field.name"), directory_delimiter=config.text("directory.delim"))
    timestamp_extractor = extractor if extractor is not None else make_extractor(config)
    timezone, locale, delimiter = (config.text(name) for name in ("timezone", "locale", "directory.delim"))
    if kind is not PartitionerKind.TIME_BASED:
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


def make_extractor(config: ConnectConfig) -> TimestampExtractor:
    """Where a row's time comes from."""
    name = config.extractor
    if name == "Wallclock":
        return WallclockTimestamp()
    if name == "RecordField":
        return RecordFieldTimestamp(config.text("timestamp.field"))
    return RecordTimestamp()


def make_rotation(config: ConnectConfig, partitioner: Partitioner) -> RotationPolicy:
    """All rules that end a flush; whichever comes first."""
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
    """Columns that are added to each row; none, unless they are asked for. Keys are text where their converter reads text."""
    return MetadataColumns(config.items("kafka2parquet.metadata.columns"), key_converter=make_key_converter(config))


def make_key_converter(config: ConnectConfig) -> RecordConverter | None:
    """The converter of keys; None where they stay bytes."""
    key_is_text = _converter_name(config.text("key.converter")) in ("String", "Json")
    return StringConverter(encoding=config.text("key.converter.converter.encoding")) if key_is_text else None


def _milliseconds(config: ConnectConfig, name: str) -> datetime.timedelta:
    return datetime.timedelta(milliseconds=config.number(name))
