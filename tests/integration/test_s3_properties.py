"""Each property for S3, from the configuration to the request that a store or a proxy sees."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import boto3
import pytest
from botocore.config import Config

from kafka2parquet.connect.load import load_connect_config
from kafka2parquet.connect.parts.storage import make_storage, s3_options
from kafka2parquet.errors import StorageAuthenticationError, StoragePermissionError, StorageUnavailableError
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.storage.base import Published
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from tests.support.http_proxy import HttpProxy, Request

MIB = 1 << 20
LARGE = StagedFile(bytes(6 * MIB), 6 * MIB, 1, {})
SMALL = StagedFile(b"small", 5, 1, {})
KEYS = {"aws.access.key.id": "AKIA-OURS", "aws.secret.access.key": "secret"}
ROLE = {
    "s3.credentials.provider.class": "io.confluent.connect.s3.auth.AwsAssumeRoleCredentialsProvider",
    "s3.credentials.provider.sts.role.arn": "arn:aws:iam::123456789012:role/sink",
    "s3.credentials.provider.sts.role.session.name": "orders",
    "s3.credentials.provider.sts.role.external.id": "external-1",
    "s3.credentials.provider.sts.region": "eu-west-3",
}


def configured(**changes: str) -> Any:
    return load_connect_config(
        {
            "name": "sink",
            "connector.class": "S3SinkConnector",
            "storage.class": "io.confluent.connect.s3.storage.S3Storage",
            "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
            "topics": "orders",
            "flush.size": "10",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            "s3.bucket.name": "lake",
            "s3.region": "eu-central-1",
            "s3.part.size": str(5 * MIB),
            **changes,
        }
    )


def storage_of(**changes: str) -> FsspecStorage:
    return make_storage(configured(**changes))


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def store() -> Iterator[HttpProxy]:
    """Starts a server that accepts uploads in one request or in parts."""
    with HttpProxy("http://127.0.0.1:9") as store:
        names = "<Bucket>lake</Bucket><Key>a</Key>"
        store.answer(
            f"<InitiateMultipartUploadResult>{names}<UploadId>u</UploadId></InitiateMultipartUploadResult>".encode(),
            when=lambda r: r.method == "POST" and r.query == "uploads",
        )
        store.answer(
            f"<CompleteMultipartUploadResult>{names}<ETag>e</ETag></CompleteMultipartUploadResult>".encode(),
            when=lambda r: r.method == "POST",
        )
        store.answer(b"<ListBucketResult/>", when=lambda r: r.method == "GET" and "list-type" in r.query)
        store.answer(headers={"ETag": '"e"'})
        yield store


@pytest.fixture
def sts() -> Iterator[HttpProxy]:
    """Starts a server that issues temporary credentials for an hour."""
    with HttpProxy("http://127.0.0.1:9") as sts:
        yield sts


def hands_out(sts: HttpProxy, key: str, lifetime: timedelta, times: int = 1) -> None:
    expiration = (datetime.now(timezone.utc) + lifetime).strftime("%Y-%m-%dT%H:%M:%SZ")
    credentials = (
        f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>token-of-{key}</SessionToken>"
        f"<Expiration>{expiration}</Expiration>"
    )
    user = "<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/sink/orders</Arn></AssumedRoleUser>"
    body = f"<AssumeRoleResult><Credentials>{credentials}</Credentials>{user}</AssumeRoleResult>"
    sts.fail(200, times=times, body=f"<AssumeRoleResponse>{body}</AssumeRoleResponse>".encode())


def signer(request: Request) -> tuple[str, str, str]:
    """Returns access key, region and service of the signature."""
    credential = re.search(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/", request.headers["authorization"])
    assert credential is not None
    return credential[1], credential[2], credential[3]


def sent(store: HttpProxy, header: str) -> dict[str, str | None]:
    """Returns the value of the header in each kind of request."""
    kinds: dict[str, Callable[[Request], bool]] = {
        "put": lambda r: r.method == "PUT" and "partNumber=" not in r.query,
        "create": lambda r: r.method == "POST" and r.query == "uploads",
        "part": lambda r: r.method == "PUT" and "partNumber=" in r.query,
        "complete": lambda r: r.method == "POST" and r.query != "uploads",
        "get": lambda r: r.method == "GET" and "list-type" not in r.query,
        "list": lambda r: r.method == "GET" and "list-type" in r.query,
    }
    seen: dict[str, set[str | None]] = {
        kind: {request.headers.get(header) for request in store.requests if of(request)} for kind, of in kinds.items()
    }
    assert dict.fromkeys(kinds, 1) == {kind: len(values) for kind, values in seen.items()}
    return {kind: value for kind, values in seen.items() for value in values if value is not None}


def all_kinds_of_requests(storage: FsspecStorage) -> None:
    storage.publish("small", SMALL)
    storage.publish("large", LARGE)
    storage.read_metadata("small")
    list(storage.list(""))


def test_part_size(s3_server: Any) -> None:
    """A real server gets a file in parts of the configured size."""
    client = boto3.client(
        "s3",
        endpoint_url=s3_server.url,
        region_name="us-east-1",
        aws_access_key_id=s3_server.key,
        aws_secret_access_key=s3_server.secret,
        config=Config(s3={"addressing_style": "path"}),
    )
    client.create_bucket(Bucket="part-size")
    keys = {"aws.access.key.id": s3_server.key, "aws.secret.access.key": s3_server.secret, "s3.region": "us-east-1"}
    with HttpProxy(s3_server.url) as proxy:
        storage = storage_of(**keys, **{"s3.bucket.name": "part-size", "store.url": proxy.url})
        assert Published() == storage.publish("a", LARGE)
        parts = [r.headers["content-length"] for r in proxy.requests if "partNumber=" in r.query]

    assert [str(5 * MIB), str(MIB)] == parts
    assert 6 * MIB == client.head_object(Bucket="part-size", Key="a")["ContentLength"]
    client.close()


@pytest.mark.parametrize(
    ("properties", "headers"),
    [
        ({"s3.acl.canned": "bucket-owner-full-control"}, {"x-amz-acl": "bucket-owner-full-control"}),
        ({"s3.ssea.name": "AES256"}, {"x-amz-server-side-encryption": "AES256"}),
        (
            {"s3.ssea.name": "aws:kms", "s3.sse.kms.key.id": "key-1"},
            {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": "key-1"},
        ),
        ({"s3.ssea.name": "aws:kms:dsse"}, {"x-amz-server-side-encryption": "aws:kms:dsse"}),
        ({"kafka2parquet.s3.storage.class": "STANDARD_IA"}, {"x-amz-storage-class": "STANDARD_IA"}),
    ],
)
def test_properties_of_the_object(store: HttpProxy, properties: dict[str, str], headers: dict[str, str]) -> None:
    """The properties are in the request that makes the object, and in no other request."""
    all_kinds_of_requests(storage_of(**KEYS, **properties, **{"store.url": store.url}))

    for name, value in headers.items():
        assert {"put": value, "create": value} == sent(store, name)


def test_nothing_is_said_of_objects_unless_it_is_set(store: HttpProxy) -> None:
    """Without properties, the bucket's own settings apply."""
    all_kinds_of_requests(storage_of(**KEYS, **{"store.url": store.url}))

    asked = {name for request in store.requests for name in request.headers if name.startswith("x-amz-")}
    assert {"x-amz-date", "x-amz-content-sha256"} == asked


