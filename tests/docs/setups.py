"""What a page takes for granted: files and servers that its commands find. `<!-- setup: COMMAND -->` runs one of these.

- `configuration` writes a `sink.json`.
- `new-orders` also starts a broker, writes `worker.properties`, and goes on until it is ended.
- `orders` also drains the topic into `parquet`.
- `add-column` edits the schema in `orders.schema.json`.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from kafka2parquet import build_runner, load_connect_config, load_worker_config
from kafka2parquet.bounded import drain, look_up_ranges
from kafka2parquet.testing import EmbeddedBroker
from tests.support.sink_properties import json_sink

_PARTITIONS = 2
_ORDERS = 6_000
_SPAN_MS = 2 * 3_600_000
#: 17 May 2026, 10:00 UTC.
_BEGIN_MS = 1_779_012_000_000


def write_configuration() -> dict[str, str]:
    """Writes the configuration of a sink of orders in hourly folders, which leaves heartbeats out."""
    sink = json_sink(
        {
            "name": "orders-to-parquet",
            "topics": "orders",
            "flush.size": "100000",
            "rotate.schedule.interval.ms": "600000",
            "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
            "path.format": "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH",
            "partition.duration.ms": "3600000",
            "locale": "en",
            "timezone": "UTC",
            "timestamp.extractor": "Record",
            "transforms": "live",
            "transforms.live.type": "kafka2parquet.transforms:Filter",
            "transforms.live.field": "kind",
            "transforms.live.values": "heartbeat",
            "transforms.live.keep": "false",
            "kafka2parquet.storage.url": Path("parquet").absolute().as_uri(),
        }
    )
    Path("sink.json").write_text(json.dumps(sink, indent=2), encoding="utf-8")
    return sink


def _order(number: int) -> bytes:
    customer = number % 100
    order = {
        "id": number,
        "customer": customer,
        "email": f"customer-{customer}@example.org",
        "country": ("DE", "FR", "IT")[number % 3],
        "total": number % 90 + 0.99,
    }
    return json.dumps(order).encode()


def serve_orders(port: int, *, drained: bool) -> None:
    """Starts a broker with orders, drains them if that is asked for, and serves until the process ends."""
    sink = write_configuration()
    with EmbeddedBroker(port=port) as broker:
        broker.create_topic("orders", partitions=_PARTITIONS)
        for partition in range(_PARTITIONS):
            numbers = range(partition, _ORDERS, _PARTITIONS)
            times_ms = [_BEGIN_MS + number * _SPAN_MS // _ORDERS for number in numbers]
            broker.append_values("orders", partition, [_order(number) for number in numbers], times_ms)
        Path("worker.properties").write_text(f"bootstrap.servers={broker.bootstrap}\n", encoding="utf-8")
        if drained:
            config, worker = load_connect_config(sink), load_worker_config("worker.properties")
            drain(build_runner(config, worker), until=look_up_ranges(config, worker))
        print("ready", flush=True)
        threading.Event().wait()


def add_column() -> None:
    """Adds a column to the schema, as its editor would."""
    path = Path("orders.schema.json")
    schema = json.loads(path.read_text(encoding="utf-8"))
    schema["fields"].append({"name": "coupon", "type": "string", "nullable": True})
    path.write_text(json.dumps(schema, indent=2), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] in ("orders", "new-orders"):
        serve_orders(int(sys.argv[2]), drained=sys.argv[1] == "orders")
    else:
        {"configuration": write_configuration, "add-column": add_column}[sys.argv[1]]()
