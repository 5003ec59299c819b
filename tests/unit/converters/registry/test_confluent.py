"""The client of the schema registry sends the right requests and maps each failure to an error."""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from kafka2parquet.converters.registry.base import RegisteredSchema, SchemaNotFound
from kafka2parquet.converters.registry.confluent import ConfluentSchemaRegistry
from kafka2parquet.converters.registry.settings import registry_client_settings
from kafka2parquet.errors import (
    ConfigurationError,
    SchemaRegistryAuthenticationError,
    SchemaRegistryUnavailableError,
)
from kafka2parquet.schema.refused import SchemaRefused
from tests.stack.server import free_port
from tests.support.registry_server import RawServer, RegistryServer

RECORD = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with RegistryServer() as registry:
        yield registry


def _client(url: str, **properties: str) -> ConfluentSchemaRegistry:
    given = {name.replace("_", "."): value for name, value in properties.items()}
    return ConfluentSchemaRegistry({"schema.registry.url": url, "max.retries": "0", **given})


def test_schema_has_its_version_in_the_subject(server: RegistryServer) -> None:
    """A schema found by its id has its version in the subject."""
    server.add("t-value", '"string"')
    schema_id = server.add("t-value", RECORD)
    found = _client(server.url).schema(schema_id, "t-value")
    assert (schema_id, "AVRO", 2, ()) == (found.id, found.type, found.version, found.references)
    assert '"name": "R"' in found.text


def test_schema_of_another_subject_has_no_version(server: RegistryServer) -> None:
    """A schema that the subject doesn't have, as in copied records, has no version."""
    schema_id = server.add("other-value", RECORD)
    server.add("t-value", '"string"')
    client = _client(server.url)
    assert client.schema(schema_id, "t-value").version is None
    assert client.schema(schema_id, "nothing-value").version is None
    assert 1 == client.schema(schema_id, "other-value").version


def test_subjects_are_found(server: RegistryServer) -> None:
    """A subject with a version is there, and an unknown one is not."""
    server.add("t-value", '"string"')
    client = _client(server.url)
    assert [True, False] == [client.has_subject(subject) for subject in ("t-value", "other-value")]


def test_schemas_are_asked_for_once(server: RegistryServer) -> None:
    """A schema is requested only once, because the meaning of an id never changes."""
    schema_id = server.add("t-value", RECORD)
    client = _client(server.url)
    assert client.schema(schema_id, "t-value") is client.schema(schema_id, "t-value")
    assert 2 == len(server.requests)
    assert server.requests[0] == ("GET", f"/schemas/ids/{schema_id}?subject=t-value")


def test_references_are_followed(server: RegistryServer) -> None:
    """References are followed by subject and version, at any depth."""
    server.add("c", {"type": "enum", "name": "C", "symbols": ["X"]})
    server.add("b", {"type": "record", "name": "B", "fields": [{"name": "c", "type": "C"}]}, references=[("C", "c", 1)])
    schema_id = server.add("t-value", RECORD, references=[("B", "b", 1), ("C", "c", 1)])
    found = _client(server.url).schema(schema_id, "t-value")
    names = [(name, [inner for inner, _ in reference.references]) for name, reference in found.references]
    assert [("B", ["C"]), ("C", [])] == names
    assert isinstance(found.references[0][1], RegisteredSchema)


def test_other_types_are_reported(server: RegistryServer) -> None:
    """The type of a schema is reported, so that converters can refuse schemas of other types."""
    schema_id = server.add("t-value", "{}", schema_type="JSON")
    assert "JSON" == _client(server.url).schema(schema_id, "t-value").type


def test_unknown_id_is_not_found(server: RegistryServer) -> None:
    """An unknown id is an error about the record."""
    with pytest.raises(SchemaNotFound, match="schema id 77 is not in the registry"):
        _client(server.url).schema(77, "t-value")


def test_unknown_id_is_asked_for_again(server: RegistryServer) -> None:
    """An unknown id is requested again, since it may have been registered since."""
    client = _client(server.url)
    with pytest.raises(SchemaNotFound):
        client.schema(1, "t-value")
    server.add("t-value", RECORD)
    assert 1 == client.schema(1, "t-value").id


def test_unknown_reference_is_not_found(server: RegistryServer) -> None:
    """A schema with an unknown reference can't be found."""
    schema_id = server.add("t-value", RECORD, references=[("B", "b", 3)])
    with pytest.raises(SchemaNotFound, match="schema id 1 refers to version 3 of b, which is not in the registry"):
        _client(server.url).schema(schema_id, "t-value")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 507])
