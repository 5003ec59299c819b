"""Each property for GCS, from the configuration to the request that a store or a proxy sees."""

from __future__ import annotations

import base64
import functools
import json
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kafka2parquet.connect.load import load_connect_config
from kafka2parquet.connect.parts.storage import gcs_options, make_storage
from kafka2parquet.errors import ConfigurationError, StorageAuthenticationError, StorageUnavailableError
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.storage.base import Published
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.storage.options import GcsOptions
from tests.support.http_proxy import HttpProxy, Request

MIB = 1 << 20
LARGE = StagedFile(bytes(6 * MIB), 6 * MIB, 1, {})
SMALL = StagedFile(b"small", 5, 1, {})
TOKEN = json.dumps({"access_token": "fresh-token", "expires_in": 3600, "token_type": "Bearer"}).encode()


def configured(**changes: str) -> Any:
    return load_connect_config(
        {
            "name": "sink",
            "connector.class": "GcsSinkConnector",
            "storage.class": "io.confluent.connect.gcs.storage.GcsStorage",
            "format.class": "io.confluent.connect.gcs.format.parquet.ParquetFormat",
            "topics": "orders",
            "flush.size": "10",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "gcs.bucket.name": "lake",
            "gcs.part.size": str(5 * MIB),
            **changes,
        }
    )


def storage_of(**changes: str) -> FsspecStorage:
    return make_storage(configured(**changes))


@functools.lru_cache
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def service_account(token_uri: str) -> dict[str, str]:
    return {
        "type": "service_account",
        "client_email": "sink@lake.iam.gserviceaccount.com",
        "private_key_id": "1",
        "private_key": private_key(),
        "project_id": "lake",
        "token_uri": token_uri,
    }


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "nothing"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@pytest.fixture
def store() -> Iterator[HttpProxy]:
    """Starts a server that accepts uploads in one request or in parts, and issues access tokens."""
    with HttpProxy("http://127.0.0.1:9") as store:
        store.answer(TOKEN, headers={"Content-Type": "application/json"}, when=lambda r: r.path == "/token")
        store.answer(headers={"Location": f"{store.url}/session"}, when=lambda r: "uploadType=resumable" in r.query)
        store.fail(308, headers={"Range": f"bytes=0-{5 * MIB - 1}"}, when=lambda r: r.path == "/session")
        store.answer(json.dumps({"size": str(6 * MIB)}).encode(), when=lambda r: r.path == "/session")
        store.answer(b'{"items": []}')
        yield store


def all_kinds_of_requests(storage: FsspecStorage) -> None:
    storage.publish("small", SMALL)
    storage.publish("large", LARGE)
    storage.read_metadata("small")
    list(storage.list(""))
    storage.tag("small", {"a": "b"})


def to_the_store(store: HttpProxy) -> list[Request]:
    return [request for request in store.requests if request.path != "/token"]


def signed_by(request: Request) -> str:
    """Returns the account that requests an access token."""
    assertion = parse_qs(request.body.decode())["assertion"][0].split(".")[1]
    claims: Mapping[str, str] = json.loads(base64.urlsafe_b64decode(assertion + "=="))
    return claims["iss"]


def test_part_size(gcs_server: Any) -> None:
    """A real server gets a file in parts of the configured size."""
    body = json.dumps({"name": "part-size"}).encode()
    url = f"{gcs_server.url}/storage/v1/b?project=p"
    urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})).close()
    with HttpProxy(gcs_server.url) as proxy:
        storage = storage_of(**{"gcs.bucket.name": "part-size", "store.url": proxy.url})
        assert Published() == storage.publish("a", LARGE)
        parts = [request.headers.get("content-range") for request in proxy.requests]

    assert [None, f"bytes 0-{5 * MIB - 1}/{6 * MIB}", f"bytes {5 * MIB}-{6 * MIB - 1}/{6 * MIB}"] == parts


def test_storage_class(store: HttpProxy) -> None:
    """The storage class is in the resource that makes the object, for small and large files."""
    all_kinds_of_requests(storage_of(**{"kafka2parquet.gcs.storage.class": "NEARLINE", "store.url": store.url}))

    makes = [request for request in store.requests if "ifGenerationMatch=0" in request.query]
    assert [True, True] == [b'"storageClass": "NEARLINE"' in request.body for request in makes]


def test_billing_project(store: HttpProxy) -> None:
    """Each request names the billing project."""
    all_kinds_of_requests(storage_of(**{"kafka2parquet.gcs.billing.project": "paying", "store.url": store.url}))

    assert {("paying",)} == {tuple(parse_qs(request.query)["userProject"]) for request in store.requests}


def test_user_agent(store: HttpProxy) -> None:
    """Each request has the configured text after the name of the library."""
    all_kinds_of_requests(storage_of(**{"kafka2parquet.user.agent": "team-lake/7", "store.url": store.url}))

    assert {("python-gcsfs", "team-lake/7")} == {
        (name.partition("/")[0], added)
        for name, added in (request.headers["user-agent"].split(" ") for request in store.requests)
    }


