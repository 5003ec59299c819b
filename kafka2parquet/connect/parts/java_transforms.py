"""Finds this library's counterparts of Java's transforms and predicates, by the names of the Java classes."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import cast, get_args

import attrs

from kafka2parquet.connect.properties.option import simple_name
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem
from kafka2parquet.transforms import kafka_connect
from kafka2parquet.transforms.base import Transform
from kafka2parquet.transforms.columns.change_events import AddedField
from kafka2parquet.transforms.columns.unwrap import Unwrap
from kafka2parquet.transforms.headers import MovedToHeaders
from kafka2parquet.transforms.predicates import HasHeaderKey, Predicate, RecordIsTombstone, TopicNameMatches
from kafka2parquet.transforms.regex_router import RegexRouter
from kafka2parquet.transforms.timestamp_router import TIMESTAMP, TimestampRouter
from kafka2parquet.transforms.tombstones import Behavior, TombstoneHandler
from kafka2parquet.transforms.where import LeaveOut

_OWN = "your own TableTransform in Python, as package.module:Class"
UNKNOWN = f"Use a transform of Apache Kafka, a transform of kafka2parquet.transforms, or {_OWN}."
_FIELD_FOLDERS = (
    "Use FieldPartitioner with partition.field.name, or kafka2parquet.partition.field.name with a partitioner by time: each "
    "value then has a folder inside the topic's folder."
)
_ONE_FOLDER = "After a crash, the sink finds a topic's files by the topic's name, so a field can't choose their folder."

Properties = Mapping[str, str]


@attrs.frozen
class Written:
    """Which parts of records are written besides their values.

    Attributes:
        keys: whether keys are written.
        headers: whether headers are written.
        keys_have_fields: whether keys may have fields, and are not always text.
    """

    keys: bool
    headers: bool
    keys_have_fields: bool = True


@attrs.frozen
class WithoutEffect:
    """A transform that changes nothing that is written.

    Attributes:
        why: the reason, for a note.
    """

    why: str


@attrs.frozen
class Refused:
    """A transform that this library doesn't have.

    Attributes:
        advice: what to use instead.
    """

    advice: str


@attrs.frozen(eq=False)
class OfKeys:
    """A transform of keys, in a configuration that writes keys."""

    transform: Transform


Made = Transform | OfKeys | WithoutEffect | Refused


@attrs.frozen
class _Call:
    """One transform of a configuration: its inner class, its properties, and the parts of records that are written."""

    inner: str
    properties: Properties
    written: Written

    def of(self, *names: str) -> Properties:
        """Return the properties with these names."""
        return {name: self.properties[name] for name in names if name in self.properties}

    def items(self, name: str) -> list[str]:
        """Return the values, separated by commas, of a property that has to be set."""
        found = [item.strip() for item in self.properties.get(name, "").split(",") if item.strip()]
        if not found:
            raise ConfigurationError(Problem(name, f"{name}: it has to be set."))
        return found


def _of_keys(call: _Call) -> Made:
    if call.written.keys:
        return Refused(
            "Keys are written as they were sent. Remove the transform, which changes nothing else, or stop writing keys"
            " (store.kafka.keys=false, and no `key` in kafka2parquet.metadata.columns)."
        )
    return WithoutEffect("keys are not written")


def _of_headers(call: _Call) -> Made:
    if call.written.headers:
        return Refused(
            "Headers are written as they were sent. Remove the transform, which changes nothing else, or stop writing headers"
            " (store.kafka.headers=false, and no `headers` in kafka2parquet.metadata.columns)."
        )
    return WithoutEffect("headers are not written")


def _of_values(name: str) -> Callable[[_Call], Made]:
    def make(call: _Call) -> Made:
        if call.inner == "Key" and not call.written.keys:
            return _of_keys(call)
        if call.inner == "Key" and not call.written.keys_have_fields:
            return Refused(
                "Keys of JSON without a schema are written as text. Remove the transform, or set"
                " key.converter.schemas.enable=true where keys carry a schema."
            )
        if call.inner not in ("Key", "Value"):
            raise ConfigurationError(f"{name} is an abstract class in Java. Write {name}$Value, or {name}$Key for keys.")
        try:
            made = kafka_connect.make(name, "Value", call.properties)
        except LookupError:
            return Refused(UNKNOWN)
        return OfKeys(made) if call.inner == "Key" else made

    return make


def _header_from(call: _Call) -> Made:
    fields, headers = call.items("fields"), call.items("headers")
    operation = call.properties.get("operation", "")
    if len(fields) != len(headers):
        raise ConfigurationError(Problem("fields", "fields: it has to have as many elements as headers."))
    if operation not in ("move", "copy"):
        raise ConfigurationError(Problem("operation", f"operation: {operation!r} is neither move nor copy."))
    if call.inner not in ("Key", "Value"):
        raise ConfigurationError("HeaderFrom is an abstract class in Java. Write HeaderFrom$Value or HeaderFrom$Key.")
    made = _of_headers(call)
    if operation == "copy" or (isinstance(made, Refused) and call.inner == "Key"):
        return made
    if isinstance(made, Refused):
        return Refused(
            "Headers are written as they were sent. To remove the fields from the rows, use kafka2parquet.transforms:Drop with"
            " the same fields."
        )
    return MovedToHeaders(fields) if call.inner == "Value" else _of_keys(call)


def _regex_router(call: _Call) -> Made:
    return RegexRouter.from_config(call.of("regex", "replacement"))


def _timestamp_router(call: _Call) -> Made:
    if call.properties.get("topic.format", "").startswith(TIMESTAMP):
        return Refused(
            "After a crash, the sink finds a topic's files by the beginnings of its folder names. Put text or ${topic} before"
            " ${timestamp} in topic.format."
        )
    return TimestampRouter.from_config(call.of("topic.format", "timestamp.format"))


def _tombstone_handler(call: _Call) -> Made:
    behavior = call.properties.get("behavior", "warn").lower()
    if behavior not in get_args(Behavior):
        message = f"behavior: {behavior!r} is not one of {', '.join(get_args(Behavior))}."
        raise ConfigurationError(Problem("behavior", message))
    return TombstoneHandler(cast(Behavior, behavior))


def _confluent_drop(call: _Call) -> Made:
    if call.inner == "Key":
        return _of_keys(call)
    return Refused("This transform removes all values, so nothing is left to write. Use Filter to leave records out.")


def _unwrap(call: _Call) -> Made:
    headers = call.properties.get("add.headers", "")
    if headers and call.written.headers:
        return Refused("Headers are written as they were sent. Remove add.headers, and use add.fields for columns.")
    if call.properties.get("route.by.field", ""):
        return Refused(f"Remove route.by.field. {_ONE_FOLDER} {_FIELD_FOLDERS}")
    without_effect = ("add.headers", "add.headers.prefix", "route.by.field")
    return Unwrap.from_config({name: text for name, text in call.properties.items() if name not in without_effect})


def _refused(advice: str) -> Callable[[_Call], Made]:
    return lambda call: Refused(advice)


_OF_VALUES = (
    "Cast",
    "ExtractField",
    "Flatten",
    "HoistField",
    "InsertField",
    "MaskField",
    "ReplaceField",
    "SetSchemaMetadata",
    "TimestampConverter",
)
_APACHE: Mapping[str, Callable[[_Call], Made]] = {
    **{name: _of_values(name) for name in _OF_VALUES},
    "DropHeaders": _of_headers,
    "Filter": lambda call: LeaveOut(),
    "HeaderFrom": _header_from,
    "InsertHeader": _of_headers,
    "RegexRouter": _regex_router,
    "TimestampRouter": _timestamp_router,
    "ValueToKey": _of_keys,
}
_CONFLUENT: Mapping[str, Callable[[_Call], Made]] = {
    "Drop": _confluent_drop,
    "ExtractTopic": _refused(f"{_ONE_FOLDER} {_FIELD_FOLDERS}"),
    "Filter": _refused("Use kafka2parquet.transforms:Filter, with field and values instead of filter.condition."),
    "MessageTimestampRouter": _refused(
        f"{_ONE_FOLDER} For folders by a time in the value use a partitioner by time with path.format,"
        " timestamp.extractor=RecordField and timestamp.field."
    ),
    "TombstoneHandler": _tombstone_handler,
    "TopicRegexRouter": _regex_router,
}
_DEBEZIUM: Mapping[str, Callable[[_Call], Made]] = {
    "ByLogicalTableRouter": _refused(
        "Use org.apache.kafka.connect.transforms.RegexRouter, with topic.regex as regex and topic.replacement as replacement."
    ),
    "EventRouter": _refused(
        f"{_ONE_FOLDER} For the payload alone use io.debezium.transforms.ExtractNewRecordState and then"
        " org.apache.kafka.connect.transforms.ExtractField$Value with field=payload; for folders by the type of aggregate,"
        " FieldPartitioner with its field."
    ),
    "ExtractNewDocumentState": _refused(f"Use {_OWN}, which reads the JSON text in `after`."),
    "ExtractNewRecordState": _unwrap,
    "Filter": _refused("Use kafka2parquet.transforms:Filter, with field and values instead of a script."),
}
_VENDORS: Mapping[str, Mapping[str, Callable[[_Call], Made]]] = {
    "org.apache.kafka.connect.transforms.": _APACHE,
    "io.confluent.": _CONFLUENT,
    "io.debezium.": _DEBEZIUM,
}
_PREDICATES: Mapping[str, type[Predicate]] = {
    "HasHeaderKey": HasHeaderKey,
    "RecordIsTombstone": RecordIsTombstone,
    "TopicNameMatches": TopicNameMatches,
}
#: The properties of each class; Java's classes ignore other properties.
_PROPERTIES: Mapping[str, tuple[str, ...]] = {
    **kafka_connect.PROPERTIES,
    "Filter": (),
    "HasHeaderKey": ("name",),
    "HeaderFrom": ("fields", "headers", "operation"),
    "RecordIsTombstone": (),
    "RegexRouter": ("regex", "replacement"),
    "TimestampRouter": ("topic.format", "timestamp.format"),
    "TombstoneHandler": ("behavior",),
    "TopicNameMatches": ("pattern",),
    "TopicRegexRouter": ("regex", "replacement"),
}
_LEAST_SIMILARITY = 0.8
_PREDICATE_PACKAGE = "org.apache.kafka.connect.transforms.predicates."


def make_java(class_name: str, properties: Properties, written: Written) -> Made:
    """Make the counterpart of a Java transform.

    Args:
        class_name: name of the class; the package of a known class may be missing, as in Connect.
        properties: properties of the transform, without prefix.
        written: the parts of records that are written besides values.

    Raises:
        ConfigurationError: the properties don't fit; each problem names the property, without prefix, or none.
    """
    name, _, inner = simple_name(class_name).partition("$")
    package = class_name.removesuffix(simple_name(class_name))
    tables = [table for prefix, table in _VENDORS.items() if not package or package.startswith(prefix)]
    make = next((table[name] for table in tables if name in table), _refused(UNKNOWN))
    return make(_Call(inner, properties, written))


def make_predicate(class_name: str, properties: Properties) -> Predicate | None:
    """Make the counterpart of a Java predicate, named with or without its package; None if it isn't known.

    Raises:
        ConfigurationError: the properties don't fit.
    """
    name = class_name.removeprefix(_PREDICATE_PACKAGE)
    if name not in _PREDICATES:
        return None
    return _PREDICATES[name].from_config({each: properties[each] for each in _PROPERTIES[name] if each in properties})


def changed_headers(class_name: str, properties: Properties) -> frozenset[str]:
    """Return the keys of the headers that a Java transform adds or removes."""
    name = simple_name(class_name).partition("$")[0]
    if name in ("DropHeaders", "HeaderFrom"):
        return frozenset(item.strip() for item in properties.get("headers", "").split(","))
    if name == "InsertHeader":
        return frozenset([properties.get("header", "")])
    if name == "ExtractNewRecordState" and properties.get("add.headers", ""):
        prefix = properties.get("add.headers.prefix", "__")
        return frozenset(AddedField.of(text, prefix).name for text in properties["add.headers"].split(","))
    return frozenset()


def is_router(class_name: str) -> bool:
    """Return whether a Java transform renames topics."""
    return simple_name(class_name) in ("RegexRouter", "TimestampRouter", "TopicRegexRouter")


def without_effect(class_name: str, properties: Properties) -> str:
    """Return the property by which a transform of values also changes headers; "" if it has none."""
    name, _, inner = simple_name(class_name).partition("$")
    if name == "ExtractNewRecordState" and properties.get("add.headers", ""):
        return "add.headers"
    return "headers" if name == "HeaderFrom" and inner == "Value" and properties.get("operation") == "move" else ""


def unknown_properties(class_name: str, properties: Properties) -> dict[str, str | None]:
    """Return the properties that a Java class ignores, each with the name that was probably intended.

    A class whose properties aren't known ignores none.
    """
    name, _, inner = simple_name(class_name).partition("$")
    known = kafka_connect.PROPERTIES.get(name) if inner in ("Key", "Value") else None
    known = known if known is not None else _PROPERTIES.get(name)
    if known is None:
        return {}
    ignored = sorted(set(properties) - set(known))
    return {each: next(iter(difflib.get_close_matches(each.lower(), known, 1, _LEAST_SIMILARITY)), None) for each in ignored}
