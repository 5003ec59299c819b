"""Messages as Arrow values, and values as Parquet columns."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet.converters.json_with_schema.values import load, open_envelope, schema_from_json
from kafka2parquet.schema.connect_schema import ConnectSchema
from tests.acceptance.cases import CaseFolder
from tests.acceptance.functions.reading import convert, message_batch, raise_for
from tests.acceptance.messages import JSON_CONVERTER
from tests.acceptance.outcome import CaseError, NotApplicableError
from tests.acceptance.sink import TOLERANT, Sink
from tests.acceptance.stored import OFFSET_COLUMN
from tests.acceptance.values import python_rows, python_values

_CONNECT_TYPES = {"float": "FLOAT32", "double": "FLOAT64"}


def json_to_arrow(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Converts a message with JsonConverter."""
    settings = {"value.converter": JSON_CONVERTER, **{f"value.converter.{n}": t for n, t in given["config"].items()}}
    message = None if given["message"] is None else given["message"].encode()
    with_schema = settings.get("value.converter.schemas.enable", "true") == "true"
    if not message:  # which converters never see: the engine deals with it before
        return {"connect_type": None, "arrow_type": None, "value": None, "value_type": None}
    converted = convert(message_batch([message]), folder, settings)
    if not with_schema and any(reject.reason.startswith("not a JSON object") for reject in converted.rejects):
        raise NotApplicableError("without a schema, only objects are rows")
    raise_for(list(converted.rejects))
    if not converted.groups:  # a value that is null, of a known schema
        node, _ = open_envelope(load(message)) if with_schema else (None, None)
        return _typed(schema_from_json(node) if node is not None else None, None, None)
    rows = converted.groups[0]
    schema = rows.value_schema
    table = rows.table.combine_chunks()
    is_struct = schema.type == "struct" if schema is not None else table.column_names != ["value"]
    if not table.num_columns:  # which Arrow makes no struct of
        return _typed(schema, pa.struct([]), {})
    array = pa.concat_arrays(table.to_struct_array().chunks) if is_struct else pa.concat_arrays(table.column(0).chunks)
    return _typed(schema, array.type, python_values(array)[0])


def _typed(schema: ConnectSchema | None, seen_type: pa.DataType | None, value: Any) -> dict[str, Any]:
    if schema is None:
        return {"connect_type": None, "arrow_type": None, "value_type": seen_type, "value": value}
    logical = (schema.name or "").removeprefix("org.apache.kafka.connect.data.")
    is_logical = (schema.name or "") != logical
    result = {
        "connect_type": logical if is_logical else _CONNECT_TYPES.get(schema.type, schema.type.upper()),
        "arrow_type": seen_type if seen_type is not None else schema.arrow_type,
        "value": value,
    }
    if is_logical and logical == "Decimal":
        result["scale"] = schema.scale
    return result


def write_parquet(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the columns and rows of the file that a sink makes of some values.

    Raises:
        CaseError: one of them can't be written.
    """
    tolerant = {**TOLERANT, "flush.size": str(len(given["values"]))}
    sink = Sink(folder, {**given["config"], **tolerant})
    sink.put(
        [
            {"partition": 12, "offset": offset, "timestamp": 0, "value": value, "value_schema": given["value_schema"]}
            for offset, value in enumerate(given["values"])
        ]
    )
    if sink.error is not None:
        raise CaseError("ConnectException", str(sink.error))
    raise_for(sink.reports)
    stored = next(iter(sink.objects().values()))
    file = pq.ParquetFile(io.BytesIO(sink.storage.objects[stored.key].content))
    columns = [_column(file, field) for field in file.schema_arrow if field.name != OFFSET_COLUMN]
    return {"columns": columns, "rows": python_rows(file.read().drop_columns([OFFSET_COLUMN]))}


def _column(file: pq.ParquetFile, field: pa.Field) -> dict[str, Any]:
    """Describes a column as cases do."""
    described: dict[str, Any] = {
        "name": field.name,
        "repetition": "optional" if field.nullable else "required",
        "arrow_type": field.type,
    }
    leaves = [file.schema.column(number) for number in range(len(file.schema))]
    leaf = next((leaf for leaf in leaves if leaf.path == field.name), None)
    if leaf is None:
        kinds = ((pa.types.is_map, "MAP"), (pa.types.is_list, "LIST"))
        return {**described, "physical": "GROUP", "logical": next((name for test, name in kinds if test(field.type)), None)}
    physical = "BINARY" if leaf.physical_type == "BYTE_ARRAY" else leaf.physical_type
    return {**described, "physical": physical, "logical": _logical(str(leaf.logical_type))}


def _logical(text: str) -> str | None:
    """Returns Parquet's name of a logical type with its parameters: `TIMESTAMP(MILLIS,true)`, `DECIMAL(38,2)`."""
    name, _, arguments = text.partition("(")
    known = dict(re.findall(r"(\w+)=(\w+)", arguments))
    if name in ("None", "Undefined"):
        return None
    if name in ("Timestamp", "Time"):
        unit = {"milliseconds": "MILLIS", "microseconds": "MICROS", "nanoseconds": "NANOS"}[known["timeUnit"]]
        return f"{name.upper()}({unit},{known['isAdjustedToUTC']})"
    if name == "Decimal":
        return f"DECIMAL({known['precision']},{known['scale']})"
    if name == "Int":
        return f"INT({known['bitWidth']},{known['isSigned']})"
    return name.upper()
