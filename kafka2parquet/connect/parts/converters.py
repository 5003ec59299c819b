"""Makes the converters of keys and values."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import cast

import attrs

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.schemas import make_json_converter
from kafka2parquet.connect.properties.converters import (
    CONVERTER_TWINS,
    CONVERTERS,
    FOREIGN_CONVERTERS,
    REGISTRY_CONVERTERS,
    REGISTRY_PROPERTIES,
    SUBJECT_NAMES,
    converter_name,
)
from kafka2parquet.connect.properties.names import METADATA_COLUMNS, PARQUET_TYPES, STORE_KAFKA_KEYS, VALUE_CONVERTER
from kafka2parquet.connect.properties.option import invalid_value, missing_value, simple_name
from kafka2parquet.connect.python_classes import is_python_path, load_class, make_part
from kafka2parquet.converters.avro.converter import AvroConverter
from kafka2parquet.converters.avro.node import AvroMapping
from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.json_with_schema.envelope import JsonEnvelopeConverter
from kafka2parquet.converters.json_with_schema.json_schema import JsonSchemaConverter
from kafka2parquet.converters.json_with_schema.json_schema_plan import JsonSchemaMapping
from kafka2parquet.converters.primitives import (
    BooleanConverter,
    DoubleConverter,
    FloatConverter,
    IntegerConverter,
    LongConverter,
    ShortConverter,
)
from kafka2parquet.converters.protobuf.converter import ProtobufConverter
from kafka2parquet.converters.protobuf.mapping import ProtobufMapping
from kafka2parquet.converters.registry.confluent import ConfluentSchemaRegistry
from kafka2parquet.converters.registry.converter import SubjectNames
from kafka2parquet.converters.registry.settings import registry_client_settings
from kafka2parquet.converters.string import ByteArrayConverter, StringConverter
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem, ProblemKind, unsupported, warning
from kafka2parquet.schema.learned import LearnedSchema

_PRIMITIVES: dict[str, type[RecordConverter]] = {
    "ByteArray": ByteArrayConverter,
    "Boolean": BooleanConverter,
    "Short": ShortConverter,
    "Integer": IntegerConverter,
    "Long": LongConverter,
    "Float": FloatConverter,
    "Double": DoubleConverter,
}


def make_converter(config: ConnectConfig, learned: Callable[[str], LearnedSchema]) -> RecordConverter:
    """Make the converter that `value.converter` names. Nothing is connected.

    Args:
        config: the configuration.
        learned: returns the learned schema of a topic; called when the topic's first record arrives.

    Raises:
        ConfigurationError: the converter needs a library that is not installed, or its settings can't work.
    """
    side = _Side(config, "value")
    if side.name != "Json":
        return side.converter()
    if not side.flag("schemas.enable"):
        return make_json_converter(config, learned)
    null_is_default = side.flag("replace.null.with.default")
    return make_json_converter(
        config,
        learned,
        lambda schemaless: JsonEnvelopeConverter(schemaless=schemaless, replace_null_with_default=null_is_default),
    )


def make_key_converter(config: ConnectConfig) -> RecordConverter | None:
    """Make the converter that `key.converter` names; None if keys stay bytes or aren't written. Nothing is connected.

    Schemaless JSON stays text, because all keys have one type.

    Raises:
        ConfigurationError: the converter needs a library that is not installed, or its settings can't work.
    """
    side = _Side(config, "key")
    if not side.class_name or not _writes_keys(config):
        return None
    if side.name != "Json":
        return side.converter()
    if side.flag("schemas.enable"):
        return JsonEnvelopeConverter(replace_null_with_default=side.flag("replace.null.with.default"))
    return StringConverter()


def registry_files(config: ConnectConfig) -> dict[str, str]:
    """Return the files of keys and certificates for schema registries, by the names of their properties."""
    files: dict[str, str] = {}
    for side in (_Side(config, "key"), _Side(config, "value")):
        if side.name in REGISTRY_CONVERTERS and (side.role == "value" or _writes_keys(config)):
            names = [f"{side.prefix}schema.registry.ssl.{store}.location" for store in ("truststore", "keystore")]
            files |= {name: config.given[name] for name in names if config.given.get(name)}
    return files


def check_converters(config: ConnectConfig) -> Iterator[Problem]:
    """Check the properties of converters."""
    for name in ("key", "value"):
        side = _Side(config, name)
        if not side.class_name:
            if name == "value" and config.below(side.prefix):
                yield warning(
                    VALUE_CONVERTER,
                    "Properties that begin with value.converter. have no effect, as value.converter itself is not set",
                )
        elif name == "value" or _writes_keys(config):
            yield from side.check()


def _writes_keys(config: ConnectConfig) -> bool:
    return config.flag(STORE_KAFKA_KEYS) or "key" in config.items(METADATA_COLUMNS)


@attrs.frozen
class _Side:
    """The converter of keys or of values.

    Attributes:
        config: the configuration.
        role: `key` or `value`.
    """

    config: ConnectConfig
    role: str

    @property
    def prefix(self) -> str:
        return f"{self.role}.converter."

    @property
    def class_name(self) -> str:
        return self.config.text(f"{self.role}.converter")

    @property
    def is_python(self) -> bool:
        return is_python_path(self.class_name)

    @property
    def name(self) -> str:
        return converter_name(self.class_name)

    @property
    def is_known(self) -> bool:
        """Whether the converter is Apache Kafka's or Confluent's. Other vendors have classes of the same names."""
        full_name = CONVERTERS.get(f"{self.name}Converter")
        return full_name is not None and ("." not in self.class_name or self.class_name in (full_name, *CONVERTER_TWINS))

    @property
    def subject_names(self) -> SubjectNames | None:
        name = simple_name(self.config.text(f"{self.prefix}{self.role}.subject.name.strategy"))
        return cast("SubjectNames | None", SUBJECT_NAMES.get(name))

    def flag(self, name: str) -> bool:
        return self.config.flag(f"{self.prefix}{name}")

    def converter(self) -> RecordConverter:
        if self.is_python:
            return cast(RecordConverter, make_part(self.class_name, RecordConverter, self.config.given))
        if self.name in REGISTRY_CONVERTERS:
            return self._registered()
        if self.name in _PRIMITIVES:
            return _PRIMITIVES[self.name]()
        return StringConverter(encoding=self.config.text(f"{self.prefix}converter.encoding"))

    def _registered(self) -> RecordConverter:
        extra = {"Avro": "avro", "Protobuf": "protobuf"}.get(self.name, "registry")
        if importlib.util.find_spec("confluent_kafka") is None:
            raise ConfigurationError(f"{self.name}Converter needs more libraries: pip install 'kafka2parquet[{extra}]'.")
        try:
            registry = ConfluentSchemaRegistry(self.config.below(self.prefix))
        except ConfigurationError as error:
            raise ConfigurationError([problem.under(self.prefix) for problem in error.details]) from error
        is_key, subject_names = self.role == "key", self.subject_names or "topic"
        if self.name == "Avro":
            own_types = self.config.text(PARQUET_TYPES) == "own"
            avro = AvroMapping(
                logical_types="arrow" if own_types else "connect",
                enhanced_schema_support=self.flag("enhanced.avro.schema.support"),
                connect_meta_data=self.flag("connect.meta.data"),
                null_becomes_default=True,  # as Confluent's sink does when it writes
            )
            return AvroConverter(registry, is_key=is_key, mapping=avro, subject_names=subject_names)
        if self.name == "JsonSchema":
            json_schema = JsonSchemaMapping(
                optional_for_nonrequired=self.flag("use.optional.for.nonrequired"),
                generalized_sum_types=self.flag("generalized.sum.type.support"),
            )
            return JsonSchemaConverter(registry, is_key=is_key, mapping=json_schema, subject_names=subject_names)
        protobuf = ProtobufMapping(
            enhanced_schema_support=self.flag("enhanced.protobuf.schema.support"),
            optional_for_nullables=self.flag("optional.for.nullables"),
            optional_for_proto2=self.flag("optional.for.proto2"),
            wrapper_for_nullables=self.flag("wrapper.for.nullables"),
            wrapper_for_raw_primitives=self.flag("wrapper.for.raw.primitives"),
            int_for_enums=self.flag("int.for.enums"),
            index_for_unions=self.flag("generate.index.for.unions"),
        )
        return ProtobufConverter(registry, is_key=is_key, mapping=protobuf, subject_names=subject_names)

    def check(self) -> Iterator[Problem]:
        name = f"{self.role}.converter"
        if self.is_python:
            try:
                load_class(self.class_name, RecordConverter)
            except ValueError as error:
                yield Problem(name, invalid_value(name, self.class_name, str(error)))
        elif not self.is_known:
            unknown = f"Use {', '.join(CONVERTERS)}, or name your own RecordConverter as `package.module:Class`."
            foreign = (advice for package, advice in FOREIGN_CONVERTERS.items() if self.class_name.startswith(package))
            advice = next(foreign, None)
            message = f"{name}={self.class_name} is {'not known' if advice is None else 'not supported'}"
            yield unsupported(
                name,
                message,
                advice or unknown,
            )
        elif self.name in REGISTRY_CONVERTERS:
            yield from self._check_registry()

    def _check_registry(self) -> Iterator[Problem]:
        url = f"{self.prefix}schema.registry.url"
        if not self.config.items(url):
            yield Problem(
                url,
                missing_value(url),
                f"{self.name}Converter needs a schema registry: set the URL of yours, such as http://registry:8081.",
            )
        else:
            try:
                registry_client_settings(self.config.below(self.prefix))
            except ConfigurationError as error:
                for problem in error.details:
                    yield attrs.evolve(problem.under(self.prefix), kind=ProblemKind.UNSUPPORTED)
        for name in self.config.below(f"{self.prefix}schema.registry."):
            if name != "url" and not name.startswith(REGISTRY_PROPERTIES):
                yield Problem(
                    f"{self.prefix}schema.registry.{name}",
                    f"{self.prefix}schema.registry.{name} is not a known property",
                    f"Known are {self.prefix}schema.registry.url and {self.prefix}schema.registry.ssl.*.",
                )
        strategy = f"{self.prefix}{self.role}.subject.name.strategy"
        if self.subject_names is None:
            yield unsupported(
                strategy,
                f"{strategy}={self.config.text(strategy)} is not supported",
                f"Use {', '.join(SUBJECT_NAMES)}.",
            )
        if self.flag("generalized.sum.type.support") and self.name != "JsonSchema":
            sum_types = f"{self.prefix}generalized.sum.type.support"
            yield unsupported(
                sum_types,
                f"{sum_types}=true is not supported for {self.name}Converter",
                "Remove it; the columns of unions are then named after their types.",
            )
