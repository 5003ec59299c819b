"""Makes the converters of schemaless JSON, with the schema settings of each topic."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Literal, cast

import attrs

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.schema_files import read_schema_file
from kafka2parquet.connect.properties.names import COLUMN_NAME_CASE, METADATA_COLUMNS, TOPICS, TRANSFORMS
from kafka2parquet.connect.properties.schemas import TOPIC_PREFIX, split_topic
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.json.columns import OnMisfit
from kafka2parquet.converters.json.contract import SchemaContract, SchemaVersions
from kafka2parquet.converters.json.converter import JsonConverter
from kafka2parquet.converters.metadata_columns import MetadataColumns
from kafka2parquet.converters.per_topic import PerTopicConverter
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.problems import Problem
from kafka2parquet.schema.column_rules import ColumnRules, NameCase
from kafka2parquet.schema.learned import LearnedByTopic, LearnedSchema
from kafka2parquet.storage.base import Storage


@attrs.frozen
class SchemaSettings:
    """The schema settings of one topic.

    Attributes:
        contract: whether the schema is kept in storage.
        on_misfit: see `JsonConverter`.
        rescue_column: see `JsonConverter`.
        evolution: see `JsonConverter`.
        file: path of the schema file; "" if the schema is learned.
        timestamps: see `JsonConverter`.
        rules: see `LearnedSchema`.
    """

    contract: bool
    on_misfit: OnMisfit
    rescue_column: str
    evolution: Literal["add", "none", "ignore"]
    file: str
    timestamps: Literal["iso8601", "epoch_ms"]
    rules: ColumnRules = attrs.field(factory=ColumnRules)

    @classmethod
    def of(cls, config: ConnectConfig, topic: str) -> SchemaSettings:
        """Return the settings of a topic: its own settings take precedence over the settings for all topics."""

        def value(setting: str) -> object:
            own = f"{TOPIC_PREFIX}{topic}.{setting}"
            return config.values[own if own in config.values else f"kafka2parquet.{setting}"]

        return cls(
            contract=value("schema.contract") is True,
            on_misfit=cast(OnMisfit, value("schema.on.misfit")),
            rescue_column=str(value("schema.rescue.column")),
            evolution=cast(Literal["add", "none", "ignore"], value("schema.evolution")),
            file=str(value("schema.file")),
            timestamps=cast(Literal["iso8601", "epoch_ms"], value("schema.timestamps")),
            rules=ColumnRules(
                max_fields=cast(int, value("schema.max.fields")),
                max_name_bytes=cast(int, value("schema.max.name.bytes")),
                max_schema_bytes=cast(int, value("schema.max.bytes")),
                name_case=make_name_case(config),
                reserved=frozenset(_added_columns(config)),
            ),
        )

    def converter(self, learned: LearnedSchema) -> JsonConverter:
        """Make the topic's converter.

        Raises:
            ConfigurationError: the schema file can't be used, or the settings exclude each other.
        """
        if self.on_misfit == "string" and (self.file or self.evolution != "add"):
            pinned = "kafka2parquet.schema.file" if self.file else f"kafka2parquet.schema.evolution={self.evolution}"
            raise ConfigurationError(
                f"kafka2parquet.schema.on.misfit=string changes the types of columns, but {pinned} fixes them. Use "
                "rescue or reject, or give such columns the type any."
            )
        if not self.file:
            return JsonConverter(
                learned=learned, on_misfit=self.on_misfit, evolution=self.evolution, rescue_column=self.rescue_column
            )
        return JsonConverter(
            read_schema_file(self.file),
            on_unknown_field="ignore" if self.evolution == "ignore" else "reject",
            timestamps=self.timestamps,
            on_misfit=self.on_misfit,
            rescue_column=self.rescue_column,
        )


def make_name_case(config: ConnectConfig) -> NameCase:
    """Return what to do about columns whose names differ only in upper and lower case."""
    return cast(NameCase, config.text(COLUMN_NAME_CASE))


def _added_columns(config: ConnectConfig) -> Iterator[str]:
    """Yield the names of metadata columns, which members can't have. Yields none if transforms may rename members."""
    if not config.items(TRANSFORMS):
        yield from MetadataColumns(config.items(METADATA_COLUMNS)).column_names


