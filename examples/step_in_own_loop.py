"""A SinkTask in your own loop: step() polls, converts, writes, publishes and commits as far as it can."""

import datetime
import sys

from kafka2parquet import FsspecStorage, HourlyPartitioner, JsonConverter, KafkaPythonConsumer, ScheduledRotation, SinkTask


def main(bootstrap: str, topic: str, url: str) -> None:
    """Run until everything in the topic is taken."""
    with SinkTask(
        consumer=KafkaPythonConsumer(bootstrap_servers=bootstrap, group_id="parquet-sink", topics=(topic,)),
        converter=JsonConverter(),
        partitioner=HourlyPartitioner(),
        rotation=ScheduledRotation(datetime.timedelta(minutes=10), timezone="UTC"),
        storage=FsspecStorage(url),
    ) as task:
        caught_up = False
        while not caught_up:
            result = task.step(timeout_s=0.5)
            print(f"{result.records} records polled, {result.open_rows} rows open, lag {result.lag}")
            caught_up = bool(result.partitions) and not result.records and result.open_rows == result.lag
    # leaving the block has flushed what was open


if __name__ == "__main__":
    main(*sys.argv[1:])
