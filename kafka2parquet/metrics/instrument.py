"""`Instrument`: one metric, independent of the library that exports it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import attrs

from kafka2parquet.events import Event
from kafka2parquet.metrics.reading import Reading
from kafka2parquet.status import TableStatus

#: The beginning of each name.
PREFIX = "kafka2parquet"

Kind = Literal["gauge", "counter", "histogram"]

Unit = Literal["s", "By", "1", "{record}", "{row}", "{file}", "{flush}", "{offset}", "{task}", "{partition}", "{event}"]
"""A unit as OpenTelemetry writes units (UCUM). Curly brackets count things."""

Sample = tuple[tuple[str, ...], float]
"""The values of the labels, and the value of the metric: a state, an increment, or one observation of a histogram."""

#: Units that are part of a metric's name in Prometheus.
_SUFFIXES = {"s": "_seconds", "By": "_bytes"}


@attrs.frozen
class EventReader:
    """The source of a metric that counts events.

    Attributes:
        event: the class of the events.
        read: returns what one event adds to the metric.
        known: values of the labels that the metric has from the start, with the value 0. Without them, a rate over the first
            event is 0, because Prometheus compares with an earlier value.
    """

    event: type[Event]
    read: Callable[[Any], Iterable[Sample]]
    known: tuple[tuple[str, ...], ...] = ()


@attrs.frozen
class Instrument:
    """One metric: its name, its meaning, and where its values come from.

    Attributes:
        name: the name in Prometheus, without the prefix.
        kind: whether the value is a state, a sum that only grows, or a distribution.
        unit: the unit of the value.
        help: the meaning, as one or more sentences.
        labels: names of the labels.
        from_status: reads the values from a sink's status; None if only events have them.
        from_events: reads the values from events; None if the status has them. Where both are set, the status has the sum
            without the labels, for applications that don't install the hook.
        from_table: reads the values from the status of a table's follower; None for the metrics of sinks.
        buckets: upper bounds of a histogram's buckets, ascending.
    """

    name: str
    kind: Kind
    unit: Unit
    help: str
    labels: tuple[str, ...] = ()
    from_status: Callable[[Reading], Iterable[Sample]] | None = None
    from_events: EventReader | None = None
    from_table: Callable[[TableStatus], Iterable[Sample]] | None = None
    buckets: tuple[float, ...] = ()

    @property
    def prometheus_name(self) -> str:
        """The full name in Prometheus."""
        return f"{PREFIX}_{self.name}"

    @property
    def opentelemetry_name(self) -> str:
        """The full name in OpenTelemetry, without `total`, and without the unit of a state or of a distribution."""
        unit = "_total" if self.kind == "counter" else _SUFFIXES.get(self.unit, "")
        return f"{PREFIX}.{self.name.removesuffix(unit)}"