def test_outage_is_not_an_answer(server: RegistryServer, status: int) -> None:
    """During an outage the registry is unavailable, and the schema is requested again."""
    schema_id = server.add("t-value", RECORD)
    client = _client(server.url)
    server.broken = [status]
    with pytest.raises(SchemaRegistryUnavailableError, match=f"HTTP {status}"):
        client.schema(schema_id, "t-value")
    assert 1 == client.schema(schema_id, "t-value").version


def test_outage_between_schema_and_version_is_not_an_answer(server: RegistryServer) -> None:
    """An outage before the version is known doesn't give a schema without its version."""
    schema_id = server.add("t-value", RECORD)
    client = _client(server.url, max_retries="1", retries_wait_ms="0")
    server.broken = [503]
    assert 1 == client.schema(schema_id, "t-value").version


def test_retries_are_those_of_the_settings(server: RegistryServer) -> None:
    """A request is repeated `max.retries` times, as in Kafka Connect."""
    schema_id = server.add("t-value", RECORD)
    server.broken = [503] * 3
    client = _client(server.url, max_retries="3", retries_wait_ms="0")
    assert 1 == client.schema(schema_id, "t-value").version
    assert 5 == len(server.requests)


def test_nobody_listening_is_not_an_answer() -> None:
    """A registry whose port is closed is unavailable."""
    with pytest.raises(SchemaRegistryUnavailableError, match="ConnectError"):
        _client(f"http://127.0.0.1:{free_port()}").schema(1, "t-value")


def test_slow_registry_is_not_an_answer(server: RegistryServer) -> None:
    """A registry is unavailable after `http.read.timeout.ms`."""
    server.hold.clear()
    with pytest.raises(SchemaRegistryUnavailableError, match="ReadTimeout"):
        _client(server.url, http_read_timeout_ms="50").schema(1, "t-value")


@pytest.mark.parametrize("garbage", [b"<html>", b"[]", b'{"a": 1', b'"x"'])
def test_nonsense_is_not_an_answer(server: RegistryServer, garbage: bytes) -> None:
    """An answer that is not a registry's, such as a gateway's page, means that the registry is unavailable."""
    schema_id = server.add("t-value", RECORD)
    server.garbage = garbage
    with pytest.raises(SchemaRegistryUnavailableError):
        _client(server.url).schema(schema_id, "t-value")


def test_several_urls_are_tried_in_turn(server: RegistryServer) -> None:
    """With several URLs, one that answers is enough."""
    schema_id = server.add("t-value", RECORD)
    assert 1 == _client(f"http://127.0.0.1:{free_port()}, {server.url}").schema(schema_id, "t-value").version


@pytest.mark.parametrize("status", [401, 403])
def test_refusal_is_an_access_error(server: RegistryServer, status: int) -> None:
    """Denied access is an authentication error, which is not retried."""
    server.broken = [status]
    with pytest.raises(SchemaRegistryAuthenticationError, match=f"HTTP {status}"):
        _client(server.url).schema(1, "t-value")


@pytest.mark.parametrize("url", ["/wrong", "/a/b"])
def test_wrong_path_is_a_configuration_error(server: RegistryServer, url: str) -> None:
    """A wrong path is a configuration error instead of a reason to reject all records."""
    with pytest.raises(ConfigurationError, match="is not a schema registry"):
        _client(server.url + url).schema(1, "t-value")


def test_credentials_are_sent() -> None:
    """Credentials in both notations and tokens are sent."""
    with RegistryServer(credentials="user:secret") as server:
        schema_id = server.add("t-value", RECORD)
        with pytest.raises(SchemaRegistryAuthenticationError):
            _client(server.url).schema(schema_id, "t-value")
        properties = {"basic_auth_credentials_source": "USER_INFO", "basic_auth_user_info": "user:secret"}
        assert 1 == _client(server.url, **properties).schema(schema_id, "t-value").version
        assert 1 == _client(server.url.replace("//", "//user:secret@")).schema(schema_id, "t-value").version
    with RegistryServer(token="token") as server:
        schema_id = server.add("t-value", RECORD)
        properties = {"bearer_auth_credentials_source": "STATIC_TOKEN", "bearer_auth_token": "token"}
        assert 1 == _client(server.url, **properties).schema(schema_id, "t-value").version


