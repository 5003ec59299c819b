"""ConnectConfig: a validated connector configuration, with typed values."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Mapping

import attrs

from kafka2parquet.connect.forms.properties import Properties
from kafka2parquet.connect.properties.names import (
    PARTITIONER_CLASS,
    STORAGE_URL,
    TASKS_MAX,
    TIMESTAMP_EXTRACTOR,
    TOPICS,
    TOPICS_REGEX,
)
from kafka2parquet.connect.properties.option import Value, simple_name
from kafka2parquet.connect.properties.storage import FIELD_AND_TIME_CLASSES
from kafka2parquet.connect.properties.table import OptionTable
from kafka2parquet.problems import Problem, ProblemKind
from kafka2parquet.transforms import java_patterns
from kafka2parquet.util.secrets import Secrets


class PartitionerKind(enum.Enum):
    """The partitioner that a class name stands for."""

    DEFAULT = "DefaultPartitioner"
    FIELD = "FieldPartitioner"
    TIME_BASED = "TimeBasedPartitioner"
    FIELD_AND_TIME = "FieldAndTimeBasedPartitioner"
    DAILY = "DailyPartitioner"
    HOURLY = "HourlyPartitioner"
    CUSTOM = ""

    @classmethod
    def of(cls, class_name: str) -> PartitionerKind:
        """Return the kind of partitioner that a class name stands for; `CUSTOM` for a user's class."""
        if class_name in FIELD_AND_TIME_CLASSES or class_name == cls.FIELD_AND_TIME.value:
            return cls.FIELD_AND_TIME
        name = simple_name(class_name)
        is_confluent = not {".", ":"} & set(class_name) or class_name.startswith("io.confluent.")
        confluent = (kind for kind in cls if kind is not cls.FIELD_AND_TIME)
        return next((kind for kind in confluent if kind.value == name and is_confluent), cls.CUSTOM)

    @property
    def time_based(self) -> bool:
        """Whether this is a known partitioner by time."""
        return self.has_pattern or self in (PartitionerKind.DAILY, PartitionerKind.HOURLY)

    @property
    def has_pattern(self) -> bool:
        """Whether `path.format` and `partition.duration.ms` determine the folders of this partitioner."""
        return self in (PartitionerKind.TIME_BASED, PartitionerKind.FIELD_AND_TIME)


_VISIBLE = {
    PartitionerKind.DEFAULT: (),
    PartitionerKind.FIELD: ("partition.field.name",),
    PartitionerKind.DAILY: ("locale", "timezone"),
    PartitionerKind.HOURLY: ("locale", "timezone"),
}


def visible_properties(partitioner_class: str) -> tuple[str, ...]:
    """Return the properties that a partitioner uses, as Connect's validation shows them."""
    kind = PartitionerKind.of(partitioner_class)
    return _VISIBLE.get(kind, ("partition.duration.ms", "path.format", "locale", "timezone"))


