"""Makes the transforms and predicates of a configuration: Java's by their class names, and Python classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.parts.java_transforms import (
    UNKNOWN,
    OfKeys,
    Refused,
    WithoutEffect,
    Written,
    changed_headers,
    is_router,
    make_java,
    make_predicate,
    unknown_properties,
    without_effect,
)
from kafka2parquet.connect.properties.converters import converter_name
from kafka2parquet.connect.properties.names import (
    DIRECTORY_DELIM,
    FILE_DELIM,
    KEY_CONVERTER,
    METADATA_COLUMNS,
    STORE_KAFKA_KEYS,
    TRANSFORMS,
)
from kafka2parquet.connect.properties.option import invalid_value, missing_value, simple_name
from kafka2parquet.connect.properties.unknown import did_you_mean
from kafka2parquet.connect.python_classes import is_python_path, load_class
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.object_names import ObjectNaming
from kafka2parquet.problems import Problem, note, unsupported, warning
from kafka2parquet.transforms.base import Transform
from kafka2parquet.transforms.predicates import HasHeaderKey, Predicate, TopicNameMatches
from kafka2parquet.transforms.timestamp_router import TimestampRouter
from kafka2parquet.transforms.topic_folders import Route, RoutedFolders, Router
from kafka2parquet.transforms.where import LeaveOut, Where

_PREDICATE_CLASSES = (
    "Use HasHeaderKey, RecordIsTombstone or TopicNameMatches of org.apache.kafka.connect.transforms.predicates, or a Predicate"
    " class in Python, as package.module:Class."
)


@attrs.frozen(eq=False)
class Transforms:
    """The transforms of a configuration.

    Attributes:
        made: transforms of values, in their order.
        of_keys: transforms of keys, in their order; empty if keys aren't written.
        routes: transforms that rename topics, and so decide the topics' folders.
        findings: problems of transforms that can't be made, warnings about properties that no alias or class has, and
            notes about transforms that change nothing.
    """

    made: tuple[Transform, ...]
    of_keys: tuple[Transform, ...]
    routes: tuple[Route, ...]
    findings: tuple[Problem, ...]

    @property
    def folders(self) -> RoutedFolders | None:
        """The names of the topics' folders; None if folders are named after their topics."""
        return RoutedFolders(self.routes) if self.routes else None


def make_transforms(config: ConnectConfig) -> Transforms:
    """Make the configured transforms.

    Raises:
        ConfigurationError: a transform can't be made; all problems.
    """
    transforms = read_transforms(config)
    problems = [finding for finding in transforms.findings if finding.kind.is_fatal]
    if problems:
        raise ConfigurationError(problems)
    return transforms


def topic_folders(config: ConnectConfig) -> RoutedFolders | None:
    """Return the names of the topics' folders; None if folders are named after their topics.

    Raises:
        ConfigurationError: a transform renames topics, and a transform can't be made; all problems.
    """
    return make_transforms(config).folders if renames_topics(config) else None


def renames_topics(config: ConnectConfig) -> bool:
    """Return whether a transform renames topics. Makes no transform."""
    return any(is_router(config.given.get(f"transforms.{alias}.type", "")) for alias in config.items(TRANSFORMS))


def read_transforms(config: ConnectConfig) -> Transforms:
    """Make the configured transforms, and report what is wrong. Imports the modules of Python transforms."""
    reader = _Reader(config)
    for alias in _distinct(config, "transforms", reader.problems):
        reader.read(alias)
    if reader.routes:
        try:
            ObjectNaming(
                directory_delimiter=config.text(DIRECTORY_DELIM),
                file_delimiter=config.text(FILE_DELIM),
                topic_folders=RoutedFolders(reader.routes),
            )
        except ConfigurationError as error:
            reader.problems.append(Problem((DIRECTORY_DELIM, TRANSFORMS), str(error)))
    unused = [
        warning(f"{kind}.{name}", f"{kind}.{name} has no effect: {kind} names no such alias")
        for kind in ("transforms", "predicates")
        for name in config.below(f"{kind}.")
        if not any(name.startswith(f"{alias}.") for alias in config.items(kind))
    ]
    return Transforms(
        made=tuple(reader.made),
        of_keys=tuple(reader.of_keys),
        routes=tuple(reader.routes),
        findings=(*reader.problems, *unused, *reader.ignored, *reader.notes),
    )


def applied_where(config: ConnectConfig, alias: str) -> str:
    """Describe which records a transform applies to; "" for all records."""
    predicate = config.given.get(f"transforms.{alias}.predicate", "")
    if not predicate:
        return ""
    negated = config.given.get(f"transforms.{alias}.negate", "").lower() == "true"
    return f"{'where not' if negated else 'where'} {predicate} ({config.given.get(f'predicates.{predicate}.type', '')})"


