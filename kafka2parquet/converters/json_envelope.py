"""JsonEnvelopeConverter: JSON messages that carry their schema, as Kafka Connect's JsonConverter writes them.

Producers write the same schema, byte for byte, in front of each payload. So the text up to the payload is looked at once, and
the payloads of all messages that begin with it are parsed together. Only what the column parser refuses, and types that it
doesn't know (maps, bytes, decimals, defaults inside structs), go one by one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.connect_json import (
    NotConvertible,
    load,
    open_envelope,
    schema_from_json,
    value_from_json,
)
from kafka2parquet.converters.json import JsonConverter
from kafka2parquet.converters.json_columns import ValuesRefused, parse_objects
from kafka2parquet.records import ConsumedBatch, Converted, Reject, Rows, Stage
from kafka2parquet.schema.connect_schema import ConnectSchema
from kafka2parquet.schema.lattice import conform

#: Beginnings of messages that are remembered, and those that one batch is grouped by.
_MAX_REMEMBERED = 1000
_MAX_GROUPS = 32
_PARSED_AS = {"boolean": pa.bool_(), "string": pa.string(), "float": pa.float64(), "double": pa.float64()}


class JsonEnvelopeConverter(RecordConverter):
    """Values are JSON objects with a schema and a payload (Kafka Connect's JsonConverter with `schemas.enable=true`).

    Columns have exactly the types of the schema. A payload that is no struct becomes one column called `value`. Messages
    whose schema is null are left to a `JsonConverter`, and null payloads are tombstones.

    Rejected are messages without exactly the members `schema` and `payload`, and payloads that don't fit their schema. (In
    Kafka Connect many of these silently become 0, false or null.)
    """

    def __init__(self, *, schemaless: JsonConverter | None = None, replace_null_with_default: bool = True) -> None:
        """Make a converter.

        Args:
            schemaless: for messages whose schema is null.
            replace_null_with_default: whether a null becomes the default of its field.
        """
        self._schemaless = schemaless if schemaless is not None else JsonConverter()
        self._null_is_default = replace_null_with_default
        self._schemas: dict[str, ConnectSchema] = {}
        self._beginnings: dict[bytes, ConnectSchema] = {}

    @property
    def fingerprint(self) -> str:
        """Names the settings."""
        return f"json-envelope:{self._null_is_default}"

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Parse the payloads of each schema at once; what is refused goes one by one."""
        groups = _Groups(batch)
        left = np.ones(len(batch), np.bool_)
        for _ in range(_MAX_GROUPS):
            if not left.any():
                break
            first = int(np.argmax(left))
            beginning = self._beginning(batch.values[first].as_py())
            if beginning is None:
                break
            texts = batch.values.cast(pa.large_binary())
            chosen = pc.and_(pc.starts_with(texts, beginning), pc.ends_with(texts, b"}")).to_numpy(zero_copy_only=False) & left
            rows = np.flatnonzero(chosen)
            if not len(rows):
                break
            schema = self._beginnings[beginning]
            payloads = pc.binary_slice(texts.take(pa.array(rows)).cast(pa.binary()), len(beginning), -1)
            try:
                groups.add(schema, rows, _parse_columns(payloads.cast(pa.binary_view()), schema, self._null_is_default))
            except ValuesRefused:
                self._convert_each(groups, rows)
            left &= ~chosen
        self._convert_each(groups, np.flatnonzero(left))
        return groups.converted(self._schemaless)

    def _convert_each(self, groups: _Groups, rows: np.ndarray) -> None:
        for row in rows.tolist():
            try:
                node, payload = open_envelope(load(groups.batch.values[row].as_py()))
                if payload is None and (node is None or node.get("default") is None or not self._null_is_default):
                    groups.add_tombstone(row)
                elif node is None:
                    groups.add_schemaless(row, payload)
                else:
                    schema = self._schema(node)
                    value = value_from_json(schema, payload, null_is_default=self._null_is_default)
                    groups.add_value(schema, row, value)
            except NotConvertible as error:
                groups.rejects.append(groups.batch.reject(row, Stage.DECODE, str(error)))

    def _schema(self, node: object) -> ConnectSchema:
        """The schema of an envelope; equal texts give the same object."""
        text = json.dumps(node, default=str)
        schema = self._schemas.get(text)
        if schema is None:
            schema = schema_from_json(node)
            if len(self._schemas) >= _MAX_REMEMBERED:
                self._schemas.clear()
            self._schemas[text] = schema
        return schema

    def _beginning(self, message: bytes) -> bytes | None:
        """The text before the payload, where the schema stands first and the payloads can be parsed as columns."""
        known = next((text for text in self._beginnings if message.startswith(text)), None)
        if known is not None:
            return known
        found = _text_before_payload(message)
        if found is None:
            return None
        text, node = found
        try:
            schema = self._schema(node)
        except NotConvertible:
            return None
        if schema.type != "struct" or not schema.fields or not all(_is_plain(field.schema) for field in schema.fields):
            return None
        if len(self._beginnings) >= _MAX_REMEMBERED:
            self._beginnings.clear()
        self._beginnings[text] = schema
        return text


def _text_before_payload(message: bytes) -> tuple[bytes, object] | None:
    """The text of an envelope up to its payload, and the schema in it; None where the schema doesn't come first."""
    try:
        text = message.decode()
        head, name = '{"schema":', ',"payload":'
        if not text.startswith(head):
            return None
        node, end = json.JSONDecoder().raw_decode(text, len(head))
    except ValueError:
        return None
    if not isinstance(node, dict) or not text.startswith(name, end):
        return None
    return text[: end + len(name)].encode(), node


