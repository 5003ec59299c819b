"""GlueTarget: registers the folders of a topic as partitions of a table in AWS Glue's Data Catalog.

A partition is a folder, so registering it twice changes nothing. The positions are parameters of the table, which are written
after the partitions. After a crash in between, or after a follower that moves a position back, some partitions are registered
again. Rows can't be doubled: the table reads whatever is in its folders, also files that are not committed yet.

A partition that exists is never changed. So a partition that `kafka2parquet compact --switch` has moved stays where it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kafka2parquet.errors import CatalogUnavailableError
from kafka2parquet.tables.folders import folder_values
from kafka2parquet.tables.glue.table import GlueTable, columns_of, values_of
from kafka2parquet.tables.target import DataFile, LogId, RefusedFileError
from kafka2parquet.util.arguments import Name, checked

_BATCH = 100  # the limit of BatchCreatePartition
_PARAMETER = "kafka2parquet.position."
#: The fields of an answer of GetTable that UpdateTable takes back.
_TABLE_INPUT = (
    "Name",
    "Description",
    "Owner",
    "LastAccessTime",
    "LastAnalyzedTime",
    "Retention",
    "StorageDescriptor",
    "PartitionKeys",
    "ViewOriginalText",
    "ViewExpandedText",
    "TableType",
    "Parameters",
    "TargetTable",
)
_CHANGED = "ConcurrentModificationException"


@checked
class GlueTarget:
    """A table in Glue whose partitions are the folders of a topic. The table has to exist; `kafka2parquet ddl` makes it."""

    def __init__(self, database: Name, table: Name, *, client: Any = None, catalog_id: str | None = None) -> None:
        """Describe the table. Nothing is connected yet.

        Args:
            database: the database.
            table: the table, which is partitioned by the folder columns of the files.
            client: a client of boto3 for `glue`; None for one with the environment's settings.
            catalog_id: AWS account of the catalogue; None for the client's.

        Raises:
            ConfigurationError: boto3 isn't installed, or no region is set.
        """
        self._glue = GlueTable(database, table, client, catalog_id)
        self._table: Mapping[str, Any] = {}

    @property
    def name(self) -> str:
        """See `TableTarget.name`."""
        return self._glue.name

    def positions(self, logs: Collection[LogId]) -> Mapping[LogId, int]:
        """See `TableTarget.positions`.

        Raises:
            ConfigurationError: the table doesn't exist, or isn't partitioned.
        """
        self._table = self._glue.read()
        parameters = self._table.get("Parameters", {})
        return {log: int(parameters[_parameter(log)]) for log in logs if _parameter(log) in parameters}

    def commit(self, files: Sequence[DataFile], positions: Mapping[LogId, int]) -> bool:
        """See `TableTarget.commit`. Registers the partitions first, and then writes the positions."""
        partitions = {tuple(found["Values"]): found for found in map(self._partition, files)}
        created = [*partitions.values()]
        with self._glue.translated():
            for begin in range(0, len(created), _BATCH):
                answer = self._glue.client.batch_create_partition(
                    **self._glue.place, TableName=self._glue.table_name, PartitionInputList=created[begin : begin + _BATCH]
                )
                for error in answer.get("Errors", ()):
                    detail = error["ErrorDetail"]
                    if detail["ErrorCode"] != "AlreadyExistsException":
                        raise CatalogUnavailableError(
                            f"{self.name}: partition {'/'.join(error['PartitionValues'])} can't be created:"
                            f" {detail['ErrorCode']}: {detail.get('ErrorMessage', '')}."
                        )
            return self._write_positions(positions)

    def _write_positions(self, positions: Mapping[LogId, int]) -> bool:
        """Write the positions, unless somebody has changed the table since it was read."""
        from botocore.exceptions import ClientError

        table = {name: self._table[name] for name in _TABLE_INPUT if name in self._table}
        moved = {_parameter(log): str(position) for log, position in positions.items()}
        table["Parameters"] = {**table.get("Parameters", {}), **moved}
        version = {"VersionId": self._table["VersionId"]} if "VersionId" in self._table else {}
        try:
            self._glue.client.update_table(**self._glue.place, TableInput=table, SkipArchive=True, **version)
        except ClientError as error:
            if error.response["Error"]["Code"] == _CHANGED:
                return False
            raise
        return True

    def _partition(self, file: DataFile) -> dict[str, Any]:
        """Return the partition of a file's folder, as Glue takes it: with the table's formats and the folder's location.

        Raises:
            RefusedFileError: the folder doesn't name the table's partition columns.
        """
        columns = columns_of(self._table)
        values = values_of(file.folder, columns)
        if values is None:
            missing = [column for column in columns if column not in folder_values(file.folder)]
            raise RefusedFileError(file.key, f"the table is partitioned by {', '.join(missing)}, which its folder doesn't name")
        location = file.location.rpartition("/")[0]
        return {"Values": values, "StorageDescriptor": {**self._table["StorageDescriptor"], "Location": f"{location}/"}}


def _parameter(log: LogId) -> str:
    return f"{_PARAMETER}{log.topic_id}.{log.partition}"
