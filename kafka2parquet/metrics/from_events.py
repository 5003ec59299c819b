"""The metrics that count events. Each is independent of the library that exports it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kafka2parquet.events import BoundaryAdopted, ConverterRetried, FilePublished, FlushCut, RecordRejected
from kafka2parquet.metrics.instrument import EventReader, Instrument, Sample
from kafka2parquet.metrics.reading import Reading
from kafka2parquet.records import Stage
from kafka2parquet.status import Totals

_MIB = 1024.0 * 1024.0


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


def _reason(event: FlushCut) -> Iterable[Sample]:
    yield (event.reason,), 1


def _one(_: BoundaryAdopted | ConverterRetried) -> Iterable[Sample]:
    yield (), 1


EVENT_INSTRUMENTS: tuple[Instrument, ...] = (
    Instrument(
        "flushes_total",
        "counter",
        "{flush}",
        "Flushes that were cut, by what ended them.",
        ("reason",),
        from_status=_total(("",), lambda totals: totals.flushes),
        from_events=EventReader(FlushCut, _reason),
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
)