def _is_plain(schema: ConnectSchema, depth: int = 0) -> bool:
    """Whether the column parser reads such values as they are meant."""
    if depth and schema.default is not None:
        return False
    if schema.type == "struct":
        return bool(schema.fields) and all(_is_plain(field.schema, depth + 1) for field in schema.fields)
    if schema.type == "array" and schema.values is not None:
        return _is_plain(schema.values, depth + 1)
    return schema.type in _PARSED_AS or (schema.type.startswith("int") and schema.name is None)


def _parse_columns(payloads: pa.Array, schema: ConnectSchema, null_is_default: bool) -> pa.Table:
    """All payloads at once.

    Raises:
        ValuesRefused: some payload doesn't fit.
    """
    parsed = parse_objects(payloads, pa.schema([(f.name, _parsed_type(f.schema)) for f in schema.fields]), ignore_unknown=True)
    wanted = schema.arrow_schema
    try:
        table = conform(parsed, pa.schema([field.with_nullable(True) for field in wanted]))
    except pa.ArrowInvalid as error:
        raise ValuesRefused(str(error)) from error
    columns = []
    for field, column in zip(schema.fields, table.columns, strict=True):
        if column.null_count and field.schema.default is not None and null_is_default:
            column = pc.fill_null(column, pa.scalar(field.schema.default, column.type))
        if any(_lacks_required(chunk, field.schema) for chunk in column.chunks):
            raise ValuesRefused(f"field {field.name}: a null where none may be")
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=wanted)


def _parsed_type(schema: ConnectSchema) -> pa.DataType:
    if schema.type == "struct":
        return pa.struct([(field.name, _parsed_type(field.schema)) for field in schema.fields])
    if schema.type == "array" and schema.values is not None:
        return pa.list_(_parsed_type(schema.values))
    return _PARSED_AS.get(schema.type, pa.int64())


def _lacks_required(array: pa.Array, schema: ConnectSchema) -> bool:
    if array.null_count and not schema.optional:
        return True
    if schema.type == "struct":
        present = array.drop_null()
        return any(_lacks_required(pc.struct_field(present, field.name), field.schema) for field in schema.fields)
    if schema.type == "array" and schema.values is not None:
        return _lacks_required(array.flatten(), schema.values)
    return False


@attrs.define(eq=False)
class _Groups:
    """What became of the records so far: tables and single values by schema, and all the others."""

    batch: ConsumedBatch
    rejects: list[Reject] = attrs.Factory(list)
    _tables: list[tuple[ConnectSchema, np.ndarray, pa.Table]] = attrs.Factory(list)
    _values: dict[int, tuple[ConnectSchema, list[int], list[object]]] = attrs.Factory(dict)
    _schemaless: tuple[list[int], list[bytes]] = attrs.Factory(lambda: ([], []))
    _tombstones: list[int] = attrs.Factory(list)

    def add(self, schema: ConnectSchema, rows: np.ndarray, table: pa.Table) -> None:
        self._tables.append((schema, rows, table))

    def add_value(self, schema: ConnectSchema, row: int, value: object) -> None:
        _, rows, values = self._values.setdefault(id(schema), (schema, [], []))
        rows.append(row)
        values.append(value if schema.type == "struct" else {"value": value})

    def add_schemaless(self, row: int, payload: object) -> None:
        document = payload if isinstance(payload, dict) else {"value": payload}
        self._schemaless[0].append(row)
        self._schemaless[1].append(json.dumps(document, default=float).encode())

    def add_tombstone(self, row: int) -> None:
        self._tombstones.append(row)

    def converted(self, schemaless: JsonConverter) -> Converted:
        groups = [*self._by_schema()]
        rows, values = self._schemaless
        if rows:
            mask = np.zeros(len(self.batch), np.bool_)
            mask[rows] = True
            records = self.batch.filter(pa.array(mask))
            found = schemaless.convert(attrs.evolve(records, values=pa.array(values, pa.binary_view())))
            groups.append(attrs.evolve(found.rows, batch=self.batch))
            self.rejects += [self.batch.reject_offset(r.offset, r.stage, r.reason) for r in found.rejects]
        if not groups:
            groups.append(Rows(self.batch, self.batch.offsets[:0], self.batch.timestamps_ms[:0], pa.table({})))
        self.rejects.sort(key=lambda reject: reject.offset)
        return Converted(groups[0], self.rejects, groups[1:], self.batch.offsets.take(pa.array(self._tombstones, pa.int64())))

    def _by_schema(self) -> Iterator[Rows]:
        """One group for each schema, in the order of offsets."""
        found = list(self._tables)
        for schema, rows, values in self._values.values():
            column = pa.array(values, pa.struct(list(schema.arrow_schema)))
            found.append((schema, np.array(rows), pa.Table.from_struct_array(column).cast(schema.arrow_schema)))
        for schema in dict.fromkeys(schema for schema, _, _ in found):
            parts = [(rows, table) for other, rows, table in found if other == schema]
            indexes = np.concatenate([rows for rows, _ in parts])
            table = pa.concat_tables([table for _, table in parts])
            if len(parts) > 1:
                order = np.argsort(indexes)
                indexes, table = indexes[order], table.take(pa.array(order))
            chosen = pa.array(indexes)
            yield Rows(self.batch, self.batch.offsets.take(chosen), self.batch.timestamps_ms.take(chosen), table, schema)
