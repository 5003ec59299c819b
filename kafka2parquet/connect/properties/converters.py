"""The properties of converters, whose names begin with `key.converter.` or `value.converter.`."""

from __future__ import annotations

import attrs

from kafka2parquet.connect.properties.option import Option, at_least, one_of, simple_name
from kafka2parquet.connect.properties.typed import boolean, class_name, integer, password, string, string_list
from kafka2parquet.connect.python_classes import is_python_path

_STRATEGIES = "io.confluent.kafka.serializers.subject"

#: The full names of converters, by the last part of their names.
CONVERTERS = {
    "AvroConverter": "io.confluent.connect.avro.AvroConverter",
    "ProtobufConverter": "io.confluent.connect.protobuf.ProtobufConverter",
    "JsonSchemaConverter": "io.confluent.connect.json.JsonSchemaConverter",
    "JsonConverter": "org.apache.kafka.connect.json.JsonConverter",
    "StringConverter": "org.apache.kafka.connect.storage.StringConverter",
    "ByteArrayConverter": "org.apache.kafka.connect.converters.ByteArrayConverter",
    **{
        f"{name}Converter": f"org.apache.kafka.connect.converters.{name}Converter"
        for name in ("Boolean", "Short", "Integer", "Long", "Float", "Double")
    },
}
_OWN_CONVERTER = "name your own RecordConverter in Python, as package.module:Class"
_GLUE = (
    "AWS Glue's schema registry is not supported: its messages begin with 18 bytes (a version, a compression and the UUID of "
    "the schema's version), while Confluent's begin with five. Either let producers write Confluent's format, or "
    f"{_OWN_CONVERTER}, which looks schemas up in Glue (GetSchemaVersion)."
)
_APICURIO = (
    "Apicurio's registry is supported if messages begin like Confluent's, with an id of four bytes: use the matching Confluent "
    "converter, such as io.confluent.connect.avro.AvroConverter, with the registry's compatible API as schema.registry.url, "
    f"such as http://registry:8080/apis/ccompat/v7. Otherwise {_OWN_CONVERTER}."
)
#: Advice about converters of other registries, by their packages.
FOREIGN_CONVERTERS = {
    "com.amazonaws.services.schemaregistry.": _GLUE,
    "software.amazon.glue.": _GLUE,
    "io.apicurio.": _APICURIO,
}
#: Other classes that read the same format.
CONVERTER_TWINS = ("io.confluent.connect.replicator.util.ByteArrayConverter",)
#: Prefixes of the settings under `schema.registry.` besides `url`; all but the first are older names.
REGISTRY_PROPERTIES = ("ssl.", "basic.auth.", "bearer.auth.", "proxy.", "request.header.")
#: The converters that need a schema registry.
REGISTRY_CONVERTERS = ("Avro", "Protobuf", "JsonSchema")
#: The part that names a schema's subject, by the last part of a strategy's class name.
SUBJECT_NAMES = {
    "TopicNameStrategy": "topic",
    "RecordNameStrategy": "record",
    "TopicRecordNameStrategy": "topic_record",
}


def converter_name(class_name: str) -> str:
    """Return the distinguishing part of a converter's class or alias, such as `Json`; "" for a Python class."""
    return "" if is_python_path(class_name) else simple_name(class_name).removesuffix("Converter")


_SERIALIZERS, _WRITING = "How serializers write.", "it only affects serializers"
_CACHE = "every schema is kept"


def _writing(name: str, default: bool) -> Option:
    return boolean(name, default, _SERIALIZERS, no_effect=_WRITING)


_STRATEGY = class_name(
    "subject.name.strategy",
    f"{_STRATEGIES}.TopicNameStrategy",
    "Names the subject of the schemas.",
    choices=tuple(f"{_STRATEGIES}.{name}" for name in SUBJECT_NAMES),
)

_JSON = (
    boolean(
        "schemas.enable", True, "Whether messages that JsonConverter reads contain their schema, as `schema` and `payload`."
    ),
    boolean("replace.null.with.default", True, "Whether JsonConverter replaces a null with the default of its field."),
    string(
        "decimal.format",
        "BASE64",
        "How decimals are written in JSON.",
        validator=one_of("BASE64", "NUMERIC", ignore_case=True),
        no_effect="it only affects serializers; both forms are read",
    ),
    integer("schemas.cache.size", 1000, "Number of schemas that are kept.", validator=at_least(0), no_effect=_CACHE),
    integer("schemas.cache.config", 1000, "Number of schemas that are kept.", validator=at_least(0), no_effect=_CACHE),
)

