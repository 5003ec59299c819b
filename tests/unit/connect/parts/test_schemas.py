"""Properties about the schemas of JSON records: for all topics, and for one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet.connect.build import TaskPlan
from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.load import load_connect_config
from kafka2parquet.connect.parts.schema_files import read_schema_file
from kafka2parquet.connect.parts.schemas import LearnedSchemas, SchemaSettings, describe_schemas, make_json_converter
from kafka2parquet.connect.worker import load_worker_config
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.json.contract import SchemaContract
from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.schema.column_rules import ColumnRules
from kafka2parquet.schema.lattice import any_field
from kafka2parquet.schema.learned import LearnedSchema
from kafka2parquet.testing import MemoryStorage
from tests.support.batches import batch_of
from tests.support.sink_properties import json_sink

SCHEMA = pa.schema([pa.field("at", pa.timestamp("us", "UTC")), any_field("rest")])
#: The same schema as a user would write it.
WRITTEN = [{"name": "at", "type": "timestamp[us, UTC]"}, {"name": "rest", "type": "any"}]


def config_of(**properties: str) -> ConnectConfig:
    """Makes a configuration of the topics `topic` and `my.orders` with these properties."""
    return load_connect_config(
        json_sink(
            {
                "topics": "topic,my.orders",
                "flush.size": "10",
                "s3.bucket.name": "bucket",
                **properties,
            }
        )
    )


def own(**settings: str) -> dict[str, str]:
    """Returns settings for all topics."""
    return {f"kafka2parquet.schema.{name.replace('_', '.')}": text for name, text in settings.items()}


def for_orders(**settings: str) -> dict[str, str]:
    """Returns settings for the topic `my.orders`."""
    return {f"kafka2parquet.topic.my.orders.schema.{name.replace('_', '.')}": text for name, text in settings.items()}


def rows_of(config: ConnectConfig, *values: bytes) -> Any:
    """Returns the rows of the topic `topic`."""
    return _converter(config).convert(batch_of(list(values))).rows.table.to_pylist()


def _converter(config: ConnectConfig) -> RecordConverter:
    return make_json_converter(config, lambda _: LearnedSchema())


def test_by_default_a_schema_is_a_contract_that_grows() -> None:
    """By default the schema is a growing contract, and misfits are rejected."""
    assert SchemaSettings(True, "reject", "_rescued", "add", "", "iso8601") == SchemaSettings.of(config_of(), "topic")


def test_a_topic_may_have_its_own_settings() -> None:
    """Settings for all topics apply unless the topic sets its own. Names of topics have dots."""
    config = config_of(**own(on_misfit="rescue", evolution="none"), **for_orders(evolution="add", contract="false"))

    assert SchemaSettings(False, "rescue", "_rescued", "add", "", "iso8601") == SchemaSettings.of(config, "my.orders")
    assert SchemaSettings(True, "rescue", "_rescued", "none", "", "iso8601") == SchemaSettings.of(config, "topic")


def test_limits_and_names_reach_the_learned_schema() -> None:
    """Limits apply to all topics or one. Names of metadata columns are reserved if no transform can rename members."""
    limits = {"kafka2parquet.schema.max.fields": "5", "kafka2parquet.schema.max.bytes": "2000"}
    metadata = {"kafka2parquet.metadata.columns": "offset,key", "kafka2parquet.column.name.case": "unite"}
    config = config_of(**limits, **metadata, **for_orders(max_name_bytes="7"))
    learned = LearnedSchemas(config, MemoryStorage(), ObjectNaming())
    reserved = frozenset(["_kafka_offset", "_kafka_key"])

    assert ColumnRules(5, 255, 2000, "unite", reserved) == learned.of("topic").rules
    assert ColumnRules(5, 7, 2000, "unite", reserved) == learned.of("my.orders").rules
    renames = {"transforms": "r", "transforms.r.type": "kafka2parquet.transforms:Rename", "transforms.r.renames": "a:b"}
    assert frozenset() == SchemaSettings.of(config_of(**metadata, **renames), "topic").rules.reserved


def test_the_settings_reach_the_converter() -> None:
    """Settings such as another name for the rescue column reach the converter."""
    config = config_of(**own(on_misfit="rescue", rescue_column="rest"))

    assert [{"a": 1, "rest": None}, {"a": None, "rest": '{"a":"x"}'}] == rows_of(config, b'{"a": 1}', b'{"a": "x"}')


def test_a_schema_file_is_used_as_it_is(tmp_path: Path) -> None:
    """The schema in the file is used with the setting for timestamps."""
    file = tmp_path / "schema.json"
    file.write_text(json.dumps({"fields": WRITTEN}))
    config = config_of(**own(file=str(file), timestamps="epoch_ms", evolution="ignore"))
    rows = rows_of(config, b'{"at": 1500, "rest": [1], "more": true}')

    assert [(1.5, "[1]", ["at", "rest"])] == [(row["at"].timestamp(), row["rest"], list(row)) for row in rows]


@pytest.mark.parametrize("form", ["contract", "list", "ipc schema", "ipc stream", "ipc file", "parquet"])
def test_schema_files_have_many_forms(form: str, tmp_path: Path) -> None:
    """Schemas are read in the forms that people write, and in Arrow's."""
    path = tmp_path / "schema"
    if form in ("contract", "list"):
        path.write_text(json.dumps(WRITTEN if form == "list" else {"fields": WRITTEN}))
    elif form == "ipc schema":
        path.write_bytes(SCHEMA.serialize().to_pybytes())
    elif form == "parquet":
        pq.write_table(SCHEMA.empty_table(), path)
    else:
        new = pa.ipc.new_stream if form == "ipc stream" else pa.ipc.new_file
        with pa.OSFile(str(path), "wb") as sink, new(sink, SCHEMA) as writer:
            writer.write_table(SCHEMA.empty_table())

    assert SCHEMA.equals(read_schema_file(str(path)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read: No such file"),
        (b"", "contains no schema"),
        (b"PAR1", "contains no schema"),
        (b"nothing", "contains no schema"),
        (b"{", "contains no schema"),
        (b"{}", '"fields" is not a list'),
        (b'[{"name": "a", "type": "number"}]', "a: the type 'number' is unknown"),
    ],
)
def test_a_file_without_a_schema_is_a_problem_of_the_configuration(content: bytes | None, said: str, tmp_path: Path) -> None:
    """The error is raised at the start, and names the file."""
    path = tmp_path / "schema"
    if content is not None:
        path.write_bytes(content)
    config = config_of(**for_orders(file=str(path)))

    with pytest.raises(ConfigurationError, match=said) as raised:
        TaskPlan.of(config, load_worker_config(bootstrap_servers="localhost:9092"))
    assert "my.orders" in str(raised.value)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        (own(on_misfit="drop"), "String must be one of: reject, rescue, string"),
        (own(evolution="grow"), "String must be one of: add, none, ignore"),
        (own(rescue_column=""), "String must be non-empty"),
        (for_orders(on_misfit="drop"), "Invalid value drop for configuration kafka2parquet.topic.my.orders.schema.on.misfit"),
        (for_orders(files="x"), "kafka2parquet.topic.my.orders.schema.files is not a known property"),
        ({"kafka2parquet.topic.schema.file": "x"}, "is not a known property"),
    ],
)
def test_wrong_settings_are_refused(properties: dict[str, str], said: str) -> None:
    """Wrong settings are refused for all topics and for one."""
    with pytest.raises(ConfigurationError, match=said):
        config_of(**properties)


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        (own(on_misfit="string", evolution="none"), "but kafka2parquet.schema.evolution=none fixes them"),
        ({"kafka2parquet.topic.order.schema.evolution": "none"}, "order is not one of the topics that are read"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(properties: dict[str, str], said: str) -> None:
    """Contradicting settings are refused before anything is read."""
    with pytest.raises(ConfigurationError, match=said):
        TaskPlan.of(config_of(**properties), load_worker_config(bootstrap_servers="localhost:9092"))


def test_the_fingerprint_covers_all_topics() -> None:
    """Settings that change rows change the fingerprint, and the default's fingerprint never changes."""
    configs = [config_of(), config_of(**own(evolution="none")), config_of(**for_orders(evolution="none"))]
    fingerprints = [_converter(config).fingerprint for config in configs]

    assert JsonConverter().fingerprint == fingerprints[0]
    assert 3 == len(set(fingerprints))


def test_tasks_share_what_is_learned_of_a_topic() -> None:
    """Tasks share a contract beside the data, or in memory if contracts are turned off."""
    storage = MemoryStorage()
    learned = LearnedSchemas(config_of(**for_orders(contract="false")), storage, ObjectNaming(topics_dir="lake"))
    learned.of("topic").grow(pa.schema([("a", pa.int64())]))
    learned.of("my.orders").grow(pa.schema([("a", pa.int64())]))

    assert (True, False) == tuple(learned.of(topic) is learned.of("topic") for topic in ("topic", "my.orders"))
    assert (SchemaContract, LearnedSchema) == (type(learned.of("topic")), type(learned.of("my.orders")))
    assert ["lake/_kafka2parquet/topic/schema-1.json"] == list(storage.objects)


def test_check_describes_the_columns() -> None:
    """`check` has a sentence for all topics, and one for each topic with its own settings."""
    config = config_of(**own(on_misfit="rescue"), **for_orders(evolution="ignore", on_misfit="reject"))

    assert [
        "Columns are learned from the records and kept as a contract beside the data, and only ever added; what doesn't fit "
        "goes into the column _rescued.",
        "For my.orders: Columns come from the stored schema, which doesn't grow; other members are left out; a record that "
        "doesn't fit is rejected.",
    ] == list(describe_schemas(config))
