"""Properties of the converters: each stands behind `key.converter.` or `value.converter.`."""

from __future__ import annotations

import attrs

from kafka2parquet.connect.option import Effect, Option, ValueType, at_least, ignored, one_of

_NO_REGISTRY = "no schema registry is asked"
_IN_PYTHON = (
    "use JsonConverter, StringConverter or ByteArrayConverter, or name a RecordConverter of your own as `package.module:Class`"
)

#: Converters that read values, by the last part of their names.
CONVERTERS = {
    "StringConverter": "org.apache.kafka.connect.storage.StringConverter",
    "JsonConverter": "org.apache.kafka.connect.json.JsonConverter",
    "ByteArrayConverter": "org.apache.kafka.connect.converters.ByteArrayConverter",
}
_OTHERS = ("Avro", "Protobuf", "JsonSchema", "Boolean", "Double", "Float", "Integer", "Long", "Short")
REFUSED_CONVERTERS = {f"{name}Converter": _IN_PYTHON for name in _OTHERS}

_SUB_OPTIONS = (
    Option(
        "schemas.enable",
        ValueType.BOOLEAN,
        True,
        "Whether JSON messages carry their schema, as `schema` and `payload`.",
    ),
    ignored(
        "schemas.cache.size",
        ValueType.INT,
        1000,
        "Number of schemas that JsonConverter keeps.",
        "schemaless messages need none",
        validator=at_least(0),
    ),
    ignored(
        "decimal.format",
        ValueType.STRING,
        "BASE64",
        "How JsonConverter writes decimals.",
        "it concerns writing; both forms are read",
        validator=one_of("BASE64", "NUMERIC", ignore_case=True),
    ),
    Option(
        "replace.null.with.default",
        ValueType.BOOLEAN,
        True,
        "Whether JsonConverter takes a null for the default of its field, where the schema has one.",
    ),
    Option("converter.encoding", ValueType.STRING, "UTF-8", "Character set of StringConverter."),
    ignored("schema.registry.url", ValueType.LIST, (), "Where the schema registry is.", _NO_REGISTRY),
    ignored("schema.registry.*", ValueType.STRING, None, "Settings of the schema registry's client.", _NO_REGISTRY),
    ignored("basic.auth.*", ValueType.PASSWORD, None, "Credentials for the schema registry.", _NO_REGISTRY),
    ignored("bearer.auth.*", ValueType.PASSWORD, None, "Token for the schema registry.", _NO_REGISTRY),
    ignored("enhanced.avro.schema.support", ValueType.BOOLEAN, False, "Whether Avro enums are kept.", _NO_REGISTRY),
    ignored("auto.register.schemas", ValueType.BOOLEAN, True, "Whether schemas are registered.", _NO_REGISTRY),
    ignored("use.latest.version", ValueType.BOOLEAN, False, "Whether the latest schema is used.", _NO_REGISTRY),
)


def _behind(prefix: str, option: Option) -> Option:
    if prefix == "key.converter." and option.effect is not Effect.IGNORED:
        return attrs.evolve(
            option, name=prefix + option.name, effect=Effect.IGNORED, note="keys are taken as they are", refused={}
        )
    return attrs.evolve(option, name=prefix + option.name)


CONVERTER_OPTIONS = tuple(
    _behind(prefix, option) for prefix in ("key.converter.", "value.converter.") for option in _SUB_OPTIONS
)