@attrs.frozen(eq=False)
class ConnectConfig:
    """A connector configuration that can run.

    Attributes:
        table: the properties that the connector knows.
        values: typed values of all known properties, defaults included; properties of a known prefix by their full names.
        given: texts of the properties that the configuration sets, by name.
        unknown: properties that are missing in the table; custom classes get them.
        findings: warnings and notes, in the order in which they are shown.
        read: the properties as they were read, before they were checked.
        secrets: values that no text may show: of secret, refused and unknown properties.
        variables: values that were looked up; texts about the configuration show the variables in their place.
    """

    table: OptionTable = attrs.field(repr=False)
    values: Mapping[str, Value] = attrs.field(repr=False)
    given: Mapping[str, str] = attrs.field(repr=False)
    unknown: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    findings: tuple[Problem, ...] = ()
    read: Properties = attrs.field(factory=lambda: Properties({}), repr=False)
    secrets: Secrets = attrs.field(factory=Secrets)
    variables: Secrets = attrs.field(factory=Secrets)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Probable mistakes."""
        return tuple(finding for finding in self.findings if finding.kind is ProblemKind.WARNING)

    @property
    def notes(self) -> tuple[Problem, ...]:
        """Settings that have no effect, or work differently in Connect."""
        return tuple(finding for finding in self.findings if finding.kind is ProblemKind.NOTE)

    def is_set(self, name: str) -> bool:
        """Return whether the configuration sets the property, rather than leaving the default."""
        return name in self.given

    def text(self, name: str) -> str:
        """Return the value of a text property; "" if it has none."""
        value = self.values[name]
        return "" if value is None else str(value)

    def number(self, name: str) -> int:
        """Return the value of an integer property; 0 if it has none."""
        value = self.values[name]
        return value if isinstance(value, int) else 0

    def fraction(self, name: str) -> float:
        """Return the value of a fractional property; 0 if it has none."""
        value = self.values[name]
        return value if isinstance(value, float) else 0.0

    def flag(self, name: str) -> bool:
        """Return the value of a boolean property."""
        return self.values[name] is True

    def items(self, name: str) -> tuple[str, ...]:
        """Return the values of a list property without empty values."""
        value = self.values[name]
        return tuple(item for item in value if item) if isinstance(value, tuple) else ()

    @property
    def unresolved(self) -> Mapping[str, str]:
        """The texts of the properties whose variables can't be looked up here, and whose values are therefore stand-ins."""
        texts = {name: self.read.values[name] for name in self.read.missing if name in self.read.values}
        return {name: text for name, text in texts.items() if self.given.get(name) != text}

    def variable(self, name: str) -> str | None:
        """Return the text of a property whose variable can't be looked up here; None if the value is known."""
        return self.unresolved.get(name)

    def below(self, prefix: str) -> dict[str, str]:
        """Return the given properties whose names begin with `prefix`, without the prefix."""
        return {name.removeprefix(prefix): text for name, text in self.given.items() if name.startswith(prefix)}

    @property
    def name(self) -> str:
        """The name of the connector."""
        return self.text("name")

    @property
    def topics_pattern(self) -> re.Pattern[str] | None:
        """The pattern that the whole name of a topic has to match; None if `topics.regex` isn't set.

        Raises:
            ConfigurationError: Python can't read the pattern, or would read it differently from Java.
        """
        text = self.text(TOPICS_REGEX)
        return java_patterns.compiled(text, "topics.regex") if text else None

    def topics_among(self, existing: Callable[[], Iterable[str]]) -> tuple[str, ...]:
        """Return the topics that the configuration names, or those existing topics that match its pattern.

        Args:
            existing: returns the names of all topics; only called for a pattern.

        Raises:
            ConfigurationError: Python can't read the pattern, or would read it differently from Java.
        """
        pattern = self.topics_pattern
        return self.items(TOPICS) if pattern is None else tuple(topic for topic in existing() if pattern.fullmatch(topic))

    @property
    def tasks_max(self) -> int:
        """The most tasks that a process may start."""
        return self.number(TASKS_MAX)

    @property
    def partitioner(self) -> PartitionerKind:
        """The kind of the configured partitioner."""
        return PartitionerKind.of(self.text(PARTITIONER_CLASS))

    @property
    def extractor(self) -> str:
        """The source of a row's time: `Record`, `RecordField`, `Wallclock`, or an unknown name."""
        text = self.text(TIMESTAMP_EXTRACTOR)
        if "." in text and not text.startswith("io.confluent."):
            return text
        return re.split(r"[.$]", text)[-1].removesuffix("TimestampExtractor")

    @property
    def provider(self) -> str:
        """The provider of the connector's store: `s3` or `gcs`."""
        return "s3" if "s3.bucket.name" in self.table.options else "gcs"

    @property
    def destination(self) -> str:
        """The URL, as fsspec reads it, of the bucket or folder that contains `topics.dir`."""
        own = self.text(STORAGE_URL)
        if own:
            return own
        return f"s3://{self.text('s3.bucket.name')}" if self.provider == "s3" else f"gs://{self.text('gcs.bucket.name')}"
