"""Converts JSON messages that carry their schema, as Kafka Connect's JsonConverter writes them.

Producers write the same schema, byte for byte, in front of each payload. So the text before the payload is parsed once, and
the payloads of all messages with the same beginning are parsed together. Only payloads that the column parser refuses, or with
types that it doesn't know, are converted one by one.
"""

from __future__ import annotations

import json
import re
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.converters.json_with_schema.columns import TypedJsonColumns, is_typed_json
from kafka2parquet.converters.json_with_schema.payloads import JsonPayloads
from kafka2parquet.converters.json_with_schema.values import (
    DECODER,
    MalformedJson,
    NotConvertible,
    load,
    open_envelope,
    schema_from_json,
    text_of,
    value_from_json,
)
from kafka2parquet.converters.payload_decoder import PayloadDecoder, PayloadsRefused
from kafka2parquet.converters.record_groups import RecordGroups
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rows import Converted, Rows
from kafka2parquet.schema.connect_schema import ConnectSchema
from kafka2parquet.schema.refused import SchemaRefused, refusing_schemas
from kafka2parquet.util.arguments import checked
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS
from kafka2parquet.util.cache import BoundedCache
from kafka2parquet.util.json_depth import MAX_VALUE_LEVELS, refuse_deep

#: Most beginnings of messages by which a batch is grouped.
_MAX_GROUPS = 32
#: Most characters of the schemas in the cache; in memory a schema takes about twenty times as much.
_MAX_REMEMBERED = 1 << 22
#: Stands for the reason why a payload is not JSON.
_MALFORMED = "malformed"
_BEFORE_SCHEMA = re.compile(r'\ufeff?\s*\{\s*"schema"\s*:\s*')
_BEFORE_PAYLOAD = re.compile(r'\s*,\s*"payload"\s*:\s*')

_Int64s = npt.NDArray[np.int64]


@checked
class JsonEnvelopeConverter(RecordConverter):
    """Converts JSON objects with a schema and a payload (Kafka Connect's JsonConverter with `schemas.enable=true`).

    Columns have exactly the types of the schema. A payload that is not a struct becomes a single column, `value`. Messages
    whose schema is null are converted by a `JsonConverter`. If the payload of such a message is not an object, it becomes the
    column `value`, too, and has no fields that could name a folder. A null payload is a tombstone if its schema is optional or
    null.

    A message is rejected if it doesn't have exactly the members `schema` and `payload`, or if its payload doesn't fit its
    schema. (In Kafka Connect, many such payloads silently become 0, false or null.)
    """

    def __init__(self, *, schemaless: JsonConverter | None = None, replace_null_with_default: bool = True) -> None:
        """Make a converter.

        Args:
            schemaless: converts messages whose schema is null.
            replace_null_with_default: whether a null is replaced by the default of its field.
        """
        self._schemaless = schemaless if schemaless is not None else JsonConverter()
        self._null_is_default = replace_null_with_default
        self._schemas: BoundedCache[str, ConnectSchema | SchemaRefused] = BoundedCache(limit_size=_MAX_REMEMBERED, size_of=len)
        self._readable: BoundedCache[bytes, _Beginning] = BoundedCache(limit_size=_MAX_REMEMBERED, size_of=len)

    @property
    def fingerprint(self) -> str:
        """Identifies the settings."""
        return f"json-envelope:{self._null_is_default}"

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Parse the payloads of each schema together; refused payloads are converted one by one."""
        results = _Results(batch)
        left = np.ones(len(batch), np.bool_)
        texts = batch.values.cast(pa.large_binary())
        for _ in range(_MAX_GROUPS):
            if not left.any():
                break
            beginning = self._beginning(batch.values[int(np.argmax(left))].as_py())
            if beginning is None:
                break
            has_beginning = pc.and_(pc.starts_with(texts, beginning.text), pc.ends_with(texts, b"}"))
            chosen = has_beginning.to_numpy(zero_copy_only=False) & left
            rows = np.flatnonzero(chosen)
            if not len(rows):
                break
            payloads = pc.binary_slice(texts.take(pa.array(rows)).cast(pa.binary()), len(beginning.text), -1)
            self._convert_payloads(results, beginning, rows, payloads.cast(pa.binary_view()))
            left &= ~chosen
        self._convert_each(results, np.flatnonzero(left))
        return results.converted(self._schemaless)

    def _convert_payloads(self, results: _Results, beginning: _Beginning, rows: _Int64s, payloads: pa.Array) -> None:
        for decoded in beginning.decoder.run(payloads):
            results.groups.add_values(beginning.decoder.schema, rows[decoded.kept], decoded.values)
            misfits = [(index, reason) for index, reason in decoded.refused if reason != _MALFORMED]
            malformed = [index for index, reason in decoded.refused if reason == _MALFORMED]
            results.groups.reject(rows[[index for index, _ in misfits]], [reason for _, reason in misfits])
            self._convert_each(results, rows[malformed])  # so that the reason's position counts from the message's start

    def _convert_each(self, results: _Results, rows: _Int64s) -> None:
        for row in rows.tolist():
            try:
                node, payload = open_envelope(load(results.groups.batch.values[row].as_py()))
                if node is None:
                    results.add_schemaless(row, payload)
                else:
                    schema = self._schema(node)
                    value = value_from_json(schema, payload, null_is_default=self._null_is_default)
                    results.add_value(schema, row, value)
            except (NotConvertible, SchemaRefused) as error:
                results.groups.reject(np.array([row]), str(error))

    def _schema(self, node: object) -> ConnectSchema:
        """Return the schema of an envelope. Equal texts give the same object.

        Raises:
            SchemaRefused: the envelope's schema is not valid, or Parquet has no types for it.
        """
        with refusing_schemas():
            text = text_of(node)
        found = self._schemas.get_or_create(text, lambda: _schema_or_refusal(node, text))
        if isinstance(found, SchemaRefused):
            raise SchemaRefused(str(found))
        return found

    def _beginning(self, message: bytes) -> _Beginning | None:
        """Return the message's beginning; None if the schema isn't first, or its payloads can't be parsed as columns."""
        known = self._readable.find(lambda beginning: message.startswith(beginning.text))
        if known is not None:
            return known
        found = _text_before_payload(message)
        if found is None:
            return None
        text, node = found
        try:
            schema = self._schema(node)
        except SchemaRefused:
            return None
        if not is_typed_json(schema):
            return None
        return self._readable.get_or_create(text, lambda: _Beginning(text, self._decoder(schema)))

    def _decoder(self, schema: ConnectSchema) -> PayloadDecoder:
        """Make a decoder of the payloads after one beginning. Its reason for payloads that are not JSON is `_MALFORMED`."""
        columns = JsonPayloads(
            TypedJsonColumns(schema, null_is_default=self._null_is_default),
            lambda payload: value_from_json(schema, payload, null_is_default=self._null_is_default),
        )

        def decode_one(payload: bytes) -> Any:
            try:
                return columns.decode_one(payload)
            except MalformedJson:
                raise PayloadsRefused(_MALFORMED) from None
            except NotConvertible as error:
                raise PayloadsRefused(str(error)) from None

        return PayloadDecoder(schema, decode_one, columns.decode)


