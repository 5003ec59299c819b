"""The metrics that count events. Each is independent of the library that exports it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kafka2parquet.events import BoundaryAdopted, ConverterRetried, FilePublished, FlushDelivered, RecordRejected
from kafka2parquet.metrics.instrument import EventReader, Instrument, Sample
from kafka2parquet.metrics.reading import Reading
from kafka2parquet.records import Stage
from kafka2parquet.status import Totals

_MIB = 1024.0 * 1024.0
_MINUTE_S, _HOUR_S = 60.0, 3600.0

#: The steps of a flush, in order.
STEPS = ("stage", "intent", "publish", "commit")


def _total(label_values: tuple[str, ...], value: Callable[[Totals], int]) -> Callable[[Reading], Iterable[Sample]]:
    """Return a reader of the sum that the status has."""

    def read(reading: Reading) -> Iterable[Sample]:
        yield label_values, sum(value(task.totals) for task in reading.counted)

    return read


def _created(event: FilePublished) -> Iterable[Sample]:
    yield ("true" if event.created else "false",), 1


def _size(event: FilePublished) -> Iterable[Sample]:
    if event.created:
        yield (), event.size_bytes


def _rows(event: FilePublished) -> Iterable[Sample]:
    if event.created:
        yield (), event.rows


def _rejected(event: RecordRejected) -> Iterable[Sample]:
    yield (event.reject.stage.value,), 1


def _reason(event: FlushDelivered) -> Iterable[Sample]:
    yield (event.reason,), 1


def step_durations(event: FlushDelivered) -> dict[str, float]:
    """Return the duration of each step of a flush in seconds, in order."""
    return dict(zip(STEPS, (event.stage_s, event.intent_s, event.publish_s, event.commit_s), strict=True))


def _durations(event: FlushDelivered) -> Iterable[Sample]:
    return [((step,), duration_s) for step, duration_s in step_durations(event).items()]


def _visibility_delay(event: FlushDelivered) -> Iterable[Sample]:
    yield (), max(0.0, event.at.timestamp() - event.commit_s - event.first_record_ms / 1000)


def _one(_: BoundaryAdopted | ConverterRetried) -> Iterable[Sample]:
    yield (), 1


EVENT_INSTRUMENTS: tuple[Instrument, ...] = (
    Instrument(
        "flushes_total",
        "counter",
        "{flush}",
        "Flushes that became durable, by what ended them.",
        ("reason",),
        from_status=_total(("",), lambda totals: totals.flushes),
        from_events=EventReader(FlushDelivered, _reason),
    ),
    Instrument(
        "files_published_total",
        "counter",
        "{file}",
        "Published files. `created` is false if the same file existed already, for instance after a crash.",
        ("created",),
        from_status=_total(("true",), lambda totals: totals.files),
        from_events=EventReader(FilePublished, _created, known=(("true",), ("false",))),
    ),
    Instrument(
        "records_rejected_total",
        "counter",
        "{record}",
        "Records that were left out because they can't be written, by the stage at which they failed.",
        ("stage",),
        from_status=_total(("",), lambda totals: totals.rejected),
        from_events=EventReader(RecordRejected, _rejected, known=tuple((stage.value,) for stage in Stage)),
    ),
    Instrument(
        "converter_retries_total",
        "counter",
        "{event}",
        "Attempts to convert records that failed because a schema registry or the store didn't answer.",
        from_events=EventReader(ConverterRetried, _one, known=((),)),
    ),
    Instrument(
        "boundaries_adopted_total",
        "counter",
        "{event}",
        "Flushes that another owner of the topic-partition had published already, with another end.",
        from_events=EventReader(BoundaryAdopted, _one, known=((),)),
    ),
    Instrument(
        "file_size_bytes",
        "histogram",
        "By",
        "Sizes of the files that this process made visible.",
        from_events=EventReader(FilePublished, _size, known=((),)),
        buckets=tuple(_MIB * size for size in (1 / 16, 1 / 4, 1, 4, 16, 64, 128, 256, 512, 1024)),
    ),
    Instrument(
        "file_rows",
        "histogram",
        "{row}",
        "Numbers of rows of the files that this process made visible.",
        from_events=EventReader(FilePublished, _rows, known=((),)),
        buckets=tuple(10.0**power for power in range(1, 9)),
    ),
    Instrument(
        "flush_duration_seconds",
        "histogram",
        "s",
        "How long each step of a flush took: `stage` completes the files, `intent` commits the boundary, `publish` makes the"
        " files visible, and `commit` commits the end.",
        ("step",),
        from_events=EventReader(FlushDelivered, _durations, known=tuple((step,) for step in STEPS)),
        buckets=(0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, _MINUTE_S, 5 * _MINUTE_S, 15 * _MINUTE_S, _HOUR_S),
    ),
    Instrument(
        "visibility_delay_seconds",
        "histogram",
        "s",
        "Time from the timestamp of a flush's first record until all files of the flush were visible.",
        from_events=EventReader(FlushDelivered, _visibility_delay, known=((),)),
        buckets=(
            1.0,
            5.0,
            15.0,
            *(_MINUTE_S * count for count in (1, 5, 15, 30)),
            *(_HOUR_S * count for count in (1, 2, 6, 24)),
        ),
    ),
)
