"""Transforms leave rows out and change columns, and your own class adds a column."""

import sys
import time

import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet import DefaultPartitioner, FsspecStorage, JsonConverter, KafkaPythonConsumer, RecordCountRotation, SinkTask
from kafka2parquet.transforms import Cast, Filter, Rename, TableTransform


class AddRegion(TableTransform):
    """Adds the region of the rows. Configurations name it `transforms:AddRegion`, with the property `region`."""

    def __init__(self, region: str) -> None:
        self.region = region

    def transform(self, table: pa.Table) -> pa.Table:
        """Return the table with one more column and the same rows."""
        return table.append_column("region", pa.repeat(self.region, table.num_rows))

    @property
    def fingerprint(self) -> str:
        """Name the setting that decides which values come out."""
        return f"add-region-{self.region}"


def main(bootstrap: str, topic: str, url: str) -> None:
    """Run until nothing has arrived for three seconds."""
    with SinkTask(
        consumer=KafkaPythonConsumer(bootstrap_servers=bootstrap, group_id="parquet-sink", topics=(topic,)),
        converter=JsonConverter(),
        transforms=[
            Filter(pc.field("kind") == "event"),
            Rename({"number": "event_number"}),
            Cast({"event_number": "int32"}),
            AddRegion("eu-west-1"),
        ],
        partitioner=DefaultPartitioner(),
        rotation=RecordCountRotation(50_000),
        storage=FsspecStorage(url),
    ) as task:
        quiet_since = None
        while quiet_since is None or time.monotonic() - quiet_since < 3:
            if task.step(timeout_s=0.5).records:
                quiet_since = time.monotonic()


if __name__ == "__main__":
    main(*sys.argv[1:])
