"""Properties of the converters: each stands behind `key.converter.` or `value.converter.`."""

from __future__ import annotations

import attrs

from kafka2parquet.connect.properties.option import Option, ValueType, at_least, ignored, one_of, simple_name, unsupported
from kafka2parquet.connect.python_classes import is_python_path

_STRATEGIES = "io.confluent.kafka.serializers.subject"

#: Converters by the last part of their names.
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
_OWN_CONVERTER = "name a RecordConverter of your own in Python, as package.module:Class"
_GLUE = (
    "AWS Glue's schema registry is not read: its messages begin with 18 bytes, a version, a compression and the UUID of the "
    "schema's version, where Confluent's begin with five. Either let producers write Confluent's format, or "
    f"{_OWN_CONVERTER}, that looks schemas up in Glue (GetSchemaVersion)."
)
_APICURIO = (
    "Apicurio's registry is read where messages begin as Confluent's do, with an id of four bytes: use the Confluent converter "
    "of that kind, such as io.confluent.connect.avro.AvroConverter, with the registry's compatible API as schema.registry.url, "
    f"such as http://registry:8080/apis/ccompat/v7. Otherwise {_OWN_CONVERTER}."
)
#: What to do instead, by the packages of converters of other registries.
FOREIGN_CONVERTERS = {
    "com.amazonaws.services.schemaregistry.": _GLUE,
    "software.amazon.glue.": _GLUE,
    "io.apicurio.": _APICURIO,
}
#: Other classes that read the same.
CONVERTER_TWINS = ("io.confluent.connect.replicator.util.ByteArrayConverter",)
#: Beginnings of what may stand behind `schema.registry.` besides `url`; all but the first are older names.
REGISTRY_PROPERTIES = ("ssl.", "basic.auth.", "bearer.auth.", "proxy.", "request.header.")
#: Those that need a schema registry.
REGISTRY_CONVERTERS = ("Avro", "Protobuf", "JsonSchema")
#: What the subject of a schema is named after, by the last part of a strategy's class name.
SUBJECT_NAMES = {
    "TopicNameStrategy": "topic",
    "RecordNameStrategy": "record",
    "TopicRecordNameStrategy": "topic_record",
}


def converter_name(class_name: str) -> str:
    """The distinguishing part of a converter's class or alias, such as `Json`; "" for a Python class."""
    return "" if is_python_path(class_name) else simple_name(class_name).removesuffix("Converter")


_WRITING = "it concerns writing"
_CACHE = "every schema is kept"


def _flag(name: str, default: bool, doc: str) -> Option:
    return Option(name, ValueType.BOOLEAN, default, doc)


def _writing(name: str, value_type: ValueType, default: str | bool | int | None) -> Option:
    return ignored(name, value_type, default, "How serializers write.", _WRITING)


_STRATEGY = Option(
    "subject.name.strategy",
    ValueType.CLASS,
    f"{_STRATEGIES}.TopicNameStrategy",
    "Names the subject whose versions the schemas have.",
    choices=tuple(f"{_STRATEGIES}.{name}" for name in SUBJECT_NAMES),
)

_JSON = (
    _flag("schemas.enable", True, "Whether messages that JsonConverter reads carry their schema, as `schema` and `payload`."),
    _flag("replace.null.with.default", True, "Whether JsonConverter takes a null for the default of its field."),
    ignored(
        "decimal.format",
        ValueType.STRING,
        "BASE64",
        "How decimals are written in JSON.",
        "it concerns writing; both forms are read",
        validator=one_of("BASE64", "NUMERIC", ignore_case=True),
    ),
    ignored("schemas.cache.size", ValueType.INT, 1000, "Number of schemas that are kept.", _CACHE, validator=at_least(0)),
    ignored("schemas.cache.config", ValueType.INT, 1000, "Number of schemas that are kept.", _CACHE, validator=at_least(0)),
)

