"""Looks up schemas with Confluent's client, which is configured by Kafka Connect's properties."""

from __future__ import annotations

import importlib.util
import ssl
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import attrs

from kafka2parquet.converters.registry.base import RegisteredSchema, SchemaNotFound
from kafka2parquet.converters.registry.http import bound_answers
from kafka2parquet.converters.registry.settings import check_certificates, registry_client_settings
from kafka2parquet.errors import (
    ConfigurationError,
    SchemaRegistryAuthenticationError,
    SchemaRegistryUnavailableError,
)
from kafka2parquet.schema.refused import SchemaRefused
from kafka2parquet.util.arguments import SecretTexts, checked
from kafka2parquet.util.secrets import without_credentials

_T = TypeVar("_T")

#: The registry's error codes in answers with status 404: the subject, the version or the schema doesn't exist.
_NOT_FOUND = (40401, 40402, 40403)
#: HTTP status if the registry can't parse the requested schema, which may have been registered under laxer rules.
_UNPROCESSABLE = 422
#: Most levels of references between schemas.
_MOST_REFERENCE_LEVELS = 100
#: Most schemas that a schema may refer to, over all levels.
_MOST_REFERENCES = 1000


@checked
class ConfluentSchemaRegistry:
    """A schema registry with Confluent's REST API (Confluent's own, Apicurio, Karapace, Redpanda).

    Schemas are kept forever, because the meaning of an id never changes. An answer has to be complete within
    `http.read.timeout.ms`, and must not be larger than 16 MiB. May be used on several threads at once. Needs
    `pip install kafka2parquet[registry]`.
    """

    def __init__(self, properties: SecretTexts) -> None:
        """Make a client. Sends no request.

        Args:
            properties: `schema.registry.url` (several URLs, separated by commas, are tried in turn) and, where needed,
                `basic.auth.*`, `bearer.auth.*`, `schema.registry.ssl.*`, `proxy.host`, `proxy.port`, `max.retries`,
                `retries.wait.ms`, `retries.max.wait.ms`, `http.connect.timeout.ms` and `http.read.timeout.ms`, as for Kafka
                Connect's AvroConverter. Other properties are ignored.

        Raises:
            ConfigurationError: the properties can't work, or the client isn't installed.
        """
        try:
            from confluent_kafka import schema_registry
        except ImportError as error:
            raise ConfigurationError(
                f"A schema registry needs Confluent's client: pip install 'kafka2parquet[registry]' ({error})."
            ) from error
        settings = registry_client_settings(properties)
        check_certificates(settings)
        self._url = without_credentials(settings["url"])
        self._http = _http_libraries()
        self._error = schema_registry.error.SchemaRegistryError
        self._token_error = schema_registry.error.OAuthTokenError
        try:
            self._client = schema_registry.SchemaRegistryClient(settings)
            bound_answers(self._client)
        except (ValueError, TypeError, OSError) as error:
            raise ConfigurationError(f"The settings of the schema registry are not valid: {error}.") from error
        except AttributeError as error:
            raise ConfigurationError(
                f"This version of the schema registry's client is not supported ({error}): pip install 'confluent-kafka<3'."
            ) from error
        self._schemas: dict[tuple[int | uuid.UUID, str | None], RegisteredSchema] = {}
        self._referenced: dict[tuple[str, int], RegisteredSchema] = {}

    def schema(self, schema_id: int | uuid.UUID, subject: str | None) -> RegisteredSchema:
        """Return the schema with an id or GUID, with its version in the subject, if a subject is given.

        Blocks for the first request of each schema; afterwards the schema is cached.

        Raises:
            SchemaNotFound: the registry doesn't have the schema, or a schema that it refers to.
            SchemaRefused: the schema refers to itself, or to too many others.
            SchemaRegistryUnavailableError: the registry doesn't answer properly.
            SchemaRegistryAuthenticationError: the registry denies access.
            ConfigurationError: the server that answers is not a schema registry.
        """
        key = (schema_id, subject)
        if key not in self._schemas:
            found = self._ask(f"schema {schema_id}", lambda: _checked(self._found(schema_id, subject)))
            if found is None:
                raise SchemaNotFound(f"schema id {schema_id} is not in the registry")
            version = self._version(subject, found) if subject is not None else None
            number = schema_id if isinstance(schema_id, int) else None
            self._schemas[key] = self._made(number, found, version, _Referrer(f"schema id {schema_id}"))
        return self._schemas[key]

    def has_subject(self, subject: str) -> bool:
        """Return whether the registry has a version of a subject. Blocks for one request.

        Raises:
            SchemaRegistryUnavailableError: the registry doesn't answer properly.
            SchemaRegistryAuthenticationError: the registry denies access.
            ConfigurationError: the server that answers is not a schema registry.
        """
        return bool(self._ask(f"the versions of {subject}", lambda: _typed(self._client.get_versions(subject), list)))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _found(self, schema_id: int | uuid.UUID, subject: str | None) -> Any:
        if isinstance(schema_id, int):
            return self._client.get_schema(schema_id, subject_name=subject)
        return self._client.get_schema_by_guid(str(schema_id))

    def _version(self, subject: str, found: Any) -> int | None:
        return self._ask(
            f"the version in {subject}",
            lambda: _typed(self._client.lookup_schema(subject, found, deleted=True).version, int),
        )

    def _made(self, schema_id: int | None, found: Any, version: int | None, referrer: _Referrer) -> RegisteredSchema:
        references = tuple((each.name, self._reference(each, referrer)) for each in found.references or ())
        return RegisteredSchema(
            schema_id if schema_id is not None else -1, found.schema_type or "AVRO", found.schema_str, references, version
        )

    def _reference(self, reference: Any, referrer: _Referrer) -> RegisteredSchema:
        subject, version = reference.subject, reference.version
        if (subject, version) not in self._referenced:
            what = f"version {version} of {subject}"
            inner = referrer.to(what)
            # Soft-deleted schemas may still be referred to.
            registered = self._ask(what, lambda: _with_checked_schema(self._client.get_version(subject, version, deleted=True)))
            if registered is None:
                raise SchemaNotFound(f"{referrer.name} refers to {what}, which is not in the registry")
            self._referenced[subject, version] = self._made(registered.schema_id, registered.schema, version, inner)
        return self._referenced[subject, version]

    def _ask(self, what: str, ask: Callable[[], _T]) -> _T | None:
        """Run a request. Return None if the registry says that it doesn't have what is asked for.

        Args:
            what: what is asked for, for messages.
            ask: the request.

        Raises:
            SchemaRegistryUnavailableError: the registry doesn't answer properly.
            SchemaRegistryAuthenticationError: the registry denies access.
            ConfigurationError: the server that answers is not a schema registry, or its URL is not valid.
        """
        try:
            return ask()
        except self._error as error:
            status = error.http_status_code
            if (status == 404 and error.error_code in _NOT_FOUND) or status == _UNPROCESSABLE:
                return None
            raise self._mapped(status, what, str(error.error_message)) from error
        except self._token_error as error:
            if isinstance(error.__context__, tuple(library.TransportError for library in self._http)):
                raise self._unavailable(what, f"could not get a token: {error.message}") from error
            raise SchemaRegistryAuthenticationError(
                f"Could not get a token for the schema registry at {self._url}: {error.message}. Check bearer.auth.*."
            ) from error
        except tuple(library.HTTPError for library in self._http) as error:
            if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
                raise SchemaRegistryAuthenticationError(
                    f"The certificate of the schema registry at {self._url} is not trusted: {error}. "
                    "Name its issuer in schema.registry.ssl.truststore.location."
                ) from error
            raise self._unavailable(what, f"{type(error).__name__}: {error}") from error
        except tuple(library.InvalidURL for library in self._http) as error:
            raise ConfigurationError(f"schema.registry.url={self._url}: {error}.") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:  # another server's answer
            raise self._unavailable(what, f"an answer that can't be understood ({type(error).__name__}: {error})") from error

    def _mapped(self, status: int, what: str, message: str) -> Exception:
        if status in (401, 403):
            return SchemaRegistryAuthenticationError(
                f"The schema registry at {self._url} denied access (HTTP {status}, {message}) when asked for {what}. "
                "Check basic.auth.* or bearer.auth.*."
            )
        if status >= 500 or status in (408, 429):
            return self._unavailable(what, f"HTTP {status}, {message}")
        return ConfigurationError(
            f"The server at schema.registry.url={self._url} is not a schema registry: asked for {what}, it answered "
            f"HTTP {status}, {message}. Check the path and the scheme."
        )

    def _unavailable(self, what: str, why: str) -> SchemaRegistryUnavailableError:
        return SchemaRegistryUnavailableError(f"The schema registry at {self._url} doesn't answer for {what}: {why}.")