def test_token_server_that_is_down_is_not_an_answer(server: RegistryServer) -> None:
    """The registry is unavailable while the token server is down."""
    client = _client(
        server.url,
        bearer_auth_credentials_source="OAUTHBEARER",
        bearer_auth_issuer_endpoint_url=f"http://127.0.0.1:{free_port()}/token",
        bearer_auth_client_id="a",
        bearer_auth_client_secret="b",
    )
    with pytest.raises(SchemaRegistryUnavailableError, match="token"):
        client.schema(1, "t-value")


def test_messages_have_no_credentials() -> None:
    """Error messages don't contain credentials."""
    with pytest.raises(SchemaRegistryUnavailableError) as caught:
        _client(f"http://user:secret@127.0.0.1:{free_port()}").schema(1, "t-value")
    assert "secret" not in str(caught.value)


def test_settings_of_the_client() -> None:
    """Each property arrives under the client's name."""
    settings = registry_client_settings(
        {
            "schema.registry.url": "https://a, https://b",
            "schema.registry.basic.auth.user.info": "a:b",
            "schema.registry.ssl.truststore.location": "ca.pem",
            "schema.registry.ssl.keystore.location": "client.crt",
            "schema.registry.ssl.key.password": "p",
            "proxy.host": "proxy",
            "proxy.port": "8080",
            "max.retries": "7",
            "retries.wait.ms": "5",
            "retries.max.wait.ms": "50",
            "http.connect.timeout.ms": "1000",
            "http.read.timeout.ms": "2000",
        }
    )
    assert {
        "url": "https://a,https://b",
        "basic.auth.user.info": "a:b",
        "ssl.ca.location": "ca.pem",
        "ssl.certificate.location": "client.crt",
        "ssl.key.password": "p",
        "proxy": "http://proxy:8080",
        "max.retries": 7,
        "retries.wait.ms": 5,
        "retries.max.wait.ms": 50,
        "timeout": (1.0, 2.0, 2.0, 1.0),
    } == settings


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({"schema.registry.url": ""}, "schema.registry.url is missing"),
        ({"schema.registry.url": "ftp://a"}, "not an http or https URL"),
        ({"max.retries": "many"}, "max.retries=many"),
        ({"basic.auth.credentials.source": "SASL_INHERIT"}, "SASL_INHERIT is not supported"),
        ({"basic.auth.credentials.source": "FILE"}, "neither URL nor USER_INFO"),
        ({"basic.auth.credentials.source": "USER_INFO"}, "set basic.auth.user.info"),
        ({"bearer.auth.credentials.source": "CUSTOM"}, "Use STATIC_TOKEN or OAUTHBEARER"),
        ({"bearer.auth.credentials.source": "STATIC_TOKEN"}, "set bearer.auth.token"),
        ({"schema.registry.ssl.truststore.location": "a.jks"}, "is a JKS file"),
        ({"schema.registry.ssl.endpoint.identification.algorithm": ""}, "always checked"),
    ],
)
def test_settings_that_cannot_work_are_reported(properties: dict[str, Any], problem: str) -> None:
    """Invalid settings are reported before any request is sent."""
    with pytest.raises(ConfigurationError, match=problem):
        registry_client_settings({"schema.registry.url": "http://a", **properties})


def test_missing_certificate_file_is_reported(tmp_path: Path) -> None:
    """A missing certificate file is reported with its property when the client is made."""
    file = tmp_path / "none.pem"
    for store in ("truststore", "keystore"):
        name = f"schema.registry.ssl.{store}.location"
        with pytest.raises(ConfigurationError) as raised:
            _client("https://a", **{name: str(file)})
        assert f"{name}={file} can't be loaded: [Errno 2] No such file or directory. It has to be a readable PEM file." == str(
            raised.value
        )


def test_certificate_file_with_other_content_is_reported(tmp_path: Path) -> None:
    """A file without certificates is reported with its property when the client is made."""
    file = tmp_path / "ca.pem"
    file.write_text("not a certificate")
    with pytest.raises(ConfigurationError, match=r"^schema.registry.ssl.truststore.location=.*ca.pem can't be loaded: "):
        _client("https://a", **{"schema.registry.ssl.truststore.location": str(file)})


