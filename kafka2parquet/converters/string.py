"""Converters that write values unchanged to one column, as text or bytes."""

from __future__ import annotations

import codecs

import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.records import ConsumedBatch, Reject, Stage
from kafka2parquet.rows import Converted, Rows
from kafka2parquet.util.arguments import Name, checked


@checked
class StringConverter(RecordConverter):
    """Converts values to one text column. Values that aren't text in the encoding are rejected."""

    def __init__(self, encoding: Name = "UTF-8", *, field: Name = "value") -> None:
        """Make a converter.

        Args:
            encoding: the encoding of the values, by any of its names.
            field: the name of the column.

        Raises:
            ConfigurationError: the encoding is unknown.
        """
        try:
            self._encoding = codecs.lookup(encoding).name
        except LookupError as error:
            raise ConfigurationError(
                f"{type(self).__name__}: encoding has to be the name of an encoding, not {encoding!r}."
            ) from error
        self._field = field

    @property
    def fingerprint(self) -> str:
        """Identifies the encoding and the column."""
        return f"string-{self._encoding}-{self._field}"

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Convert each record to either a row or a reject."""
        if self._encoding == "utf-8":
            try:
                return _one_column(batch, self._field, batch.values.cast(pa.string()))
            except pa.ArrowInvalid:
                pass  # some value is not UTF-8, so the values are decoded one by one
        texts: list[str | None] = []
        rejects: list[Reject] = []
        for row, value in enumerate(batch.values.to_pylist()):
            try:
                texts.append(value.decode(self._encoding))
            except UnicodeDecodeError as error:
                texts.append(None)
                rejects.append(batch.reject(row, Stage.DECODE, f"not {self._encoding} at byte {error.start}: {error.reason}"))
        column = pa.array(texts, pa.string())
        return Converted(_one_column(batch, self._field, column).rows.filter(pc.is_valid(column)), rejects)


@checked
class ByteArrayConverter(RecordConverter):
    """Converts values to one binary column."""

    def __init__(self, *, field: Name = "value") -> None:
        """Make a converter; `field` is the column's name."""
        self._field = field

    @property
    def fingerprint(self) -> str:
        """Identifies the column."""
        return f"bytes-{self._field}"

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Convert each record to a row."""
        return _one_column(batch, self._field, batch.values.cast(pa.binary()))


def _one_column(batch: ConsumedBatch, field: str, column: pa.Array) -> Converted:
    return Converted(Rows(batch, batch.offsets, batch.timestamps_ms, pa.table({field: column})))