@attrs.frozen
class _Referrer:
    """A schema that refers to others.

    Attributes:
        name: the schema, for messages.
        around: the schemas that lead to it, from the outermost one on.
        asked: all schemas that were requested because of the outermost one.
    """

    name: str
    around: tuple[str, ...] = ()
    asked: list[str] = attrs.field(factory=list)

    def to(self, name: str) -> _Referrer:
        """Follow a reference to the schema of that name.

        Raises:
            SchemaRefused: the references are circular, too deep or too many.
        """
        around = (*self.around, self.name)
        if name in around:
            raise SchemaRefused(f"{name} refers to itself")
        if len(around) > _MOST_REFERENCE_LEVELS or len(self.asked) >= _MOST_REFERENCES:
            raise SchemaRefused(
                f"it has more than {_MOST_REFERENCES} references, or they are more than {_MOST_REFERENCE_LEVELS} levels deep"
            )
        self.asked.append(name)
        return _Referrer(name, around, self.asked)


def _typed(value: _T, kind: type) -> _T:
    """Check the type of a part of an answer, and return the part.

    Raises:
        TypeError: a registry doesn't answer like that.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} instead of {kind.__name__}")
    return value


def _checked(schema: Any) -> Any:
    """Check the types of all parts of a schema from the client, and return the schema."""
    _typed(schema.schema_str, str)
    _typed(schema.schema_type or "", str)
    for reference in _typed(schema.references or [], list):
        _typed(reference.name, str)
        _typed(reference.subject, str)
        _typed(reference.version, int)
    return schema


def _with_checked_schema(registered: Any) -> Any:
    _checked(registered.schema)
    _typed(registered.schema_id, int)
    return registered


def _http_libraries() -> list[Any]:
    """Import the HTTP libraries that versions of the client use: httpx, and its successor httpx2."""
    return [importlib.import_module(name) for name in ("httpx2", "httpx") if importlib.util.find_spec(name) is not None]


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