@attrs.frozen(eq=False)
class _Beginning:
    """The text before the payload, and the decoder of payloads that follow it."""

    text: bytes
    decoder: PayloadDecoder


def _schema_or_refusal(node: object, text: str) -> ConnectSchema | SchemaRefused:
    try:
        with refusing_schemas():
            json.dumps(node, ensure_ascii=False, default=str).encode()  # fails for half a surrogate pair
            schema = schema_from_json(node)
            _ = schema.arrow_schema  # fails for parameters that are not valid
            return schema
    except SchemaRefused as refusal:
        return refusal


def _text_before_payload(message: bytes) -> tuple[bytes, object] | None:
    """Return the text of an envelope before its payload, and the schema in it; None if the schema isn't first."""
    try:
        text = message.decode()
        head = _BEFORE_SCHEMA.match(text)
        if head is None:
            return None
        refuse_deep(message, MAX_VALUE_LEVELS)
        node, end = DECODER.raw_decode(text, head.end())
    except (ValueError, RecursionError):
        return None
    tail = _BEFORE_PAYLOAD.match(text, end)
    if tail is None or not isinstance(node, dict):
        return None
    return text[: tail.end()].encode(), node


@attrs.define(eq=False)
class _Results:
    """The outcome of the records so far, where records that were converted one by one are kept by their schemas."""

    groups: RecordGroups = attrs.field(converter=RecordGroups)
    _values: dict[int, tuple[ConnectSchema, list[int], list[object]]] = attrs.Factory(dict)
    _schemaless: tuple[list[int], list[bytes]] = attrs.Factory(lambda: ([], []))
    _without_fields: list[int] = attrs.Factory(list)

    def add_value(self, schema: ConnectSchema, row: int, value: object) -> None:
        _, rows, values = self._values.setdefault(id(schema), (schema, [], []))
        rows.append(row)
        values.append(value)

    def add_schemaless(self, row: int, payload: object) -> None:
        if payload is None:
            self.groups.add_tombstones(np.array([row]))
            return
        if not isinstance(payload, dict):
            self._without_fields.append(row)
            payload = {"value": payload}
        self._schemaless[0].append(row)
        self._schemaless[1].append(text_of(payload).encode())

    def converted(self, schemaless: JsonConverter) -> Converted:
        for schema, rows, values in self._values.values():
            self._add_array(schema, rows, values)
        rows, documents = self._schemaless
        if rows:
            batch = self.groups.batch
            mask = np.zeros(len(batch), np.bool_)
            mask[rows] = True
            found = schemaless.convert(attrs.evolve(batch.filter(pa.array(mask)), values=pa.array(documents, pa.binary_view())))
            self._add_schemaless(attrs.evolve(found.rows, batch=batch))
            for reject in found.rejects:
                self.groups.reject(np.array([pc.index(batch.offsets, reject.offset).as_py()]), reject.reason)
        return self.groups.converted()

    def _add_schemaless(self, rows: Rows) -> None:
        """Add rows with fields, and separately the rows without fields."""
        if not self._without_fields:
            self.groups.add_rows(rows)
            return
        without_fields = pc.is_in(rows.offsets, rows.batch.offsets.take(pa.array(self._without_fields)))
        self.groups.add_rows(attrs.evolve(rows.filter(without_fields), without_fields=True))
        self.groups.add_rows(rows.filter(pc.invert(without_fields)))

    def _add_array(self, schema: ConnectSchema, rows: list[int], values: list[object]) -> None:
        indices = np.array(rows)
        try:
            array = pa.array(values, schema.arrow_type)
        except (*ARROW_DATA_ERRORS, OverflowError, ValueError) as error:  # such as a fixed with a wrong size
            if len(values) > 1:
                for row, value in zip(rows, values, strict=True):
                    self._add_array(schema, [row], [value])
            else:
                self.groups.reject(indices, str(error))
            return
        self.groups.add_values(schema, indices, array)
