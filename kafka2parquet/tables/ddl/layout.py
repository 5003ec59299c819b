"""TableLayout: the columns and folders of a topic, from its newest files, or from its stored schema and the settings."""

from __future__ import annotations

import collections
from collections.abc import Collection, Mapping, Sequence

import attrs
import pyarrow as pa

from kafka2parquet.connect.config import ConnectConfig, PartitionerKind
from kafka2parquet.connect.parts.files_and_rotation import make_naming, make_writer, outer_fields
from kafka2parquet.connect.parts.schemas import schema_versions
from kafka2parquet.connect.properties.names import DIRECTORY_DELIM, PARTITION_FIELD_NAME, PATH_FORMAT
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.object_names import ObjectName
from kafka2parquet.parquet.types import written_schema
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.tables.ddl.projection import Projection, of_any_value, of_kafka_partition, of_time, time_columns
from kafka2parquet.tables.files import location_of, read_parquet_metadata
from kafka2parquet.tables.folders import folder_values, type_of_folder_column
from kafka2parquet.tables.schemas import nullable, union

_HOURLY = "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH"
_DAILY = "'year'=YYYY/'month'=MM/'day'=dd"


@attrs.frozen
class FolderColumn:
    """A column that is in the folders' names.

    Attributes:
        name: its name.
        type: its type: that of the files' column with this name, or text.
        projection: which values there can be.
    """

    name: str
    type: pa.DataType
    projection: Projection


@attrs.frozen
class TableLayout:
    """What a statement is made of.

    Attributes:
        location: URL of the topic's folder, without a slash at its end.
        columns: the columns of the files that are not in the folders' names.
        folders: the columns in the folders' names, outermost first.
        levels: the number of folders between the topic's folder and a file.
        newest: URL of the newest file; None if there is no file yet.
        notes: what the reader of the statement should know.
    """

    location: str
    columns: pa.Schema
    folders: Sequence[FolderColumn]
    levels: int
    newest: str | None = None
    notes: tuple[str, ...] = ()


def read_layout(config: ConnectConfig, storage: FsspecStorage, topic: str) -> TableLayout:
    """Find out the layout of a topic. Blocks: a listing, and the footer of the newest file of each partition.

    Raises:
        ConfigurationError: there are neither files nor a stored schema, or the files' columns have several types.
    """
    naming = make_naming(config)
    prefix = naming.prefix(topic)
    if not prefix.endswith("/"):
        raise ConfigurationError(f"The files of {topic} have no folder of their own, which a table needs: {prefix}…")
    newest: dict[int, tuple[ObjectName, str]] = {}
    has_views = False
    folders_seen: set[str] = set()
    for key in storage.list(prefix):
        name = naming.parse(key)
        if name is None or name.topic != topic:
            continue
        has_views = has_views or name.view is not None
        folders_seen.add(name.encoded_partition or "")
        if name.view is None and (name.partition not in newest or name.first_offset > newest[name.partition][0].first_offset):
            newest[name.partition] = name, key
    location = location_of(storage, prefix.rstrip("/"))
    notes: list[str] = []
    if has_views:
        notes.append("the folders also have files of keys or headers (store.kafka.*), which the table would read as rows")
    if newest:
        schema = _newest_schema(storage, [key for _, key in newest.values()])
        name, key = max(newest.values(), key=lambda found: found[1])
        folder = name.encoded_partition or ""
        newest_file: str | None = location_of(storage, key)
    else:
        schema, folder, newest_file = _expected_schema(config, storage, topic), _expected_folder(config), None
        notes.append("there are no files yet: the columns are those of the stored schema, before any transform")
    projections = _projections(config, _values(folders_seen))
    folders = [
        FolderColumn(column, type_of_folder_column(schema, column), projections.get(column, of_any_value()))
        for column in folder_values(folder)
    ]
    names = {column.name for column in folders}
    columns = pa.schema([field for field in schema if field.name not in names])
    return TableLayout(location, columns, folders, len(folder.split("/")) if folder else 0, newest_file, tuple(notes))


def _newest_schema(storage: FsspecStorage, keys: Sequence[str]) -> pa.Schema:
    """Return the columns of some files together.

    Raises:
        ConfigurationError: a column has several types.
    """
    found: pa.Schema | None = None
    for key in keys:
        metadata = read_parquet_metadata(storage, key)
        if metadata is None:
            continue
        schema = nullable(metadata.schema.to_arrow_schema())
        try:
            found = schema if found is None else union(found, schema)
        except ValueError as error:
            raise ConfigurationError(f"The newest files have no common schema. {key}: {error}.") from error
    return pa.schema([]) if found is None else found


def _expected_schema(config: ConnectConfig, storage: FsspecStorage, topic: str) -> pa.Schema:
    version = schema_versions(storage, make_naming(config)).newest(topic)
    if version is None:
        raise ConfigurationError(f"There are no files of {topic} yet, and no stored schema. Run the sink first.")
    return nullable(written_schema(version.schema, make_writer(config).types))


def _expected_folder(config: ConnectConfig) -> str:
    """Return a folder with the columns that the sink's folders will have."""
    kind = config.partitioner
    names = [column.name for column in time_columns(_path_format(config), "/")]
    outer, labels = outer_fields(config)
    names = [*(outer if labels else ()), *names]
    if kind is PartitionerKind.FIELD:
        names += config.items(PARTITION_FIELD_NAME)
    elif kind is PartitionerKind.DEFAULT:
        names.append("partition")
    return "/".join(f"{name}=0" for name in names)


def _path_format(config: ConnectConfig) -> str:
    kind = config.partitioner
    if kind is PartitionerKind.HOURLY:
        return _HOURLY
    if kind is PartitionerKind.DAILY:
        return _DAILY
    return config.text(PATH_FORMAT) if kind.has_pattern else ""


def _values(folders: Collection[str]) -> Mapping[str, list[str]]:
    """Return the values of each folder column, sorted."""
    found: dict[str, set[str]] = collections.defaultdict(set)
    for folder in folders:
        for name, value in folder_values(folder).items():
            found[name].add(value or "")
    return {name: sorted(values) for name, values in found.items()}


def _projections(config: ConnectConfig, values: Mapping[str, list[str]]) -> Mapping[str, Projection]:
    delimiter = config.text(DIRECTORY_DELIM)
    columns = time_columns(_path_format(config), delimiter)
    found = {column.name: of_time(column, values.get(column.name, ())) for column in columns}
    if config.partitioner is PartitionerKind.DEFAULT:
        found["partition"] = of_kafka_partition(values.get("partition", ()))
    return found
