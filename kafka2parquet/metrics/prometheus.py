"""Metrics for Prometheus: a collector that reads the status of sinks when they are scraped, and a hook that counts events.

```python
hook = PrometheusHook()
runner = build_runner(load_connect_config("sink.json"), hooks=[hook])
registry.register(StatusCollector(runner.status, hook))
```

Needs `pip install kafka2parquet[prometheus]`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kafka2parquet.events import Event
from kafka2parquet.metrics.instrument import EventReader, Instrument, Kind
from kafka2parquet.metrics.reading import Reading, StatusSource, TaskHistory
from kafka2parquet.metrics.table import INSTRUMENTS

__all__ = [
    "PrometheusHook",
    "StatusCollector",
]

_T = TypeVar("_T")

#: The names and the values of the labels, without the sink.
_Labels = tuple[tuple[str, ...], tuple[str, ...]]

#: A name, the labels, and the value.
_Sample = tuple[str, _Labels, float]

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
        for instrument in INSTRUMENTS:
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

    def samples(self, instrument: Instrument) -> Iterator[_Sample]:
        """Yield the current counts of an instrument."""
        for metric in self._metrics[instrument.name].collect():
            for sample in metric.samples:
                if not sample.name.endswith("_created"):  # in Prometheus's text format, this would be one more gauge
                    yield sample.name, (tuple(sample.labels), tuple(sample.labels.values())), sample.value


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
        return [_family(instrument) for instrument in INSTRUMENTS]

    def collect(self) -> Iterable[Metric]:
        """Read the status of each sink and return all metrics."""
        scrapes = [(scrape, _Memo(scrape.name, dict)) for scrape in self._scrapes()]
        for instrument in INSTRUMENTS:
            family = _family(instrument)
            for scrape, labels in scrapes:
                for name, key, value in scrape.samples(instrument):
                    family.add_sample(name, labels[key], value)
            if family.samples:
                yield family

    def text(self) -> bytes:
        """Read the status of each sink and return all metrics in Prometheus's text format.

        `prometheus_client.generate_latest` returns the same metrics for a registry. It looks at each label of each sample,
        though, and takes about ten times as long for thousands of topic-partitions, which share their labels.
        """
        scrapes = [(scrape, _Memo(scrape.name, _as_text)) for scrape in self._scrapes()]
        written: list[str] = []
        for instrument in INSTRUMENTS:
            lines = [
                f"{name}{{{labels[key]}}} {value!r}\n"
                for scrape, labels in scrapes
                for name, key, value in scrape.samples(instrument)
            ]
            if lines:
                name = instrument.prometheus_name
                written += [f"# HELP {name} {instrument.help}\n# TYPE {name} {instrument.kind}\n", *lines]
        return "".join(written).encode()

    def _scrapes(self) -> list[_Scrape]:
        return [sink.scrape() for sink in self._sinks]


class _Sink:
    """A sink of the process."""

    def __init__(self, status: StatusSource, hook: PrometheusHook | None, name: str) -> None:
        self._status = status
        self._hook = hook
        self._name = name
        self._history = TaskHistory()

    def scrape(self) -> _Scrape:
        """Read the status."""
        reading = self._history.reading(self._status())
        return _Scrape(self._name or reading.sink, reading, self._hook)


class _Scrape:
    """What a sink shows during one scrape."""

    def __init__(self, name: str, reading: Reading, hook: PrometheusHook | None) -> None:
        self.name = name
        self._reading = reading
        self._hook = hook

    def samples(self, instrument: Instrument) -> Iterator[_Sample]:
        """Yield the samples of an instrument."""
        if instrument.from_events is not None and self._hook is not None:
            yield from self._hook.samples(instrument)
        elif instrument.from_status is not None:
            name, labels = instrument.prometheus_name, instrument.labels
            for values, value in instrument.from_status(self._reading):
                yield name, (labels, values), value


class _Memo(dict[_Labels, _T]):
    """Labels in the form that an output needs, made once for all series of a topic-partition."""

    def __init__(self, sink: str, make: Callable[[Iterable[tuple[str, str]]], _T]) -> None:
        super().__init__()
        self._sink = sink
        self._make = make

    def __missing__(self, key: _Labels) -> _T:
        made = self[key] = self._make([("sink", self._sink), *zip(*key, strict=True)])
        return made


def _as_text(labels: Iterable[tuple[str, str]]) -> str:
    """Return labels as Prometheus's text format has them."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _family(instrument: Instrument) -> Metric:
    return _FAMILIES[instrument.kind](instrument.prometheus_name, instrument.help)


def _metric(instrument: Instrument) -> Counter | Histogram:
    if instrument.kind == "counter":
        return Counter(instrument.prometheus_name, instrument.help, instrument.labels, registry=None)
    return Histogram(instrument.prometheus_name, instrument.help, instrument.labels, buckets=instrument.buckets, registry=None)


def _child(metric: Counter | Histogram, values: tuple[str, ...]) -> Counter | Histogram:
    return metric.labels(*values) if values else metric
