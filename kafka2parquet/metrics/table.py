"""The table of all metrics, in the order of the documentation."""

from __future__ import annotations

from kafka2parquet.metrics.from_events import EVENT_INSTRUMENTS
from kafka2parquet.metrics.from_status import PARTITION_INSTRUMENTS, PROCESS_INSTRUMENTS
from kafka2parquet.metrics.from_tables import TABLE_INSTRUMENTS
from kafka2parquet.metrics.instrument import Instrument

#: The metrics of sinks.
SINK_INSTRUMENTS: tuple[Instrument, ...] = (*PARTITION_INSTRUMENTS, *PROCESS_INSTRUMENTS, *EVENT_INSTRUMENTS)

INSTRUMENTS: tuple[Instrument, ...] = (*SINK_INSTRUMENTS, *TABLE_INSTRUMENTS)
