"""IcebergTarget: a table of an Iceberg catalogue, through the library `pyiceberg`.

A position is a table property, which is set in the same transaction that adds the files. The transaction requires that the
branch `main` still is the snapshot that was read, so positions can't move unnoticed.

Two habits of pyiceberg's `add_files` (0.12) would add rows twice, and are turned off:

- Its check for duplicates knows only the files of the current snapshot. After a compaction, it lets a file be added again. The
  positions take its place.
- Its retry after a conflict adds the files again on top of what the other writer has committed, which may be the same files.
  Transactions here have no retries: the follower reads the positions again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from kafka2parquet.errors import CatalogAccessError, CatalogUnavailableError, ConfigurationError
from kafka2parquet.tables.iceberg_partitions import check_partitions, parse_transform
from kafka2parquet.tables.schemas import nullable
from kafka2parquet.tables.target import DataFile, LogId, RefusedFileError
from kafka2parquet.util.arguments import Name, checked

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table, Transaction

_RETRIES = "commit.retry.num-retries"
#: Expiring snapshots must not delete files, because they are also the sink's.
_NEW_TABLE = {"gc.enabled": "false"}


@checked
class IcebergTarget:
    """A table of an Iceberg catalogue. The first transaction creates the table, and its namespace.

    The table refers to the files where they are. Columns are added to the table when files have new ones, and types grow as
    Iceberg allows, in the transaction that adds the files.
    """

    def __init__(
        self,
        catalog: Callable[[], Any],
        table: Name,
        *,
        partition_by: Sequence[Name] = (),
        location: str | None = None,
    ) -> None:
        """Describe the table. Nothing is connected yet.

        Args:
            catalog: connects to the catalogue and returns a `pyiceberg.catalog.Catalog`, for example
                `lambda: load_catalog("prod")`.
            table: namespace and name, such as `raw.orders`.
            partition_by: columns or transforms to partition a new table by, such as `hour(_kafka_timestamp)`. Iceberg takes the
                values from the files' statistics, so all rows of a file have to have the same. An existing table keeps its own.
            location: where a new table keeps its metadata; None for the catalogue's default.

        Raises:
            ConfigurationError: `pyiceberg` isn't installed, or a transform can't be read.
        """
        try:
            import pyiceberg.table  # noqa: F401  # an extra, and slow to import
        except ImportError as error:
            raise ConfigurationError("Iceberg tables need pyiceberg: pip install 'kafka2parquet[iceberg]'.") from error
        self._connect = catalog
        self._identifier = table
        self._partition_by = tuple(map(parse_transform, partition_by))
        self._location = location
        self._catalog: Catalog | None = None
        self._table: Table | None = None
        self._logs: Collection[LogId] = ()
        self._positions: Mapping[LogId, int] = {}

    @property
    def name(self) -> str:
        """See `TableTarget.name`."""
        return f"Iceberg table {self._identifier}"

    def positions(self, logs: Collection[LogId]) -> Mapping[LogId, int]:
        """See `TableTarget.positions`."""
        self._logs = logs
        with self._translated():
            self._table = self._load()
            self._positions = self._read_positions()
        return self._positions

    def commit(self, files: Sequence[DataFile], positions: Mapping[LogId, int]) -> bool:
        """See `TableTarget.commit`."""
        from pyiceberg.exceptions import CommitFailedException

        for file in files:
            if (parts := urlparse(file.location)) and (parts.fragment or parts.query or parts.params):
                raise RefusedFileError(file.key, "pyiceberg can't read files with #, ? or ; in their names")
        with self._translated():
            table = self._table if self._table is not None else self._created(files)
            if self._read_positions() != self._positions:
                return False
            transaction = _without_retries(table)
            _grow(transaction, files)
            for file in files:
                check_partitions(file, transaction.table_metadata)
            transaction.add_files([file.location for file in files], check_duplicate_files=False)
            transaction.set_properties({_property(log): str(position) for log, position in positions.items()})
            try:
                transaction.commit_transaction()
            except CommitFailedException:
                return False
        return True

    def _load(self) -> Table | None:
        from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError

        if self._catalog is None:
            self._catalog = self._connect()
        try:
            return self._catalog.load_table(self._identifier)
        except (NoSuchTableError, NoSuchNamespaceError):
            return None

    def _read_positions(self) -> Mapping[LogId, int]:
        if self._table is None:
            return {}
        properties = self._table.metadata.properties
        return {log: int(properties[_property(log)]) for log in self._logs if _property(log) in properties}

    def _created(self, files: Sequence[DataFile]) -> Table:
        """Create the table with the columns of the first file, or load it if another writer has created it meanwhile."""
        from pyiceberg.exceptions import CommitFailedException, TableAlreadyExistsError

        catalog = self._catalog if self._catalog is not None else self._connect()
        namespace = self._identifier.rpartition(".")[0]
        if not namespace:
            raise ConfigurationError(f"{self._identifier} lacks a namespace. Name the table as NAMESPACE.TABLE.")
        _create_namespace(catalog, namespace)
        with _refusing(files[0]):
            creation = catalog.create_table_transaction(
                self._identifier, nullable(files[0].schema), location=self._location, properties=_NEW_TABLE
            )
        with creation.update_spec() as spec:
            for source, transform in self._partition_by:
                spec.add_field(source, transform)
        with suppress(TableAlreadyExistsError, CommitFailedException):  # another follower was faster
            creation.commit_transaction()
        self._table = self._load()
        if self._table is None:
            raise CatalogUnavailableError(f"{self.name} was dropped while it was written.")
        return self._table

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn errors of the catalogue and of the table's store into this library's."""
        from pyiceberg import exceptions as theirs

        refused = (theirs.UnauthorizedError, theirs.ForbiddenError, theirs.AuthorizationExpiredError, theirs.OAuthError)
        wrong = (theirs.BadRequestError, theirs.ValidationError, theirs.NotInstalledError, theirs.SignError)
        try:
            yield
        except (RefusedFileError, ConfigurationError, CatalogUnavailableError):
            raise
        except refused as error:
            raise CatalogAccessError(f"{self.name}: the catalogue refuses access: {error}.") from error
        except wrong as error:
            raise ConfigurationError(f"{self.name} can't be used: {error}.") from error
        except Exception as error:  # the catalogue's driver and the store's client have errors of their own
            raise CatalogUnavailableError(f"{self.name} can't be read or written: {type(error).__name__}: {error}.") from error


