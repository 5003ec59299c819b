"""Reads schemas from local files."""

from __future__ import annotations

import codecs
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.schema.schema_text import schema_from_json
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS
from kafka2parquet.util.json_depth import MAX_SCHEMA_LEVELS, parse_json


def read_schema_file(path: str) -> pa.Schema:
    """Read the schema in a file: JSON from `kafka2parquet schema show`, an Arrow IPC schema, stream or file, or Parquet.

    Raises:
        ConfigurationError: the file can't be read or contains no schema; all problems.
    """
    try:
        content = Path(path).read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise ConfigurationError(f"The schema file {path} can't be read: {error.strerror}.") from error
    try:
        if content.startswith(b"PAR1"):
            return pq.read_schema(pa.BufferReader(content)).remove_metadata()
        if content.startswith(b"ARROW1"):
            return pa.ipc.open_file(content).schema.remove_metadata()
        if content.lstrip()[:1] not in (b"{", b"["):
            return pa.ipc.read_schema(pa.BufferReader(content)).remove_metadata()
        document = parse_json(content, max_levels=MAX_SCHEMA_LEVELS)
    except (*ARROW_DATA_ERRORS, OSError, ValueError) as error:
        raise ConfigurationError(
            f"The schema file {path} contains no schema: {error}. Write JSON as `kafka2parquet schema show` prints it, or name "
            "an Arrow schema or a Parquet file."
        ) from error
    fields = document.get("fields") if isinstance(document, dict) else document
    return schema_from_json(fields, f"The schema file {path}")
