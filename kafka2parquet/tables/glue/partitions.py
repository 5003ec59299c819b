"""GluePartitions: where the partitions of a table in Glue are, and moving them, one call of UpdatePartition for each."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Collection, Mapping
from typing import Any

from kafka2parquet.errors import CatalogUnavailableError, ConfigurationError
from kafka2parquet.tables.glue.table import GONE, GlueTable, columns_of, values_of
from kafka2parquet.tables.partition_catalog import CatalogPartition
from kafka2parquet.util.display import counted

_BATCH = 1000  # the limit of BatchGetPartition
#: The fields of a partition that UpdatePartition takes back.
_PARTITION_INPUT = ("Values", "LastAccessTime", "StorageDescriptor", "Parameters", "LastAnalyzedTime")
#: Parameters of a partition that was moved: when, and from where.
MOVED_AT = "kafka2parquet.moved.at"
MOVED_FROM = "kafka2parquet.moved.from"


class GluePartitions:
    """A `PartitionCatalog` in Glue: a table whose partitions are the folders of a topic."""

    def __init__(self, table: GlueTable) -> None:
        self._glue = table
        self._values: dict[str, list[str]] = {}

    @property
    def name(self) -> str:
        """See `PartitionCatalog.name`."""
        return self._glue.name

    def check(self) -> None:
        """See `PartitionCatalog.check`."""
        self._read()

    def find(self, folders: Collection[str]) -> Mapping[str, CatalogPartition]:
        """See `PartitionCatalog.find`."""
        columns = columns_of(self._read())
        self._values = {folder: found for folder in folders if (found := values_of(folder, columns)) is not None}
        wanted = [{"Values": [*each]} for each in sorted({tuple(found) for found in self._values.values()})]
        partitions: dict[tuple[str, ...], CatalogPartition] = {}
        with self._glue.translated():
            while wanted:
                batch, wanted = wanted[:_BATCH], wanted[_BATCH:]
                answer = self._glue.client.batch_get_partition(
                    **self._glue.place, TableName=self._glue.table_name, PartitionsToGet=batch
                )
                partitions |= {tuple(each["Values"]): _found(each) for each in answer["Partitions"]}
                left = answer.get("UnprocessedKeys", ())
                if len(left) == len(batch):
                    raise CatalogUnavailableError(f"{self.name}: Glue answers for none of {counted(len(batch), 'partition')}.")
                wanted += left
        return {folder: partitions[tuple(found)] for folder, found in self._values.items() if tuple(found) in partitions}

    def move(self, folder: str, found: CatalogPartition, location: str, now: datetime.datetime) -> bool:
        """See `PartitionCatalog.move`. The partition keeps everything else that Glue knows of it."""
        from botocore.exceptions import ClientError

        values = self._values[folder]
        place = {**self._glue.place, "TableName": self._glue.table_name}
        with self._glue.translated():
            try:
                partition = self._glue.client.get_partition(**place, PartitionValues=values)["Partition"]
                if _found(partition) != found:
                    return False
                new = {name: partition[name] for name in _PARTITION_INPUT if name in partition}
                new["StorageDescriptor"] = {**new["StorageDescriptor"], "Location": location}
                new["Parameters"] = {
                    MOVED_FROM: found.location,
                    **new.get("Parameters", {}),
                    MOVED_AT: now.isoformat(timespec="seconds"),
                }
                self._glue.client.update_partition(**place, PartitionValueList=values, PartitionInput=new)
            except ClientError as error:
                if error.response["Error"]["Code"] == GONE:
                    return False
                raise
        return True

    def _read(self) -> Mapping[str, Any]:
        table = self._glue.read()
        if table.get("Parameters", {}).get("projection.enabled", "").lower() == "true":
            raise ConfigurationError(
                f"{self.name} uses partition projection: Athena computes the folders, and ignores the partitions in Glue."
                " Make a second table of the merged files, or remove projection.enabled and register folders with `publish`."
            )
        return table


def _found(partition: Mapping[str, Any]) -> CatalogPartition:
    moved_at = None
    with contextlib.suppress(KeyError, ValueError):  # a person may have edited it
        moved_at = datetime.datetime.fromisoformat(partition["Parameters"][MOVED_AT])
    is_moment = moved_at is not None and moved_at.tzinfo is not None
    return CatalogPartition(partition["StorageDescriptor"].get("Location", ""), moved_at if is_moment else None)
