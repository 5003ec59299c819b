"""What each configuration of an S3 sink has to say, for tests that are about something else."""

from __future__ import annotations

from collections.abc import Mapping


def json_sink(changes: Mapping[str, str]) -> dict[str, str]:
    """Returns the properties of a sink of schemaless JSON, updated with these properties."""
    return {
        "name": "sink",
        "connector.class": "io.confluent.connect.s3.S3SinkConnector",
        "topics": "events",
        "flush.size": "100",
        "s3.bucket.name": "unused",
        "storage.class": "io.confluent.connect.s3.storage.S3Storage",
        "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "false",
        **changes,
    }
