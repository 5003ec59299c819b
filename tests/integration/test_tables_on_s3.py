"""Tables over files on S3: the store's settings for Delta and Iceberg come from the sink."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import deltalake
import pytest

from kafka2parquet import build_task, load_connect_config
from kafka2parquet.bounded import drain
from kafka2parquet.connect.parts.files_and_rotation import make_naming
from kafka2parquet.connect.parts.storage import make_storage
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.tables import CatalogFollower
from kafka2parquet.tables.destination import Destination, make_target
from kafka2parquet.testing import MemoryConsumer, MemoryKafka
from tests.support.kafka_clients import unique
from tests.support.sink_properties import json_sink
from tests.support.sink_world import TOPIC
from tests.support.tables import MemoryTopicLog, sql_catalog


@pytest.mark.parametrize("kind", ["delta", "iceberg"])
def test_files_on_s3(s3_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A follower registers files on S3 with the sink's endpoint and key, and the table's library reads them back."""
    bucket = unique("tables")
    s3_server.client().create_bucket(Bucket=bucket)
    monkeypatch.setenv("PYICEBERG_CATALOG__TEST__TYPE", "sql")
    monkeypatch.setenv("PYICEBERG_CATALOG__TEST__URI", f"sqlite:///{tmp_path}/catalog.db")
    # metadata stays here, because the server sometimes refuses the end of Arrow's multipart uploads
    monkeypatch.setenv("PYICEBERG_CATALOG__TEST__WAREHOUSE", f"file://{tmp_path}/warehouse")
    config = load_connect_config(
        json_sink(
            {
                "topics": TOPIC,
                "flush.size": "4",
                "s3.bucket.name": bucket,
                "s3.region": "us-east-1",
                "store.url": s3_server.url,
                "aws.access.key.id": s3_server.key,
                "aws.secret.access.key": s3_server.secret,
                "partitioner.class": "io.confluent.connect.storage.partitioner.FieldPartitioner",
                "partition.field.name": "c",
                "kafka2parquet.partition.escape": "true",
            }
        )
    )
    worker = WorkerConfig()
    kafka = MemoryKafka()
    kafka.create_topic(TOPIC)
    destination = Destination(kind, ("test", "raw", TOPIC) if kind == "iceberg" else ())
    target = make_target(destination, TOPIC, config, worker)
    log = MemoryTopicLog(kafka)
    follower = CatalogFollower(target, make_storage(config), TOPIC, log, naming=make_naming(config))
    for _ in range(2):
        kafka.append(TOPIC, 0, [b'{"n":%d,"c":"%s"}' % (number, (b"a/b", b"c d")[number % 2]) for number in range(10)])
        drain(build_task(config, worker, consumer=MemoryConsumer(kafka, group_id="group", topics=TOPIC)))
        found = follower.once()
        assert (10, ()) == (found.rows, found.findings)
    if kind == "delta":
        options = {
            "AWS_ENDPOINT_URL": s3_server.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": s3_server.key,
            "AWS_SECRET_ACCESS_KEY": s3_server.secret,
        }
        table = deltalake.DeltaTable(f"s3://{bucket}/topics/{TOPIC}", storage_options=options).to_pyarrow_table()
    else:
        settings = {
            "s3.endpoint": s3_server.url,
            "s3.access-key-id": s3_server.key,
            "s3.secret-access-key": s3_server.secret,
            "s3.region": "us-east-1",
        }
        catalog = sql_catalog(tmp_path, **settings)
        table = catalog.load_table(f"raw.{TOPIC}").scan().to_arrow()
    assert sorted([*range(10), *range(10)]) == sorted(table["n"].to_pylist())
    assert {"a/b", "c d"} == set(table["c"].to_pylist())
