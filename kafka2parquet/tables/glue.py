"""GlueTarget: partitions of a table in AWS Glue's Data Catalog, which Athena, Spark and Hive read, through boto3.

A partition is a folder, so registering it twice changes nothing. The positions are parameters of the table, which are written
after the partitions. After a crash in between, or after a follower that moves a position back, some partitions are registered
again. Rows can't be doubled: the table reads whatever is in its folders, also files that are not committed yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka2parquet.errors import CatalogAccessError, CatalogUnavailableError, ConfigurationError
from kafka2parquet.tables.folders import folder_values
from kafka2parquet.tables.target import DataFile, LogId, RefusedFileError
from kafka2parquet.util.arguments import Name, checked

_BATCH = 100  # the limit of BatchCreatePartition
_NULL = "__HIVE_DEFAULT_PARTITION__"
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
_REFUSED = ("AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException")
_GONE = "EntityNotFoundException"
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
        try:
            import boto3
            import botocore.exceptions
        except ImportError as error:
            raise ConfigurationError("Glue needs boto3: pip install 'kafka2parquet[glue]'.") from error
        try:
            self._client = client if client is not None else boto3.client("glue")
        except botocore.exceptions.BotoCoreError as error:
            raise ConfigurationError(f"Glue can't be used: {error}.") from error
        self._place = {"DatabaseName": database, **({"CatalogId": catalog_id} if catalog_id else {})}
        self._name = table
        self._table: Mapping[str, Any] = {}

    @property
    def name(self) -> str:
        """See `TableTarget.name`."""
        return f"Glue table {self._place['DatabaseName']}.{self._name}"

    def positions(self, logs: Collection[LogId]) -> Mapping[LogId, int]:
        """See `TableTarget.positions`.

        Raises:
            ConfigurationError: the table doesn't exist, or isn't partitioned.
        """
        with self._translated():
            self._table = self._client.get_table(**self._place, Name=self._name)["Table"]
        if not self._table.get("PartitionKeys"):
            raise ConfigurationError(f"{self.name} has no partition columns. A table without them needs no registration.")
        parameters = self._table.get("Parameters", {})
        return {log: int(parameters[_parameter(log)]) for log in logs if _parameter(log) in parameters}

    def commit(self, files: Sequence[DataFile], positions: Mapping[LogId, int]) -> bool:
        """See `TableTarget.commit`. Registers the partitions first, and then writes the positions."""
        partitions = {tuple(found["Values"]): found for found in map(self._partition, files)}
        created = [*partitions.values()]
        with self._translated():
            for begin in range(0, len(created), _BATCH):
                answer = self._client.batch_create_partition(
                    **self._place, TableName=self._name, PartitionInputList=created[begin : begin + _BATCH]
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
            self._client.update_table(**self._place, TableInput=table, SkipArchive=True, **version)
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
        values = folder_values(file.folder)
        names = [key["Name"] for key in self._table["PartitionKeys"]]
        missing = [name for name in names if name not in values]
        if missing:
            raise RefusedFileError(file.key, f"the table is partitioned by {', '.join(missing)}, which its folder doesn't name")
        location = file.location.rpartition("/")[0]
        descriptor = {**self._table["StorageDescriptor"], "Location": f"{location}/"}
        return {
            "Values": [_NULL if (value := values[name]) is None else value for name in names],
            "StorageDescriptor": descriptor,
        }

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn boto3's errors into this library's."""
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == _GONE:
                raise ConfigurationError(f"{self.name} doesn't exist. `kafka2parquet ddl --for hive` makes it.") from error
            if code in _REFUSED:
                raise CatalogAccessError(f"{self.name}: AWS refuses access: {error}.") from error
            raise CatalogUnavailableError(f"{self.name} can't be read or written: {error}.") from error
        except NoCredentialsError as error:
            raise CatalogAccessError(f"{self.name}: there are no credentials: {error}.") from error
        except BotoCoreError as error:
            raise CatalogUnavailableError(f"{self.name} can't be reached: {error}.") from error


def _parameter(log: LogId) -> str:
    return f"{_PARAMETER}{log.topic_id}.{log.partition}"
