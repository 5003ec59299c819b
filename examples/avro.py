"""Avro with a schema registry: schemas decide the columns, and versions of a schema share a file if they can."""

import sys
import time

from kafka2parquet import (
    AvroConverter,
    ConfluentSchemaRegistry,
    DefaultPartitioner,
    FsspecStorage,
    KafkaPythonConsumer,
    RecordCountRotation,
    SinkTask,
)
from kafka2parquet.converters import AvroMapping


def main(bootstrap: str, topic: str, url: str, registry_url: str) -> None:
    """Run until nothing has arrived for three seconds."""
    registry = ConfluentSchemaRegistry({"schema.registry.url": registry_url})
    with SinkTask(
        consumer=KafkaPythonConsumer(bootstrap_servers=bootstrap, group_id="parquet-sink", topics=(topic,)),
        converter=AvroConverter(registry, mapping=AvroMapping(logical_types="arrow")),
        partitioner=DefaultPartitioner(),
        rotation=RecordCountRotation(50_000),
        storage=FsspecStorage(url),
    ) as task:
        quiet_since = None
        while quiet_since is None or time.monotonic() - quiet_since < 3:
            if task.step(timeout_s=0.5).records:
                quiet_since = time.monotonic()
    registry.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
