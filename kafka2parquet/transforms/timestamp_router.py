"""TimestampRouter: renames topics by the time of each record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem
from kafka2parquet.rows import Rows
from kafka2parquet.transforms.base import Transform, Transformed
from kafka2parquet.transforms.columns.refusals import Refusals
from kafka2parquet.transforms.kafka_connect.dates.pattern import Part, parts_of
from kafka2parquet.transforms.kafka_connect.dates.texts import date_texts
from kafka2parquet.transforms.properties import TransformProperties
from kafka2parquet.util.arguments import checked

TIMESTAMP = "${timestamp}"
_TOPIC = "${topic}"
_TOPIC_FORMAT, _TIMESTAMP_FORMAT = "${topic}-${timestamp}", "yyyyMMdd"
_DAY_MS = 86_400_000
#: How long the text of a letter stays the same, in milliseconds. The texts of other letters stay the same for a day.
_SHORTER_MS = {**dict.fromkeys("HkKha", 3_600_000), "m": 60_000, "s": 1000, "S": 1}


@checked
class TimestampRouter(Transform):
    """Renames topics by the timestamps of records, as Kafka Connect's TimestampRouter does.

    Each record gets a new topic, which later transforms see. If `ObjectNaming.topic_folders` has the router too, the new topics
    decide the folders of the files. Offsets, consumer group and file names keep the original topic. A record without a
    timestamp is rejected.
    """

    def __init__(self, topic_format: str = _TOPIC_FORMAT, timestamp_format: str = _TIMESTAMP_FORMAT) -> None:
        """Choose the names.

        Args:
            topic_format: the new name, in which `${topic}` stands for the topic and `${timestamp}` for the time.
            timestamp_format: a pattern of Java's SimpleDateFormat for the time, in English and in UTC.

        Raises:
            ConfigurationError: SimpleDateFormat would refuse the pattern.
        """
        self._topic_format = topic_format
        self._timestamp_format = timestamp_format
        self._parts = _parts(timestamp_format)
        self._step_ms = min((_SHORTER_MS.get(part.letter, _DAY_MS) for part in self._parts), default=_DAY_MS)

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> TimestampRouter:
        """Read the properties `topic.format`, `timestamp.format`."""
        given = TransformProperties(properties, "TimestampRouter", "topic.format", "timestamp.format")
        topic_format, timestamp_format = given.text("topic.format"), given.text("timestamp.format")
        return cls(
            topic_format if topic_format is not None else _TOPIC_FORMAT,
            timestamp_format if timestamp_format is not None else _TIMESTAMP_FORMAT,
        )

    def beginning(self, topic: str) -> str:
        """Return the common prefix of a topic's new names: the text before the time."""
        return self._format(topic).partition(TIMESTAMP)[0]

    def has_several(self, topic: str) -> bool:
        """Return whether the new names contain the time."""
        return TIMESTAMP in self._format(topic)

    def routed(self, topic: str, timestamp_ms: int) -> str:
        """Return a topic's new name for a record at a time, given in milliseconds since the epoch."""
        (name,) = self._names(topic, np.array([timestamp_ms], np.int64))
        return name

    @property
    def fingerprint(self) -> str:
        """Text that identifies both formats."""
        return f"route-by-time-{self._topic_format!r}-{self._timestamp_format!r}"

    def apply(self, rows: Rows) -> Transformed:
        """Set the rows' new topics. Rows of each new topic form a separate group."""
        refusals = Refusals(len(rows))
        refusals.add(pc.fill_null(pc.less(rows.timestamps_ms, 0), True), "TimestampRouter: the record has no timestamp.")
        timed = refusals.divide(rows, rows)
        if not len(timed.rows):
            return timed
        first, *others = self._groups(timed.rows)
        return Transformed(first, timed.rejects, others)

    def apply_to_tombstones(self, rows: Rows) -> Transformed:
        """Rename tombstones, as `apply` does rows."""
        return self.apply(rows)

    def _groups(self, rows: Rows) -> list[Rows]:
        """Return the rows of each new topic."""
        steps = rows.timestamps_ms.to_numpy() // self._step_ms
        if (steps == steps[0]).all():
            return [attrs.evolve(rows, routed_topic=self.routed(rows.topic, int(steps[0]) * self._step_ms))]
        distinct, places = np.unique(steps, return_inverse=True)
        names = self._names(rows.topic, distinct * self._step_ms)
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        codes = np.array([numbers[name] for name in names])[places]
        if len(numbers) == 1:
            return [attrs.evolve(rows, routed_topic=names[0])]
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order])) + 1
        combined = rows.combined()
        return [
            attrs.evolve(combined.take(chosen), routed_topic=name)
            for name, chosen in zip(numbers, np.split(order, starts), strict=True)
        ]

    def _names(self, topic: str, milliseconds: npt.NDArray[np.int64]) -> list[str]:
        name = self._format(topic)
        return [name.replace(TIMESTAMP, text) for text in date_texts(pa.array(milliseconds), self._parts).to_pylist()]

    def _format(self, topic: str) -> str:
        return self._topic_format.replace(_TOPIC, topic)


def _parts(pattern: str) -> Sequence[Part]:
    try:
        return parts_of(pattern)
    except ValueError as error:
        raise ConfigurationError(
            Problem("timestamp.format", f"timestamp.format: {pattern!r} is not a pattern of SimpleDateFormat: {error}.")
        ) from error
