"""Finds the connectors in a document: a bare configuration, or a wrapper of Kafka Connect, Kubernetes or Amazon MSK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from kafka2parquet.connect.forms.document import Document, is_list
from kafka2parquet.connect.forms.properties import Properties
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem, warning
from kafka2parquet.util.display import counted

_NO_CONNECTOR = (
    "The configuration contains no connector. A configuration is a JSON object of properties, alone or beside a name "
    '({"name": …, "config": {…}}), or a KafkaConnector of Kubernetes. `kafka2parquet init` writes an example.'
)
_NAMES_ONLY = "These are only names of connectors. GET /connectors?expand=info has their configurations."
_STATUS_ONLY = "This is the status of connectors. GET /connectors?expand=info has their configurations."
_ERROR = "This is an error from Kafka Connect, not a configuration: {}. GET /connectors lists the names of the connectors."
#: Keys of name and configuration in Kafka Connect, in Amazon MSK (also in CloudFormation), and in Terraform's JSON.
_WRAPPERS = (
    ("name", "config"),
    ("connectorName", "connectorConfiguration"),
    ("ConnectorName", "ConnectorConfiguration"),
    ("name", "connector_configuration"),
    ("name", "config_nonsensitive"),
)
_CONFIG_KEYS = [config_key for _, config_key in _WRAPPERS]
#: Number of levels to which connectors are searched.
_MOST_LEVELS = 16


@attrs.frozen
class Connector:
    """One connector of a document.

    Attributes:
        name: name beside the properties; None if the document has none.
        properties: the properties, unchanged.
        fixed: properties beside the others, such as `spec.class`, which take precedence.
        place: place of the name in the wrapper, in words.
    """

    name: str | None
    properties: Mapping[str, object] = attrs.field(repr=False)
    fixed: Mapping[str, object] = attrs.field(factory=dict)
    place: str = "beside `config`"

    @property
    def known_as(self) -> str | None:
        """The connector's name, beside the properties or among them; None if it has none."""
        name = self.name if self.name is not None else self.properties.get("name")
        return None if name is None else str(name).strip()

    @property
    def is_sure(self) -> bool:
        """Whether the mapping certainly is a connector, because it has a class."""
        return "connector.class" in self.properties or "connector.class" in self.fixed


def find_connectors(document: Document) -> list[Connector]:
    """Return all connectors in a document, at least one.

    Raises:
        ConfigurationError: the document has no connector; the message says what the document is.
    """
    content = document.content
    if is_list(content) and content and all(isinstance(item, str) for item in content):
        raise ConfigurationError(_NAMES_ONLY)
    if isinstance(content, Mapping) and content:
        if "error_code" in content:
            raise ConfigurationError(_ERROR.format(content.get("message")))
        if all(isinstance(value, Mapping) and "status" in value and "info" not in value for value in content.values()):
            raise ConfigurationError(_STATUS_ONLY)
    found = list(_connectors(content))
    if not found:
        raise ConfigurationError(_NO_CONNECTOR)
    return found


def choose_connector(connectors: list[Connector], name: str | None) -> Connector:
    """Return the connector called `name`. A single connector without a name gets that name.

    Raises:
        ConfigurationError: no connector or several connectors have this name; the message lists the names.
    """
    names = [connector.known_as or "(without a name)" for connector in connectors]
    if name is None:
        if len(connectors) > 1:
            raise ConfigurationError(
                f"The configuration contains {counted(len(connectors), 'connector')}: {', '.join(names)}. "
                "Choose one with --name NAME (in Python: name=…)."
            )
        return connectors[0]
    if len(connectors) == 1 and connectors[0].known_as is None:
        return attrs.evolve(connectors[0], name=name)
    chosen = [connector for connector in connectors if connector.known_as == name]
    if len(chosen) > 1:
        raise ConfigurationError(
            f"{counted(len(chosen), 'connector')} in the configuration are called {name}. Keep one of them."
        )
    if not chosen and len(connectors) == 1:
        raise ConfigurationError(
            f"--name {name}: the connector in the configuration is called {names[0]}. The name decides the consumer group, and "
            "therefore where reading begins. Leave --name out, or change the name in the file."
        )
    if not chosen:
        raise ConfigurationError(f"--name {name}: the configuration has no such connector. Its connectors: {', '.join(names)}.")
    return chosen[0]


