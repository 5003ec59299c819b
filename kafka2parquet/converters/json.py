"""JsonConverter: JSON objects without a schema of their own."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from kafka2parquet.converters import json_text
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.json_text import UnparsableError
from kafka2parquet.records import ConsumedBatch, Converted, Rows, Stage
from kafka2parquet.schema.lattice import SchemaConflict, conform
from kafka2parquet.schema.learned import LearnedSchema


class JsonConverter(RecordConverter):
    """Makes columns of JSON objects, one object a record.

    With a schema, fields have its types; any type that `pyarrow.json` parses may be in it, ISO texts as timestamps included.
    Without one, the schema is learned and only grows: new fields are added, integers widen to doubles where a fraction or an
    integer beyond 64 bits comes, texts are never taken for times. What a file lacks of the schema is null.

    Rejected are values that aren't one JSON object in UTF-8, objects with a field twice, and fields whose type doesn't fit. A
    field that is missing is null. `NaN` and `Infinity` are numbers.
    """

    def __init__(
        self,
        schema: pa.Schema | None = None,
        *,
        unknown_fields: Literal["ignore", "reject"] = "ignore",
        learned: LearnedSchema | None = None,
    ) -> None:
        """Make a converter.

        Args:
            schema: of the objects; None to learn it.
            unknown_fields: what to do about fields that aren't in `schema`.
            learned: what is known already, shared with the converters of other tasks; used where `schema` is None.
        """
        self._schema = schema
        self._unexpected = {"ignore": "ignore", "reject": "error"}[unknown_fields]
        self._learned = learned if learned is not None else LearnedSchema()

    @property
    def fingerprint(self) -> str:
        """Names the schema, if it is given."""
        if self._schema is None:
            return "json"
        text = f"{self._schema.to_string(show_field_metadata=False, show_schema_metadata=False)}|{self._unexpected}"
        return f"json-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Make each record either a row or a reject. Learns fields that are new."""
        values = json_text.trim(batch.values)
        parts: list[pa.Table] = []
        rejects: dict[int, str] = {}
        self._convert(values, parts, rejects)
        written = self._written
        table = pa.concat_tables([part if part.schema.equals(written) else conform(part, written) for part in parts])
        rows = Rows(batch, batch.offsets, batch.timestamps_ms, table)
        if rejects:
            kept = np.ones(len(batch), dtype=bool)
            kept[list(rejects)] = False
            mask = pa.array(kept)
            rows = Rows(batch, batch.offsets.filter(mask), batch.timestamps_ms.filter(mask), table)
        return Converted(rows, [batch.reject(row, Stage.DECODE, reason) for row, reason in sorted(rejects.items())])

    def _convert(self, values: pa.Array, parts: list[pa.Table], rejects: dict[int, str]) -> None:
        """Parse the values at once; where that fails, split them around the culprit and try the pieces, in order."""
        pending = [(0, len(values))]
        while pending:
            start, end = pending.pop()
            try:
                parts.append(self._parse(values.slice(start, end - start)))
            except (UnparsableError, SchemaConflict) as error:
                if end - start == 1:
                    rejects[start] = explain(values[start].as_py(), str(error))
                    continue
                row = getattr(error, "row", None)
                if row is None:
                    middle = (start + end) // 2
                    pending += [(middle, end), (start, middle)]
                else:
                    pieces = [(start, start + row), (start + row, start + row + 1), (start + row + 1, end)]
                    pending += [(begin, stop) for begin, stop in reversed(pieces) if begin < stop]
        if not parts:
            parts.append(self._written.empty_table())

    @property
    def _written(self) -> pa.Schema:
        return self._schema if self._schema is not None else self._learned.written

    def _parse(self, values: pa.Array) -> pa.Table:
        """One row for each value, in the schema that is known by then.

        Raises:
            UnparsableError: some value can't be parsed.
            SchemaConflict: some field has another type than it had before.
        """
        if self._schema is not None:
            return json_text.parse(values, self._schema, unexpected=self._unexpected).select(self._schema.names)
        known = self._learned.written
        fits = True
        try:
            table = json_text.parse(values, known)
        except UnparsableError:
            fits = False
            table = json_text.parse(values, None)  # with all types inferred: perhaps a field only has to be widened
        if fits and table.schema.equals(known):
            return table
        seen = json_text.canonical(table.schema)
        merged = self._learned.merged(seen)
        if not (fits and merged.equals(known)):
            table = json_text.parse(values, merged)
        self._learned.learn(seen)
        return conform(table, merged)


def explain(value: bytes, reason: str) -> str:
    """Why a value is no JSON object, as exactly as can be said; else the parser's reason."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"not UTF-8 at byte {error.start}"
    try:
        decoded: Any = json.loads(text)
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg} at character {error.pos}"
    except RecursionError:
        return "nested too deeply"
    except ValueError as error:
        return f"not JSON: {error}"
    if not isinstance(decoded, dict):
        return f"a JSON {_NAMES.get(type(decoded), 'null')}, not an object"
    return reason


_NAMES = {list: "array", str: "string", int: "number", float: "number", bool: "boolean"}
