"""Predicates: which records a transform is applied to, as Kafka Connect's predicates choose them."""

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
    """Chooses records. Configurations name a subclass as `package.module:Class`."""

    @abc.abstractmethod
    def holds(self, rows: Rows) -> Mask:
        """Return whether the predicate chooses the record of each row.

        Args:
            rows: one or more rows of one schema, or tombstones (`rows.tombstones`), which have no columns. `rows.records` has
                the records as they were sent, `rows.topic` their topic.
        """

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Names the settings that decide what is chosen; part of the configuration fingerprint in the footers."""

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> Predicate:
        """Make the predicate `p` of a Kafka Connect configuration.

        By default the properties become keyword arguments, as texts, with `_` for each `.` in a name.

        Args:
            properties: all that begin with `predicates.p.`, without this prefix and without `type`.

        Raises:
            ConfigurationError: they don't fit.
        """
        return made_of(cls, properties)


@checked
class RecordIsTombstone(Predicate):
    """Chooses records without value."""

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> RecordIsTombstone:
        """It has no properties; given properties have no effect, as in Kafka Connect."""
        return cls()

    def holds(self, rows: Rows) -> Mask:
        """Return whether they are tombstones."""
        return np.full(len(rows), rows.tombstones)

    @property
    def fingerprint(self) -> str:
        """Its name."""
        return "tombstone"


@checked
class TopicNameMatches(Predicate):
    """Chooses records of topics by their name, which a RegexRouter before it may have changed."""

    def __init__(self, pattern: Name) -> None:
        """Choose the topics.

        Args:
            pattern: a regular expression of Java's that the whole name has to match.

        Raises:
            ConfigurationError: Python can't read it, or would read it differently from Java.
        """
        self._pattern = compiled(pattern, "pattern")

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> TopicNameMatches:
        """Read the property `pattern`."""
        return cls(TransformProperties(properties, "TopicNameMatches", "pattern").required("pattern"))

    def matches(self, topic: str) -> bool:
        """Return whether it chooses the records of a topic."""
        return self._pattern.fullmatch(topic) is not None

    def holds(self, rows: Rows) -> Mask:
        """Return whether their topic matches."""
        return np.full(len(rows), self.matches(rows.topic))

    @property
    def fingerprint(self) -> str:
        """Names the pattern."""
        return f"topic-{self._pattern.pattern}"


@checked
class HasHeaderKey(Predicate):
    """Chooses records that have a header of a name, whatever its value."""

    def __init__(self, name: Name) -> None:
        """Choose the header.

        Args:
            name: its key.

        Raises:
            ConfigurationError: it is empty.
        """
        self.name = name

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> HasHeaderKey:
        """Read the property `name`."""
        return cls(TransformProperties(properties, "HasHeaderKey", "name").required("name"))

    def holds(self, rows: Rows) -> Mask:
        """Return whether they have the header.

        Raises:
            ValueError: the headers of a record are not well formed.
        """
        return have_header(rows.records.headers.cast(pa.large_binary()), self.name)

    @property
    def fingerprint(self) -> str:
        """Names the header."""
        return f"header-{self.name}"