def connector_properties(connector: Connector, *, joins: bool = False) -> Properties:
    """Return the properties of a connector, including its name.

    Args:
        connector: the connector.
        joins: whether tables become names with dots, and lists become texts with commas, as in `Document`.
    """
    read = _texts(_joined(connector.properties) if joins else connector.properties)
    values, findings = dict(read.values), list(read.findings)
    if connector.name is not None and values.setdefault("name", connector.name) != connector.name:
        message = f"name: the name {connector.place} is {connector.name!r}, the property name is {values['name']!r}; keep one"
        findings.append(Problem("name", message))
    for name, text in _texts(connector.fixed).values.items():
        if values.setdefault(name, text) != text:
            findings.append(warning(name, f"{name}={values[name]} has no effect: spec says {text}"))
            values[name] = text
    return attrs.evolve(read, values=values, findings=tuple(findings))


def _connectors(content: object, levels: int = _MOST_LEVELS) -> Iterator[Connector]:
    if not levels:
        return
    if is_list(content):
        for item in content:
            yield from _connectors(item, levels - 1)
    elif isinstance(content, Mapping):
        yield from _in_mapping(content, levels)


def _in_mapping(content: Mapping[str, object], levels: int) -> Iterator[Connector]:
    wrapped = next(((name, config) for name, config in _WRAPPERS if isinstance(content.get(config), Mapping)), None)
    by_name = _by_name(content)
    if "kind" in content and ("spec" in content or "items" in content):
        yield from _connectors(content.get("items") or (), levels - 1)
        yield from _of_kubernetes(content)
    elif by_name:
        yield from by_name
    elif wrapped is not None:
        name_key, config_key = wrapped
        config: Any = content[config_key]
        yield Connector(_text(content.get(name_key)), config, place=f"beside `{config_key}`")
    elif "connector.class" in content:
        yield Connector(None, content)
    else:  # perhaps the values of a chart, or a template, which contain connectors
        found = [each for value in content.values() for each in _connectors(value, levels - 1) if each.is_sure]
        yield from found or ([Connector(None, content)] if content else ())


def _of_kubernetes(content: Mapping[str, object]) -> Iterator[Connector]:
    """Yield a KafkaConnector of Strimzi, or a Connector of Confluent for Kubernetes; nothing for other kinds."""
    spec: Any = content.get("spec")
    if content["kind"] not in ("KafkaConnector", "Connector") or not isinstance(spec, Mapping):
        return
    metadata = content.get("metadata")
    name = spec.get("name") or (metadata.get("name") if isinstance(metadata, Mapping) else None)
    config = spec.get("config") or spec.get("configs") or {}
    tasks = next((spec[key] for key in ("tasksMax", "taskMax") if key in spec), None)
    fixed = {"connector.class": spec.get("class"), "tasks.max": tasks}
    place = "in metadata" if "name" not in spec else "in spec"
    yield Connector(
        _text(name),
        config if isinstance(config, Mapping) else {"config": config},
        {key: value for key, value in fixed.items() if value is not None},
        place,
    )


def _by_name(content: Mapping[str, object]) -> list[Connector]:
    """Return connectors from a mapping by name, such as an answer of GET /connectors?expand=info; [] for other mappings."""
    found = []
    for name, value in content.items():
        info = value.get("info") if isinstance(value, Mapping) else None
        described: Any = info if isinstance(info, Mapping) else value
        if isinstance(described, Mapping) and isinstance(described.get("config"), Mapping):
            config: Any = described["config"]
            found.append(Connector(_text(described.get("name")) or name, config))
        elif isinstance(described, Mapping) and "connector.class" in described and name not in _CONFIG_KEYS:
            found.append(Connector(name, described))
    return found if len(found) == len(content) else []


def _joined(properties: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Join nested tables to names with dots, and lists to texts with commas."""
    joined: dict[str, object] = {}
    for name, value in properties.items():
        if isinstance(value, Mapping):
            joined |= _joined(value, f"{prefix}{name}.")
        elif is_list(value) and not any(isinstance(item, Mapping) or is_list(item) for item in value):
            joined[f"{prefix}{name}"] = ",".join(filter(None, map(_text, value)))
        else:
            joined[f"{prefix}{name}"] = value
    return joined


def _texts(properties: Mapping[str, object]) -> Properties:
    values, problems, unread = {}, [], []
    for name, value in properties.items():
        if isinstance(value, Mapping) or is_list(value):
            unread.append(name)
            message = f"{name}: the value is an object or a list; write a text, with commas between several values"
            problems.append(Problem(name, message))
        elif value is not None:
            values[name] = _text(value) or ""
    return Properties(values, tuple(problems), unread=tuple(unread))


def _text(value: object) -> str | None:
    """Return the trimmed text of a scalar, as in Kafka Connect; None for null."""
    return None if value is None else (str(value).lower() if isinstance(value, bool) else str(value)).strip()
