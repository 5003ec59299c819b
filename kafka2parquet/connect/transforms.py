"""The transforms that a configuration names: Python classes, and what to use instead of Java's."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from kafka2parquet.connect.classes import is_python_path, load_class
from kafka2parquet.connect.config import ConnectConfig, Problem, ProblemKind
from kafka2parquet.connect.option import invalid_value, missing_value, simple_name
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.transforms.base import Transform

_OWN = "a TableTransform of your own in Python, as package.module:Class"
_ROUTER = (
    "Topics can't be renamed: a topic's name says where its offsets and its files are found again after a crash. For other "
    "folders use topics.dir and the partitioner."
)
_NOT_VALUES = "Leave it out: only values are transformed; keys and headers stay as they were sent."

#: What to use instead of the transforms of Apache Kafka, Confluent and Debezium, by the names of their classes.
INSTEAD: Mapping[str, str] = {
    "Cast": "Use kafka2parquet.transforms:Cast, with the same spec.",
    "Drop": "Leave it out: it takes the values away. For null values there is behavior.on.null.values.",
    "DropHeaders": _NOT_VALUES,
    "EventRouter": _ROUTER,
    "ExtractField": "Use kafka2parquet.transforms:ExtractField, with the same field.",
    "ExtractNewDocumentState": f"Use {_OWN}, that reads the JSON text of `after`.",
    "ExtractNewRecordState": (
        "Use kafka2parquet.transforms:Unwrap, with the same add.fields, add.fields.prefix and delete.tombstone.handling.mode."
    ),
    "ExtractTopic": _ROUTER,
    "Filter": "Use kafka2parquet.transforms:Filter, with field and values instead of a predicate or a condition.",
    "Flatten": "Use kafka2parquet.transforms:Flatten, with the same delimiter.",
    "HeaderFrom": _NOT_VALUES,
    "HoistField": "Use kafka2parquet.transforms:HoistField, with the same field.",
    "InsertField": "Use kafka2parquet.transforms:InsertField, with the same properties.",
    "InsertHeader": _NOT_VALUES,
    "MaskField": (
        "Use kafka2parquet.transforms:Mask, with the same fields and replacement; without a replacement values become null."
    ),
    "ByLogicalTableRouter": _ROUTER,
    "MessageTimestampRouter": _ROUTER,
    "RegexRouter": _ROUTER,
    "ReplaceField": (
        "Use kafka2parquet.transforms:Drop with fields for exclude, kafka2parquet.transforms:Keep with fields for include, and "
        "kafka2parquet.transforms:Rename with the same renames."
    ),
    "SetSchemaMetadata": "Leave it out: the columns of files don't depend on names and versions of schemas.",
    "TimestampConverter": (
        "Use kafka2parquet.transforms:ToTimestamp, with fields, and a format of strptime where texts aren't ISO 8601; for "
        "other types of times kafka2parquet.transforms:Cast."
    ),
    "TimestampRouter": _ROUTER,
    "TombstoneHandler": "Use behavior.on.null.values.",
    "TopicRegexRouter": _ROUTER,
    "ValueToKey": _NOT_VALUES,
}
_UNKNOWN = f"Transforms are Python classes: those of kafka2parquet.transforms, or {_OWN}."
_ONLY_SOME = ("predicate", "negate")


@attrs.frozen(eq=False)
class Transforms:
    """The transforms of a configuration.

    Attributes:
        made: in their order.
        problems: what is wrong with others.
        unused: properties of aliases that `transforms` doesn't name.
    """

    made: tuple[Transform, ...]
    problems: tuple[Problem, ...]
    unused: tuple[str, ...]


def make_transforms(config: ConnectConfig) -> tuple[Transform, ...]:
    """The transforms that the configuration names, in their order.

    Raises:
        ConfigurationError: with all problems.
    """
    transforms = read_transforms(config)
    if transforms.problems:
        raise ConfigurationError([str(problem) for problem in transforms.problems])
    return transforms.made


def read_transforms(config: ConnectConfig) -> Transforms:
    """The transforms that the configuration names, and what is wrong with them. Imports their modules."""
    aliases = config.items("transforms")
    problems = []
    made = []
    if len(set(aliases)) < len(aliases):
        problems.append(
            Problem(("transforms",), invalid_value("transforms", f"[{', '.join(aliases)}]", "Duplicate alias provided."))
        )
    for alias in dict.fromkeys(aliases):
        found = _transform(config, alias)
        if isinstance(found, Transform):
            made.append(found)
        else:
            problems += found
    unused = [name for name in config.below("transforms.") if not any(name.startswith(f"{alias}.") for alias in aliases)]
    return Transforms(tuple(made), tuple(problems), tuple(f"transforms.{name}" for name in unused))


def _transform(config: ConnectConfig, alias: str) -> Transform | list[Problem]:
    prefix = f"transforms.{alias}."
    properties = config.below(prefix)
    type_property, class_name = f"{prefix}type", properties.pop("type", "")
    if not class_name:
        return [Problem((type_property,), missing_value(type_property), _UNKNOWN)]
    if not is_python_path(class_name):
        message = f"{type_property}={class_name} is not supported"
        return [Problem((type_property,), message, java_advice(class_name), ProblemKind.UNSUPPORTED)]
    only_some = [name for name in _ONLY_SOME if name in properties]
    if only_some:
        advice = "A transform applies to all rows. Filter leaves rows out; or decide in a transform of your own."
        return [
            Problem((f"{prefix}{name}",), f"{prefix}{name} is not supported", advice, ProblemKind.UNSUPPORTED)
            for name in only_some
        ]
    try:
        made = load_class(class_name, Transform).from_config(properties)  # type: ignore[attr-defined]  # it is a Transform
    except ConfigurationError as error:
        return [_of_settings(prefix, class_name, properties, problem) for problem in error.problems]
    except (ValueError, TypeError) as error:  # no such class, an abstract one, or one that refuses its settings
        return [Problem((type_property,), invalid_value(type_property, class_name, str(error)))]
    if not isinstance(made, Transform):
        rule = f"from_config returned {type(made).__name__}, which is no Transform"
        return [Problem((type_property,), invalid_value(type_property, class_name, rule))]
    return made


def _of_settings(prefix: str, class_name: str, properties: Mapping[str, str], problem: str) -> Problem:
    """A problem with the property that its text begins with, or else with the whole transform."""
    name = next((name for name in properties if problem.startswith((f"{name}:", f"{name} "))), None)
    if name is None:
        return Problem((f"{prefix}type",), f"{prefix}type={class_name}: {problem}")
    return Problem((f"{prefix}{name}",), f"{prefix}{problem}")


def java_advice(class_name: str) -> str:
    """What to use instead of a transform of Java."""
    name, _, of_what = simple_name(class_name).partition("$")
    if of_what == "Key":
        return _NOT_VALUES
    return INSTEAD.get(name, _UNKNOWN)
