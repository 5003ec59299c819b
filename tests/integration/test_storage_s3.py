"""S3, on a real server: the contract, what is sent, and what goes wrong."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from kafka2parquet.errors import (
    BucketNotFoundError,
    StorageAuthenticationError,
    StoragePermissionError,
    StorageUnavailableError,
)
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.storage.base import AlreadyExists, Published
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.storage.options import S3Options
from kafka2parquet.testing.contracts.storage import ReadObject, ReadTags, StorageContract, staged_parquet
from tests.support.http_proxy import HttpProxy, Request

MIB = 1 << 20


def s3_options(server: Any, **changes: Any) -> S3Options:
    return S3Options(
        **{
            "endpoint_url": server.url,
            "access_key_id": server.key,
            "secret_access_key": server.secret,
            "region": "us-east-1",
            "part_size_bytes": 5 * MIB,
            **changes,
        }
    )


@pytest.fixture
def client(s3_server: Any) -> Iterator[Any]:
    client = boto3.client(
        "s3",
        endpoint_url=s3_server.url,
        region_name="us-east-1",
        aws_access_key_id=s3_server.key,
        aws_secret_access_key=s3_server.secret,
        config=Config(s3={"addressing_style": "path"}),
    )
    yield client
    client.close()


@pytest.fixture
def bucket(client: Any) -> str:
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def proxy(s3_server: Any) -> Iterator[HttpProxy]:
    with HttpProxy(s3_server.url) as proxy:
        yield proxy


def open_uploads(client: Any, bucket: str) -> list[str]:
    return [upload["Key"] for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]


def tags_of(client: Any, bucket: str, key: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]}


def staged(size: int, folder: Path | None = None) -> StagedFile:
    content = os.urandom(size)
    if folder is None:
        return StagedFile(content, size, 1, {})
    path = folder / f"{size}.parquet"
    path.write_bytes(content)
    return StagedFile(path, size, 1, {})


class TestS3StorageContract(StorageContract):
    """Runs `StorageContract` on an S3 server."""

    @pytest.fixture
    def storage(self, s3_server: Any, bucket: str) -> FsspecStorage:
        return FsspecStorage(f"s3://{bucket}/some/root", s3_options(s3_server))

    @pytest.fixture
    def read_object(self, client: Any, bucket: str) -> ReadObject:
        return lambda key: client.get_object(Bucket=bucket, Key=f"some/root/{key}")["Body"].read()

    @pytest.fixture
    def read_tags(self, client: Any, bucket: str) -> ReadTags:
        return lambda key: tags_of(client, bucket, f"some/root/{key}")


def test_a_small_file_is_one_conditional_put(proxy: HttpProxy, s3_server: Any, bucket: str) -> None:
    """A small file needs one request, without a head, a list or a look-up of the bucket."""
    storage = FsspecStorage(f"s3://{bucket}", s3_options(s3_server, endpoint_url=proxy.url))
    storage.publish("a.parquet", staged_parquet({}))

    assert [("PUT", f"/{bucket}/a.parquet", "*")] == [
        (r.method, r.path, r.headers.get("if-none-match")) for r in proxy.requests
    ]
    assert "content-md5" in proxy.requests[0].headers


def test_a_small_object_is_one_conditional_put_and_one_get(proxy: HttpProxy, s3_server: Any, bucket: str, client: Any) -> None:
    """The request says that the object is JSON."""
    storage = FsspecStorage(f"s3://{bucket}", s3_options(s3_server, endpoint_url=proxy.url))
    storage.create("a/schema-1.json", b"{}")
    storage.read("a/schema-1.json")

    assert [("PUT", f"/{bucket}/a/schema-1.json", "*"), ("GET", f"/{bucket}/a/schema-1.json", None)] == [
        (r.method, r.path, r.headers.get("if-none-match")) for r in proxy.requests
    ]
    assert "application/json" == client.head_object(Bucket=bucket, Key="a/schema-1.json")["ContentType"]


def test_the_footer_is_read_with_one_request(proxy: HttpProxy, s3_server: Any, bucket: str) -> None:
    """The tail of the object is read without asking for its size first."""
    storage = FsspecStorage(f"s3://{bucket}", s3_options(s3_server, endpoint_url=proxy.url))
    storage.publish("a.parquet", staged_parquet({"who": "me"}))
    proxy.requests.clear()

    assert {"who": "me"} == storage.read_metadata("a.parquet")
    assert [("GET", f"/{bucket}/a.parquet", "bytes=-65536")] == [(r.method, r.path, r.headers["range"]) for r in proxy.requests]


def test_the_object_has_the_media_type_of_parquet(s3_server: Any, client: Any, bucket: str) -> None:
    """The object has the media type that is registered with IANA."""
    FsspecStorage(f"s3://{bucket}", s3_options(s3_server)).publish("a.parquet", staged_parquet({}))

    assert "application/vnd.apache.parquet" == client.head_object(Bucket=bucket, Key="a.parquet")["ContentType"]


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_large_file_goes_up_in_parts(s3_server: Any, client: Any, bucket: str, tmp_path: Path, on_disk: bool) -> None:
    """A large file arrives whole and leaves no open upload."""
    file = staged(12 * MIB + 3, tmp_path if on_disk else None)
    content = file.content.read_bytes() if isinstance(file.content, Path) else file.content

    assert Published() == FsspecStorage(f"s3://{bucket}", s3_options(s3_server)).publish("a", file)
    assert content == client.get_object(Bucket=bucket, Key="a")["Body"].read()
    assert [] == open_uploads(client, bucket)


def test_seventy_megabytes_with_default_settings(s3_server: Any, client: Any, bucket: str, tmp_path: Path) -> None:
    """A file larger than the default part is stored."""
    storage = FsspecStorage(f"s3://{bucket}", s3_options(s3_server, part_size_bytes=S3Options().part_size_bytes))

    assert Published() == storage.publish("a", staged(70 * MIB, tmp_path))
    assert 70 * MIB == client.head_object(Bucket=bucket, Key="a")["ContentLength"]
    assert [] == open_uploads(client, bucket)


def test_a_large_file_replaces_nothing_and_leaves_no_upload(s3_server: Any, client: Any, bucket: str) -> None:
    """The condition applies to the end of a multipart upload, too."""
    storage = FsspecStorage(f"s3://{bucket}", s3_options(s3_server))
    storage.publish("a", staged_parquet({"who": "first"}))

    assert AlreadyExists({"who": "first"}) == storage.publish("a", staged(6 * MIB))
    assert [] == open_uploads(client, bucket)


@pytest.mark.parametrize("failing", ["part", "complete"])
def test_a_failed_multipart_upload_is_aborted(proxy: HttpProxy, s3_server: Any, client: Any, bucket: str, failing: str) -> None:
    """Wherever the upload fails, no part stays behind, and nothing is visible."""
    storage = FsspecStorage(f"s3://{bucket}", s3_options(s3_server, endpoint_url=proxy.url))
    proxy.fail(503, times=10, when=lambda r: ("partNumber=2" if failing == "part" else "POST ?uploadId=") in r.summary)

    with pytest.raises(StorageUnavailableError):
        storage.publish("a", staged(12 * MIB))
    assert ([], []) == (open_uploads(client, bucket), list(storage.list("")))


def test_what_could_not_be_aborted_is_aborted_with_the_next_file(
    proxy: HttpProxy, s3_server: Any, client: Any, bucket: str
) -> None:
    """An upload that could not be aborted, because the store was down, is aborted later."""
    storage = FsspecStorage(f"s3://{bucket}", s3_options(s3_server, endpoint_url=proxy.url))
    proxy.fail(503, times=4, when=lambda r: "partNumber=2" in r.summary or r.method == "DELETE")
    with pytest.raises(StorageUnavailableError):
        storage.publish("a", staged(12 * MIB))
    assert ["a"] == open_uploads(client, bucket)

    assert Published() == storage.publish("a", staged(12 * MIB))
    assert [] == open_uploads(client, bucket)


@pytest.mark.parametrize("size", [1000, 6 * MIB])
def test_a_lost_answer_is_seen_again_as_an_object_of_ours(proxy: HttpProxy, s3_server: Any, bucket: str, size: int) -> None:
    """On a retry of client or engine, the publisher finds its own footer, or S3 repeats its first answer."""
    storage = FsspecStorage(f"s3://{bucket}", s3_options(s3_server, endpoint_url=proxy.url))
    file = staged_parquet({"who": "me", "filling": "x" * size})
    proxy.lose_answer(times=1, when=lambda r: r.method == "PUT" if size < 5 * MIB else "POST ?uploadId=" in r.summary)

    outcome = None
    while outcome is None:
        try:
            outcome = storage.publish("a", file)
        except StorageUnavailableError:
            continue

    assert outcome == Published() or (isinstance(outcome, AlreadyExists) and outcome.metadata == file.metadata)
    assert ["a"] == list(storage.list(""))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_store_that_is_down_is_unavailable(proxy: HttpProxy, s3_server: Any, bucket: str, status: int) -> None:
    """The error is raised after two attempts, and then the engine waits and retries."""
    storage = FsspecStorage(f"s3://{bucket}", s3_options(s3_server, endpoint_url=proxy.url))
    proxy.fail(status, times=10, headers={"Retry-After": "7"})

    with pytest.raises(StorageUnavailableError) as raised:
        storage.publish("a", staged_parquet({}))
    assert 7.0 == raised.value.retry_after_s
    assert len(proxy.requests) <= 2


def test_a_conflicting_writer_means_try_again(proxy: HttpProxy, s3_server: Any, bucket: str) -> None:
    """A 409 from S3, for two conditional writes at once, leads to another attempt."""
    storage = FsspecStorage(f"s3://{bucket}", s3_options(s3_server, endpoint_url=proxy.url))
    proxy.fail(409, times=10, body=b"<Error><Code>ConditionalRequestConflict</Code></Error>")

    with pytest.raises(StorageUnavailableError, match="ConditionalRequestConflict"):
        storage.publish("a", staged_parquet({}))


def test_the_probe_does_without_the_right_to_delete(proxy: HttpProxy, s3_server: Any, bucket: str) -> None:
    """The probe's object stays below the given prefix."""
    storage = FsspecStorage(f"s3://{bucket}", s3_options(s3_server, endpoint_url=proxy.url))
    proxy.fail(403, times=10, when=lambda r: r.method == "DELETE" and "uploadId" not in r.summary)

    storage.probe("_kafka2parquet/probe/")
    assert 1 == len(list(storage.list("_kafka2parquet/probe/probe-")))


