"""Metrics and spans for OpenTelemetry: instruments that observe a status, and a hook that counts events.

```python
runner = build_runner(load_connect_config("sink.json"), hooks=[OpenTelemetryHook()])
observe_status(runner.status)
observe_follower(follower.status)
```

Only OpenTelemetry's API is used; the application brings the SDK and an exporter. The instruments are those of Prometheus, under
OpenTelemetry's names. Where the semantic conventions for messaging have a name, that name is used: all of them are still in
development, so they may change. Needs `pip install kafka2parquet[otel]`.
"""

from __future__ import annotations

import datetime
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Meter, MeterProvider, Observation
from opentelemetry.trace import SpanKind, TracerProvider
from opentelemetry.util.types import AttributeValue

from kafka2parquet.clock import Clock, SystemClock
from kafka2parquet.events import Event, FlushDelivered
from kafka2parquet.metrics.from_events import step_durations
from kafka2parquet.metrics.from_tables import TABLE_INSTRUMENTS
from kafka2parquet.metrics.instrument import PREFIX, EventReader, Instrument, Sample
from kafka2parquet.metrics.reading import Reading, StatusSource, TableStatusSource, TaskHistory
from kafka2parquet.metrics.table import SINK_INSTRUMENTS
from kafka2parquet.version import VERSION

__all__ = [
    "OpenTelemetryHook",
    "observe_follower",
    "observe_status",
]

_Read = TypeVar("_Read")

_EPOCH = datetime.datetime.fromtimestamp(0, datetime.timezone.utc)

#: One export reads many instruments, one after the other, from the same status.
_STATUS_IS_FRESH_S = 1.0

#: The semantic conventions for messaging, of version 1.44. They are in development, so each name is here and nowhere else.
_ATTRIBUTES = {"topic": "messaging.destination.name", "partition": "messaging.destination.partition.id"}
_SYSTEM = {"messaging.system": "kafka"}
_CONSUMED = "messaging.client.consumed.messages"
_OPERATION = "messaging.operation.name"
_OPERATION_DURATION = "messaging.client.operation.duration"
_PROCESS_DURATION = "messaging.process.duration"
_DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


def observe_status(
    status: StatusSource, *, meter_provider: MeterProvider | None = None, sink: str = "", clock: Clock | None = None
) -> None:
    """Create instruments that read a sink's status whenever metrics are exported. Reads nothing yet.

    Call the function once for each sink: OpenTelemetry keeps the instruments for the life of the provider.

    Args:
        status: returns the status, such as `runner.status` or `task.status`. Called about once for each export, on its thread.
        meter_provider: makes the instruments; by default the provider of the process.
        sink: value of the attribute `kafka2parquet.sink`, by default the name in the status.
        clock: for tests.
    """
    history = TaskHistory()
    shared = _Shared(lambda: history.reading(status()), clock)
    meter = metrics.get_meter(PREFIX, VERSION, meter_provider)
    for instrument in SINK_INSTRUMENTS:
        if instrument.from_events is None and instrument.from_status is not None:
            callback = shared.callback(instrument, instrument.from_status, lambda reading: sink or reading.sink)
            _observe(meter, instrument, callback)
    meter.create_observable_counter(
        _CONSUMED,
        [lambda _: _consumed(shared())],
        "{message}",
        "Number of messages that were delivered to the application.",
    )


def observe_follower(
    status: TableStatusSource, *, meter_provider: MeterProvider | None = None, clock: Clock | None = None
) -> None:
    """Create instruments that read the status of a table's follower whenever metrics are exported. Reads nothing yet.

    Call the function once for each follower: OpenTelemetry keeps the instruments for the life of the provider.

    Args:
        status: returns the status: `follower.status`. Called about once for each export, on its thread.
        meter_provider: makes the instruments; by default the provider of the process.
        clock: for tests.
    """
    shared = _Shared(status, clock)
    meter = metrics.get_meter(PREFIX, VERSION, meter_provider)
    for instrument in TABLE_INSTRUMENTS:
        if instrument.from_table is not None:
            _observe(meter, instrument, shared.callback(instrument, instrument.from_table, lambda _: ""))


class OpenTelemetryHook:
    """A hook that counts the events of tasks (flushes by reason, sizes of files, durations), and makes a span of each flush.

    The span covers the delivery of the flush, with a child for each step: stage, intent, publish, commit. Each flush has
    its own trace. Give the hook to each task of a sink. May be called from several threads.
    """

    def __init__(
        self, *, meter_provider: MeterProvider | None = None, tracer_provider: TracerProvider | None = None, sink: str = ""
    ) -> None:
        """Create the instruments.

        Args:
            meter_provider: makes the instruments; by default the provider of the process.
            tracer_provider: makes the tracer; by default the provider of the process.
            sink: value of the attribute `kafka2parquet.sink`; without it, there is no such attribute.
        """
        self._sink = sink
        self._readers: defaultdict[type[Event], list[tuple[EventReader, Instrument, Counter | Histogram]]] = defaultdict(list)
        meter = metrics.get_meter(PREFIX, VERSION, meter_provider)
        self._flushes = _Flushes(meter, trace.get_tracer(PREFIX, VERSION, tracer_provider))
        for instrument in SINK_INSTRUMENTS:
            if instrument.from_events is not None:
                created = _create(meter, instrument)
                self._readers[instrument.from_events.event].append((instrument.from_events, instrument, created))
                if isinstance(created, Counter):
                    for values in instrument.from_events.known:
                        created.add(0, _attributes(instrument, values, sink))

    def __call__(self, event: Event) -> None:
        """Count an event. Never blocks, as long as no span processor does."""
        for reader, instrument, created in self._readers.get(type(event), ()):
            for values, value in reader.read(event):
                attributes = _attributes(instrument, values, self._sink)
                if isinstance(created, Counter):
                    created.add(value, attributes)
                else:
                    created.record(value, attributes)
        if isinstance(event, FlushDelivered):
            self._flushes.add(event)


