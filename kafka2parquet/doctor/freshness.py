"""How long a record may stay in an open file, as far as a configuration promises that."""

from __future__ import annotations

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.properties.names import FLUSH_SIZE, ROTATE_INTERVAL_MS, ROTATE_SCHEDULE_INTERVAL_MS

_DAY_MS = 86_400_000


def longest_open_ms(config: ConnectConfig) -> int | None:
    """Return how long a record may stay in an open file, in milliseconds; None if only more records close a file.

    `rotate.interval.ms` counts from a file's first record, `rotate.schedule.interval.ms` from midnight. With `flush.size=1`
    nothing stays open.
    """
    if config.number(FLUSH_SIZE) <= 1:
        return 0
    found = []
    interval_ms, schedule_ms = config.number(ROTATE_INTERVAL_MS), config.number(ROTATE_SCHEDULE_INTERVAL_MS)
    if interval_ms > 0 and config.partitioner.time_based:
        found.append(interval_ms)
    if schedule_ms > 0:
        found.append(min(schedule_ms, _DAY_MS))
    return min(found, default=None)
