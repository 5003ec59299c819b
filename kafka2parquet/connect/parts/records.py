"""Makes the parts for keys, headers, tombstones, tags and schemas: what is written beside values, and what may share a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.rejects import make_tolerance
from kafka2parquet.connect.parts.storage import own_tags
from kafka2parquet.connect.properties.names import (
    DIRECTORY_DELIM,
    METADATA_COLUMNS,
    PARTITION_ESCAPE,
    S3_PART_RETRIES,
    STORE_KAFKA_KEYS,
)
from kafka2parquet.connect.properties.option import simple_name
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.record_views import RecordViews
from kafka2parquet.delivery.settings import ObjectTags
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.partitioners.schema_name import SchemaNamePartitioner
from kafka2parquet.pipeline.record_pipeline import TombstonePolicy
from kafka2parquet.problems import Problem, unsupported, warning
from kafka2parquet.schema.compatibility import CompatibilityMode

_NULLS, _TOMBSTONES = "behavior.on.null.values", "tombstone.encoded.partition"
_KEYS, _HEADERS = STORE_KAFKA_KEYS, "store.kafka.headers"
_AFFIX = "s3.schema.partition.affix.type"
_UNITE = "kafka2parquet.unite.schemas"
_AS_TEXT = ", and key.converter to org.apache.kafka.connect.storage.StringConverter for keys as text"


def make_record_views(config: ConnectConfig, key_converter: RecordConverter | None) -> RecordViews | None:
    """Make the record views for files of keys and headers; None if the configuration asks for neither."""
    keys, headers = config.flag(_KEYS), config.flag(_HEADERS)
    if not keys and not headers:
        return None
    return RecordViews(
        keys=keys,
        headers=headers,
        key_converter=key_converter,
        tombstone_partition=config.text(_TOMBSTONES),
    )


def make_tombstone_policy(config: ConnectConfig) -> TombstonePolicy:
    """Return what happens to records without a value."""
    behavior = config.text(_NULLS).lower()
    if behavior == "write":
        return "write"
    if behavior == "ignore":
        return "report" if config.flag("report.null.values.to.dlq") and make_tolerance(config).has_reporter else "ignore"
    return "fail"


def passing_folder(config: ConnectConfig) -> str | None:
    """Return the folder name of written tombstones, whose folders don't end a flush; None if tombstones aren't written."""
    return config.text(_TOMBSTONES) if make_tombstone_policy(config) == "write" else None


def make_compatibility(config: ConnectConfig) -> CompatibilityMode | None:
    """Return the rule for schemas that may share a file; None if all schemas are united."""
    return None if config.flag(_UNITE) else CompatibilityMode(config.text("schema.compatibility"))


def make_tags(config: ConnectConfig) -> ObjectTags | None:
    """Make the tags of objects; None if objects are not tagged."""
    if config.provider != "s3" or not config.flag("s3.object.tagging"):
        return None
    on_error: Literal["ignore", "fail"] = (
        "fail" if config.text("s3.object.behavior.on.tagging.error").lower() == "fail" else "ignore"
    )
    return ObjectTags(own_tags(config), attempts=max(1, config.number(S3_PART_RETRIES)), on_error=on_error)


def with_schema_name(config: ConnectConfig, partitioner: Partitioner) -> Partitioner:
    """Add a folder with the schema's name to a partitioner, if the configuration asks for it."""
    affix = config.text(_AFFIX) if config.provider == "s3" else "NONE"
    if affix == "NONE":
        return partitioner
    where: Literal["prefix", "suffix"] = "prefix" if affix == "PREFIX" else "suffix"
    escape = config.flag(PARTITION_ESCAPE)
    return SchemaNamePartitioner(partitioner, affix=where, directory_delimiter=config.text(DIRECTORY_DELIM), escape=escape)


def check_records(config: ConnectConfig) -> Iterator[Problem]:
    """Check the properties of keys, headers, tombstones, tags and schemas."""
    for view, switch in (("keys", _KEYS), ("headers", _HEADERS)):
        yield from _check_view(config, view, switch)
    has_key_column = "key" in config.items(METADATA_COLUMNS)
    if config.text(_NULLS).lower() == "write" and not config.flag(_KEYS) and not has_key_column:
        yield Problem(
            (_KEYS, _NULLS),
            "Writing Kafka record keys to storage is mandatory when tombstone writing is enabled.",
            "Set store.kafka.keys=true, or name `key` in kafka2parquet.metadata.columns.",
        )
    if config.is_set(_TOMBSTONES) and config.text(_NULLS).lower() != "write":
        yield warning(_TOMBSTONES, f"{_TOMBSTONES} has no effect: {_NULLS} is not write")
    if config.provider == "s3" and not config.flag("s3.object.tagging"):
        for name in ("s3.object.tagging.key.value.pairs", "s3.object.behavior.on.tagging.error"):
            if config.is_set(name):
                yield warning(name, f"{name} has no effect: s3.object.tagging is not true")
    if config.flag(_UNITE) and config.is_set("schema.compatibility"):
        yield warning("schema.compatibility", f"schema.compatibility has no effect: {_UNITE} is true")


def _check_view(config: ConnectConfig, view: str, switch: str) -> Iterator[Problem]:
    """Check the properties of files of keys or headers."""
    name = f"{view}.format.class"
    if not config.flag(switch):
        if config.is_set(name):
            yield warning(name, f"{name} has no effect: {switch} is not true")
    elif simple_name(config.text(name)) != "ParquetFormat":
        column, as_text = ("key", _AS_TEXT) if view == "keys" else (view, "")
        default = "" if config.is_set(name) else ", the default,"
        advice = (
            f"Only Parquet is written: set {name} to {config.table.options[name].choices[0]}{as_text}."
            f" Or remove {switch} and set kafka2parquet.metadata.columns={column}, for a column beside the value."
        )
        yield unsupported(name, f"{name}={config.text(name)}{default} is not supported", advice)
