"""GlueTable: a table in Glue's Data Catalog, which is partitioned by the folders of files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka2parquet.errors import CatalogAccessError, CatalogUnavailableError, ConfigurationError
from kafka2parquet.tables.folders import folder_values

_NULL = "__HIVE_DEFAULT_PARTITION__"
_REFUSED = ("AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException")
GONE = "EntityNotFoundException"


class GlueTable:
    """A table, read through a client of boto3. Calls block."""

    def __init__(self, database: str, table: str, client: Any = None, catalog_id: str | None = None) -> None:
        """Describe the table. Nothing is connected yet.

        Args:
            database: the database.
            table: the table.
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
            self.client = client if client is not None else boto3.client("glue")
        except botocore.exceptions.BotoCoreError as error:
            raise ConfigurationError(f"Glue can't be used: {error}.") from error
        self.place = {"DatabaseName": database, **({"CatalogId": catalog_id} if catalog_id else {})}
        """Arguments that name the database."""
        self.table_name = table

    @property
    def name(self) -> str:
        """The table's name, for messages."""
        return f"Glue table {self.place['DatabaseName']}.{self.table_name}"

    def read(self) -> Mapping[str, Any]:
        """Return the table as Glue describes it.

        Raises:
            ConfigurationError: the table doesn't exist, or isn't partitioned.
            CatalogUnavailableError: Glue doesn't answer.
            CatalogAccessError: Glue refuses access.
        """
        with self.translated():
            table: Mapping[str, Any] = self.client.get_table(**self.place, Name=self.table_name)["Table"]
        if not table.get("PartitionKeys"):
            raise ConfigurationError(f"{self.name} has no partition columns. A table without them needs no registration.")
        return table

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn boto3's errors into this library's."""
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == GONE:
                raise ConfigurationError(f"{self.name} doesn't exist. `kafka2parquet ddl --for hive` makes it.") from error
            if code in _REFUSED:
                raise CatalogAccessError(f"{self.name}: AWS refuses access: {error}.") from error
            raise CatalogUnavailableError(f"{self.name} can't be read or written: {error}.") from error
        except NoCredentialsError as error:
            raise CatalogAccessError(f"{self.name}: there are no credentials: {error}.") from error
        except BotoCoreError as error:
            raise CatalogUnavailableError(f"{self.name} can't be reached: {error}.") from error


def columns_of(table: Mapping[str, Any]) -> list[str]:
    """Return the names of the partition columns of a table that Glue describes."""
    return [key["Name"] for key in table["PartitionKeys"]]


def values_of(folder: str, columns: list[str]) -> list[str] | None:
    """Return a folder's values of partition columns as Glue keeps them; None if the folder doesn't name all columns."""
    values = folder_values(folder)
    if not values.keys() >= set(columns):
        return None
    return [_NULL if (value := values[column]) is None else value for column in columns]
