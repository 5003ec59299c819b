"""Predicates: select the records to which a transform is applied, as in Kafka Connect."""

from __future__ import annotations

import abc
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from kafka2parquet.rows import Rows
from kafka2parquet.transforms.header_keys import Mask, have_header
from kafka2parquet.transforms.java_patterns import compiled
from kafka2parquet.transforms.properties import TransformProperties, made_of
from kafka2parquet.util.arguments import Name, checked


class Predicate(abc.ABC):
    """Selects records. Configurations name a subclass as `package.module:Class`."""

    @abc.abstractmethod
    def holds(self, rows: Rows) -> Mask:
        """Return a mask of the rows whose records the predicate selects.

        Args:
            rows: one or more rows of one schema, or tombstones (`rows.tombstones`), which don't have columns. `rows.records`
                holds the records as they were sent, and `rows.topic` their topic.
        """

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Text that identifies the settings of the selection; part of the configuration fingerprint in the footers."""

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> Predicate:
        """Create the predicate `p` of a Kafka Connect configuration.

        By default the properties become keyword arguments with texts as values, with `_` for each `.` in a name.

        Args:
            properties: all properties with the prefix `predicates.p.`, without this prefix and without `type`.

        Raises:
            ConfigurationError: the properties are invalid.
        """
        return made_of(cls, properties)


@checked
class RecordIsTombstone(Predicate):
    """Selects records without a value."""

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> RecordIsTombstone:
        """Create the predicate. It doesn't have properties, so given ones have no effect, as in Kafka Connect."""
        return cls()

    def holds(self, rows: Rows) -> Mask:
        """Select all rows if they are tombstones, or else none."""
        return np.full(len(rows), rows.tombstones)

    @property
    def fingerprint(self) -> str:
        """Text that identifies the class."""
        return "tombstone"


@checked
class TopicNameMatches(Predicate):
    """Selects records by their topic's name, which an earlier RegexRouter may have changed."""

    def __init__(self, pattern: Name) -> None:
        """Choose the topics.

        Args:
            pattern: one of Java's regular expressions, which has to match the whole name.

        Raises:
            ConfigurationError: Python doesn't support the pattern, or would interpret it differently from Java.
        """
        self._pattern = compiled(pattern, "pattern")

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> TopicNameMatches:
        """Read the property `pattern`."""
        return cls(TransformProperties(properties, "TopicNameMatches", "pattern").required("pattern"))

    def matches(self, topic: str) -> bool:
        """Return whether the predicate selects the records of a topic."""
        return self._pattern.fullmatch(topic) is not None

    def holds(self, rows: Rows) -> Mask:
        """Select all rows if their topic matches, or else none."""
        return np.full(len(rows), self.matches(rows.topic))

    @property
    def fingerprint(self) -> str:
        """Text that identifies the pattern."""
        return f"topic-{self._pattern.pattern}"


@checked
class HasHeaderKey(Predicate):
    """Selects records that have a header with the given name, whatever its value."""

    def __init__(self, name: Name) -> None:
        """Choose the header.

        Args:
            name: key of the header.

        Raises:
            ConfigurationError: the name is empty.
        """
        self.name = name

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> HasHeaderKey:
        """Read the property `name`."""
        return cls(TransformProperties(properties, "HasHeaderKey", "name").required("name"))

    def holds(self, rows: Rows) -> Mask:
        """Select the rows whose records have the header.

        Raises:
            ValueError: the headers of a record are malformed.
        """
        return have_header(rows.records.headers.cast(pa.large_binary()), self.name)

    @property
    def fingerprint(self) -> str:
        """Text that identifies the header."""
        return f"header-{self.name}"