_REGISTRY = (
    Option(
        "schema.registry.url",
        ValueType.LIST,
        (),
        "Where the schema registry is; several URLs are tried in turn. Avro, Protobuf and JSON Schema need it.",
    ),
    Option(
        "schema.registry.*",
        ValueType.PASSWORD,
        None,
        "TLS for the schema registry: `schema.registry.ssl.truststore.location`, `….keystore.location` and their `….type`, "
        "which has to be PEM, `schema.registry.ssl.key.password`.",
    ),
    Option(
        "basic.auth.credentials.source",
        ValueType.STRING,
        "URL",
        "Where the credentials for the schema registry are.",
        choices=("URL", "USER_INFO"),
    ),
    Option("basic.auth.user.info", ValueType.PASSWORD, "", "Name and password for the schema registry, with a colon between."),
    Option(
        "bearer.auth.*",
        ValueType.PASSWORD,
        None,
        "Token for the schema registry: `bearer.auth.credentials.source` is STATIC_TOKEN or OAUTHBEARER, with the properties "
        "of that.",
    ),
    Option("max.retries", ValueType.INT, 3, "Attempts for a request to the schema registry.", validator=at_least(0)),
    Option("retries.wait.ms", ValueType.INT, 1000, "First pause between attempts.", validator=at_least(0)),
    Option("retries.max.wait.ms", ValueType.INT, 20_000, "Longest pause between attempts.", validator=at_least(0)),
    Option("http.connect.timeout.ms", ValueType.INT, 60_000, "Time to reach the schema registry.", validator=at_least(0)),
    Option("http.read.timeout.ms", ValueType.INT, 60_000, "Time for its answer.", validator=at_least(0)),
    Option("proxy.host", ValueType.STRING, "", "Proxy in front of the schema registry."),
    Option("proxy.port", ValueType.INT, -1, "Its port."),
    unsupported("request.header.*", ValueType.STRING, None, "Headers for the schema registry.", "put them into a proxy"),
    unsupported(
        "context.name.strategy",
        ValueType.CLASS,
        "io.confluent.kafka.serializers.context.NullContextNameStrategy",
        "Names the context of a subject.",
        "put the context into schema.registry.url: http://registry:8081/contexts/.name",
    ),
    unsupported("rule.executors", ValueType.LIST, (), "Rules of data contracts.", "rules, such as decryption, aren't executed"),
    *(
        ignored(name, ValueType.INT, default, "Number of schemas that are kept.", _CACHE)
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
        _writing(name, ValueType.BOOLEAN, default)
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
    _writing("use.schema.id", ValueType.INT, -1),
    _writing("schema.format", ValueType.STRING, None),
)

_AVRO = (
    _flag("enhanced.avro.schema.support", False, "Whether the fields of Avro unions have the full names of their types."),
    _flag("connect.meta.data", True, "Whether documentation and parameters of Avro schemas are kept."),
    unsupported(
        "discard.type.doc.default",
        ValueType.BOOLEAN,
        False,
        "Whether documentation and defaults of Avro types are dropped.",
        "set connect.meta.data=false to drop documentation",
    ),
    unsupported(
        "flatten.singleton.unions",
        ValueType.BOOLEAN,
        True,
        "Whether an Avro union of one type is that type.",
        "such a union is always its one type",
    ),
    _writing("allow.optional.map.keys", ValueType.BOOLEAN, False),
    _writing("avro.remove.java.properties", ValueType.BOOLEAN, False),
    _writing("avro.use.logical.type.converters", ValueType.BOOLEAN, False),
    _writing("avro.reflection.allow.null", ValueType.BOOLEAN, False),
    _writing("schema.reflection", ValueType.BOOLEAN, False),
    _writing("specific.avro.reader", ValueType.BOOLEAN, False),
    _flag(
        "generalized.sum.type.support",
        False,
        "Whether unions of JSON Schema are named as those of other formats. Only for JsonSchemaConverter.",
    ),
)

_PROTOBUF = (
    _flag("enhanced.protobuf.schema.support", False, "Whether Protobuf messages and enums are named with their packages."),
    _flag("optional.for.nullables", False, "Whether only those fields of Protobuf are optional that can be absent."),
    _flag("optional.for.proto2", True, "Whether absent optional fields of proto2 are null instead of their default."),
    _flag("wrapper.for.nullables", False, "Whether messages such as `google.protobuf.Int32Value` are optional primitives."),
    _flag("wrapper.for.raw.primitives", True, "Whether a value that is such a message as a whole is a primitive."),
    _flag("int.for.enums", False, "Whether enums of Protobuf are numbers."),
    _flag("generate.index.for.unions", True, "Whether the column of a Protobuf oneof has its index in its name."),
    unsupported("flatten.unions", ValueType.BOOLEAN, False, "Whether the fields of a oneof are columns.", "use a transform"),
    _writing("generate.struct.for.nulls", ValueType.BOOLEAN, False),
)

_JSON_SCHEMA = (
    _flag("use.optional.for.nonrequired", False, "Whether properties of JSON Schema that aren't `required` are optional."),
    ignored(
        "json.fail.invalid.schema",
        ValueType.BOOLEAN,
        False,
        "Whether messages are validated against their JSON Schema.",
        "messages are read as far as columns need, and rejected where they don't fit these",
    ),
    ignored(
        "json.fail.unknown.properties",
        ValueType.BOOLEAN,
        True,
        "Whether Java objects may lack properties.",
        "members that aren't in the schema are left out",
    ),
    _writing("object.additional.properties", ValueType.BOOLEAN, True),
    _writing("json.oneof.for.nullables", ValueType.BOOLEAN, True),
    _writing("json.write.dates.iso8601", ValueType.BOOLEAN, False),
)

_TEXT = (Option("converter.encoding", ValueType.STRING, "UTF-8", "Character set of StringConverter."),)


def _side(side: str) -> tuple[Option, ...]:
    """All properties of the converter of keys or values."""
    other = "key" if side == "value" else "value"
    strategies = (
        attrs.evolve(_STRATEGY, name=f"{side}.{_STRATEGY.name}"),
        ignored(f"{other}.{_STRATEGY.name}", ValueType.CLASS, _STRATEGY.default, _STRATEGY.doc, f"it is that of {other}s"),
    )
    options = (*_JSON, *_TEXT, *_REGISTRY, *strategies, *_AVRO, *_PROTOBUF, *_JSON_SCHEMA)
    return tuple(attrs.evolve(option, name=f"{side}.converter.{option.name}") for option in options)


CONVERTER_OPTIONS = (*_side("key"), *_side("value"))
