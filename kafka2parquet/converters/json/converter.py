"""Converts values that are JSON objects to the columns of a given or a learned schema."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.json.columns import Columns, OnMisfit
from kafka2parquet.converters.json.fixed_schema import FixedColumns, FixedSchema
from kafka2parquet.converters.json.isolation import Isolation, Piece
from kafka2parquet.converters.json.learned_schema import GrowingColumns
from kafka2parquet.converters.json.parse_batch import Objects, ValuesRefused
from kafka2parquet.converters.json.suspects import RefusalHistory
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.records import ConsumedBatch, Reject, Stage, TopicPartition, is_kept
from kafka2parquet.rows import Converted, Rows, concatenated
from kafka2parquet.schema.lattice import conform, known_fields
from kafka2parquet.schema.learned import LearnedByTopic, LearnedSchema
from kafka2parquet.util.arguments import Name, checked


@checked
class JsonConverter(RecordConverter):
    """Converts values that are JSON objects (Kafka Connect's JsonConverter with `schemas.enable=false`).

    Each member becomes a column. Without a schema, the converter learns the columns of each topic from its records, in their
    order. The columns only grow: a new member is a new column at the end, and an integer column becomes double when a fraction
    turns up. An integer column with integers that a double doesn't hold can't become double, so it doesn't accept fractions.
    The `ColumnRules` of the learned schema set the limits and the rules for names. JSON's types are kept: integers are int64,
    other numbers are double, and text is never interpreted as a date. A member that has only been null, `[]` or `{}` is not a
    column yet. The table of a batch has all columns that are known after the batch. Apart from that, the outcome of a record
    depends only on the records before it, not on how they were split into batches.

    `on_misfit` decides about a record whose types don't fit the known columns:

    - `reject`: the record is a reject;
    - `rescue`: the parts that don't fit are moved from the record to the column `rescue_column`, as a JSON object of paths
      and values such as `{"user.age": "twelve", "items[2].price": []}`; null replaces them, and the rest is kept;
    - `string`: the column, or the member of an object, becomes text: text stays as it is, and numbers, objects and lists are
      written as their JSON text. If a record was read before its column became text, and shares a file with later records,
      its numbers are written in their shortest form, whatever the producer wrote.

    With a schema, a table has exactly the schema's columns. A member that is missing or null is null, whatever the schema says
    about nulls. Besides booleans, integers, floats, text, lists and structs, these types are supported:

    - timestamps: ISO 8601 text, taken as UTC if it has no zone; or integers, see `timestamps`;
    - date32: text such as `2026-05-17`;
    - decimals: a number, or text that is a number; digits beyond the scale are a misfit.

    A value is always rejected if it isn't a single object in strict JSON and valid UTF-8, if it names a member twice, or if it
    has NaN or an infinity. Three kinds of numbers are misfits: integers outside the column's range; numbers with a fraction or
    an exponent, even `1.0`, in an integer column of a given schema; and integers that a column of floating-point numbers would
    round.

    The converter may be shared by tasks on several threads.
    """

    def __init__(
        self,
        schema: pa.Schema | None = None,
        *,
        on_unknown_field: Literal["reject", "ignore"] = "reject",
        timestamps: Literal["iso8601", "epoch_ms"] = "iso8601",
        learned: LearnedSchema | None = None,
        on_misfit: OnMisfit = "reject",
        evolution: Literal["add", "none", "ignore"] = "add",
        rescue_column: Name = "_rescued",
    ) -> None:
        """Convert to `schema`, or learn the schema of each topic.

        Args:
            schema: the columns of every topic.
            on_unknown_field: how to treat a member outside `schema`: `reject` makes it a misfit, `ignore` leaves it out.
            timestamps: how timestamps of `schema` are written in JSON; `epoch_ms` are milliseconds since 1970.
            learned: the learned schema, to share it between converters or to start from known columns; a `SchemaContract`
                keeps the schema in storage. By default each topic has its own schema, in memory.
            on_misfit: what to do with a record whose types don't fit.
            evolution: how to treat a member outside a learned schema: `add` makes it a column. `none` and `ignore` don't change
                the known schema: with `none` the member is a misfit, with `ignore` it is left out.
            rescue_column: the name of the last column with `on_misfit="rescue"`; a member of that name is rescued, too.

        Raises:
            ConfigurationError: JSON values can't be converted to the schema's types, the schema has a column with the name of
                `rescue_column`, or `on_misfit="string"` is combined with a schema that can't change.
        """
        if on_misfit == "string" and (schema is not None or evolution != "add"):
            raise ConfigurationError(
                "on_misfit='string' changes the types of columns, but a given or pinned schema doesn't change. Use 'rescue' or "
                "'reject', or give such columns the type any."
            )
        self._learned_of = (lambda _: learned) if learned is not None else LearnedByTopic().of
        self._on_misfit: OnMisfit = on_misfit
        self._evolution = evolution
        self._rescue_column = rescue_column
        self._rescued_field = pa.field(rescue_column, pa.string())
        self._fixed: FixedSchema | None = None
        self._pinned: dict[str, FixedSchema] = {}
        self._refusals: dict[str, RefusalHistory] = {}
        self._isolating: set[TopicPartition] = set()
        """Topic-partitions whose last batch was refused. Their next batch is parsed in stretches, so that another refusal costs
        less."""
        if schema is not None:
            self._check_rescue_column(schema)
            self._fixed = FixedSchema(schema, ignore_unknown=on_unknown_field == "ignore", timestamps=timestamps)

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Parse the whole batch at once. If the parser refuses it, isolate the bad records and parse the others.

        Blocks while a `SchemaContract` stores a grown schema, and then raises what the contract raises.
        """
        while True:
            columns = self._columns(batch)
            tables, rejects = self._parsed(batch, columns)
            schema = columns.finish()
            if schema is not None:
                break
        if self._on_misfit == "rescue":
            schema = schema.append(self._rescued_field)
        return Converted(_rows(batch, rejects, _concatenate(tables, schema)), rejects)

    def _parsed(self, batch: ConsumedBatch, columns: Columns) -> tuple[list[pa.Table], list[Reject]]:
        try:
            objects = None
            objects = Objects.of(batch.values)
            if batch.topic_partition not in self._isolating:
                table = columns.parse(objects)
                columns.absorb(table)
                return [table], []
        except ValuesRefused:
            self._isolating.add(batch.topic_partition)
        history = self._refusals.setdefault(batch.topic_partition.topic, RefusalHistory())
        isolated = Isolation(batch.values, batch.offsets, columns, objects, history)
        if not isolated.found_any:
            self._isolating.discard(batch.topic_partition)
        refused = sorted(isolated.refused)
        rejects = batch.rejects(refused, Stage.DECODE, [isolated.refused[row] for row in refused])
        return [self._with_rescued(piece) for piece in isolated.pieces], rejects

    def _with_rescued(self, piece: Piece) -> pa.Table:
        if self._on_misfit != "rescue" or piece.rescued is None:
            return piece.table
        table = conform(piece.table, pa.schema(known_fields(piece.table.schema)))
        column = pa.array(piece.rescued, pa.string())
        return pa.Table.from_arrays([*table.columns, column], [*table.column_names, self._rescue_column])

    def _columns(self, batch: ConsumedBatch) -> Columns:
        topic = batch.topic_partition.topic
        rescues = self._on_misfit == "rescue"
        if self._fixed is not None:
            return FixedColumns(self._fixed, rescues=rescues, rescue_column=self._rescue_column)
        learned = self._learned_of(topic)
        if self._evolution != "add":
            return FixedColumns(self._pinned_schema(topic, learned), rescues=rescues, rescue_column=self._rescue_column)
        columns = GrowingColumns(learned, self._on_misfit, self._rescue_column, str(batch.topic_partition))
        self._check_rescue_column(columns.seen)
        return columns

    def _pinned_schema(self, topic: str, learned: LearnedSchema) -> FixedSchema:
        schema = learned.known().schema
        pinned = self._pinned.get(topic)
        if pinned is None or not pinned.schema.equals(schema, check_metadata=True):
            if not len(schema):
                raise ConfigurationError(
                    f"Topic {topic} has no schema yet, and with evolution={self._evolution} none is learned. Store one with "
                    "`kafka2parquet schema learn --write` or `schema pin`, or let the schema grow with evolution=add."
                )
            self._check_rescue_column(schema)
            pinned = FixedSchema(schema, ignore_unknown=self._evolution == "ignore", timestamps="iso8601")
            self._pinned[topic] = pinned
        return pinned

    def _check_rescue_column(self, schema: pa.Schema) -> None:
        if self._on_misfit == "rescue" and schema.get_field_index(self._rescue_column) >= 0:
            raise ConfigurationError(
                f"The schema already has a column {self._rescue_column}, which is also the rescue column. "
                "Choose another rescue column."
            )

    @property
    def fingerprint(self) -> str:
        """Identifies the given schema, or that schemas are learned, and the settings that affect conversion."""
        columns = self._fixed.fingerprint if self._fixed is not None else "learned"
        pinned = "" if self._evolution == "add" or self._fixed is not None else f":{self._evolution}"
        misfits = {"reject": "", "rescue": f":rescue:{self._rescue_column}", "string": ":string"}[self._on_misfit]
        return f"json:{columns}{pinned}{misfits}"


def _rows(batch: ConsumedBatch, rejects: list[Reject], table: pa.Table) -> Rows:
    offsets, timestamps_ms = batch.offsets, batch.timestamps_ms
    if rejects:
        kept = is_kept(offsets, rejects)
        offsets, timestamps_ms = offsets.filter(kept), timestamps_ms.filter(kept)
    return Rows(batch=batch, offsets=offsets, timestamps_ms=timestamps_ms, table=table)


def _concatenate(tables: list[pa.Table], schema: pa.Schema) -> pa.Table:
    return concatenated([conform(table, schema) for table in tables]) if tables else schema.empty_table()