class _Flushes:
    """Exports each flush under the names of the semantic conventions: two durations, and a span with its steps."""

    def __init__(self, meter: Meter, tracer: trace.Tracer) -> None:
        self._tracer = tracer
        self._operation_duration = meter.create_histogram(
            _OPERATION_DURATION,
            "s",
            "Duration of messaging operation initiated by a producer or consumer client.",
            explicit_bucket_boundaries_advisory=_DURATION_BUCKETS,
        )
        self._process_duration = meter.create_histogram(
            _PROCESS_DURATION, "s", "Duration of processing operation.", explicit_bucket_boundaries_advisory=_DURATION_BUCKETS
        )

    def add(self, event: FlushDelivered) -> None:
        """Export a flush."""
        topic, partition = event.topic_partition.topic, str(event.topic_partition.partition)
        place = {**_SYSTEM, _ATTRIBUTES["topic"]: topic, _ATTRIBUTES["partition"]: partition}
        steps = step_durations(event)
        for step in ("intent", "commit"):
            if steps[step]:  # an intent may be there already
                self._operation_duration.record(steps[step], {**place, _OPERATION: "commit"})
        self._process_duration.record(sum(steps.values()), {**place, _OPERATION: "flush"})
        steps_ns = {step: int(duration_s * 1e9) for step, duration_s in steps.items()}
        at_ns = (event.at - _EPOCH) // datetime.timedelta(microseconds=1) * 1000 - sum(steps_ns.values())
        attributes: dict[str, AttributeValue] = {
            **place,
            _OPERATION: "flush",
            "messaging.operation.type": "process",
            "messaging.batch.message_count": event.rows,
            "messaging.kafka.offset": event.start,
            f"{PREFIX}.end_offset": event.end,
            f"{PREFIX}.files": event.files,
            f"{PREFIX}.file_bytes": event.file_bytes,
            f"{PREFIX}.reason": event.reason,
        }
        flush = self._tracer.start_span(f"flush {topic}", Context(), SpanKind.CONSUMER, attributes, start_time=at_ns)
        inside = trace.set_span_in_context(flush, Context())
        for step, duration_ns in steps_ns.items():
            span = self._tracer.start_span(step, inside, start_time=at_ns)
            at_ns += duration_ns
            span.end(at_ns)
        flush.end(at_ns)


class _Shared(Generic[_Read]):
    """A reading that the callbacks of all instruments share during one export."""

    def __init__(self, read: Callable[[], _Read], clock: Clock | None) -> None:
        self._read = read
        self._clock = clock if clock is not None else SystemClock()
        self._lock = threading.Lock()
        self._last: tuple[float, _Read] | None = None

    def callback(
        self, instrument: Instrument, samples: Callable[[_Read], Iterable[Sample]], sink: Callable[[_Read], str]
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        """Return a function that observes an instrument.

        Args:
            instrument: the instrument.
            samples: returns the instrument's values in a reading.
            sink: returns the sink's name in a reading; "" for no attribute.
        """

        def observe(_: CallbackOptions) -> Iterator[Observation]:
            reading = self()
            for values, value in samples(reading):
                yield Observation(value, _attributes(instrument, values, sink(reading)))

        return observe

    def __call__(self) -> _Read:
        """Return the reading of the current export."""
        with self._lock:
            now_s = self._clock.monotonic()
            if self._last is None or now_s - self._last[0] >= _STATUS_IS_FRESH_S:
                self._last = now_s, self._read()
            return self._last[1]


def _consumed(reading: Reading) -> Iterator[Observation]:
    """Observe the messages that each consumer group has delivered to this process."""
    counts: defaultdict[str, int] = defaultdict(int)
    for task in reading.counted:
        counts[task.kafka.group_id] += task.totals.records
    for group_id, records in counts.items():
        group = {"messaging.consumer.group.name": group_id} if group_id else {}
        yield Observation(records, {**_SYSTEM, _OPERATION: "poll", **group})


def _observe(meter: Meter, instrument: Instrument, callback: Callable[[CallbackOptions], Iterable[Observation]]) -> None:
    create = meter.create_observable_gauge if instrument.kind == "gauge" else meter.create_observable_counter
    create(instrument.opentelemetry_name, [callback], instrument.unit, instrument.help)


def _create(meter: Meter, instrument: Instrument) -> Counter | Histogram:
    name, unit, description = instrument.opentelemetry_name, instrument.unit, instrument.help
    if instrument.kind == "counter":
        return meter.create_counter(name, unit, description)
    return meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=instrument.buckets)


def _attributes(instrument: Instrument, values: tuple[str, ...], sink: str) -> dict[str, str]:
    named = zip(instrument.labels, values, strict=True)
    found = {_ATTRIBUTES.get(label, f"{PREFIX}.{label}"): value for label, value in named if value}
    return {f"{PREFIX}.sink": sink, **found} if sink else found
