"""Converters for single numbers and booleans, as Kafka's own serializers write them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.record_groups import RecordGroups
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rows import Converted
from kafka2parquet.schema.connect_schema import ConnectSchema
from kafka2parquet.util.arguments import checked

_Int64s = npt.NDArray[np.int64]


@checked
class _PrimitiveConverter(RecordConverter):
    """Base class for values with a fixed number of bytes, big-endian, which become one column, `value`."""

    _schema: ClassVar[ConnectSchema]
    _wire: ClassVar[np.dtype[np.generic]]
    #: The names in Kafka Connect's messages of the type and of the class that reads it.
    _type_name: ClassVar[str]
    _deserializer: ClassVar[str]

    @property
    def fingerprint(self) -> str:
        """Identifies the type."""
        return f"primitive-{self._type_name}"

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Read all values of the right size together. The others are rejects."""
        groups = RecordGroups(batch, f"Failed to deserialize {self._type_name}: ")
        width = self._wire.itemsize
        values = batch.values.cast(pa.binary())
        fits = pc.equal(pc.binary_length(values), width)
        fitting = fits.to_numpy(zero_copy_only=False)
        groups.reject(np.flatnonzero(~fitting), f"Size of data received by {self._deserializer} is not {width}")
        rows = np.flatnonzero(fitting)
        if len(rows):
            _, offsets, content = (values if len(rows) == len(values) else values.filter(fits)).buffers()
            start = int(np.frombuffer(offsets, np.int32)[0])
            numbers = np.frombuffer(content, self._wire, len(rows), start)
            self._add(groups, rows, numbers)
        return groups.converted()

    def _add(self, groups: RecordGroups, rows: _Int64s, numbers: npt.NDArray[np.generic]) -> None:
        native = numbers.astype(self._wire.newbyteorder("="))
        groups.add_values(self._schema, rows, pa.array(native, self._schema.arrow_type))


class BooleanConverter(_PrimitiveConverter):
    """Converts values of one byte, 0 or 1, to one boolean column, `value` (Kafka Connect's BooleanConverter)."""

    _schema = ConnectSchema("boolean", optional=True)
    _wire = np.dtype("u1")
    _type_name, _deserializer = "boolean", "BooleanDeserializer"

    def _add(self, groups: RecordGroups, rows: _Int64s, numbers: npt.NDArray[np.generic]) -> None:
        known = (numbers == 0) | (numbers == 1)
        for number in np.unique(numbers[~known]).astype("i1").tolist():  # bytes are signed in Java
            groups.reject(rows[numbers.astype("i1") == number], f"Unexpected byte received by {self._deserializer}: {number}")
        groups.add_values(self._schema, rows[known], pa.array(numbers[known] == 1))


class ShortConverter(_PrimitiveConverter):
    """Converts integers of 2 bytes to one int16 column, `value` (Kafka Connect's ShortConverter)."""

    _schema = ConnectSchema("int16", optional=True)
    _wire = np.dtype(">i2")
    _type_name, _deserializer = "short", "ShortDeserializer"


class IntegerConverter(_PrimitiveConverter):
    """Converts integers of 4 bytes to one int32 column, `value` (Kafka Connect's IntegerConverter)."""

    _schema = ConnectSchema("int32", optional=True)
    _wire = np.dtype(">i4")
    _type_name, _deserializer = "integer", "IntegerDeserializer"


class LongConverter(_PrimitiveConverter):
    """Converts integers of 8 bytes to one int64 column, `value` (Kafka Connect's LongConverter)."""

    _schema = ConnectSchema("int64", optional=True)
    _wire = np.dtype(">i8")
    _type_name, _deserializer = "long", "LongDeserializer"


class FloatConverter(_PrimitiveConverter):
    """Converts floats of 4 bytes to one float column, `value` (Kafka Connect's FloatConverter)."""

    _schema = ConnectSchema("float", optional=True)
    _wire = np.dtype(">f4")
    _type_name, _deserializer = "float", "Deserializer"


class DoubleConverter(_PrimitiveConverter):
    """Converts floats of 8 bytes to one double column, `value` (Kafka Connect's DoubleConverter)."""

    _schema = ConnectSchema("double", optional=True)
    _wire = np.dtype(">f8")
    _type_name, _deserializer = "double", "Deserializer"