def test_a_missing_right_is_named(proxy: HttpProxy, s3_server: Any, bucket: str) -> None:
    """The error names the right and the object."""
    storage = FsspecStorage(f"s3://{bucket}", s3_options(s3_server, endpoint_url=proxy.url))
    proxy.fail(403, times=10, body=b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")

    with pytest.raises(StoragePermissionError, match=rf"s3://{bucket}/a/b at http.*s3:PutObject"):
        storage.publish("a/b", staged_parquet({}))
    with pytest.raises(StoragePermissionError, match="s3:GetObject"):
        storage.read_metadata("a/b")
    with pytest.raises(StoragePermissionError, match="s3:ListBucket"):
        list(storage.list("a"))


def test_a_missing_bucket_is_named(s3_server: Any) -> None:
    """The error of every call names the missing bucket."""
    storage = FsspecStorage("s3://no-such-bucket-here", s3_options(s3_server))

    for call in (
        lambda: storage.publish("a", staged_parquet({})),
        lambda: storage.read_metadata("a"),
        lambda: list(storage.list("a")),
        lambda: storage.probe("p/"),
    ):
        with pytest.raises(BucketNotFoundError, match="no-such-bucket-here"):
            call()


@pytest.mark.parametrize("change", [{"secret_access_key": "wrong"}, {"access_key_id": "nobody"}])
def test_wrong_credentials_are_refused(s3_server: Any, bucket: str, change: dict[str, str]) -> None:
    """Wrong credentials are an error without a retry."""
    storage = FsspecStorage(f"s3://{bucket}", s3_options(s3_server, **change))

    with pytest.raises(StorageAuthenticationError, match="secret"):
        storage.publish("a", staged_parquet({}))


def test_expired_credentials_are_requested_again(
    proxy: HttpProxy, s3_server: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next attempt reads the shared credentials file, which was renewed meanwhile."""
    credentials = tmp_path / "credentials"
    credentials.write_text(f"[default]\naws_access_key_id={s3_server.key}\naws_secret_access_key=old\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    storage = FsspecStorage(
        f"s3://{bucket}", s3_options(s3_server, endpoint_url=proxy.url, access_key_id=None, secret_access_key=None)
    )
    proxy.fail(400, times=1, body=b"<Error><Code>ExpiredToken</Code><Message>expired</Message></Error>")

    with pytest.raises(StorageUnavailableError, match="ExpiredToken"):
        storage.publish("a", staged_parquet({}))
    credentials.write_text(f"[default]\naws_access_key_id={s3_server.key}\naws_secret_access_key={s3_server.secret}\n")
    assert Published() == storage.publish("a", staged_parquet({}))


def test_a_request_that_never_ends_is_given_up(proxy: HttpProxy, s3_server: Any, bucket: str) -> None:
    """The time limit applies to the whole request."""
    storage = FsspecStorage(f"s3://{bucket}", s3_options(s3_server, endpoint_url=proxy.url, request_timeout_s=0.5))
    proxy.stall()

    with pytest.raises(StorageUnavailableError):
        storage.publish("a", staged_parquet({}))


def test_raw_options_of_s3fs_are_passed_on(s3_server: Any, client: Any, bucket: str) -> None:
    """All options of s3fs can be given by keyword."""
    storage = FsspecStorage(
        f"s3://{bucket}",
        endpoint_url=s3_server.url,
        key=s3_server.key,
        secret=s3_server.secret,
        client_kwargs={"region_name": "us-east-1"},
        s3_additional_kwargs={"Metadata": {"owner": "us"}},
    )
    storage.publish("a", staged_parquet({}))

    assert {"owner": "us"} == client.head_object(Bucket=bucket, Key="a")["Metadata"]


_CONFLICT = b"<Error><Code>ConditionalRequestConflict</Code><Message>The conditional request cannot succeed</Message></Error>"
_IN_BODY = b"<Error><Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message></Error>"
_GONE = b"<Error><Code>NoSuchUpload</Code><Message>The specified multipart upload does not exist</Message></Error>"


def _is_step(request: Request, step: str) -> bool:
    """Returns whether the request is the given step of an upload."""
    steps = {"put": "PUT ?", "begin": "POST ?uploads", "part": "PUT ?", "complete": "POST ?uploadId="}
    return request.summary.startswith(steps[step]) and ("partNumber=2" in request.query) == (step == "part")


@pytest.mark.parametrize(
    ("step", "status", "body"),
    [
        *[(step, 409, _CONFLICT) for step in ("put", "part", "complete")],
        *[(step, 503, b"") for step in ("put", "begin", "part", "complete")],
        ("complete", 200, _IN_BODY),
        *[(step, 404, _GONE) for step in ("part", "complete")],
        *[(step, 404, _GONE.replace(b"NoSuchUpload", b"NoSuchKey")) for step in ("put", "part", "complete")],
    ],
)
def test_an_upload_that_fails_in_the_middle_is_begun_again(
    proxy: HttpProxy, s3_server: Any, client: Any, bucket: str, step: str, status: int, body: bytes
) -> None:
    """The engine repeats the upload; until then nothing is visible, and nothing is left behind."""
    storage = FsspecStorage(f"s3://{bucket}", s3_options(s3_server, endpoint_url=proxy.url))
    file = staged(1000 if step == "put" else 6 * MIB)
    proxy.fail(status, times=3, when=lambda r: _is_step(r, step), body=body)
    with pytest.raises(StorageUnavailableError):
        storage.publish("a", file)
    assert ([], []) == (open_uploads(client, bucket), list(storage.list("")))
    proxy.clear()

    assert Published() == storage.publish("a", file)
    assert file.content == client.get_object(Bucket=bucket, Key="a")["Body"].read()


@pytest.mark.parametrize("step", ["put", "part", "complete"])
def test_a_request_that_arrives_after_another_writer_has_won_changes_nothing(
    proxy: HttpProxy, s3_server: Any, client: Any, bucket: str, step: str
) -> None:
    """The late request of a sender that gave up changes nothing."""
    late = FsspecStorage(f"s3://{bucket}", s3_options(s3_server, endpoint_url=proxy.url, request_timeout_s=2.0))
    held = proxy.hold(when=lambda r: _is_step(r, step))
    for _ in range(5):
        with pytest.raises(StorageUnavailableError):
            late.publish("a", staged(1000 if step == "put" else 6 * MIB))
        if held.arrived.is_set():  # on a busy machine, an earlier request may take too long
            break
    winner = staged_parquet({"who": "winner"})
    assert Published() == FsspecStorage(f"s3://{bucket}", s3_options(s3_server)).publish("a", winner)
    held.released.set()
    assert held.answered.wait(30)

    assert winner.content == client.get_object(Bucket=bucket, Key="a")["Body"].read()
    assert AlreadyExists({"who": "winner"}) == late.publish("a", staged(1000))
    assert [] == open_uploads(client, bucket)
