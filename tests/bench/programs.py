"""The measured programs, each run in a separate process: `python -m tests.bench.programs NAME JSON`."""

from __future__ import annotations

import datetime
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tests.bench import hand_written
from tests.bench.measure import Meter

#: The load has begun before the sink: only then has it caught up.
_SETTLING_S = 15.0


def floor(rows: int) -> dict[str, Any]:
    """pyarrow.json with a known schema, and Parquet encoding, from memory, on one thread."""
    import pyarrow as pa
    import pyarrow.json as pj
    import pyarrow.parquet as pq

    from kafka2parquet.testing.events import generate_events

    pa.set_cpu_count(1)
    values, _ = generate_events(100_000, datetime.datetime(2026, 5, 17, 10), datetime.timedelta(hours=3), 1)
    text = pa.py_buffer(b"\n".join(values))
    schema = pj.read_json(pa.BufferReader(text)).schema
    meter = Meter()
    for _ in range(rows // 100_000):
        table = pj.read_json(
            pa.BufferReader(text),
            read_options=pj.ReadOptions(use_threads=False, block_size=8 << 20),
            parse_options=pj.ParseOptions(explicit_schema=schema),
        )
        pq.write_table(table, pa.BufferOutputStream(), compression="snappy")
    return meter.figures(rows)


def consume(bootstrap: str, topic: str, rows: int) -> dict[str, Any]:
    """The consumer alone."""
    from kafka2parquet.consumers.base import Assigned
    from kafka2parquet.consumers.kafka_python.consumer import KafkaPythonConsumer

    consumer = KafkaPythonConsumer(bootstrap_servers=bootstrap, group_id=f"consume-{time.time_ns()}", topics=(topic,))
    meter = Meter()
    seen = 0
    while seen < rows:
        polled = consumer.poll(0.5)
        for event in polled.events:
            if isinstance(event, Assigned):
                consumer.start(event.assignment, event.log_start)
        seen += sum(len(batch) for batch in polled.batches)
    figures = meter.figures(seen)
    consumer.close(5.0)
    return figures


def hand_kafka_python(**arguments: Any) -> dict[str, Any]:
    """Hand-written (a)."""
    meter = Meter()
    hand_written.kafka_python(**arguments)
    return meter.figures(arguments["rows"])


def hand_confluent_pyarrow(**arguments: Any) -> dict[str, Any]:
    """Hand-written (b)."""
    meter = Meter()
    hand_written.confluent_pyarrow(**arguments)
    return meter.figures(arguments["rows"])


def sink(config: dict[str, str], worker: dict[str, str], rows: int = 0, seconds: float = 0) -> dict[str, Any]:
    """The sink, by a Kafka Connect configuration, until `rows` records are read or `seconds` have passed.

    With `seconds`, the delay of each record from its creation to its conversion is measured.
    """
    from kafka2parquet.connect.build import build_runner
    from kafka2parquet.connect.load import load_connect_config
    from kafka2parquet.connect.worker import load_worker_config
    from kafka2parquet.converters.json.converter import JsonConverter
    from kafka2parquet.records import ConsumedBatch
    from kafka2parquet.rows import Converted

    delays: list[np.ndarray] = []
    settled_at = float("inf")
    if seconds:
        convert = JsonConverter.convert

        def convert_and_measure(self: JsonConverter, batch: ConsumedBatch) -> Converted:
            if time.monotonic() > settled_at:
                delays.append(time.time() * 1000 - batch.timestamps_ms.to_numpy())
            return convert(self, batch)

        JsonConverter.convert = convert_and_measure  # type: ignore[method-assign]  # measured from outside
    runner = build_runner(load_connect_config(config), load_worker_config(worker))
    meter = Meter()
    runner.start()
    until = time.monotonic() + seconds
    settled_at = time.monotonic() + _SETTLING_S
    while not runner.failed and (time.monotonic() < until if seconds else runner.progress.taken_rows < rows):
        time.sleep(0.1)
    if seconds:  # what the load costs, without the end
        figures = meter.figures(max(runner.progress.records, 1), files=runner.progress.files)
    runner.stop()
    runner.join(60)
    if not seconds:
        figures = meter.figures(runner.progress.committed_rows, files=runner.progress.files)
    if delays:
        figures["p99_delay_s"] = round(float(np.percentile(np.concatenate(delays), 99)) / 1000, 2)
    return figures


PROGRAMS: Mapping[str, Callable[..., Any]] = {
    "floor": floor,
    "consume": consume,
    "hand_kafka_python": hand_kafka_python,
    "hand_confluent_pyarrow": hand_confluent_pyarrow,
    "sink": sink,
}

if __name__ == "__main__":
    print(json.dumps(PROGRAMS[sys.argv[1]](**json.loads(sys.argv[2]))))