def test_tags_are_metadata(store: HttpProxy) -> None:
    """Tags are set with one separate request; the contract reads them back from the emulator."""
    storage_of(**{"store.url": store.url}).tag("a/b", {"startOffset": "0"})

    assert [("PATCH", "/storage/v1/b/lake/o/a%2Fb", {"metadata": {"startOffset": "0"}})] == [
        (request.method, request.path, json.loads(request.body)) for request in store.requests
    ]


def test_an_endpoint_without_credentials_is_an_emulator(store: HttpProxy) -> None:
    """With `store.url` alone, requests are not signed."""
    storage_of(**{"store.url": store.url}).publish("a", SMALL)

    assert [None] == [request.headers.get("authorization") for request in store.requests]


@pytest.mark.parametrize("way", ["path", "json", "default"])
def test_credentials(store: HttpProxy, way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The service account requests an access token once, and all requests have it."""
    text = json.dumps(service_account(f"{store.url}/token"))
    path = tmp_path / "key.json"
    path.write_text(text)
    if way == "default":
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        storage = FsspecStorage("gs://lake", GcsOptions(endpoint_url=store.url))
    else:
        given = {"gcs.credentials.path": str(path)} if way == "path" else {"gcs.credentials.json": text}
        storage = storage_of(**given, **{"store.url": store.url})
    storage.publish("a", SMALL)
    storage.publish("b", SMALL)

    assert ["sink@lake.iam.gserviceaccount.com"] == [signed_by(r) for r in store.requests if r.path == "/token"]
    assert {"Bearer fresh-token"} == {request.headers["authorization"] for request in to_the_store(store)}


def test_credentials_of_a_person(store: HttpProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of `gcloud auth application-default login` work, through a proxy to Google."""
    key = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    options = GcsOptions(token=key, endpoint_url="http://store.lan", proxy_url=store.url)
    store.clear()
    store.fail(403, times=100)
    with pytest.raises((StorageUnavailableError, StorageAuthenticationError)):
        FsspecStorage("gs://lake", options).publish("a", SMALL)

    assert {("CONNECT", "oauth2.googleapis.com:443")} == {(request.method, request.host) for request in store.requests}


def test_without_credentials_nothing_is_sent(store: HttpProxy) -> None:
    """Missing credentials are an error, because a public bucket can't be written to."""
    with pytest.raises(StorageAuthenticationError, match="Configure credentials"):
        FsspecStorage("gs://lake", GcsOptions(endpoint_url=store.url)).publish("a", SMALL)

    assert [] == store.requests


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "can't be read: No such file"),
        ("[]", "has to contain a JSON object"),
        ('{"private_key": "hush"', "has to contain a JSON object"),
        ('{"type": "service_account", "private_key": "hush"}', "doesn't contain a usable key"),
        ('{"type": "external_account", "audience": "hush"}', "type 'external_account'.*GOOGLE_APPLICATION_CREDENTIALS"),
    ],
)
def test_unusable_key_files(store: HttpProxy, text: str | None, problem: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The error names the file, and shows none of its content."""
    path = tmp_path_factory.mktemp("key") / "key.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=problem) as caught:
        storage_of(**{"gcs.credentials.path": str(path), "store.url": store.url}).publish("a", SMALL)

    assert (True, False) == (str(path) in str(caught.value), "hush" in str(caught.value))
    assert [] == store.requests


def test_proxy(store: HttpProxy) -> None:
    """Requests to the store and for access tokens go through the proxy, with user and password."""
    all_kinds_of_requests(
        storage_of(
            **{
                "store.url": "http://store.lan",
                "gcs.credentials.json": json.dumps(service_account("http://tokens.lan/token")),
                "gcs.proxy.url": store.url,
                "gcs.proxy.user": "me",
                "gcs.proxy.password": "p@ss/word",
            }
        )
    )

    session = urlsplit(store.url).netloc  # as the answer says
    assert {"tokens.lan", "store.lan", session} == {request.host for request in store.requests}
    login = f"Basic {base64.b64encode(b'me:p@ss/word').decode()}"
    assert {login} == {request.headers.get("proxy-authorization") for request in store.requests}


def test_endpoint_of_google(store: HttpProxy) -> None:
    """Without `store.url`, the proxy is asked for a tunnel to Google."""
    store.clear()
    store.fail(403, times=100)
    config = configured(**{"gcs.proxy.url": store.url})
    options = attrs.evolve(gcs_options(config), token="anon", request_timeout_s=0.5)
    with pytest.raises(StorageUnavailableError):
        FsspecStorage(config.destination, options).publish("a", SMALL)

    assert {("CONNECT", "storage.googleapis.com:443")} == {(request.method, request.host) for request in store.requests}