def test_key_of_the_customer(store: HttpProxy) -> None:
    """All requests for the object have the key, so that footers can be read; S3 checks the key's MD5."""
    key = bytes(range(32))
    config = configured(**KEYS, **{"s3.ssea.name": "AES256", "s3.sse.customer.key": base64.b64encode(key).decode()})
    all_kinds_of_requests(FsspecStorage(config.destination, s3_options(config, store.url)))

    with_key = ("put", "create", "part", "complete", "get")
    name = "x-amz-server-side-encryption"
    assert {} == sent(store, name)
    assert dict.fromkeys(with_key, "AES256") == sent(store, f"{name}-customer-algorithm")
    assert dict.fromkeys(with_key, base64.b64encode(key).decode()) == sent(store, f"{name}-customer-key")
    md5 = base64.b64encode(hashlib.md5(key).digest()).decode()
    assert dict.fromkeys(with_key, md5) == sent(store, f"{name}-customer-key-md5")


def test_requester_pays(store: HttpProxy) -> None:
    """Each request accepts the costs."""
    all_kinds_of_requests(storage_of(**KEYS, **{"kafka2parquet.s3.requester.pays": "true", "store.url": store.url}))

    assert {"requester"} == {request.headers.get("x-amz-request-payer") for request in store.requests}


def test_user_agent(store: HttpProxy) -> None:
    """Each request has the configured text after the names of the libraries."""
    all_kinds_of_requests(storage_of(**KEYS, **{"kafka2parquet.user.agent": "team-lake/7", "store.url": store.url}))

    assert {True} == {request.headers["user-agent"].endswith(" team-lake/7") for request in store.requests}


@pytest.mark.parametrize(("retries", "attempts"), [("0", 1), ("1", 1), ("2", 2)])
def test_attempts(retries: str, attempts: int) -> None:
    """A request is repeated that often before the engine gets the error, waits and tries again."""
    with HttpProxy("http://127.0.0.1:9") as store:
        store.fail(503, times=100)
        with pytest.raises(StorageUnavailableError):
            storage_of(**KEYS, **{"s3.part.retries": retries, "store.url": store.url}).publish("a", SMALL)

        assert attempts == len(store.requests)


