"""Checks of the schema registry, if a converter needs one."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from kafka2parquet.connect.properties.converters import REGISTRY_CONVERTERS, SUBJECT_NAMES, converter_name
from kafka2parquet.connect.properties.option import simple_name
from kafka2parquet.converters.registry.base import SchemaNotFound
from kafka2parquet.converters.registry.confluent import ConfluentSchemaRegistry
from kafka2parquet.converters.registry.settings import registry_client_settings
from kafka2parquet.doctor.check import Cause, Check, Finding, Level
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.doctor.sockets import TroubleError, connect, start_tls, tcp_causes, tls_causes
from kafka2parquet.errors import (
    ConfigurationError,
    Kafka2ParquetError,
    SchemaRegistryAuthenticationError,
    SchemaRegistryUnavailableError,
)
from kafka2parquet.util.display import counted
from kafka2parquet.util.secrets import without_credentials

_EXAMPLE = "registry.example:8081"
_REGISTRY = {"side": "value", "url": f"http://{_EXAMPLE}"}
_URL_PROPERTY = "{side}.converter.schema.registry.url"

REGISTRY = Check(
    "registry",
    "Schema registry",
    "Asks each registry for a schema that doesn't exist, through the same client as the converter, and expects that answer."
    " If no answer comes, looks up the host, and tries TCP and TLS one after the other.",
    (
        *tcp_causes("schema.registry.url", _EXAMPLE),
        *tls_causes(
            "Name a PEM file with the authority's certificate (for keys, key.converter in place of value.converter).",
            "value.converter.schema.registry.ssl.truststore.type=PEM\n"
            "value.converter.schema.registry.ssl.truststore.location=/path/to/ca.pem",
            _EXAMPLE,
        ),
        Cause(
            "plain-http",
            {"server": _EXAMPLE, "side": "value"},
            "{server} doesn't speak TLS, and the URL of the registry begins with https.",
            "Use http, or switch TLS on in the registry.",
            paste=f"{_URL_PROPERTY}=http://{{server}}",
        ),
        Cause(
            "credentials",
            {**_REGISTRY, "reason": "HTTP 401, Unauthorized"},
            "The registry at {url} refuses the credentials: {reason}.",
            "Name a user that the registry knows (in Confluent Cloud, an API key of the registry, not of the cluster).",
            paste="{side}.converter.basic.auth.credentials.source=USER_INFO\n"
            "{side}.converter.basic.auth.user.info=<name>:<password>",
        ),
        Cause(
            "not-a-registry",
            {**_REGISTRY, "reason": "asked for schema 2147483647, it answered HTTP 404, Not Found"},
            "The server at {url} is not a schema registry: {reason}.",
            "Correct the path of the URL. That of Apicurio is /apis/ccompat/v7.",
            paste=f"{_URL_PROPERTY}=<URL>",
        ),
        Cause(
            "no-answer",
            {**_REGISTRY, "reason": "HTTP 503, Service Unavailable"},
            "The registry at {url} doesn't answer properly: {reason}.",
            "Look at the registry's own logs. Records that need a schema wait for as long as that lasts.",
            paste="curl -i {url}/subjects",
        ),
    ),
)
SUBJECTS = Check(
    "registry-subjects",
    "Subjects of schemas",
    "Asks the registry for the subject of each topic's values. Where `schema.compatibility` is BACKWARD, FORWARD or FULL, a"
    " schema's version in its subject decides which records may share a file. Of at most 50 topics, and only where the topic's"
    " name gives the subject its name.",
    (
        Cause(
            "missing",
            {"url": _REGISTRY["url"], "missing": "orders-value", "mode": "BACKWARD"},
            "The registry at {url} has no subject {missing}. With schema.compatibility={mode}, records of a changed schema are"
            " rejected then (Schema version required for {mode} compatibility).",
            "If producers name the subject after the record's type, say so. Nothing is wrong if no record has a schema yet.",
            Level.WARNING,
            paste="value.converter.value.subject.name.strategy=io.confluent.kafka.serializers.subject.RecordNameStrategy",
        ),
    ),
)
REGISTRY_CHECKS = (REGISTRY, SUBJECTS)
_MOST_TOPICS = 50
_QUICK = {"max.retries": "0", "http.connect.timeout.ms": "5000", "http.read.timeout.ms": "10000"}
#: No registry gives a schema this id.
_UNUSED_ID = (1 << 31) - 1


def ask_registries(facts: Facts) -> Iterator[Finding]:
    """Ask the registries of the converters of keys and values."""
    asked: list[Mapping[str, str]] = []
    for side in ("value", "key"):
        if converter_name(facts.config.text(f"{side}.converter")) not in REGISTRY_CONVERTERS:
            continue
        properties = facts.config.below(f"{side}.converter.")
        if properties not in asked:
            asked.append(properties)
            yield _ask(side, properties)


def ask_for_subjects(facts: Facts) -> Iterator[Finding]:
    """Ask the registry of values for the subjects that give the schemas their versions, if versions decide."""
    mode = facts.config.text("schema.compatibility").upper()
    strategy = simple_name(facts.config.text("value.converter.value.subject.name.strategy"))
    has_registry = converter_name(facts.config.text("value.converter")) in REGISTRY_CONVERTERS
    if mode == "NONE" or not has_registry or SUBJECT_NAMES.get(strategy) != "topic":
        return
    properties = facts.config.below("value.converter.")
    url = without_credentials(str(registry_client_settings(properties)["url"]))
    is_fine = True
    with contextlib.closing(ConfluentSchemaRegistry({**properties, **_QUICK})) as registry:
        for topic in facts.topics[:_MOST_TOPICS]:
            subject = f"{topic.name}-value"
            if not registry.has_subject(subject):
                is_fine = False
                yield SUBJECTS.found("missing", topic.name, url=url, missing=subject, mode=mode)
    if is_fine:
        yield SUBJECTS.ok(text=f"of {counted(len(facts.topics[:_MOST_TOPICS]), 'topic')}")


def _ask(side: str, properties: Mapping[str, str]) -> Finding:
    url = without_credentials(str(registry_client_settings(properties)["url"]))
    values = {"side": side, "url": url}
    registry = ConfluentSchemaRegistry({**properties, **_QUICK})
    with contextlib.closing(registry):
        try:
            registry.schema(_UNUSED_ID, None)
        except SchemaNotFound:
            return REGISTRY.ok(url)
        except SchemaRegistryAuthenticationError as error:
            if "certificate" in str(error):
                return _explained(values, properties, error)
            return REGISTRY.found("credentials", url, **values, reason=_brief(error))
        except ConfigurationError as error:
            return REGISTRY.found("not-a-registry", url, **values, reason=_brief(error))
        except SchemaRegistryUnavailableError as error:
            return _explained(values, properties, error)
    return REGISTRY.ok(url)


def _explained(values: Mapping[str, str], properties: Mapping[str, str], error: Kafka2ParquetError) -> Finding:
    """Name the step of the connection that fails, for the first server that the URL names."""
    settings = registry_client_settings(properties)
    parts = urlsplit(str(settings["url"]).split(",")[0])
    if parts.hostname is not None and "proxy" not in settings:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            with contextlib.closing(connect(parts.hostname, port)) as connection:
                if parts.scheme == "https":
                    context = ssl.create_default_context(cafile=settings.get("ssl.ca.location"))
                    start_tls(connection, parts.hostname, port, context)
        except TroubleError as trouble:
            if trouble.cause == "tls-refused" and "wrong version number" in str(trouble.values["reason"]).lower().replace(
                "_", " "
            ):
                return REGISTRY.found("plain-http", values["url"], **values, **trouble.values)
            return REGISTRY.found(trouble.cause, values["url"], **values, **trouble.values)
    return REGISTRY.found("no-answer", values["url"], **values, reason=_brief(error))


def _brief(error: Kafka2ParquetError) -> str:
    return str(error).rstrip(".")
