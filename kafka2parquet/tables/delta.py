"""DeltaTarget: a Delta table whose log lies in the folder of the topic's files, through the library `deltalake`.

A position is the version of an application's transaction (Delta's `txn` action): the application is one log, and the version is
the offset. Delta refuses a transaction if another one has set the version of the same application meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kafka2parquet.errors import CatalogUnavailableError, ConfigurationError
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.tables.files import location_of
from kafka2parquet.tables.folders import check_folder_values, folder_values, type_of_folder_column
from kafka2parquet.tables.schemas import nullable, union
from kafka2parquet.tables.target import DataFile, LogId, RefusedFileError
from kafka2parquet.util.arguments import Name, SecretTexts, checked

if TYPE_CHECKING:
    import deltalake

_NO_LIBRARY = "Delta tables need the library deltalake: pip install 'kafka2parquet[delta]'."
#: Table properties under which a follower can't keep its promise, with the reason.
_REFUSED_PROPERTIES = {
    "delta.setTransactionRetentionDuration": "the table would forget its positions, and files would be added again",
    "delta.columnMapping.mode": "its columns have other names in files",
    "delta.constraints.": "files are added without reading their rows",
}


@checked
class DeltaTarget:
    """A Delta table over a topic's files. The first transaction creates the table.

    Delta finds files by paths relative to the table, so the table's folder has to contain the topic's files. The table is
    partitioned by the folder columns of the files, such as `hour` of `hour=10`, with the values in the folders' names.
    """

    def __init__(
        self,
        storage: FsspecStorage,
        folder: Name,
        *,
        partition_by: Sequence[Name] | None = None,
        storage_options: SecretTexts | None = None,
    ) -> None:
        """Describe the table. Nothing is connected yet.

        Args:
            storage: where the files are.
            folder: key prefix of the table's folder, such as `topics/orders`.
            partition_by: the folder columns to partition a new table by; by default all. An existing table keeps its own.
            storage_options: options of the object store, as `deltalake.DeltaTable` takes them; by default from the environment.

        Raises:
            ConfigurationError: `deltalake` isn't installed.
        """
        try:
            import deltalake  # noqa: F401  # 100 MB, an extra
        except ImportError as error:
            raise ConfigurationError(_NO_LIBRARY) from error
        self._folder = f"{folder.strip('/')}/"
        location = location_of(storage, self._folder.rstrip("/"))
        self._url = location.removeprefix("file://")
        self._partition_by = None if partition_by is None else tuple(partition_by)
        self._options = dict(storage_options or {})
        self._table: deltalake.DeltaTable | None = None
        self._positions: Mapping[LogId, int] = {}
        self._logs: Collection[LogId] = ()

    @property
    def name(self) -> str:
        """See `TableTarget.name`."""
        return f"Delta table {self._url}"

    def positions(self, logs: Collection[LogId]) -> Mapping[LogId, int]:
        """See `TableTarget.positions`."""
        self._logs = logs
        self._table = self._open()
        self._positions = self._read_positions()
        return self._positions

    def commit(self, files: Sequence[DataFile], positions: Mapping[LogId, int]) -> bool:
        """See `TableTarget.commit`. New columns are added in a transaction of their own before the files'."""
        from deltalake import CommitProperties, Transaction
        from deltalake.exceptions import CommitFailedError, DeltaError

        try:
            table = self._table_with_columns(files)
            if self._read_positions() != self._positions:
                return False
            partition_by = table.metadata().partition_columns
            table.create_write_transaction(
                [self._add(file, partition_by) for file in files],
                "append",
                table.schema(),
                partition_by,
                commit_properties=CommitProperties(
                    app_transactions=[Transaction(_application(log), position) for log, position in positions.items()]
                ),
            )
        except CommitFailedError:
            return False
        except (DeltaError, OSError) as error:
            raise self._unavailable(error) from error
        return True

    def _open(self) -> deltalake.DeltaTable | None:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError

        try:
            table = DeltaTable(self._url, storage_options=self._options)
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise self._unavailable(error) from error
        for name, value in table.metadata().configuration.items():
            why = next((why for refused, why in _REFUSED_PROPERTIES.items() if name.startswith(refused)), None)
            if why is not None and value not in (None, "none"):
                raise ConfigurationError(f"{self.name} has the property {name}={value}, under which {why}. Remove it.")
        return table

    def _read_positions(self) -> Mapping[LogId, int]:
        if self._table is None:
            return {}
        found = ((log, self._table.transaction_version(_application(log))) for log in self._logs)
        return {log: position for log, position in found if position is not None}

    def _table_with_columns(self, files: Sequence[DataFile]) -> deltalake.DeltaTable:
        """Return the table, with all columns of the files. Creates the table, or adds columns to it.

        A transaction that adds columns may be based on a newer version of the table than the one that was read. So the caller
        compares the positions afterwards.
        """
        from deltalake import DeltaTable
        from deltalake.schema import Schema

        while True:
            existing = None if self._table is None else pa.schema(self._table.schema())
            folder_columns = self._folder_columns(files) if self._table is None else self._table.metadata().partition_columns
            wanted = self._wanted_schema(existing, folder_columns, files)
            if self._table is not None and wanted == existing:
                return self._table
            if self._table is None:
                DeltaTable.create(
                    self._url,
                    Schema.from_arrow(wanted),
                    mode="ignore",  # another follower may have been faster
                    partition_by=list(folder_columns),
                    storage_options=self._options,
                )
            else:
                known = set(existing or ())
                self._table.alter.add_columns(
                    [field for field in Schema.from_arrow(wanted).fields if wanted.field(field.name) not in known]
                )
            self._table = self._open()

    def _folder_columns(self, files: Sequence[DataFile]) -> Sequence[str]:
        """Return the folder columns of a new table: those of the first file, if none are chosen."""
        return self._partition_by if self._partition_by is not None else tuple(folder_values(files[0].folder))

    def _wanted_schema(self, existing: pa.Schema | None, folder_columns: Sequence[str], files: Sequence[DataFile]) -> pa.Schema:
        """Return the table's schema with the columns of all files.

        Raises:
            RefusedFileError: Delta has no such type, or a column has another type in the table.
        """
        from deltalake.schema import Schema

        wanted = existing
        seen: list[pa.Schema] = []
        for file in files:
            schema = nullable(file.schema)
            if schema in seen:
                continue
            seen.append(schema)
            rows = pa.schema([field for field in schema if field.name not in folder_columns])
            folders = [pa.field(name, type_of_folder_column(schema, name)) for name in folder_columns]
            try:
                own = pa.schema(Schema.from_arrow(pa.schema([*rows, *folders])))
            except Exception as error:  # deltalake has no common type of error for types that it doesn't know
                raise RefusedFileError(file.key, f"Delta has no such schema: {error}") from error
            if wanted is not None and (strict := [field.name for field in wanted if not field.nullable]):
                raise RefusedFileError(file.key, f"the table's columns {', '.join(strict)} are NOT NULL")
            try:
                wanted = own if wanted is None else union(wanted, own)
            except ValueError as error:
                raise RefusedFileError(file.key, str(error)) from error
        if wanted is None:
            raise ValueError("there are no files")
        return wanted

    def _add(self, file: DataFile, partition_by: Sequence[str]) -> Any:
        """Return the action that adds a file."""
        from deltalake.transaction import AddAction

        values = folder_values(file.folder)
        missing = [name for name in partition_by if name not in values]
        if missing:
            raise RefusedFileError(file.key, f"the table is partitioned by {', '.join(missing)}, which its folder doesn't name")
        if not file.key.startswith(self._folder):
            raise RefusedFileError(file.key, f"it is not in the table's folder {self._folder}")
        chosen = {name: values[name] for name in partition_by}
        check_folder_values(file, chosen)
        path = file.key.removeprefix(self._folder)  # deltalake escapes it
        return AddAction(path, file.size_bytes, chosen, 0, True, json.dumps({"numRecords": file.rows}))

    def _unavailable(self, error: BaseException) -> CatalogUnavailableError:
        return CatalogUnavailableError(f"{self.name} can't be read or written: {error}.")


def _application(log: LogId) -> str:
    return f"kafka2parquet-{log.topic_id}-{log.partition}"
