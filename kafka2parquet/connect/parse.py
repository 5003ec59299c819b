"""From the text of a connector configuration to a ConnectConfig, or to all its problems at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

import attrs

from kafka2parquet.connect.config import ConnectConfig, Problem, ProblemKind
from kafka2parquet.connect.config_providers import ConfigProviders
from kafka2parquet.connect.elsewhere import CLOUD, cloud_connector
from kafka2parquet.connect.option import Effect, Option, Value, ValueType, capitalized, missing_value, simple_name
from kafka2parquet.connect.options import GCS_TABLE, S3_TABLE, OptionTable, table_for
from kafka2parquet.connect.rules import cross_check
from kafka2parquet.connect.text import Properties, flatten, read_properties, read_text
from kafka2parquet.connect.unknown import is_comment, judge
from kafka2parquet.errors import ConfigurationError


@attrs.frozen(eq=False)
class Validation:
    """Everything that can be said of a configuration.

    Attributes:
        config: what was read; where there are problems, the properties concerned have their defaults.
        problems: all that keep it from running.
        unreadable: what could not even be read, in sentences.
    """

    config: ConnectConfig
    problems: tuple[Problem, ...]
    unreadable: tuple[str, ...] = ()

    @property
    def is_valid(self) -> bool:
        """Whether Kafka Connect would take it, whatever this library makes of it."""
        return all(problem.kind is not ProblemKind.INVALID for problem in self.problems)

    @property
    def sentences(self) -> list[str]:
        """All that keeps it from running."""
        return [*self.unreadable, *map(str, self.problems)]


def load_connect_config(
    source: str | os.PathLike[str] | Mapping[str, object], *, providers: ConfigProviders | None = None
) -> ConnectConfig:
    """Read and check a connector configuration.

    Args:
        source: path of a file (JSON, where `//` and `/* */` comments are allowed, or Java properties), or a mapping; flat
            or as `{"name": …, "config": {…}}`.
        providers: where variables such as `${file:/run/secrets/aws.properties:key}` and `${env:NAME}` are looked up; by
            default in files, directories and the environment. `WorkerConfig.providers` knows other names for these.

    Raises:
        ConfigurationError: with all problems, each naming the property, its value and what to do.
    """
    validation = read_connect_config(source, providers)
    if validation.sentences:
        raise ConfigurationError(validation.sentences)
    return validation.config


def load_properties(properties: Mapping[str, str]) -> ConnectConfig:
    """Check properties in which all variables have been looked up.

    Raises:
        ConfigurationError: with all problems.
    """
    validation = validate(properties)
    if validation.problems:
        raise ConfigurationError(validation.sentences)
    return validation.config


def read_connect_config(
    source: str | os.PathLike[str] | Mapping[str, object], providers: ConfigProviders | None = None
) -> Validation:
    """What `load_connect_config` does, with everything that can be said where there are problems.

    Raises:
        ConfigurationError: there are no properties to look at.
    """
    if isinstance(source, Mapping):
        read = flatten(source)
    else:
        try:
            read = read_properties(read_text(source))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{os.fspath(source)} can't be read: {error}.") from error
    if read.problems and not read.values:
        raise ConfigurationError(read.problems)
    read = (providers or ConfigProviders()).resolve(_without_comments(read))
    return attrs.evolve(validate(read), unreadable=read.problems)


def validate(properties: Properties | Mapping[str, str]) -> Validation:
    """Check texts by name against the table of properties and against each other. Never raises for what they say."""
    read = properties if isinstance(properties, Properties) else Properties(properties)
    given = dict(_without_comments(read).values)
    connector = given.get("connector.class", "")
    cloud = cloud_connector(given)
    if cloud is not None:
        return Validation(ConnectConfig(S3_TABLE, {}, given, warnings=read.warnings), tuple(_of_cloud(given, cloud)))
    table = table_for(connector)
    if table is None:
        problem = _unknown_connector(connector)
        return Validation(ConnectConfig(S3_TABLE, {}, given, warnings=read.warnings), (problem,))
    reading = _Reading(table, given, read.unread)
    config = ConnectConfig(
        table,
        reading.values,
        given,
        reading.unknown,
        (*read.warnings, *reading.warnings),
        tuple(reading.notes),
    )
    checked = cross_check(config, reading.failed)
    return Validation(
        attrs.evolve(config, warnings=config.warnings + checked.warnings, notes=config.notes + checked.notes),
        (*reading.problems, *checked.problems),
    )


def _unknown_connector(connector: str) -> Problem:
    known = " or ".join(table.connector for table in (S3_TABLE, GCS_TABLE))
    if not connector:
        return Problem(("connector.class",), missing_value("connector.class"), f"Set it to {known}.")
    return Problem(
        ("connector.class",), f"connector.class={connector} is not supported", f"Use {known}.", ProblemKind.UNSUPPORTED
    )


def _of_cloud(given: Mapping[str, str], connector: str) -> Iterator[Problem]:
    yield Problem(
        ("connector.class",),
        f"connector.class={given['connector.class']} is one of Confluent Cloud's connectors, whose properties are others",
        f"Use {connector}, with its storage.class and format.class, and what is said below.",
        ProblemKind.UNSUPPORTED,
    )
    for name in given:
        if name in CLOUD:
            yield Problem((name,), f"{name} is not supported", f"Use {CLOUD[name]}.", ProblemKind.UNSUPPORTED)


class _Reading:
    """One pass over the given properties: typed values, and what is wrong with each property by itself."""

    def __init__(self, table: OptionTable, given: Mapping[str, str], unread: tuple[str, ...]) -> None:
        self._table = table
        self.values: dict[str, Value] = {
            option.name: option.default for option in table.options.values() if not option.is_prefix
        }
        self.unknown: dict[str, str] = {}
        self.failed: set[str] = set(unread)
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.notes: list[str] = []
        for name, text in given.items():
            if name in unread:
                continue
            option = table.find(name)
            if option is None:
                self._unknown_property(name, text, given)
            else:
                self._known_property(option, name, text)
        for option in table.options.values():
            if option.required and not given.get(option.name) and option.name not in self.failed:
                self.failed.add(option.name)
                self.problems.append(Problem((option.name,), missing_value(option.name), _suggest(option)))

    def _known_property(self, option: Option, name: str, text: str) -> None:
        if option.required and not text:
            return
        try:
            value = option.parse(name, text)
        except ValueError as error:
            self.failed.add(name)
            self.problems.append(Problem((name,), str(error)))
            return
        if option.otherwise is not None and value not in (*option.choices, *option.accepted):
            self.warnings.append(
                f"{name}={text} means {option.otherwise}, as in Connect; it knows {', '.join(option.choices)}."
            )
            value = option.otherwise
        self.values[name] = value
        refusal = _refusal(option, value)
        if refusal is not None:
            self.problems.append(
                Problem((name,), f"{name}={option.shown(text)} is not supported", refusal, ProblemKind.UNSUPPORTED)
            )
        elif option.effect is Effect.IGNORED:
            self.notes.append(f"{name} has no effect: {option.note}.")

    def _unknown_property(self, name: str, text: str, given: Mapping[str, str]) -> None:
        judged = judge(self._table, name, text, given)
        if isinstance(judged.finding, Problem):
            self.failed.add(judged.meant or name)
            self.problems.append(judged.finding)
            return
        self.warnings.append(judged.finding.text)
        if judged.is_known_to_classes:
            self.unknown[name] = text


def _without_comments(read: Properties) -> Properties:
    """The properties without those that are comments, and without what was said of these."""

    def is_of_property(text: str) -> bool:
        return not is_comment(re.split("[: ]", text)[0])

    return attrs.evolve(
        read,
        values={name: text for name, text in read.values.items() if not is_comment(name)},
        problems=tuple(filter(is_of_property, read.problems)),
        warnings=tuple(filter(is_of_property, read.warnings)),
        unread=tuple(name for name in read.unread if not is_comment(name)),
    )


def _suggest(option: Option) -> str:
    return f"Set it, for example to {option.choices[0]}." if option.choices else option.doc


def _refusal(option: Option, value: Value) -> str | None:
    """What to use instead of a value that Connect takes and we don't."""
    if option.effect is Effect.UNSUPPORTED and value not in (option.default, None, "", ()):
        return f"{capitalized(option.note)}."
    name = simple_name(str(value)) if option.type is ValueType.CLASS else str(value).lower()
    return next(
        (f"{capitalized(instead)}." for refused, instead in option.refused.items() if name in (refused, refused.lower())),
        None,
    )
