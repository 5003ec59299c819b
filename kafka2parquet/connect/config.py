"""ConnectConfig: a validated connector configuration, with typed values."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping

import attrs

from kafka2parquet.connect.forms.properties import Properties
from kafka2parquet.connect.properties.option import Value, simple_name
from kafka2parquet.connect.properties.storage import FIELD_AND_TIME_CLASSES
from kafka2parquet.connect.properties.table import OptionTable
from kafka2parquet.problems import Problem, ProblemKind
from kafka2parquet.transforms import java_patterns
from kafka2parquet.util.secrets import Secrets


class PartitionerKind(enum.Enum):
    """Which of the known partitioners a class name means."""

    DEFAULT = "DefaultPartitioner"
    FIELD = "FieldPartitioner"
    TIME_BASED = "TimeBasedPartitioner"
    FIELD_AND_TIME = "FieldAndTimeBasedPartitioner"
    DAILY = "DailyPartitioner"
    HOURLY = "HourlyPartitioner"
    CUSTOM = ""

    @classmethod
    def of(cls, class_name: str) -> PartitionerKind:
        """The kind of a partitioner's class name; `CUSTOM` for a user's class."""
        if class_name in FIELD_AND_TIME_CLASSES or class_name == cls.FIELD_AND_TIME.value:
            return cls.FIELD_AND_TIME
        name = simple_name(class_name)
        is_confluent = not {".", ":"} & set(class_name) or class_name.startswith("io.confluent.")
        confluent = (kind for kind in cls if kind is not cls.FIELD_AND_TIME)
        return next((kind for kind in confluent if kind.value == name and is_confluent), cls.CUSTOM)

    @property
    def time_based(self) -> bool:
        """Whether it is a known partitioner by time."""
        return self.has_pattern or self in (PartitionerKind.DAILY, PartitionerKind.HOURLY)

    @property
    def has_pattern(self) -> bool:
        """Whether `path.format` and `partition.duration.ms` say which folders it makes."""
        return self in (PartitionerKind.TIME_BASED, PartitionerKind.FIELD_AND_TIME)


_VISIBLE = {
    PartitionerKind.DEFAULT: (),
    PartitionerKind.FIELD: ("partition.field.name",),
    PartitionerKind.DAILY: ("locale", "timezone"),
    PartitionerKind.HOURLY: ("locale", "timezone"),
}


def visible_properties(partitioner_class: str) -> tuple[str, ...]:
    """The properties of partitioners that matter to this one, as Connect's validation shows them."""
    kind = PartitionerKind.of(partitioner_class)
    return _VISIBLE.get(kind, ("partition.duration.ms", "path.format", "locale", "timezone"))


@attrs.frozen(eq=False)
class ConnectConfig:
    """A connector configuration that can run.

    Attributes:
        table: the properties that its connector knows.
        values: typed values of all of them, defaults included; properties of a known prefix by their full names.
        given: the texts as they were written.
        unknown: properties that the table doesn't have; custom classes get them.
        findings: warnings and notes, in the order in which they are shown.
        read: the properties that the configuration was made of.
        secrets: what no text may show: values of secret, refused and unknown properties.
        variables: values that texts about the configuration show as the variables that they were looked up by.
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
    def warnings(self) -> tuple[str, ...]:
        """Probable mistakes, as sentences."""
        return tuple(str(finding) for finding in self.findings if finding.kind is ProblemKind.WARNING)

    @property
    def notes(self) -> tuple[str, ...]:
        """Settings that have no effect, or work differently in Connect, as sentences."""
        return tuple(str(finding) for finding in self.findings if finding.kind is ProblemKind.NOTE)

    def is_set(self, name: str) -> bool:
        """Whether the configuration sets the property, instead of leaving it at its default."""
        return name in self.given

    def text(self, name: str) -> str:
        """The value of a property that is a text; "" where it has none."""
        value = self.values[name]
        return "" if value is None else str(value)

    def number(self, name: str) -> int:
        """The value of a numeric property; 0 where it has none."""
        value = self.values[name]
        return value if isinstance(value, int) else 0

    def fraction(self, name: str) -> float:
        """The value of a property that is a fraction; 0 where it has none."""
        value = self.values[name]
        return value if isinstance(value, float) else 0.0

    def flag(self, name: str) -> bool:
        """The value of a boolean property."""
        return self.values[name] is True

    def items(self, name: str) -> tuple[str, ...]:
        """The values of a list property, empty ones left out."""
        value = self.values[name]
        return tuple(item for item in value if item) if isinstance(value, tuple) else ()

    def below(self, prefix: str) -> dict[str, str]:
        """Given properties that begin with `prefix`, without it."""
        return {name.removeprefix(prefix): text for name, text in self.given.items() if name.startswith(prefix)}

    @property
    def name(self) -> str:
        """Name of the connector."""
        return self.text("name")

    @property
    def topics_pattern(self) -> re.Pattern[str] | None:
        """The pattern that the whole name of a topic has to match; None where `topics.regex` isn't set.

        Raises:
            ConfigurationError: Python can't read the pattern, or would read it differently from Java.
        """
        text = self.text("topics.regex")
        return java_patterns.compiled(text, "topics.regex") if text else None

    @property
    def tasks_max(self) -> int:
        """Number of tasks."""
        return self.number("tasks.max")

    @property
    def partitioner(self) -> PartitionerKind:
        """Which partitioner is asked for."""
        return PartitionerKind.of(self.text("partitioner.class"))

    @property
    def extractor(self) -> str:
        """Where a row's time comes from: `Record`, `RecordField`, `Wallclock`, or a name that isn't known."""
        text = self.text("timestamp.extractor")
        if "." in text and not text.startswith("io.confluent."):
            return text
        return re.split(r"[.$]", text)[-1].removesuffix("TimestampExtractor")

    @property
    def provider(self) -> str:
        """`s3` or `gcs`."""
        return "s3" if "s3.bucket.name" in self.table.options else "gcs"

    @property
    def destination(self) -> str:
        """URL (as fsspec reads it) of the bucket or folder around `topics.dir`."""
        own = self.text("kafka2parquet.storage.url")
        if own:
            return own
        return f"s3://{self.text('s3.bucket.name')}" if self.provider == "s3" else f"gs://{self.text('gcs.bucket.name')}"