_REGISTRY = (
    string_list(
        "schema.registry.url",
        (),
        "URL of the schema registry; several URLs are tried in turn. Required for Avro, Protobuf and JSON Schema.",
    ),
    password(
        "schema.registry.*",
        None,
        "TLS for the schema registry: `schema.registry.ssl.truststore.location`, `….keystore.location` and their `….type`, "
        "which has to be PEM, `schema.registry.ssl.key.password`.",
    ),
    string(
        "basic.auth.credentials.source",
        "URL",
        "Place of the credentials for the schema registry.",
        choices=("URL", "USER_INFO"),
    ),
    password("basic.auth.user.info", "", "Name and password for the schema registry, separated by a colon."),
    password(
        "bearer.auth.*",
        None,
        "Token for the schema registry: `bearer.auth.credentials.source` is STATIC_TOKEN or OAUTHBEARER, which have "
        "further properties.",
    ),
    integer("max.retries", 3, "Attempts for a request to the schema registry.", validator=at_least(0)),
    integer("retries.wait.ms", 1000, "First pause between attempts, in milliseconds.", validator=at_least(0)),
    integer("retries.max.wait.ms", 20_000, "Longest pause between attempts, in milliseconds.", validator=at_least(0)),
    integer(
        "http.connect.timeout.ms",
        60_000,
        "Timeout for connecting to the schema registry, in milliseconds.",
        validator=at_least(0),
    ),
    integer(
        "http.read.timeout.ms", 60_000, "Timeout for an answer of the schema registry, in milliseconds.", validator=at_least(0)
    ),
    string("proxy.host", "", "Proxy in front of the schema registry."),
    integer("proxy.port", -1, "Port of the proxy."),
    string("request.header.*", None, "Headers for the schema registry.", unsupported="let a proxy add them"),
    class_name(
        "context.name.strategy",
        "io.confluent.kafka.serializers.context.NullContextNameStrategy",
        "Names the context of a subject.",
        unsupported="put the context into schema.registry.url: http://registry:8081/contexts/.name",
    ),
    string_list("rule.executors", (), "Rules of data contracts.", unsupported="rules, such as decryption, aren't executed"),
    *(
        integer(name, default, "Number of schemas that are kept.", no_effect=_CACHE)
        for name, default in (
            ("max.schemas.per.subject", 1000),
            ("latest.cache.size", 1000),
            ("latest.cache.ttl.sec", -1),
            ("missing.cache.size", 10_000),
            ("missing.id.cache.ttl.sec", -1),
            ("missing.version.cache.ttl.sec", -1),
            ("missing.schema.cache.ttl.sec", -1),
        )
    ),
    *(
        _writing(name, default)
        for name, default in (
            ("auto.register.schemas", True),
            ("use.latest.version", False),
            ("id.compatibility.strict", True),
            ("latest.compatibility.strict", True),
            ("normalize.schemas", False),
            ("propagate.schema.tags", False),
            ("scrub.invalid.names", False),
        )
    ),
    integer("use.schema.id", -1, _SERIALIZERS, no_effect=_WRITING),
    string("schema.format", None, _SERIALIZERS, no_effect=_WRITING),
)

_AVRO = (
    boolean("enhanced.avro.schema.support", False, "Whether the fields of Avro unions have the full names of their types."),
    boolean("connect.meta.data", True, "Whether documentation and parameters of Avro schemas are kept."),
    boolean(
        "discard.type.doc.default",
        False,
        "Whether documentation and defaults of Avro types are dropped.",
        unsupported="set connect.meta.data=false to drop documentation",
    ),
    boolean(
        "flatten.singleton.unions",
        True,
        "Whether an Avro union of one type becomes that type.",
        unsupported="such a union is always its one type",
    ),
    _writing("allow.optional.map.keys", False),
    _writing("avro.remove.java.properties", False),
    _writing("avro.use.logical.type.converters", False),
    _writing("avro.reflection.allow.null", False),
    _writing("schema.reflection", False),
    _writing("specific.avro.reader", False),
    boolean(
        "generalized.sum.type.support",
        False,
        "Whether the columns of JSON Schema unions are named like those of other formats. Only for JsonSchemaConverter.",
    ),
)

_PROTOBUF = (
    boolean("enhanced.protobuf.schema.support", False, "Whether Protobuf messages and enums are named with their packages."),
    boolean("optional.for.nullables", False, "Whether only Protobuf fields that can be absent are optional."),
    boolean("optional.for.proto2", True, "Whether absent optional fields of proto2 are null instead of their default."),
    boolean(
        "wrapper.for.nullables", False, "Whether messages such as `google.protobuf.Int32Value` become optional primitives."
    ),
    boolean("wrapper.for.raw.primitives", True, "Whether a value that is such a message becomes a primitive."),
    boolean("int.for.enums", False, "Whether Protobuf enums become numbers."),
    boolean("generate.index.for.unions", True, "Whether the column of a Protobuf oneof has an index in its name."),
    boolean("flatten.unions", False, "Whether the fields of a oneof are columns.", unsupported="use a transform"),
    _writing("generate.struct.for.nulls", False),
)

_JSON_SCHEMA = (
    boolean("use.optional.for.nonrequired", False, "Whether properties of JSON Schema that aren't `required` are optional."),
    boolean(
        "json.fail.invalid.schema",
        False,
        "Whether messages are validated against their JSON Schema.",
        no_effect="messages are read as far as columns need, and rejected if they don't fit the columns",
    ),
    boolean(
        "json.fail.unknown.properties",
        True,
        "Whether Java objects may lack properties.",
        no_effect="members that aren't in the schema are left out",
    ),
    _writing("object.additional.properties", True),
    _writing("json.oneof.for.nullables", True),
    _writing("json.write.dates.iso8601", False),
)

_TEXT = (string("converter.encoding", "UTF-8", "Character set of StringConverter."),)


def _side(side: str) -> tuple[Option, ...]:
    """Return all options of the converter of keys or values."""
    other = "key" if side == "value" else "value"
    strategies = (
        attrs.evolve(_STRATEGY, name=f"{side}.{_STRATEGY.name}"),
        class_name(
            f"{other}.{_STRATEGY.name}", f"{_STRATEGIES}.TopicNameStrategy", _STRATEGY.doc, no_effect=f"it is for {other}s"
        ),
    )
    options = (*_JSON, *_TEXT, *_REGISTRY, *strategies, *_AVRO, *_PROTOBUF, *_JSON_SCHEMA)
    return tuple(attrs.evolve(option, name=f"{side}.converter.{option.name}") for option in options)


CONVERTER_OPTIONS = (*_side("key"), *_side("value"))