def _http_answer(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.fixture
def raw_server() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


@pytest.mark.parametrize(
    "beginning",
    [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{"],
    ids=["none", "headers", "body"],
)
def test_an_answer_that_takes_too_long_is_not_an_answer(raw_server: RawServer, beginning: bytes) -> None:
    """The timeout is for the whole answer, even if a byte of it arrives now and then."""
    raw_server.answers.append(beginning)
    raw_server.dribble = b"x" if beginning else b""
    began_s = time.monotonic()
    with pytest.raises(SchemaRegistryUnavailableError, match=r"ReadTimeout: no complete answer within 0\.2 s"):
        _client(raw_server.url, http_read_timeout_ms="200").schema(1, "t-value")
    assert time.monotonic() - began_s < 5


def test_a_tls_handshake_that_takes_too_long_is_not_an_answer(raw_server: RawServer) -> None:
    """The timeout starts with the connection, so it includes the TLS handshake."""
    raw_server.dribble = b"\x16\x03\x03\x40\x00"[:1]
    raw_server.answers.append(b"\x16\x03\x03\x40\x00")
    with pytest.raises(SchemaRegistryUnavailableError, match=r"ReadTimeout: no complete answer within 0\.2 s"):
        _client(raw_server.url.replace("http", "https"), http_read_timeout_ms="200").schema(1, "t-value")


@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate", "gzip, gzip"])
def test_an_answer_that_is_too_large_is_not_an_answer(raw_server: RawServer, encoding: str) -> None:
    """A too large answer is refused before it is in memory; the decompressed size counts."""
    body = b'{"schema": "' + b"x" * (20 << 20) + b'"}'
    encoders: dict[str, Callable[[bytes], bytes]] = {"identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress}
    for name in encoding.split(", "):
        body = encoders[name](body)
    raw_server.answers.append(_http_answer(body, f"Content-Encoding: {encoding}"))
    with pytest.raises(SchemaRegistryUnavailableError, match="more than 16777216 bytes"):
        _client(raw_server.url).schema(1, "t-value")


def test_a_compressed_answer_is_read(raw_server: RawServer) -> None:
    """A compressed answer, such as a proxy's, is read."""
    raw_server.answers.append(_http_answer(gzip.compress(b'{"schema": "\\"int\\"", "id": 1}'), "Content-Encoding: gzip"))
    raw_server.answers.append(_http_answer(b'{"schema": "\\"int\\"", "id": 1, "version": 3, "subject": "t-value"}'))
    assert ('"int"', 3) == attrs.astuple(_client(raw_server.url).schema(1, "t-value"))[2::2]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"schema": ' + b"9" * 5000 + b"}",
        b"\xff\xfe\x00",
        b"null",
        b"1e999",
        b"{}",
        b'{"schema": 5}',
        b'{"schema": null}',
        b'{"schema": ["x"]}',
        b'{"schema": "x", "schemaType": 7}',
        b'{"schema": "x", "references": "abc"}',
        b'{"schema": "x", "references": [5]}',
        b'{"schema": "x", "references": {"a": 1}}',
        b'{"schema": "x", "references": [{"name": 1, "subject": "s", "version": 1}]}',
        b'{"schema": "x", "references": [{"name": "n", "subject": null, "version": 1}]}',
        b'{"schema": "x", "references": [{"name": "n", "subject": "s", "version": "1"}]}',
        b'{"schema": "x", "references": [{"name": "n", "subject": "s"}]}',
    ],
)
def test_a_malformed_answer_is_not_an_answer(server: RegistryServer, body: bytes) -> None:
    """A malformed answer means that the registry is unavailable, and doesn't reject the record."""
    schema_id = server.add("t-value", RECORD)
    server.garbage = body
    with pytest.raises(SchemaRegistryUnavailableError, match="an answer that can't be understood"):
        _client(server.url).schema(schema_id, None)


def test_references_in_a_circle_are_refused(server: RegistryServer) -> None:
    """Circular references, which a registry can be made to have, are refused."""
    server.add("a", RECORD, references=[("B", "b", 1)])
    server.add("b", {"type": "enum", "name": "B", "symbols": ["X"]}, references=[("A", "a", 1)])
    schema_id = server.add("t-value", '"A"', references=[("A", "a", 1)])
    with pytest.raises(SchemaRefused, match="version 1 of a refers to itself"):
        _client(server.url).schema(schema_id, "t-value")


def test_references_without_end_are_refused(server: RegistryServer) -> None:
    """Too many references are refused, because each costs a request."""
    for level in range(150):
        server.add(f"s{level}", f'"{level}"', references=[("N", f"s{level + 1}", 1)])
    schema_id = server.add("t-value", '"A"', references=[("N", "s0", 1)])
    with pytest.raises(SchemaRefused, match="100 levels deep"):
        _client(server.url).schema(schema_id, "t-value")
    assert len(server.requests) < 110
