"""Reads and checks a connector configuration: the result is a ConnectConfig, or all problems at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import attrs

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.forms.properties import Properties, read_source, source_name
from kafka2parquet.connect.missing_values import READ_AT_ONCE, without_missing
from kafka2parquet.connect.placeholders import fill_in, find_placeholder, is_quoted
from kafka2parquet.connect.properties.misplaced import CLOUD, CLOUD_GROUP, cloud_connector
from kafka2parquet.connect.properties.names import CONNECTOR_CLASS, STORAGE_URL
from kafka2parquet.connect.properties.option import Effect, Option, Value, ValueType, capitalized, missing_value, simple_name
from kafka2parquet.connect.properties.table import GCS_TABLE, S3_TABLE, OptionTable, table_for
from kafka2parquet.connect.properties.unknown import is_comment, judge
from kafka2parquet.connect.rules import cross_check
from kafka2parquet.connect.text import flatten, read_properties
from kafka2parquet.connect.variables import ConfigProviders
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem, ProblemKind, note, unsupported, warning
from kafka2parquet.util.arguments import checked
from kafka2parquet.util.secrets import HIDDEN, Secrets, is_secret_name

#: Endings of the names of properties that name topics, files and servers.
_PLACES = ("name", "topics", "topics.regex", ".dir", ".url", ".region", ".servers", "group.id")

_VARIABLE = re.compile(r"\$\{[^}]*\}")
_NOTHING_KNOWN = (
    "None of its names is a property of a sink. A configuration is JSON, YAML, TOML or Java properties, with names such as "
    "connector.class and topics; `kafka2parquet init` writes one."
)
_WORKER_VARIABLE = re.compile(r"(?:^|\.)CONNECT_[A-Z]")
NAME_ADVICE = (
    "The name decides the consumer group, connect-<name>, and therefore where reading begins. Give it with --name NAME, or as "
    "the property name. Kafka Connect has the name beside `config`, or in the URL of PUT /connectors/<name>/config; "
    "GET /connectors lists the names."
)


@attrs.frozen(eq=False)
class Validation:
    """All findings about a configuration.

    Attributes:
        config: the configuration; properties with problems have their defaults.
        problems: everything that keeps the configuration from running.
        unreadable: problems of properties that could not be read.
    """

    config: ConnectConfig
    problems: tuple[Problem, ...]
    unreadable: tuple[Problem, ...] = ()

    @property
    def is_valid(self) -> bool:
        """Whether Kafka Connect would accept the configuration, even if this library doesn't."""
        return all(problem.kind is not ProblemKind.INVALID for problem in self.problems)

    @property
    def sentences(self) -> list[str]:
        """All problems that keep the configuration from running, as sentences."""
        return [str(problem) for problem in self.fatal]

    @property
    def fatal(self) -> tuple[Problem, ...]:
        """All problems that keep the configuration from running, reading problems first."""
        return (*self.unreadable, *self.problems)


@checked
def load_connect_config(
    source: str | os.PathLike[str] | Mapping[str, object],
    *,
    name: str | None = None,
    providers: ConfigProviders | None = None,
) -> ConnectConfig:
    """Read and check a connector configuration.

    Args:
        source: path of a file, or a mapping. A file may be JSON (where `//` and `/* */` comments are allowed), YAML, TOML or
            Java properties, flat or in a wrapper: `{"name": …, "config": {…}}`, the `connectorConfiguration` of Amazon MSK, an
            answer of `GET /connectors?expand=info`, a KafkaConnector of Strimzi. `-` is standard input.
        name: name of the connector, which decides the consumer group; required if the source has several or none.
        providers: providers that look up variables such as `${file:/run/secrets/aws.properties:key}` and `${env:NAME}`; by
            default files, directories and the environment. `WorkerConfig.providers` may give these providers other names.

    Raises:
        ConfigurationError: the configuration can't run; all problems, each with the property, its value and what to do.
    """
    validation = read_connect_config(source, providers, name=name)
    if validation.fatal:
        raise ConfigurationError(validation.fatal)
    return validation.config


def load_properties(properties: Properties | Mapping[str, str]) -> ConnectConfig:
    """Check properties whose variables have been looked up already.

    Raises:
        ConfigurationError: the configuration can't run; all problems.
    """
    validation = validate(properties)
    if validation.problems:
        raise ConfigurationError(validation.problems)
    return validation.config


def read_connect_config(
    source: str | os.PathLike[str] | Mapping[str, object],
    providers: ConfigProviders | None = None,
    *,
    name: str | None = None,
    missing_allowed: bool = False,
) -> Validation:
    """Read and check a configuration as `load_connect_config` does, but return all findings instead of raising problems.

    Args:
        source: path of a file, or a mapping.
        providers: providers that look up variables.
        name: name of the connector.
        missing_allowed: whether a variable that can't be looked up is only a note, and not a problem. Set it if the
            configuration is only checked.

    Raises:
        ConfigurationError: the source has no properties that could be checked.
    """
    if isinstance(source, Mapping):
        read = flatten(source, name=name)
    else:
        try:
            read = read_properties(read_source(source), name=name, suffix=Path(source).suffix)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{source_name(source)} can't be read: {error}.") from error
    if read.problems and not read.values:
        raise ConfigurationError(read.problems)
    read = (providers or ConfigProviders()).resolve(_without_comments(read), missing_allowed=missing_allowed)
    found = validate(read)
    return attrs.evolve(found, unreadable=_hidden(read.problems, found.config.secrets | found.config.variables))


