"""A SinkTask beside other coroutines: the event loop never blocks, and cancelling stops it in order."""

import asyncio
import sys

from kafka2parquet import (
    AsyncSinkTask,
    FsspecStorage,
    HourlyPartitioner,
    JsonConverter,
    KafkaPythonConsumer,
    RecordCountRotation,
    SinkTask,
)


async def main(bootstrap: str, topic: str, url: str) -> None:
    """Run until Enter is pressed."""
    task = SinkTask(
        consumer=KafkaPythonConsumer(
            bootstrap_servers=bootstrap,
            group_id="parquet-sink",
            topics=(topic,),
        ),
        converter=JsonConverter(),
        partitioner=HourlyPartitioner(),
        rotation=RecordCountRotation(100_000),
        storage=FsspecStorage(url),
    )
    async with AsyncSinkTask(task) as sink:
        running = asyncio.create_task(sink.run())
        await asyncio.to_thread(sys.stdin.readline)  # other work of the service
        sink.stop()
        await running


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
