"""Chains of Apache Kafka's transforms and predicates, beside what Java's own classes made of the same records.

A program gave the records to the classes of `org.apache.kafka:connect-transforms` 4.3.1, as a worker does, and wrote down what
came out. Left out are chains with what differs on purpose: transforms for which Java throws on tombstones, or without a schema.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from kafka2parquet import JsonConverter
from kafka2parquet.connect.load import load_connect_config
from kafka2parquet.connect.parts.transforms import make_transforms
from kafka2parquet.connect.text import read_properties
from kafka2parquet.converters.json_with_schema.envelope import JsonEnvelopeConverter
from kafka2parquet.rows import Rows, without_columns
from kafka2parquet.transforms import TransformChain
from tests.support.batches import batch_of
from tests.support.connect_story import STORY
from tests.unit.transforms.test_predicates import header_section

_FACTS = json.loads((pathlib.Path(__file__).parent / "java_chains.json").read_text())
_TOPIC = "raw-t"


def _name(chain: dict[str, Any]) -> str:
    config = chain["config"]
    return ",".join(
        config[f"transforms.{alias}.type"].rpartition(".")[2] + config.get(f"transforms.{alias}.predicate", "")
        for alias in config["transforms"].split(",")
    )


def _groups(chain: dict[str, Any]) -> list[Rows]:
    """Makes the records as transforms receive them: rows, and tombstones."""
    values = [record["value"] for record in chain["records"]]
    if chain["schemas"]:
        values = [value and {"schema": _FACTS["schema"], "payload": value} for value in values]
    batch = batch_of([None if value is None else json.dumps(value).encode() for value in values], topic=_TOPIC)
    headers = [header_section(record["headers"]) for record in chain["records"]]
    batch = attrs.evolve(batch, headers=pa.array(headers, pa.binary_view()))
    valued, sent = batch.filter(pc.is_valid(batch.values)), batch.filter(pc.is_null(batch.values))
    converter = JsonEnvelopeConverter() if chain["schemas"] else JsonConverter()
    groups = [attrs.evolve(rows, batch=valued) for rows in converter.convert(valued).groups] if len(valued) else []
    if len(sent):
        groups.append(Rows(sent, sent.offsets, sent.timestamps_ms, without_columns(len(sent)), tombstones=True))
    return groups


def _without_nulls(value: Any) -> Any:
    """Removes nulls, and structs that contain only nulls, because columns of other rows are null."""
    if not isinstance(value, dict):
        return value
    members = {name: _without_nulls(member) for name, member in value.items()}
    return {name: member for name, member in members.items() if member not in (None, {})}


def _written(rows: Rows) -> list[Any]:
    if rows.tombstones:
        return ["tombstone"] * len(rows)
    return [_without_nulls(row) for row in rows.table.to_pylist()] if rows.table.num_columns else [{}] * len(rows)


@pytest.mark.parametrize("facts", _FACTS["chains"], ids=_name)
def test_records_become_what_kafka_makes_of_them(facts: dict[str, Any]) -> None:
    """Values, tombstones, dropped records, rejects and topic names are those of Kafka."""
    transforms = make_transforms(load_connect_config({**read_properties(STORY).values, **facts["config"]}))
    chain = TransformChain(transforms.made)
    seen: list[Any] = ["left out"] * len(facts["records"])
    topics = set()
    for transformed in map(chain.apply, _groups(facts)):
        for reject in transformed.rejects:
            seen[reject.offset] = "rejected"
        for rows in transformed.groups:
            topics |= {rows.topic} if len(rows) else set()
            for offset, value in zip(rows.offsets.to_pylist(), _written(rows), strict=True):
                seen[offset] = value
    expected = [_expected(result) for result in facts["results"]]
    assert (expected, set(facts["topics"])) == (seen, topics)
    assert topics <= {transforms.folders.folder(_TOPIC) if transforms.folders is not None else _TOPIC}


def _expected(result: Any) -> Any:
    if isinstance(result, str):
        return result
    value = result["value"]
    return _without_nulls(value if isinstance(value, dict) else {"value": value})
