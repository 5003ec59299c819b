"""Reads settings of a Connect worker in a container: `CONNECT_*` variables, and the files that set them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kafka2parquet.connect.forms.document import is_list
from kafka2parquet.errors import ConfigurationError

PREFIX = "CONNECT_"
#: The provider of variables that stand for the environment outside of a container, which Compose or Kubernetes puts into it.
CONTAINER = "container"
_ASSIGNMENT = re.compile(rf"^[ \t]*(?:export\s+|ENV\s+)?({PREFIX}[A-Z0-9_]+)[ \t]*=[ \t]*(.*?)[ \t]*$", re.MULTILINE)
#: Variables that Debezium's image reads without the prefix.
_DEBEZIUM = ("BOOTSTRAP_SERVERS", "KEY_CONVERTER", "VALUE_CONVERTER")
_PREFIXED = {name: f"{PREFIX}{name}" for name in _DEBEZIUM}
_UNDERSCORES = re.compile("_{1,3}")
_SIGNS = {1: ".", 2: "_", 3: "-"}
#: `$NAME`, `${NAME}`, `${NAME:-default}` and `$$` as Docker Compose reads them.
_INTERPOLATED = re.compile(
    r"\$(?:(?P<dollar>\$)|\{(?P<braced>[A-Za-z_]\w*)(?::?-(?P<default>[^}]*)|:?\?[^}]*)?\}|(?P<bare>[A-Za-z_]\w*))"
)
_NO_LOGIN = (
    "The spec.{what} of a KafkaConnect refers to secrets in Kubernetes, which can't be read here. Write the worker as "
    "properties: "
    "bootstrap.servers, security.protocol, sasl.mechanism, sasl.jaas.config and ssl.truststore.location (a PEM file)."
)


def property_name(variable: str) -> str:
    """Return the property that a variable sets: without `CONNECT_`, and with a dot for `_`, `_` for `__` and `-` for `___`."""
    return _UNDERSCORES.sub(lambda run: _SIGNS[len(run[0])], variable.removeprefix(PREFIX).lower())


def properties_of_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Translate variables with the prefix to properties; leave out other variables, and keep properties as they are."""
    properties = {name: text for name, text in variables.items() if not name.startswith(PREFIX) and not name.isupper()}
    return properties | {property_name(name): text for name, text in variables.items() if name.startswith(PREFIX)}


def variables_of_process() -> dict[str, str]:
    """Return the environment variables of this process that set properties of a worker."""
    return {name: text for name, text in os.environ.items() if name.startswith(PREFIX)}


def variables_in_file(text: str) -> dict[str, str]:
    """Return the variables that an env file sets, without quotes around their values; empty without such variables.

    Backslashes and dollars have no special meaning, as for `docker run --env-file`.
    """
    return {found[1]: _unquoted(found[2]) for found in _ASSIGNMENT.finditer(text)}


def variables_in_document(content: object) -> dict[str, str]:
    """Return the variables of a container in a Docker Compose or Kubernetes file; empty without such variables.

    Raises:
        ConfigurationError: several containers have different variables.
    """
    is_compose = isinstance(content, Mapping) and "services" in content
    found = [(place, variables) for place, variables in _environments(content, "") if variables]
    if any(variables != found[0][1] for _, variables in found):
        raise ConfigurationError(
            f"Several containers have {PREFIX}… variables: {', '.join(place for place, _ in found)}. Write the variables of "
            "one container into a separate file, as NAME=value."
        )
    if not found:
        return {}
    return {name: _interpolated(text) if is_compose else text for name, text in found[0][1].items()}


def properties_of_kafka_connect(content: object) -> dict[str, object] | None:
    """Return the properties of a worker in a KafkaConnect of Strimzi; None for other documents.

    Raises:
        ConfigurationError: the KafkaConnect refers to secrets in Kubernetes.
    """
    documents = content if is_list(content) else [content]
    for document in documents:
        if isinstance(document, Mapping) and document.get("kind") == "KafkaConnect":
            spec: Any = document.get("spec") or {}
            for what in ("authentication", "tls"):
                if spec.get(what):
                    raise ConfigurationError(_NO_LOGIN.format(what=what))
            return {**(spec.get("config") or {}), "bootstrap.servers": spec.get("bootstrapServers")}
    return None


def _environments(content: object, place: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each place at which a document sets variables, with the variables that have the prefix."""
    if is_list(content):
        for item in content:
            yield from _environments(item, place)
    elif isinstance(content, Mapping):
        for key, value in content.items():
            if key in ("environment", "env", "data", "stringData"):
                yield place, dict(_variables(value))
            elif not str(key).startswith("x-"):  # parts that services of Compose share
                yield from _environments(value, place if key in ("services", "spec", "template") else f"{place} {key}".strip())


def _variables(value: object) -> Iterator[tuple[str, str]]:
    """Yield variables from a mapping, from `NAME=value`, or from name and value; variables without a value are looked up."""
    pairs: Any = value.items() if isinstance(value, Mapping) else value if is_list(value) else ()
    for pair in pairs:
        if isinstance(pair, Mapping):
            name, text = pair.get("name"), pair.get("value")
        elif isinstance(pair, tuple):
            name, text = pair
        else:
            name, equals, text = str(pair).partition("=")
            text = text if equals else None
        if str(name).startswith(PREFIX) or name in _DEBEZIUM:
            yield _PREFIXED.get(str(name), str(name)), f"${{{CONTAINER}:{name}}}" if text is None else _as_text(text)


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _interpolated(text: str) -> str:
    """Replace Compose's variables with their defaults, or with variables of the provider `CONTAINER`."""

    def replaced(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        name = found["braced"] or found["bare"]
        if found["default"] is not None and not os.environ.get(name):
            return found["default"]
        return f"${{{CONTAINER}:{name}}}"

    return _INTERPOLATED.sub(replaced, text)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
