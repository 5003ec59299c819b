"""A SinkTask in a thread: run() until the application calls stop()."""

import datetime
import sys
import threading

from kafka2parquet import (
    FileSettings,
    FirstOf,
    FsspecStorage,
    JsonConverter,
    KafkaPythonConsumer,
    ParquetWriter,
    RecordCountRotation,
    RecordTimeRotation,
    SinkTask,
    TimeBasedPartitioner,
)


def build(bootstrap: str, topic: str, url: str) -> SinkTask:
    """Build a task with hourly folders by record time. A file ends after 100,000 rows or an hour, whichever comes first."""
    return SinkTask(
        consumer=KafkaPythonConsumer(bootstrap_servers=bootstrap, group_id="parquet-sink", topics=(topic,)),
        converter=JsonConverter(),
        partitioner=TimeBasedPartitioner(
            path_format="'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH", partition_duration=datetime.timedelta(hours=1)
        ),
        rotation=FirstOf(RecordCountRotation(100_000), RecordTimeRotation(datetime.timedelta(hours=1))),
        storage=FsspecStorage(url),
        files=FileSettings(writer=ParquetWriter(compression="zstd")),
    )


def main(bootstrap: str, topic: str, url: str) -> None:
    """Run until Enter is pressed."""
    task = build(bootstrap, topic, url)
    thread = threading.Thread(target=task.run, name="parquet-sink")
    thread.start()
    sys.stdin.readline()  # the application does its own work here
    task.stop()  # what is open is flushed, published and committed
    thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
