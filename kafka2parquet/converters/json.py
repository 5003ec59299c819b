"""JsonConverter: JSON objects, one per value, to columns of a given or a learned schema."""

from __future__ import annotations

from typing import Literal, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.json_columns import ValuesRefused, parse_objects
from kafka2parquet.converters.json_given import GivenSchema
from kafka2parquet.converters.json_record import RecordRefused, conflict_reason, load_object, schema_of
from kafka2parquet.records import ConsumedBatch, Converted, Reject, Rows, Stage
from kafka2parquet.schema.lattice import SchemaConflict, conform
from kafka2parquet.schema.learned import LearnedSchema, TooManyFields


class JsonConverter(RecordConverter):
    """Values are JSON objects (Kafka Connect's JsonConverter with `schemas.enable=false`); each member becomes a column.

    Without a schema, the columns of each topic are learned from its records, in their order, and only grow: a new member is
    a new column at the end, and an integer column becomes double when a fraction turns up. JSON's types are kept: integers
    are int64, other numbers double, text is never taken for a date. A member that has only been null, `[]` or `{}` is no
    column yet. A record whose types don't fit what is known is a reject. So the table of a batch has all columns known after
    it, and except for that what becomes of a record doesn't depend on batches, only on the records before it.

    With a schema, exactly its columns are made; a member that is missing or null is null, whatever the schema says about
    nulls. Besides booleans, integers, floats and text, lists and structs, these types are understood:

    - timestamps: ISO 8601 text, taken as UTC where it has no zone; or integers, see `timestamps`;
    - date32: text such as `2026-05-17`;
    - decimals: a number, or text that is one; digits beyond the scale are no fit.

    Rejected are, in both cases: what isn't one object in strict JSON and valid UTF-8, objects that name a member twice,
    integers outside the column's range (numbers with a fraction or an exponent are no integers, even `1.0`), NaN and
    infinities. Integers in a double column become the nearest double.

    The converter may be shared by tasks on several threads.
    """

    def __init__(
        self,
        schema: pa.Schema | None = None,
        *,
        on_unknown_field: Literal["reject", "ignore"] = "reject",
        timestamps: Literal["iso8601", "epoch_ms"] = "iso8601",
        learned: LearnedSchema | None = None,
    ) -> None:
        """Convert to `schema`, or learn the schema of each topic.

        Args:
            schema: the columns of every topic.
            on_unknown_field: what a member outside `schema` does with its record; learning always adds a column.
            timestamps: how timestamps of `schema` are written in JSON; `epoch_ms` are milliseconds since 1970.
            learned: where the schema is learned, to share it between converters or to begin with something known. By default
                each topic has one of its own.

        Raises:
            ConfigurationError: the schema has types that JSON values can't be converted to.
        """
        self._given = None
        self._learned = learned
        self._learned_by_topic: dict[str, LearnedSchema] = {}
        if schema is not None:
            self._given = GivenSchema(schema, ignore_unknown=on_unknown_field == "ignore", timestamps=timestamps)

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Parse the batch at once; where it is refused, halve it until the records that are to blame stand alone."""
        columns: _Columns = self._given or _LearningSchema(self._learned_schema(batch.topic_partition.topic))
        tables: list[pa.Table] = []
        rejects: list[Reject] = []
        runs = [(0, len(batch))]
        while runs:
            start, length = runs.pop()
            try:
                tables.append(columns.parse(batch.values.slice(start, length)))
            except ValuesRefused as exc:
                if length > 1:
                    runs += [(start + length // 2, length - length // 2), (start, length // 2)]
                    continue
                reason = columns.explain(batch.values[start].as_py(), exc)
                if reason is None:
                    runs.append((start, 1))
                else:
                    rejects.append(batch.reject(start, Stage.DECODE, reason))
        return Converted(_rows(batch, rejects, _concatenate(tables, columns.schema)), rejects)

    def _learned_schema(self, topic: str) -> LearnedSchema:
        return self._learned if self._learned is not None else self._learned_by_topic.setdefault(topic, LearnedSchema())

    @property
    def fingerprint(self) -> str:
        """Names the given schema and how it is used, or that schemas are learned."""
        return f"json:{self._given.fingerprint}" if self._given is not None else "json:learned"


class _Columns(Protocol):
    @property
    def schema(self) -> pa.Schema:
        """The columns to be written."""

    def parse(self, values: pa.Array) -> pa.Table:
        """All values at once, or ValuesRefused."""

    def explain(self, value: bytes, refused: ValuesRefused) -> str | None:
        """Why `parse` refused the value; None when it should be tried again."""


class _LearningSchema:
    def __init__(self, learned: LearnedSchema) -> None:
        self._learned = learned
        self._used = learned.seen

    @property
    def schema(self) -> pa.Schema:
        return self._learned.schema

    def parse(self, values: pa.Array) -> pa.Table:
        self._used = self._learned.seen
        return parse_objects(values, self._used)

    def explain(self, value: bytes, refused: ValuesRefused) -> str | None:
        try:
            grown = self._learned.grow(schema_of(load_object(value), self._used))
        except RecordRefused as exc:
            return str(exc)
        except SchemaConflict as exc:
            return conflict_reason(exc)
        except TooManyFields as exc:
            return f"its fields would give the schema {exc}; give the schema, or send such data as an array"
        # another task may have taught us these columns in the meantime
        return None if not grown.equals(self._used) else str(refused)


def _rows(batch: ConsumedBatch, rejects: list[Reject], table: pa.Table) -> Rows:
    offsets, timestamps_ms = batch.offsets, batch.timestamps_ms
    if rejects:
        rejected = pa.array([reject.offset for reject in rejects], pa.int64())
        kept = pc.invert(pc.is_in(offsets, rejected))
        offsets, timestamps_ms = offsets.filter(kept), timestamps_ms.filter(kept)
    return Rows(batch=batch, offsets=offsets, timestamps_ms=timestamps_ms, table=table)


def _concatenate(tables: list[pa.Table], schema: pa.Schema) -> pa.Table:
    if len(schema):
        return pa.concat_tables([schema.empty_table(), *(conform(table, schema) for table in tables)])
    # a table without columns forgets its rows when it is concatenated
    return pa.table({"rows": pa.nulls(sum(table.num_rows for table in tables))}).select([])
