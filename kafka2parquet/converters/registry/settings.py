"""Translates Kafka Connect's properties for a schema registry to the settings of Confluent's Python client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kafka2parquet.errors import ConfigurationError, collecting
from kafka2parquet.problems import Problem
from kafka2parquet.util.pem_files import load_authorities, load_certificates, pem_location
from kafka2parquet.util.secrets import without_credentials

#: Properties that Confluent's Python client has under the same names.
_NUMBERS = ("max.retries", "retries.wait.ms", "retries.max.wait.ms")
_BEARER = {
    "STATIC_TOKEN": ("bearer.auth.token",),
    "OAUTHBEARER": (
        "bearer.auth.issuer.endpoint.url",
        "bearer.auth.client.id",
        "bearer.auth.client.secret",
        "bearer.auth.scope",
    ),
}
_URL, _BASIC = "schema.registry.url", "basic.auth.credentials.source"
_USER_INFO = "basic.auth.user.info"
_BEARER_SOURCE = "bearer.auth.credentials.source"
_OLD_PREFIX = "schema.registry."
_DEFAULT_TIMEOUT_MS = 60_000


def registry_client_settings(properties: Mapping[str, str]) -> dict[str, Any]:
    """Translate Kafka Connect's properties to the settings of Confluent's Python client.

    Raises:
        ConfigurationError: some properties are missing, not valid or not supported; the error lists all of them.
    """
    urls = [url.strip() for url in properties.get(_URL, "").split(",") if url.strip()]
    problems: list[Problem] = []
    if not urls:
        text = "schema.registry.url is missing: name the schema registry, such as http://registry:8081."
        problems.append(Problem(_URL, text))
    problems += [Problem(_URL, f"{_URL} has {without_credentials(url)}, which is not an http or https URL.") for url in urls
                 if not url.startswith(("http://", "https://"))]  # fmt: skip
    settings: dict[str, Any] = {"url": ",".join(urls)}
    for name in _NUMBERS:
        if name in properties:
            settings[name] = _number(name, properties[name], problems)
    connect, read = (
        _number(name, properties.get(name, str(_DEFAULT_TIMEOUT_MS)), problems) / 1000
        for name in ("http.connect.timeout.ms", "http.read.timeout.ms")
    )
    settings["timeout"] = (connect, read, read, connect)
    if properties.get("proxy.host"):
        settings["proxy"] = f"http://{properties['proxy.host']}:{properties.get('proxy.port', '80')}"
    _add_basic(properties, settings, problems)
    _add_bearer(properties, settings, problems)
    _add_tls(properties, settings, problems)
    if problems:
        raise ConfigurationError(problems)
    return settings


def check_certificates(settings: Mapping[str, Any]) -> None:
    """Load the files that the settings of Confluent's client name, because the client's own errors don't name them.

    Raises:
        ConfigurationError: a file can't be read or decrypted, or has other content.
    """
    loads: dict[str, tuple[str, Callable[[str], None]]] = {
        "truststore": ("ssl.ca.location", load_authorities),
        "keystore": (
            "ssl.certificate.location",
            lambda file: load_certificates(file, password=settings.get("ssl.key.password")),
        ),
    }
    for store, (setting, load) in loads.items():
        name, file = f"{_OLD_PREFIX}ssl.{store}.location", settings.get(setting)
        if file:
            try:
                load(file)
            except (OSError, ValueError) as error:
                message = f"{name}={file} can't be loaded: {error}"
                raise ConfigurationError(Problem(name, message, "It has to be a readable PEM file.")) from error


def _given(properties: Mapping[str, str], name: str) -> str | None:
    """Return a property by its current name or by its older name, which has a prefix."""
    return properties.get(name) or properties.get(f"{_OLD_PREFIX}{name}") or None


def _number(name: str, text: str, problems: list[Problem]) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        problems.append(Problem(name, f"{name}={text} is not a number of 0 or more."))
    return number


def _add_basic(properties: Mapping[str, str], settings: dict[str, Any], problems: list[Problem]) -> None:
    source = _given(properties, _BASIC)
    credentials = _given(properties, _USER_INFO)
    if source == "SASL_INHERIT":
        text = f"{_BASIC}=SASL_INHERIT is not supported. Set USER_INFO and {_USER_INFO}=<name>:<password>."
        problems.append(Problem((_BASIC, _USER_INFO), text))
    elif source not in (None, "URL", "USER_INFO"):
        problems.append(Problem(_BASIC, f"{_BASIC} is neither URL nor USER_INFO nor SASL_INHERIT."))
    elif source == "USER_INFO" and (credentials is None or ":" not in credentials):
        problems.append(Problem((_BASIC, _USER_INFO), f"{_BASIC} is USER_INFO: set {_USER_INFO}=<name>:<password>."))
    elif credentials is not None and source != "URL":
        settings[_USER_INFO] = credentials


def _add_bearer(properties: Mapping[str, str], settings: dict[str, Any], problems: list[Problem]) -> None:
    source = properties.get(_BEARER_SOURCE)
    if not source:
        return
    if source not in _BEARER:
        problems.append(Problem(_BEARER_SOURCE, f"{_BEARER_SOURCE} is not supported. Use {' or '.join(_BEARER)}."))
        return
    settings[_BEARER_SOURCE] = source
    problems += [Problem((_BEARER_SOURCE, name), f"{_BEARER_SOURCE} is {source}: set {name}.") for name in _BEARER[source]
                 if not properties.get(name) and name != "bearer.auth.scope"]  # fmt: skip
    for name in (*_BEARER[source], "bearer.auth.logical.cluster"):
        settings[name] = properties.get(name, "")
    if properties.get("bearer.auth.identity.pool.id"):
        settings["bearer.auth.identity.pool.id"] = properties["bearer.auth.identity.pool.id"]


def _add_tls(properties: Mapping[str, str], settings: dict[str, Any], problems: list[Problem]) -> None:
    for store, setting in (("truststore", "ssl.ca.location"), ("keystore", "ssl.certificate.location")):
        with collecting(problems):
            location = pem_location(properties, f"{_OLD_PREFIX}ssl.{store}")
            if location is not None:
                settings[setting] = location
    password = properties.get(f"{_OLD_PREFIX}ssl.key.password")
    if password and "ssl.certificate.location" in settings:
        settings["ssl.key.password"] = password
    name = f"{_OLD_PREFIX}ssl.endpoint.identification.algorithm"
    if properties.get(name, "https") == "":
        text = f"{name} is empty, but the registry's name is always checked. Give the registry a certificate with its name."
        problems.append(Problem(name, text))
