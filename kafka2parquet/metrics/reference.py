"""Writes the tables of the documentation's page about metrics from the table of instruments."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from kafka2parquet.metrics.from_events import EVENT_INSTRUMENTS
from kafka2parquet.metrics.from_status import PARTITION_INSTRUMENTS, PROCESS_INSTRUMENTS
from kafka2parquet.metrics.from_tables import TABLE_INSTRUMENTS
from kafka2parquet.metrics.instrument import Instrument

_BEGIN = "<!-- begin of the tables -->"
_END = "<!-- end of the tables -->"
_PARTITION = ("topic", "partition")


def with_tables(page: str) -> str:
    """Return a Markdown page with the current tables of all metrics between the marks."""
    tables = [
        *_table("Of each topic-partition", "The labels are `topic` and `partition`.", PARTITION_INSTRUMENTS, _PARTITION),
        *_table("Of each process", "From the status.", PROCESS_INSTRUMENTS),
        *_table("From events", "From the hook.", EVENT_INSTRUMENTS),
        *_table("Of each table", "From a follower. The labels are `table` and `topic`.", TABLE_INSTRUMENTS, ("table", "topic")),
    ]
    written = "\n".join([_BEGIN, "", *tables, _END])
    return re.sub(f"{_BEGIN}.*{_END}", lambda _: written, page, count=1, flags=re.DOTALL)


def _table(title: str, introduction: str, instruments: Iterable[Instrument], common_labels: Collection[str] = ()) -> list[str]:
    """Write a table. The labels that all of its metrics have are in the introduction."""
    rows = [f"| {' | '.join(_cells(instrument, common_labels))} |" for instrument in instruments]
    return [f"### {title}\n", f"{introduction}\n", "| name | kind | labels | meaning |", "|---|---|---|---|", *rows, ""]


def _cells(instrument: Instrument, common_labels: Collection[str]) -> tuple[str, ...]:
    names = f"`{instrument.prometheus_name}`<br>`{instrument.opentelemetry_name}`"
    labels = ", ".join(f"`{label}`" for label in instrument.labels if label not in common_labels)
    return names, instrument.kind, labels, instrument.help
