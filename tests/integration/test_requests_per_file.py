"""What the good path costs at the store: one put for each file, and nothing else."""

from __future__ import annotations

import collections
from typing import Any

from kafka2parquet import FsspecStorage, HourlyPartitioner, JsonConverter, KafkaPythonConsumer, RecordCountRotation, SinkTask
from kafka2parquet.storage.options import S3Options
from kafka2parquet.testing import EmbeddedBroker
from tests.support.http_proxy import HttpProxy, Request
from tests.support.kafka_clients import unique

BEGIN_MS = 1_779_012_000_000
ROWS, FLUSH_ROWS, HOURS = 20_000, 2_000, 2


def test_one_put_for_each_file(s3_server: Any) -> None:
    """After the probe and the first discovery, a file needs one PUT, without a listing or another look at an object."""
    bucket = unique("bucket")
    s3_server.create_bucket(bucket)
    with EmbeddedBroker() as broker, HttpProxy(s3_server.url) as proxy:
        broker.create_topic("events")
        times = [BEGIN_MS + number % HOURS * 3_600_000 for number in range(ROWS)]
        broker.append_values("events", 0, [b"{}"] * ROWS, times)
        options = S3Options(
            endpoint_url=proxy.url, access_key_id=s3_server.key, secret_access_key=s3_server.secret, region="us-east-1"
        )
        committed = 0
        with SinkTask(
            consumer=KafkaPythonConsumer(bootstrap_servers=broker.bootstrap, group_id="group", topics=["events"]),
            converter=JsonConverter(),
            partitioner=HourlyPartitioner(),
            rotation=RecordCountRotation(FLUSH_ROWS),
            storage=FsspecStorage(f"s3://{bucket}", options),
        ) as task:
            while committed < ROWS:
                committed += task.step().committed_rows
        requests = collections.Counter(kind_of(request) for request in proxy.requests)

    files = ROWS // FLUSH_ROWS * HOURS
    assert {"put": files} == {kind: count for kind, count in requests.items() if kind not in ("probe", "discovery")}
    assert 2 == requests["discovery"]  # the topic's folder, and that of its rejects


def kind_of(request: Request) -> str:
    """Classifies a request by its purpose."""
    if request.method == "GET" and "list-type=2" in request.query:
        return "discovery"
    if "/topics/_kafka2parquet/" in request.path:
        return "probe"
    return request.method.lower()