def validate(properties: Properties | Mapping[str, str]) -> Validation:
    """Check properties against the table and against each other. Findings are returned; no text raises an error."""
    read = properties if isinstance(properties, Properties) else Properties(properties)
    read = _without_comments(read)
    return _without_secrets(_validate(read), read)


def _without_secrets(found: Validation, read: Properties) -> Validation:
    """Return the same findings, with secrets and values of variables hidden in the sentences."""
    secret: dict[str, str] = {}
    other: dict[str, str] = {}
    public: dict[str, str] = {}
    for name, text in read.values.items():
        option = found.config.table.find(name)
        kept = secret if is_secret_name(name) or (option and option.is_secret(name)) else other
        kept = public if option is not None and option.is_public(name) else kept
        # a variable without a value is still in the text
        kept[name] = _VARIABLE.sub("", text) if name in read.unread or name in read.missing else text
    secrets = Secrets.of(secret, other, public)
    variables = Secrets.of_variables(read.looked_up)
    config = attrs.evolve(
        found.config,
        findings=_hidden(found.config.findings, secrets | variables),
        secrets=secrets | Secrets.of_variables(found for found in read.looked_up if not _names_a_place(found[0])),
        variables=variables,
    )
    return Validation(config, _hidden(found.problems, secrets | variables))


def _hidden(problems: Iterable[Problem], secrets: Secrets) -> tuple[Problem, ...]:
    return tuple(problem.hidden_by(secrets.hide) for problem in problems)


def _names_a_place(name: str) -> bool:
    """Return whether files, groups and logs show the value of a property, even if it was looked up."""
    return name.endswith(_PLACES) and not is_secret_name(name)


def _validate(read: Properties) -> Validation:
    connector = read.values.get(CONNECTOR_CLASS, "")
    cloud = cloud_connector(read.values)
    if cloud is not None:
        return Validation(_unchecked(read), tuple(_of_cloud(read.values, cloud)))
    table = table_for(connector)
    if table is None:
        return Validation(_unchecked(read), (_unknown_connector(connector, read.values),))
    reading = _Reading(table, read)
    findings = (*read.findings, *reading.findings)
    config = ConnectConfig(table, reading.values, reading.given, reading.unknown, read=read)
    checked = cross_check(config, reading.failed)
    shown = (
        *(finding for finding in checked if finding.kind is ProblemKind.WARNING),
        *(finding for finding in findings if not finding.kind.is_fatal),
        *(finding for finding in checked if finding.kind is ProblemKind.NOTE),
    )
    fatal = (*reading.findings, *checked)
    return Validation(attrs.evolve(config, findings=shown), tuple(problem for problem in fatal if problem.kind.is_fatal))


def _unchecked(read: Properties) -> ConnectConfig:
    findings = tuple(finding for finding in read.findings if finding.kind is ProblemKind.WARNING)
    return ConnectConfig(S3_TABLE, {}, dict(read.values), findings=findings, read=read)


def _unknown_connector(connector: str, given: Mapping[str, str]) -> Problem:
    known = " or ".join(table.connector for table in (S3_TABLE, GCS_TABLE))
    if not connector and any(name == "bootstrap.servers" or _WORKER_VARIABLE.search(name) for name in given):
        advice = "These are properties of a worker: pass this file with --worker, and a connector's file as CONFIG."
        return Problem(CONNECTOR_CLASS, missing_value(CONNECTOR_CLASS), advice)
    if not connector and not any(table.find(name) for name in given for table in (S3_TABLE, GCS_TABLE)):
        return Problem(CONNECTOR_CLASS, missing_value(CONNECTOR_CLASS), _NOTHING_KNOWN)
    if not connector:
        return Problem(CONNECTOR_CLASS, missing_value(CONNECTOR_CLASS), f"Set it to {known}.")
    return unsupported(CONNECTOR_CLASS, f"connector.class={connector} is not supported", f"Use {known}.")


def _of_cloud(given: Mapping[str, str], connector: str) -> Iterator[Problem]:
    yield unsupported(
        CONNECTOR_CLASS,
        f"connector.class={given['connector.class']} is a connector of Confluent Cloud, which has other properties",
        f"Use {connector}, with its storage.class and format.class, and with the properties named below.",
    )
    for name in given:
        if name in CLOUD:
            yield unsupported(name, f"{name} is not supported", f"Use {CLOUD[name]}.")
    if "consumer.override.group.id" not in given:
        group = f"connect-{given.get('name', '<name>')}"
        yield unsupported("name", f"name: the offsets of Confluent Cloud's connector are not those of {group}", CLOUD_GROUP)


