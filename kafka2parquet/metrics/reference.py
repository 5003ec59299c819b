"""Writes the tables of the documentation's page about metrics from the table of instruments."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kafka2parquet.metrics.from_events import EVENT_INSTRUMENTS
from kafka2parquet.metrics.from_status import PARTITION_INSTRUMENTS, PROCESS_INSTRUMENTS
from kafka2parquet.metrics.instrument import Instrument

_BEGIN = "<!-- begin of the tables -->"
_END = "<!-- end of the tables -->"


def with_tables(page: str) -> str:
    """Return a Markdown page with the current tables of all metrics between the marks."""
    tables = [
        *_table("Of each topic-partition", "The labels are `topic` and `partition`.", PARTITION_INSTRUMENTS),
        *_table("Of each process", "From the status.", PROCESS_INSTRUMENTS),
        *_table("From events", "From the hook.", EVENT_INSTRUMENTS),
    ]
    written = "\n".join([_BEGIN, "", *tables, _END])
    return re.sub(f"{_BEGIN}.*{_END}", lambda _: written, page, count=1, flags=re.DOTALL)


def _table(title: str, introduction: str, instruments: Iterable[Instrument]) -> list[str]:
    rows = [f"| {' | '.join(_cells(instrument))} |" for instrument in instruments]
    return [f"### {title}\n", f"{introduction}\n", "| name | kind | labels | meaning |", "|---|---|---|---|", *rows, ""]


def _cells(instrument: Instrument) -> tuple[str, ...]:
    names = f"`{instrument.prometheus_name}`<br>`{instrument.opentelemetry_name}`"
    labels = ", ".join(f"`{label}`" for label in instrument.labels if label not in ("topic", "partition"))
    return names, instrument.kind, labels, instrument.help
