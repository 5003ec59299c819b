"""Configurations: what is valid, what values mean, what is recommended and shown."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.config import visible_properties as properties_shown
from kafka2parquet.connect.load import Validation
from kafka2parquet.connect.parts import files_and_rotation
from kafka2parquet.connect.properties.option import Value, simple_name
from kafka2parquet.connect.properties.table import table_for
from kafka2parquet.problems import Problem
from tests.acceptance.cases import CaseFolder
from tests.acceptance.outcome import CaseError, NotApplicableError


def validate_config(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns whether Kafka Connect would accept the configuration, its values, and its problems."""
    changes = {**given["config"], **dict.fromkeys(given.get("remove", ()))}
    validation = folder.validate(changes)
    return {
        "valid": validation.is_valid,
        "parsed": {name: _parsed(validation.config, name, value) for name, value in validation.config.values.items()},
        "problems": [problem for problem in validation.problems if validation.is_valid or problem.kind.value == "invalid"],
        "near_misses": _near_misses(validation),
    }


def _parsed(config: ConnectConfig, name: str, value: Value) -> Any:
    """Returns the value as in Connect; a class that works like another one keeps its own name."""
    option = config.table.options.get(name)
    given = config.given.get(name, "")
    if option is not None and simple_name(given) in option.read_as:
        return given
    return list(value) if isinstance(value, tuple) else value


def _near_misses(validation: Validation) -> list[Problem]:
    """Returns problems of properties that Connect doesn't know either."""
    table = validation.config.table
    return [problem for problem in validation.problems if all(table.find(name) is None for name in problem.properties)]


def recommended_values(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the recommended values of a property.

    The library doesn't recommend values that it knows and doesn't support.
    """
    table = table_for(folder.texts(given.get("config", {}))["connector.class"])
    option = table.find(given["property"]) if table is not None else None
    if option is None:
        raise CaseError("ConfigException", f"{given['property']} is not known")
    return {"value": list(option.choices), "refused": sorted(option.refused)}


def visible_properties(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns those of some properties that apply to a partitioner."""
    shown = properties_shown(given["partitioner.class"])
    return {"value": [name for name in given["among"] if name in shown]}


def parquet_codec(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns Parquet's name of the codec of pages."""
    config = folder.config({"parquet.codec": given["parquet.codec"]})
    file = files_and_rotation.make_writer(config).open()
    file.append(pa.table({"number": [1]}))
    content = file.finish({}).content
    if not isinstance(content, bytes):
        raise NotApplicableError("a file of one row lies on disk")
    with tempfile.NamedTemporaryFile(suffix=".parquet") as copy:
        copy.write(content)
        copy.flush()
        of_pyarrow = pq.read_metadata(copy.name).row_group(0).column(0).compression
        with duckdb.connect() as connection:
            rows = connection.execute("SELECT compression FROM parquet_metadata(?)", [copy.name]).fetchall()
    # pyarrow has one name for both codecs that are called LZ4
    return {"value": of_pyarrow, "also": rows[0][0]}
