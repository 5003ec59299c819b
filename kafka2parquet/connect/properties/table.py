"""The tables of all properties, one for each connector."""

from __future__ import annotations

import difflib

import attrs

from kafka2parquet.connect.properties.converters import CONVERTER_OPTIONS
from kafka2parquet.connect.properties.framework import FRAMEWORK_OPTIONS, GCS_CONNECTOR, S3_CONNECTOR
from kafka2parquet.connect.properties.gcs import GCS_OPTIONS
from kafka2parquet.connect.properties.option import Effect, Option, simple_name
from kafka2parquet.connect.properties.own import OWN_OPTIONS
from kafka2parquet.connect.properties.own_storage import OWN_STORAGE_OPTIONS
from kafka2parquet.connect.properties.s3 import S3_OPTIONS
from kafka2parquet.connect.properties.schemas import SCHEMA_OPTIONS, TOPIC_OPTION
from kafka2parquet.connect.properties.storage import (
    FORMAT_OPTIONS,
    KEY_AND_NULL_OPTIONS,
    PARTITIONER_OPTIONS,
    ROTATION_OPTIONS,
    STORAGE_OPTIONS,
)

#: The chapters of the settings reference, in their order.
CHAPTERS: tuple[tuple[str, tuple[Option, ...]], ...] = (
    ("Connector and tasks", FRAMEWORK_OPTIONS),
    ("Rotation: when files are closed", ROTATION_OPTIONS),
    ("Partitioner: which folder", PARTITIONER_OPTIONS),
    ("Names and storage", STORAGE_OPTIONS),
    ("Format", FORMAT_OPTIONS),
    ("Keys, headers and tombstones", KEY_AND_NULL_OPTIONS),
    ("Converters", CONVERTER_OPTIONS),
    ("S3", S3_OPTIONS),
    ("GCS", GCS_OPTIONS),
    ("Own properties", (*OWN_OPTIONS, *OWN_STORAGE_OPTIONS)),
    ("Own properties: schemas of JSON", (*SCHEMA_OPTIONS, TOPIC_OPTION)),
)

_COMMON = tuple(
    option for _, options in CHAPTERS if options is not S3_OPTIONS and options is not GCS_OPTIONS for option in options
)


@attrs.frozen(eq=False)
class OptionTable:
    """The properties that one connector knows.

    Attributes:
        connector: class of the connector.
        options: the options by name.
    """

    connector: str
    options: dict[str, Option]

    def find(self, name: str) -> Option | None:
        """Return the option for the property `name`: the option of that name, or else the option with the longest prefix."""
        if name in self.options:
            return self.options[name]
        prefixes = [option for option in self.options.values() if option.is_prefix and option.covers(name)]
        return max(prefixes, key=lambda option: len(option.name), default=None)

    def near_miss(self, name: str) -> str | None:
        """Return the known name that `name` probably misspells; None without one. Unsupported properties don't count."""
        known = [
            option.name for option in self.options.values() if not option.is_prefix and option.effect is not Effect.UNSUPPORTED
        ]
        canonical = {_letters(option): option for option in known}
        if _letters(name) in canonical:
            return canonical[_letters(name)]
        return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.88)), None)


def _letters(name: str) -> str:
    """Return the name without case and separators, which people mix up."""
    return "".join(character for character in name.lower() if character.isalnum())


def _table(connector: str, *options: Option) -> OptionTable:
    return OptionTable(connector, {option.name: option for option in options})


S3_TABLE = _table(S3_CONNECTOR, *_COMMON, *S3_OPTIONS)
GCS_TABLE = _table(GCS_CONNECTOR, *_COMMON, *GCS_OPTIONS)


def table_for(connector_class: str) -> OptionTable | None:
    """Return the table of a connector, by class name or alias (`S3SinkConnector`, `S3Sink`); None if it isn't known."""
    for table in (S3_TABLE, GCS_TABLE):
        name = simple_name(table.connector)
        if connector_class in (table.connector, name, name.removesuffix("Connector")):
            return table
    return None