def test_the_key_and_the_region_sign(store: HttpProxy) -> None:
    """Requests are signed with `aws.access.key.id` and `s3.region`."""
    storage_of(**KEYS, **{"store.url": store.url}).publish("a", SMALL)

    assert ("AKIA-OURS", "eu-central-1", "s3") == signer(store.requests[0])


@pytest.mark.parametrize("profile", ["", "lake"])
def test_profile(store: HttpProxy, profile: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Requests are signed with the keys of the named profile, or of the default one."""
    shared = tmp_path / "credentials"
    shared.write_text(
        "[default]\naws_access_key_id=AKIA-default\naws_secret_access_key=s\n"
        "[lake]\naws_access_key_id=AKIA-lake\naws_secret_access_key=s\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    storage_of(**{"kafka2parquet.s3.profile": profile, "store.url": store.url}).publish("a", SMALL)

    assert f"AKIA-{profile or 'default'}" == signer(store.requests[0])[0]


def test_an_unknown_profile_is_named(store: HttpProxy) -> None:
    """The error names the profile and ends the task, because waiting doesn't help."""
    with pytest.raises(StorageAuthenticationError, match="lake"):
        storage_of(**{"kafka2parquet.s3.profile": "lake", "store.url": store.url}).publish("a", SMALL)


def test_role(store: HttpProxy, sts: HttpProxy) -> None:
    """STS is asked once with the given keys, and its credentials sign all requests."""
    hands_out(sts, "ASIA-ROLE", timedelta(hours=1))
    all_kinds_of_requests(storage_of(**KEYS, **ROLE, **{"kafka2parquet.s3.sts.url": sts.url, "store.url": store.url}))

    assert [("AKIA-OURS", "eu-west-3", "sts")] == [signer(request) for request in sts.requests]
    assert {
        "Action": ["AssumeRole"],
        "Version": ["2011-06-15"],
        "RoleArn": ["arn:aws:iam::123456789012:role/sink"],
        "RoleSessionName": ["orders"],
        "ExternalId": ["external-1"],
    } == parse_qs(sts.requests[0].body.decode())
    assert {("ASIA-ROLE", "eu-central-1", "s3")} == {signer(request) for request in store.requests}
    assert {"token-of-ASIA-ROLE"} == {request.headers["x-amz-security-token"] for request in store.requests}


def test_role_of_a_profile(store: HttpProxy, sts: HttpProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The keys of the profile request the role, in the bucket's region unless another one is named."""
    shared = tmp_path / "credentials"
    shared.write_text("[lake]\naws_access_key_id=AKIA-lake\naws_secret_access_key=s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    hands_out(sts, "ASIA-ROLE", timedelta(hours=1))
    role = {name: text for name, text in ROLE.items() if not name.endswith((".external.id", ".region"))}
    places = {"kafka2parquet.s3.sts.url": sts.url, "store.url": store.url, "kafka2parquet.s3.profile": "lake"}
    storage_of(**role, **places).publish("a", SMALL)

    assert [("AKIA-lake", "eu-central-1", "sts")] == [signer(request) for request in sts.requests]
    assert "ExternalId" not in parse_qs(sts.requests[0].body.decode())
    assert "ASIA-ROLE" == signer(store.requests[0])[0]


def test_a_role_is_renewed_before_it_expires(store: HttpProxy, sts: HttpProxy) -> None:
    """The role is renewed before the next request, which is signed with the new credentials."""
    hands_out(sts, "ASIA-FIRST", timedelta(minutes=1))
    hands_out(sts, "ASIA-SECOND", timedelta(hours=1))
    storage = storage_of(**KEYS, **ROLE, **{"kafka2parquet.s3.sts.url": sts.url, "store.url": store.url})
    for key in ("a", "b", "c"):
        storage.publish(key, SMALL)

    assert ["ASIA-FIRST", "ASIA-SECOND", "ASIA-SECOND"] == [signer(request)[0] for request in store.requests]


def test_an_expired_role_is_requested_again(store: HttpProxy, sts: HttpProxy) -> None:
    """The role is renewed when S3 reports its expiry, whatever the local clock says."""
    hands_out(sts, "ASIA-FIRST", timedelta(hours=1))
    hands_out(sts, "ASIA-SECOND", timedelta(hours=1))
    storage = storage_of(**KEYS, **ROLE, **{"kafka2parquet.s3.sts.url": sts.url, "store.url": store.url})
    storage.publish("a", SMALL)
    store.clear()
    store.fail(400, body=b"<Error><Code>ExpiredToken</Code><Message>expired</Message></Error>")
    store.answer(headers={"ETag": '"e"'})
    with pytest.raises(StorageUnavailableError, match="ExpiredToken"):
        storage.publish("b", SMALL)
    storage.publish("b", SMALL)

    assert ["ASIA-FIRST", "ASIA-SECOND"] == [signer(request)[0] for request in store.requests]


def test_a_role_that_is_refused(store: HttpProxy, sts: HttpProxy) -> None:
    """The error names the right for STS, and S3 is not called."""
    sts.fail(
        403,
        body=b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not yours</Message></Error></ErrorResponse>",
    )
    with pytest.raises(StoragePermissionError, match="sts:AssumeRole"):
        storage_of(**KEYS, **ROLE, **{"kafka2parquet.s3.sts.url": sts.url, "store.url": store.url}).publish("a", SMALL)

    assert [] == store.requests


@pytest.mark.parametrize(
    ("path_style", "host", "path"), [("true", "store.lan:9000", "/lake/a"), ("false", "lake.store.lan:9000", "/a")]
)
def test_bucket_in_path_or_host(store: HttpProxy, path_style: str, host: str, path: str) -> None:
    """The bucket of a compatible store behind a proxy is in the path or in the host."""
    places = {"store.url": "http://store.lan:9000", "s3.proxy.url": store.url, "s3.path.style.access.enabled": path_style}
    storage_of(**KEYS, **places).publish("a", SMALL)

    assert [(host, path)] == [(request.host, request.path) for request in store.requests]


@pytest.mark.parametrize(
    ("properties", "host"),
    [
        ({}, "s3.eu-central-1.amazonaws.com"),
        ({"s3.path.style.access.enabled": "false"}, "lake.s3.eu-central-1.amazonaws.com"),
        ({"s3.path.style.access.enabled": "false", "s3.wan.mode": "true"}, "lake.s3-accelerate.amazonaws.com"),
        ({"store.url": "store.lan"}, "store.lan"),
    ],
)
def test_endpoint(store: HttpProxy, properties: dict[str, str], host: str) -> None:
    """The proxy is asked for a tunnel to region, bucket, Transfer Acceleration or another store."""
    store.clear()
    store.fail(403, times=100)
    with pytest.raises(StorageUnavailableError):
        storage_of(**KEYS, **{"s3.proxy.url": store.url, "s3.part.retries": "1"}, **properties).publish("a", SMALL)

    assert [("CONNECT", f"{host}:443")] == [(request.method, request.host) for request in store.requests]


@pytest.mark.parametrize(
    ("properties", "login"),
    [
        ({}, None),
        ({"s3.proxy.user": "me", "s3.proxy.password": "p@ss/word"}, "me:p@ss/word"),
    ],
)
@pytest.mark.parametrize("store_url", ["http://store.lan", "https://store.lan"])
def test_login_at_the_proxy(store: HttpProxy, properties: dict[str, str], login: str | None, store_url: str) -> None:
    """The login is sent with each request, or with the request for the tunnel."""
    store.clear()
    store.fail(407, times=100)
    with pytest.raises(Exception, match=r"407|[Pp]roxy"):
        storage_of(**KEYS, **properties, **{"s3.proxy.url": store.url, "store.url": store_url, "s3.part.retries": "1"}).publish(
            "a", SMALL
        )

    expected = None if login is None else f"Basic {base64.b64encode(login.encode()).decode()}"
    assert [expected] == [request.headers.get("proxy-authorization") for request in store.requests]


def test_login_in_the_url_of_the_proxy(store: HttpProxy) -> None:
    """The proxy's URL may have the login, as in Confluent's sink."""
    proxy_url = store.url.replace("http://", "http://me:secret@")
    storage_of(**KEYS, **{"s3.proxy.url": proxy_url, "store.url": "http://store.lan"}).publish("a", SMALL)

    expected = f"Basic {base64.b64encode(b'me:secret').decode()}"
    assert [("store.lan", expected)] == [(request.host, request.headers["proxy-authorization"]) for request in store.requests]


def test_tags(store: HttpProxy) -> None:
    """One separate request sets all tags; the contract reads them back from the real server."""
    storage_of(**KEYS, **{"store.url": store.url}).tag("a", {"startOffset": "0", "team": "a<b"})

    assert [("PUT", "/lake/a", "tagging")] == [(request.method, request.path, request.query) for request in store.requests]
    assert re.findall(rb"<Key>(.*?)</Key><Value>(.*?)</Value>", store.requests[0].body) == [
        (b"startOffset", b"0"),
        (b"team", b"a&lt;b"),
    ]