class _Reading:
    """One pass over the given properties: typed values, and findings about single properties."""

    def __init__(self, table: OptionTable, read: Properties) -> None:
        self._table = table
        self._read = read
        self._looked_up = {*read.unread, *read.missing, *(name for name, _, _ in read.looked_up)}
        self.given = _known_here(table, read)
        self.values: dict[str, Value] = {
            option.name: option.default for option in table.options.values() if not option.is_prefix
        }
        self.unknown: dict[str, str] = {}
        self.failed: set[str] = {*read.unread, *read.missing}
        self.findings: list[Problem] = []
        for name, text in self.given.items():
            if name in read.unread:
                continue
            option = table.find(name)
            if option is None:
                self._unknown_property(name, text)
            else:
                self._known_property(option, name, text)
        needless = ("s3.bucket.name", "gcs.bucket.name") if self.given.get(STORAGE_URL) else ()
        for option in table.options.values():
            name = option.name
            if option.required and not self.given.get(name) and name not in self.failed and name not in needless:
                self.failed.add(name)
                self.findings.append(Problem(name, missing_value(name), _suggest(option)))

    def _known_property(self, option: Option, name: str, text: str) -> None:
        if option.required and not text:
            return
        if option.effect is not Effect.IGNORED and name not in self._looked_up:
            placeholder = find_placeholder(name, text)
            if placeholder is not None:
                self.failed.add(name)
                self.findings.append(Problem(name, _unfilled(option, name, text, placeholder), fill_in(placeholder)))
                return
            if is_quoted(name, text):
                message = f"{name}: the quotes around the value are part of it, as in Connect"
                self.findings.append(warning(name, message, "Remove them."))
        try:
            value = option.parse(name, text)
        except ValueError as error:
            self.failed.add(name)
            self.findings.append(Problem(name, str(error), "Remove the quotes around it." if is_quoted(name, text) else ""))
            return
        if name not in self._read.missing and option.otherwise is not None and value not in (*option.choices, *option.accepted):
            message = f"{name}={option.shown(name, text)} means {option.otherwise}, as in Connect"
            self.findings.append(warning(name, f"{message}; it knows {', '.join(option.choices)}"))
            value = option.otherwise
        self.values[name] = value
        refusal = _refusal(option, value)
        if refusal is not None:
            shown = option.shown(name, text)
            value_shown = "" if shown == HIDDEN else f"={shown}"
            self.findings.append(unsupported(name, f"{name}{value_shown} is not supported", refusal))
        elif option.effect is Effect.IGNORED:
            self.findings.append(note(name, f"{name} has no effect: {option.note}"))

    def _unknown_property(self, name: str, text: str) -> None:
        judged = judge(self._table, name, text, self.given)
        self.findings.append(judged.finding)
        if judged.finding.kind.is_fatal:
            self.failed.add(judged.meant or name)
        elif judged.is_known_to_classes:
            self.unknown[name] = text


def _without_comments(read: Properties) -> Properties:
    """Return the properties without comments, and without findings about comments."""
    return attrs.evolve(
        read,
        values={name: text for name, text in read.values.items() if not is_comment(name)},
        findings=tuple(finding for finding in read.findings if not any(map(is_comment, finding.properties))),
        unread=tuple(name for name in read.unread if not is_comment(name)),
    )


def _known_here(table: OptionTable, read: Properties) -> dict[str, str]:
    """Return the properties whose values are known, and those that may keep their variable as long as nothing runs."""
    return without_missing(read.values, [name for name in read.missing if not _is_only_shown(table, name)])


def _is_only_shown(table: OptionTable, name: str) -> bool:
    """Return whether a property may keep a variable as its value as long as nothing runs."""
    option = table.find(name)
    if option is None:
        return True
    if name in READ_AT_ONCE:
        return False
    is_text = option.type in (ValueType.STRING, ValueType.LIST) and not option.is_prefix
    return is_text and (option.required or option.validator is None)


def _unfilled(option: Option, name: str, text: str, placeholder: str) -> str:
    if placeholder != text and option.type is not ValueType.PASSWORD:
        return f"{name}: {placeholder} in it is a placeholder that is not filled in"  # the rest of the value may be secret
    shown = f"={text}" if option.shown(name, text) == text else ""
    return f"{name}{shown} is a placeholder that is not filled in"


def _suggest(option: Option) -> str:
    if option.name == "name":
        return NAME_ADVICE
    return f"Set it, for example to {option.choices[0]}." if option.choices else option.doc


def _refusal(option: Option, value: Value) -> str | None:
    """Return the alternative to a value that Connect accepts and this library refuses; None if the value is supported."""
    if option.effect is Effect.UNSUPPORTED and value not in (option.default, None, "", ()):
        return f"{capitalized(option.note)}."
    name = simple_name(str(value)) if option.type is ValueType.CLASS else str(value).lower()
    return next(
        (f"{capitalized(instead)}." for refused, instead in option.refused.items() if name in (refused, refused.lower())),
        None,
    )
