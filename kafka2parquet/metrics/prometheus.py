"""Metrics for Prometheus: collectors that read the status of sinks and of tables when scraped, and a hook that counts events.

```python
hook = PrometheusHook()
runner = build_runner(load_connect_config("sink.json"), hooks=[hook])
registry.register(StatusCollector(runner.status, hook))
registry.register(FollowerCollector(follower.status))
```

Needs `pip install kafka2parquet[prometheus]`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kafka2parquet.events import Event
from kafka2parquet.metrics.from_tables import TABLE_INSTRUMENTS
from kafka2parquet.metrics.instrument import EventReader, Instrument, Kind
from kafka2parquet.metrics.reading import StatusSource, TableStatusSource, TaskHistory
from kafka2parquet.metrics.table import SINK_INSTRUMENTS

__all__ = [
    "FollowerCollector",
    "PrometheusHook",
    "StatusCollector",
]

_FAMILIES: Mapping[Kind, Callable[[str, str], Metric]] = {
    "gauge": GaugeMetricFamily,
    "counter": CounterMetricFamily,
    "histogram": HistogramMetricFamily,
}


class PrometheusHook:
    """A hook that counts the events of the tasks of one sink: flushes by reason, sizes of files, durations.

    Give the hook to each task of the sink, and to the `StatusCollector` that exports the counts. May be called from several
    threads.
    """

    def __init__(self) -> None:
        self._metrics: dict[str, Counter | Histogram] = {}
        self._readers: defaultdict[type[Event], list[tuple[EventReader, Counter | Histogram]]] = defaultdict(list)
        for instrument in SINK_INSTRUMENTS:
            if instrument.from_events is not None:
                metric = self._metrics[instrument.name] = _metric(instrument)
                self._readers[instrument.from_events.event].append((instrument.from_events, metric))
                for values in instrument.from_events.known:
                    _child(metric, values)

    def __call__(self, event: Event) -> None:
        """Count an event. Never blocks."""
        for reader, metric in self._readers.get(type(event), ()):
            for values, value in reader.read(event):
                child = _child(metric, values)
                if isinstance(child, Counter):
                    child.inc(value)
                else:
                    child.observe(value)

    def add_to(self, family: Metric, instrument: Instrument, sink: str) -> None:
        """Add the samples of an instrument to its family, with the name of the sink as a label."""
        for metric in self._metrics[instrument.name].collect():
            for sample in metric.samples:
                if not sample.name.endswith("_created"):  # in Prometheus's text format, this would be one more gauge
                    family.add_sample(sample.name, {"sink": sink, **sample.labels}, sample.value)


class StatusCollector(Collector):
    """A collector that reads the status of one or several sinks when it is scraped. Register it with a registry of your choice.

    Every metric has the label `sink`, the name in the status. A scrape doesn't call Kafka or the store. If reading a status
    raises an exception, the scrape fails.
    """

    def __init__(self, status: StatusSource, hook: PrometheusHook | None = None, *, sink: str = "") -> None:
        """Make a collector of one sink. Reads nothing yet.

        Args:
            status: returns the status, such as `runner.status` or `task.status`. Called once for each scrape, on its thread.
            hook: the hook that the sink's tasks call; without it, metrics that only events have are missing, and the other
                counters of events have no labels.
            sink: value of the label `sink`, by default the name in the status.
        """
        self._sinks = [_Sink(status, hook, sink)]

    def add(self, status: StatusSource, hook: PrometheusHook | None = None, *, sink: str = "") -> None:
        """Add another sink of this process; its label `sink` has to differ. The arguments are those of the constructor."""
        self._sinks.append(_Sink(status, hook, sink))

    def describe(self) -> Iterable[Metric]:
        """Return all metrics without samples, so that registering the collector reads no status."""
        return [_family(instrument) for instrument in SINK_INSTRUMENTS]

    def collect(self) -> Iterable[Metric]:
        """Read the status of each sink and return all metrics."""
        families = [(instrument, _family(instrument)) for instrument in SINK_INSTRUMENTS]
        for sink in self._sinks:
            sink.add_to(families)
        return [family for _, family in families if family.samples]


class FollowerCollector(Collector):
    """A collector that reads the status of one or several followers of tables when it is scraped.

    Every metric has the labels `table` and `topic`. A scrape doesn't call Kafka, the store or a catalogue. The collector may be
    registered beside a `StatusCollector`.
    """

    def __init__(self, *statuses: TableStatusSource) -> None:
        """Make a collector. Reads nothing yet.

        Args:
            statuses: each returns the status of one follower: `follower.status`. Called once for each scrape, on its thread.
                No two followers may have the same table and topic.
        """
        self._statuses = statuses

    def describe(self) -> Iterable[Metric]:
        """Return all metrics without samples, so that registering the collector reads no status."""
        return [_family(instrument) for instrument in TABLE_INSTRUMENTS]

    def collect(self) -> Iterable[Metric]:
        """Read the status of each follower and return all metrics."""
        statuses = [status() for status in self._statuses]
        families = []
        for instrument in TABLE_INSTRUMENTS:
            if instrument.from_table is not None:
                family = _family(instrument)
                for status in statuses:
                    for values, value in instrument.from_table(status):
                        labels = dict(zip(instrument.labels, values, strict=True))
                        family.add_sample(instrument.prometheus_name, labels, value)
                families.append(family)
        return [family for family in families if family.samples]


class _Sink:
    def __init__(self, status: StatusSource, hook: PrometheusHook | None, name: str) -> None:
        self._status = status
        self._hook = hook
        self._name = name
        self._history = TaskHistory()

    def add_to(self, families: Iterable[tuple[Instrument, Metric]]) -> None:
        """Add the samples of this sink."""
        reading = self._history.reading(self._status())
        name = self._name or reading.sink
        labels: dict[tuple[tuple[str, ...], tuple[str, ...]], dict[str, str]] = {}  # series of a topic-partition share them
        for instrument, family in families:
            if instrument.from_events is not None and self._hook is not None:
                self._hook.add_to(family, instrument, name)
            elif instrument.from_status is not None:
                for values, value in instrument.from_status(reading):
                    named = labels.get((instrument.labels, values))
                    if named is None:
                        named = {"sink": name, **dict(zip(instrument.labels, values, strict=True))}
                        labels[instrument.labels, values] = named
                    family.add_sample(instrument.prometheus_name, named, value)


def _family(instrument: Instrument) -> Metric:
    return _FAMILIES[instrument.kind](instrument.prometheus_name, instrument.help)


def _metric(instrument: Instrument) -> Counter | Histogram:
    if instrument.kind == "counter":
        return Counter(instrument.prometheus_name, instrument.help, instrument.labels, registry=None)
    return Histogram(instrument.prometheus_name, instrument.help, instrument.labels, buckets=instrument.buckets, registry=None)


def _child(metric: Counter | Histogram, values: tuple[str, ...]) -> Counter | Histogram:
    return metric.labels(*values) if values else metric
