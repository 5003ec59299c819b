"""Files of the zoo, written by a task: one for each type, and one with all types beside each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from kafka2parquet import DefaultPartitioner, FileSettings, MetadataColumns, ParquetWriter, RecordCountRotation, SinkTask
from kafka2parquet.converters import RecordConverter
from kafka2parquet.testing import ManualClock, MemoryConsumer, MemoryKafka, MemoryRecord, MemoryStorage
from tests.readers.zoo import Types, ZooType

#: The column of a type in the file that it has for itself.
COLUMN = "value"
_STEPS = 5000


@attrs.frozen
class ZooFiles:
    """Files of one zoo.

    Attributes:
        paths: the file of each type, by its title.
        wide: the file with a column for each type.
        columns: the column of each type in it, by its title.
        rows: number of its rows.
    """

    paths: Mapping[str, Path]
    wide: Path
    columns: Mapping[str, str]
    rows: int


def write_files(
    zoo: Sequence[ZooType],
    converter: RecordConverter,
    message: Callable[[Mapping[str, Any], Mapping[str, Any]], bytes],
    types: Types,
    folder: Path,
) -> ZooFiles:
    """Let a task write the records of a zoo.

    Args:
        zoo: the types.
        converter: reads the messages.
        message: makes the message of a row, given the schemas of its columns and its values.
        types: of the files.
        folder: where they go.
    """
    columns = {each.title: re.sub(r"\W+", "_", each.title) for each in zoo}
    rows = max(len(each.produced) for each in zoo)
    topics = {columns[each.title]: [message({COLUMN: each.schema}, {COLUMN: value}) for value in each.produced] for each in zoo}
    schemas = {columns[each.title]: each.schema for each in zoo}
    topics["wide"] = [
        message(schemas, {columns[each.title]: each.produced[row % len(each.produced)] for each in zoo}) for row in range(rows)
    ]
    written = _drain(topics, converter, types)
    paths = {}
    for topic, content in written.items():
        paths[topic] = folder / f"{topic}.parquet"
        paths[topic].write_bytes(content)
    return ZooFiles({title: paths[column] for title, column in columns.items()}, paths["wide"], columns, rows)


def _drain(topics: Mapping[str, Sequence[bytes]], converter: RecordConverter, types: Types) -> dict[str, bytes]:
    """The file of each topic."""
    kafka, storage = MemoryKafka(), MemoryStorage()
    for topic, messages in topics.items():
        kafka.create_topic(topic)
        kafka.append(topic, 0, [MemoryRecord(content) for content in messages])
    task = SinkTask(
        consumer=MemoryConsumer(kafka, group_id="zoo", topics=list(topics)),
        converter=converter,
        partitioner=DefaultPartitioner(),
        rotation=RecordCountRotation(1000),
        storage=storage,
        files=FileSettings(writer=ParquetWriter(types=types)),
        metadata_columns=MetadataColumns(()),
        clock=ManualClock(),
    )
    wanted = sum(len(messages) for messages in topics.values())
    for _ in range(_STEPS):
        if task.step(0.001).open_rows == wanted:
            break
    else:
        raise TimeoutError(f"{wanted} rows were not read within {_STEPS} steps")
    task.close()
    files = {key.split("/")[1]: stored.content for key, stored in storage.objects.items()}
    if len(files) != len(topics) or len(storage.objects) != len(topics):
        raise AssertionError(f"not one file for each of {len(topics)} topics: {sorted(storage.objects)}")
    return files
