"""`python -m tests.bench.status`: what the status of a task with many topic-partitions costs, at one scrape a second.

Prints, as JSON, the milliseconds of CPU for each part of one scrape, for the recording of as many changed topic-partitions, and
all of them together as percent of one core.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from kafka2parquet.metrics.prometheus import StatusCollector
from kafka2parquet.status.model import RunnerStatus, as_json
from kafka2parquet.testing import MemoryConsumer
from tests.support.sink_world import TOPIC, SinkWorld

_TIMES = 20


def main() -> None:
    """Measure with the number of topic-partitions that is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--partitions", type=int, default=1000)
    print(json.dumps(measure(parser.parse_args().partitions)))


def measure(partitions: int) -> dict[str, Any]:
    """Return the figures for a task whose topic-partitions all have open rows."""
    world = SinkWorld()
    world.kafka.create_topic(TOPIC, partitions=partitions, retention_ms=86_400_000)
    for partition in range(partitions):
        world.kafka.append(TOPIC, partition, [b'{"a":1}'] * 5)
    task = world.task(consumer=MemoryConsumer(world.kafka, group_id="group", topics=[TOPIC]))
    while sum(each.open_rows for each in task.status().partitions) < 5 * partitions:
        task.step(0)

    def status() -> RunnerStatus:
        return RunnerStatus("bench", world.clock.now(), (task.status(),))

    def record() -> None:
        for engine in task._partitions._engines.values():
            task._recorder.look(engine.context.topic_partition, engine.held())

    registry = CollectorRegistry()
    registry.register(StatusCollector(status))
    found = {
        "status_ms": _cpu_ms(status),
        "status_as_json_ms": _cpu_ms(lambda: json.dumps(as_json(status()))),
        "prometheus_ms": _cpu_ms(lambda: generate_latest(registry)),
        "record_ms": _cpu_ms(record),
    }
    task.close(flush=False)
    return {
        "partitions": partitions,
        **{name: round(value, 2) for name, value in found.items()},
        "status_percent_of_a_core": round((found["status_ms"] + found["record_ms"]) / 10, 2),
        "prometheus_percent_of_a_core": round((found["prometheus_ms"] + found["record_ms"]) / 10, 2),
    }


def _cpu_ms(call: Callable[[], object]) -> float:
    """The least CPU time of a call, in milliseconds."""
    least_s = float("inf")
    for _ in range(_TIMES):
        begun_s = time.thread_time()
        call()
        least_s = min(least_s, time.thread_time() - begun_s)
    return least_s * 1000


if __name__ == "__main__":
    main()