def _create_namespace(catalog: Catalog, namespace: str) -> None:
    """Create a namespace, if it doesn't exist. Another follower may create it at the same moment."""
    if catalog.namespace_exists(namespace):
        return
    try:
        catalog.create_namespace(namespace)
    except Exception:  # each catalogue reports a namespace that has just been created in its own way
        if not catalog.namespace_exists(namespace):
            raise


def _without_retries(table: Table) -> Transaction:
    """Begin a transaction that fails at the first conflict.

    pyiceberg takes the number of retries from the table's properties. It is changed in the memory of this process only, because
    other writers of the table need their retries.
    """
    metadata = table.metadata
    table.metadata = metadata.model_copy(update={"properties": {**metadata.properties, _RETRIES: "0"}})
    return table.transaction()


def _grow(transaction: Transaction, files: Sequence[DataFile]) -> None:
    """Add the columns of the files to the table, in its transaction.

    Raises:
        RefusedFileError: Iceberg has no such type, or the type of a column can't grow to the file's.
    """
    seen: list[Any] = []
    for file in files:
        schema = nullable(file.schema)
        if schema in seen:
            continue
        seen.append(schema)
        with _refusing(file), transaction.update_schema() as update:
            update.union_by_name(schema)


@contextmanager
def _refusing(file: DataFile) -> Iterator[None]:
    from pyiceberg.exceptions import ResolveError, ValidationError
    from pyiceberg.io.pyarrow import UnsupportedPyArrowTypeException

    try:
        yield
    except (ValueError, TypeError, ValidationError, ResolveError, UnsupportedPyArrowTypeException) as error:
        raise RefusedFileError(file.key, f"the table can't have its columns: {error}") from error


def _property(log: LogId) -> str:
    return f"kafka2parquet.position.{log.topic_id}.{log.partition}"
