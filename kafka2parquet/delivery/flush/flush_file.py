"""FlushFile: one file of a flush, with its files of keys and headers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import get_args

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.parquet.footer import Role
from kafka2parquet.parquet.writer import OpenFile
from kafka2parquet.records import View
from kafka2parquet.schema.connect_schema import ConnectSchema

_Int64s = npt.NDArray[np.int64]


@attrs.define(eq=False)
class FlushFile:
    """One file of a flush, with its files of keys and headers: the records of one encoded partition.

    Attributes:
        number: the file's number in the layout.
        encoded_partition: the file's folder; None for rejected records.
        value_schema: schema of the record of the first row.
        columns: columns of the rows so far; None before the first row.
        contents: the open file of each role.
        min_time_ms: the least time of a row, in milliseconds since the epoch; None if no row has a time.
        max_time_ms: the greatest time of a row, likewise.
    """

    number: int
    encoded_partition: str | None
    value_schema: ConnectSchema | None = None
    columns: pa.Schema | None = None
    first_offset: int = -1
    last_offset: int = -1
    rows: int = 0
    contents: dict[Role, OpenFile] = attrs.Factory(dict)
    min_time_ms: int | None = None
    max_time_ms: int | None = None

    @property
    def views(self) -> Mapping[View, pa.Schema]:
        """The columns of the files of keys and headers."""
        return {view: self.contents[view].schema() for view in get_args(View) if view in self.contents}

    def count(self, offsets: _Int64s) -> None:
        """Count appended records by their offsets."""
        if not self.rows:
            self.first_offset = int(offsets[0])
        self.last_offset = int(offsets[-1])
        self.rows += len(offsets)

    def widen_times(self, min_time_ms: int, max_time_ms: int) -> None:
        """Widen the range of times by the range of appended rows."""
        self.min_time_ms = min_time_ms if self.min_time_ms is None else min(self.min_time_ms, min_time_ms)
        self.max_time_ms = max_time_ms if self.max_time_ms is None else max(self.max_time_ms, max_time_ms)


def contents_of(files: Iterable[FlushFile]) -> Iterator[OpenFile]:
    """Yield the open file of each role of all files."""
    for file in files:
        yield from file.contents.values()