def make_json_converter(
    config: ConnectConfig,
    learned: Callable[[str], LearnedSchema],
    around: Callable[[JsonConverter], RecordConverter] = lambda converter: converter,
) -> RecordConverter:
    """Make the converter of schemaless JSON, which has a converter for each topic.

    Args:
        config: the configuration.
        learned: returns the learned schema of a topic; called when the topic's first record arrives.
        around: wraps each topic's converter.

    Raises:
        ConfigurationError: some settings can't work; all problems.
    """
    problems: list[Problem] = []
    own = overridden_topics(config)
    fingerprints: list[str] = []
    for topic in ("", *own):
        try:
            fingerprints.append(f"{topic}:{SchemaSettings.of(config, topic).converter(LearnedSchema()).fingerprint}")
        except ConfigurationError as error:
            problems += (each.within(f"Topic {topic}") if topic else each for each in error.details)
        if topic and not _is_read(config, topic):
            message = f"{TOPIC_PREFIX}{topic}.*: {topic} is not one of the topics that are read"
            problems.append(Problem(f"{TOPIC_PREFIX}{topic}.*", message, "Correct or remove it."))
    if problems:
        raise ConfigurationError(problems)
    fingerprint = around(JsonConverter()).fingerprint
    if fingerprints != [f":{JsonConverter().fingerprint}"]:
        fingerprint += ":" + hashlib.sha256("|".join(fingerprints).encode()).hexdigest()[:16]
    return PerTopicConverter(
        lambda topic: around(SchemaSettings.of(config, topic).converter(learned(topic))), fingerprint=fingerprint
    )


def describe_schemas(config: ConnectConfig) -> Iterator[str]:
    """Describe in sentences what happens to schemaless JSON."""
    yield _described(SchemaSettings.of(config, ""))
    for topic in overridden_topics(config):
        yield f"For {topic}: {_described(SchemaSettings.of(config, topic))}"


def _described(settings: SchemaSettings) -> str:
    if settings.file:
        columns = f"Columns come from {settings.file}"
    elif settings.evolution != "add":
        columns = "Columns come from the stored schema, which doesn't grow" if settings.contract else "Columns are pinned"
    else:
        where = " and kept as a contract beside the data" if settings.contract else ""
        columns = f"Columns are learned from the records{where}, and only ever added"
    left_out = "; other members are left out" if settings.evolution == "ignore" else ""
    misfits = {
        "reject": "a record that doesn't fit is rejected",
        "rescue": f"what doesn't fit goes into the column {settings.rescue_column}",
        "string": "a column of several types becomes text",
    }[settings.on_misfit]
    return f"{columns}{left_out}; {misfits}."


def overridden_topics(config: ConnectConfig) -> tuple[str, ...]:
    """Return the topics that have their own settings."""
    return tuple(sorted({split_topic(name)[0] for name in config.values if name.startswith(TOPIC_PREFIX)}))


def _is_read(config: ConnectConfig, topic: str) -> bool:
    pattern = config.topics_pattern
    return topic in config.items(TOPICS) or bool(pattern and pattern.fullmatch(topic))


def schema_versions(storage: Storage, naming: ObjectNaming) -> SchemaVersions:
    """Return the store of the topics' schemas."""
    return SchemaVersions(storage, prefix=naming.own_prefix(), directory_delimiter=naming.directory_delimiter)


class LearnedSchemas(LearnedByTopic):
    """The learned schema of each topic, as its settings say, shared by the tasks of a process."""

    def __init__(self, config: ConnectConfig, storage: Storage, naming: ObjectNaming) -> None:
        """Nothing is asked of the store before a topic's first record."""
        versions = schema_versions(storage, naming)

        def make(topic: str) -> LearnedSchema:
            settings = SchemaSettings.of(config, topic)
            if settings.contract:
                return SchemaContract(versions, topic, rules=settings.rules)
            return LearnedSchema(rules=settings.rules)

        super().__init__(make)
