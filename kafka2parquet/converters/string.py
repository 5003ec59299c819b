"""StringConverter and ByteArrayConverter: values as they are, in one column."""

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
    """Makes one text column of the values. Rejected are values that aren't text in the encoding."""

    def __init__(self, encoding: Name = "UTF-8", *, field: Name = "value") -> None:
        """Make a converter.

        Args:
            encoding: of the values, by any of its names.
            field: name of the column.

        Raises:
            ConfigurationError: unknown encoding.
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
        """Names the encoding and the column."""
        return f"string-{self._encoding}-{self._field}"

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Make each record either a row or a reject."""
        if self._encoding == "utf-8":
            try:
                return _one_column(batch, self._field, batch.values.cast(pa.string()))
            except pa.ArrowInvalid:
                pass  # some value is not UTF-8: found one by one
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
    """Makes one binary column of the values."""

    def __init__(self, *, field: Name = "value") -> None:
        """Make a converter; `field` is the column's name."""
        self._field = field

    @property
    def fingerprint(self) -> str:
        """Names the column."""
        return f"bytes-{self._field}"

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Make each record a row."""
        return _one_column(batch, self._field, batch.values.cast(pa.binary()))


def _one_column(batch: ConsumedBatch, field: str, column: pa.Array) -> Converted:
    return Converted(Rows(batch, batch.offsets, batch.timestamps_ms, pa.table({field: column})))