def _distinct(config: ConnectConfig, name: str, problems: list[Problem]) -> list[str]:
    """Return the aliases in a list without duplicates, which are a problem."""
    aliases = config.items(name)
    if len(set(aliases)) < len(aliases):
        problems.append(Problem(name, invalid_value(name, f"[{', '.join(aliases)}]", "Duplicate alias provided.")))
    return list(dict.fromkeys(aliases))


class _Reader:
    """Makes transforms one after the other, and collects them with their problems."""

    def __init__(self, config: ConnectConfig) -> None:
        self.made: list[Transform] = []
        self.of_keys: list[Transform] = []
        self.routes: list[Route] = []
        self.problems: list[Problem] = []
        self.ignored: list[Problem] = []
        self.notes: list[Problem] = []
        self._config = config
        columns = config.items(METADATA_COLUMNS)
        self._written = Written(
            keys="key" in columns or config.flag(STORE_KAFKA_KEYS),
            headers="headers" in columns or config.flag("store.kafka.headers"),
            keys_have_fields=converter_name(config.text(KEY_CONVERTER)) != "Json"
            or config.flag("key.converter.schemas.enable"),
        )
        self._headers_changed_by: dict[str, str] = {}
        self._predicates: dict[str, Predicate | None] = {}
        for alias in _distinct(config, "predicates", self.problems):
            self._predicates[alias] = self._predicate(alias)

    def read(self, alias: str) -> None:
        """Make the transform of an alias, or report what is wrong with it."""
        prefix = f"transforms.{alias}."
        properties = self._config.below(prefix)
        class_name = properties.pop("type", "")
        predicate, chosen = properties.pop("predicate", ""), properties.pop("negate", None)
        if not class_name:
            self.problems.append(Problem(f"{prefix}type", missing_value(f"{prefix}type"), UNKNOWN))
            return
        negate = self._negate(prefix, predicate, chosen)
        if predicate and predicate not in self._predicates:
            self.problems.append(
                Problem(
                    f"{prefix}predicate",
                    f"{prefix}predicate={predicate}: this predicate is not defined",
                    f"Name it in predicates, and set predicates.{predicate}.type.",
                )
            )
            return
        chooses = self._predicates[predicate] if predicate else None
        if isinstance(chooses, HasHeaderKey) and chooses.name in self._headers_changed_by:
            self._unseen_header(prefix, predicate, self._headers_changed_by[chooses.name])
        made = self._transform(prefix, class_name, properties)
        if made is None or (predicate and chooses is None):
            return
        if isinstance(made, OfKeys):
            self._of_keys(prefix, class_name, made.transform, chooses)
            return
        if isinstance(made, Router):
            self._route(prefix, class_name, made, chooses, negate)
        elif isinstance(made, LeaveOut) and chooses is None:
            message = f"{prefix}type={class_name} without a predicate leaves all records out, as in Connect"
            self.notes.append(note(f"{prefix}type", message))
        self.made.append(made if chooses is None else Where(made, chooses, negate=negate))

    def _of_keys(self, prefix: str, class_name: str, transform: Transform, predicate: Predicate | None) -> None:
        if predicate is None:
            self.of_keys.append(transform)
            return
        self.problems.append(
            unsupported(
                f"{prefix}predicate",
                f"{prefix}predicate is not supported for {class_name}",
                "If keys are written, a transform of keys applies to all keys. Remove the predicate.",
            )
        )

    def _unseen_header(self, prefix: str, predicate: str, changed_by: str) -> None:
        self.problems.append(
            unsupported(
                f"{prefix}predicate",
                f"{prefix}predicate={predicate} checks a header that {changed_by} has changed before",
                f"Predicates see headers as they were sent. Put {prefix.removesuffix('.')} before {changed_by}.",
            )
        )

    def _negate(self, prefix: str, predicate: str, text: str | None) -> bool:
        name = f"{prefix}negate"
        if text is None:
            return False
        if not predicate:
            rule = (
                f"Config '{name}' was provided but there is no config '{prefix}predicate' defining a predicate to be negated."
            )
            self.problems.append(Problem(name, rule))
        if text.lower() not in ("true", "false"):
            self.problems.append(Problem(name, invalid_value(name, text, "Expected value to be either true or false")))
        return text.lower() == "true"

    def _route(self, prefix: str, class_name: str, router: Router, predicate: Predicate | None, negate: bool) -> None:
        if self.routes and isinstance(self.routes[-1].router, TimestampRouter):
            self.problems.append(
                unsupported(
                    f"{prefix}type",
                    f"{prefix}type={class_name} after a TimestampRouter is not supported",
                    "After a crash, the sink finds a topic's files by the beginnings of its folder names, and a router after a"
                    " TimestampRouter could change those beginnings. Put it before the TimestampRouter in transforms.",
                )
            )
            return
        if predicate is None or isinstance(predicate, TopicNameMatches):
            self.routes.append(Route(router, predicate, negate))
            return
        self.problems.append(
            unsupported(
                f"{prefix}predicate",
                f"{prefix}predicate is not supported for {class_name}, unless it is a TopicNameMatches",
                "After a crash, the sink finds a topic's files by the topic's name, so a predicate on records can't choose the"
                " folder. Remove the predicate, or use a TopicNameMatches.",
            )
        )

    def _transform(self, prefix: str, class_name: str, properties: Mapping[str, str]) -> Transform | OfKeys | None:
        type_property = f"{prefix}type"
        try:
            if is_python_path(class_name):
                made = load_class(class_name, Transform).from_config(properties)  # type: ignore[attr-defined]  # it is a Transform
            else:
                made = make_java(class_name, properties, self._written)
                changed = changed_headers(class_name, properties)
                self._headers_changed_by |= dict.fromkeys(changed, prefix.removesuffix("."))
                self.ignored += _ignored(prefix, class_name, properties, has_effect=not isinstance(made, WithoutEffect))
        except ConfigurationError as error:
            self.problems += [_of_settings(prefix, class_name, properties, problem) for problem in error.details]
            return None
        except (ValueError, TypeError) as error:  # the class is missing or abstract, or refuses its settings
            self.problems.append(Problem(type_property, invalid_value(type_property, class_name, str(error))))
            return None
        if isinstance(made, Transform):
            if not is_python_path(class_name) and (name := without_effect(class_name, properties)):
                message = f"{prefix}{name} changes nothing that is written: headers are not written"
                self.notes.append(note(f"{prefix}{name}", message))
            return made
        if isinstance(made, OfKeys):
            return made
        if isinstance(made, WithoutEffect):
            message = f"{type_property}={class_name} changes nothing that is written: {made.why}"
            self.notes.append(note(type_property, message))
        elif isinstance(made, Refused):
            message = f"{type_property}={class_name} is not supported"
            self.problems.append(unsupported(type_property, message, made.advice))
        else:
            rule = f"from_config returned {type(made).__name__}, which is not a Transform"
            self.problems.append(Problem(type_property, invalid_value(type_property, class_name, rule)))
        return None

    def _predicate(self, alias: str) -> Predicate | None:
        prefix = f"predicates.{alias}."
        properties = self._config.below(prefix)
        type_property, class_name = f"{prefix}type", properties.pop("type", "")
        if not class_name:
            self.problems.append(Problem(type_property, missing_value(type_property), _PREDICATE_CLASSES))
            return None
        try:
            if is_python_path(class_name):
                made = load_class(class_name, Predicate).from_config(properties)  # type: ignore[attr-defined]  # it is a Predicate
            else:
                made = make_predicate(class_name, properties)
                self.ignored += _ignored(prefix, class_name, properties)
        except ConfigurationError as error:
            self.problems += [_of_settings(prefix, class_name, properties, problem) for problem in error.details]
            return None
        except (ValueError, TypeError) as error:
            self.problems.append(Problem(type_property, invalid_value(type_property, class_name, str(error))))
            return None
        if isinstance(made, Predicate):
            return made
        message = f"{type_property}={class_name} is not supported"
        self.problems.append(unsupported(type_property, message, _PREDICATE_CLASSES))
        return None


def _ignored(prefix: str, class_name: str, properties: Mapping[str, str], *, has_effect: bool = True) -> Iterator[Problem]:
    """Yield a problem for each misspelled property of a class, and a warning for each other property that Java ignores."""
    for name, meant in unknown_properties(class_name, properties).items():
        if meant is None or not has_effect or properties.get(meant) == properties[name]:
            yield warning(f"{prefix}{name}", f"{prefix}{name} has no effect: its class has no such property")
        else:
            advice = did_you_mean(f"{prefix}{meant}", is_set=meant in properties)
            yield Problem(f"{prefix}{name}", f"{prefix}{name} is not a property of {simple_name(class_name)}", advice)


def _of_settings(prefix: str, class_name: str, properties: Mapping[str, str], problem: Problem) -> Problem:
    """Return the problem of a class under the given properties that cause it, or else under the property of the class."""
    if properties.keys() & problem.properties:
        return problem.under(prefix)
    return Problem(f"{prefix}type", f"{prefix}type={class_name}: {problem}")
