"""Google Cloud Storage, on an emulator: the contract, what is sent, and what goes wrong."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kafka2parquet.errors import (
    BucketNotFoundError,
    StorageAuthenticationError,
    StoragePermissionError,
    StorageUnavailableError,
)
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.storage.base import AlreadyExists, Published
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.storage.options import GcsOptions
from kafka2parquet.testing.contracts.storage import ReadObject, ReadTags, StorageContract, staged_parquet
from tests.support.http_proxy import HttpProxy, Request

MIB = 1 << 20


def gcs_options(url: str, **changes: Any) -> GcsOptions:
    return GcsOptions(**{"endpoint_url": url, "token": "anon", "project": "p", "part_size_bytes": MIB, **changes})


@pytest.fixture
def bucket(gcs_server: Any) -> str:
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    urllib.request.urlopen(
        urllib.request.Request(
            f"{gcs_server.url}/storage/v1/b?project=p",
            json.dumps({"name": name}).encode(),
            {"Content-Type": "application/json"},
        )
    ).close()
    return name


@pytest.fixture
def proxy(gcs_server: Any) -> Iterator[HttpProxy]:
    with HttpProxy(gcs_server.url) as proxy:
        yield proxy


def read(url: str, bucket: str, key: str, alt: str = "media") -> bytes:
    with urllib.request.urlopen(f"{url}/storage/v1/b/{bucket}/o/{urllib.parse.quote(key, safe='')}?alt={alt}") as answer:
        content: bytes = answer.read()
        return content


class TestGcsStorageContract(StorageContract):
    """Runs `StorageContract` on the GCS emulator."""

    @pytest.fixture
    def storage(self, gcs_server: Any, bucket: str) -> FsspecStorage:
        return FsspecStorage(f"gs://{bucket}/some/root", gcs_options(gcs_server.url))

    @pytest.fixture
    def read_object(self, gcs_server: Any, bucket: str) -> ReadObject:
        return lambda key: read(gcs_server.url, bucket, f"some/root/{key}")

    @pytest.fixture
    def read_tags(self, gcs_server: Any, bucket: str) -> ReadTags:
        return lambda key: json.loads(read(gcs_server.url, bucket, f"some/root/{key}", "json"))["metadata"]


def test_a_small_file_is_one_conditional_request(proxy: HttpProxy, bucket: str) -> None:
    """A small file is stored without looking up the bucket or the object."""
    storage = FsspecStorage(f"gs://{bucket}", gcs_options(proxy.url))
    storage.publish("a.parquet", staged_parquet({}))

    assert [("POST", f"/upload/storage/v1/b/{bucket}/o", "uploadType=multipart&ifGenerationMatch=0")] == [
        (r.method, r.path, r.query) for r in proxy.requests
    ]


def test_a_small_object_is_one_conditional_request_and_one_to_read_it(proxy: HttpProxy, bucket: str) -> None:
    """The request says that the object is JSON."""
    storage = FsspecStorage(f"gs://{bucket}", gcs_options(proxy.url))
    storage.create("a/schema-1.json", b"{}")
    storage.read("a/schema-1.json")

    assert [("POST", "uploadType=multipart&ifGenerationMatch=0"), ("GET", "alt=media")] == [
        (r.method, r.query) for r in proxy.requests
    ]
    about = json.loads(read(proxy.url, bucket, "a/schema-1.json", "json"))
    assert "application/json" == about["contentType"]


def test_the_footer_is_read_with_one_request(proxy: HttpProxy, bucket: str) -> None:
    """The tail of the object is read without asking for its size first."""
    storage = FsspecStorage(f"gs://{bucket}", gcs_options(proxy.url))
    storage.publish("a.parquet", staged_parquet({"who": "me"}))
    proxy.requests.clear()

    assert {"who": "me"} == storage.read_metadata("a.parquet")
    assert ["bytes=-65536"] == [r.headers["range"] for r in proxy.requests]


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_large_file_goes_up_in_parts(gcs_server: Any, bucket: str, tmp_path: Path, on_disk: bool) -> None:
    """A large file arrives whole through a resumable session."""
    content = os.urandom(3 * MIB + 5)
    path = tmp_path / "staged"
    path.write_bytes(content)
    storage = FsspecStorage(f"gs://{bucket}", gcs_options(gcs_server.url))

    assert Published() == storage.publish("a", StagedFile(path if on_disk else content, len(content), 1, {}))
    assert content == read(gcs_server.url, bucket, "a")


def test_a_large_file_replaces_nothing(gcs_server: Any, bucket: str) -> None:
    """The condition applies to a resumable session, too."""
    storage = FsspecStorage(f"gs://{bucket}", gcs_options(gcs_server.url))
    storage.publish("a", staged_parquet({"who": "first"}))

    assert AlreadyExists({"who": "first"}) == storage.publish("a", StagedFile(bytes(2 * MIB), 2 * MIB, 1, {}))


def test_a_failed_session_is_cancelled(proxy: HttpProxy, bucket: str) -> None:
    """Nothing is visible, and the store gets a request that cancels the upload."""
    storage = FsspecStorage(f"gs://{bucket}", gcs_options(proxy.url))
    proxy.fail(400, when=lambda r: r.headers.get("content-range", "").startswith(f"bytes {MIB}-"), times=100)
    file = StagedFile(bytes(2 * MIB), 2 * MIB, 1, {})

    with pytest.raises(Exception, match="400"):
        storage.publish("a", file)
    assert "DELETE" == proxy.requests[-1].method
    assert [] == list(storage.list(""))


def test_a_damaged_upload_is_refused(proxy: HttpProxy, bucket: str) -> None:
    """Every upload has an MD5, which the store verifies."""
    storage = FsspecStorage(f"gs://{bucket}", gcs_options(proxy.url))
    proxy.damage(b"PAR1", b"PAR0")

    with pytest.raises(StorageUnavailableError, match="MD5"):
        storage.publish("a", staged_parquet({}))
    assert [] == list(storage.list(""))


def test_a_lost_answer_is_seen_again_as_an_object_of_ours(proxy: HttpProxy, bucket: str) -> None:
    """After a lost answer, the publisher finds its own footer."""
    storage = FsspecStorage(f"gs://{bucket}", gcs_options(proxy.url))
    proxy.lose_answer()

    assert AlreadyExists({"who": "me"}) == storage.publish("a", staged_parquet({"who": "me"}))


def test_a_store_that_is_down_is_unavailable(proxy: HttpProxy, bucket: str) -> None:
    """The time limit ends gcsfs's own attempts early."""
    storage = FsspecStorage(f"gs://{bucket}", gcs_options(proxy.url, request_timeout_s=1.0))
    proxy.fail(503, times=100)

    with pytest.raises(StorageUnavailableError):
        storage.publish("a", staged_parquet({}))


def test_a_missing_right_is_named(proxy: HttpProxy, bucket: str) -> None:
    """The error names the right and the object."""
    storage = FsspecStorage(f"gs://{bucket}", gcs_options(proxy.url))
    proxy.fail(403, times=100, body=b'{"error": {"message": "no access"}}')

    with pytest.raises(StoragePermissionError, match=rf"gs://{bucket}/a/b at http.*storage\.objects\.create"):
        storage.publish("a/b", staged_parquet({}))
    with pytest.raises(StoragePermissionError, match=r"storage\.objects\.get"):
        storage.read_metadata("a/b")
    with pytest.raises(StoragePermissionError, match=r"storage\.objects\.list"):
        list(storage.list("a"))


def test_refused_credentials_are_an_error_at_once(proxy: HttpProxy, bucket: str) -> None:
    """Refused credentials are an error without a retry, because waiting doesn't help."""
    storage = FsspecStorage(f"gs://{bucket}", gcs_options(proxy.url))
    proxy.fail(401, times=100, body=b'{"error": {"message": "who are you"}}')

    with pytest.raises(StorageAuthenticationError):
        storage.publish("a", staged_parquet({}))


def test_a_missing_bucket_is_named(gcs_server: Any) -> None:
    """Calls for which gcsfs distinguishes a missing bucket from a missing object name the bucket."""
    storage = FsspecStorage("gs://no-such-bucket-here", gcs_options(gcs_server.url))

    with pytest.raises(BucketNotFoundError, match="no-such-bucket-here"):
        storage.publish("a", staged_parquet({}))
    with pytest.raises(BucketNotFoundError, match="no-such-bucket-here"):
        storage.probe("p/")


def _is_step(request: Request, step: str) -> bool:
    """Returns whether the request is the given step of an upload of two parts and a bit."""
    span = request.headers.get("content-range", "")
    if step == "at once":
        return request.query.startswith("uploadType=multipart")
    if step == "begin":
        return request.query.startswith("uploadType=resumable")
    return span.startswith(f"bytes {MIB}-") if step == "part" else span.startswith(f"bytes {2 * MIB}-")


_STEPS = ("at once", "begin", "part", "last")


def _file(step: str, content: bytes) -> StagedFile:
    content = content if step == "at once" else content * (2 * MIB // len(content) + 1)
    return StagedFile(content, len(content), 1, {})


@pytest.mark.parametrize("status", [409, 410, 503])
@pytest.mark.parametrize("step", _STEPS)
def test_an_upload_that_fails_in_the_middle_is_begun_again(
    proxy: HttpProxy, gcs_server: Any, bucket: str, step: str, status: int
) -> None:
    """The upload is repeated by gcsfs or the engine, and until then nothing is visible."""
    storage = FsspecStorage(f"gs://{bucket}", gcs_options(proxy.url, request_timeout_s=1.0))
    file = _file(step, b"content")
    proxy.fail(status, times=100, when=lambda r: _is_step(r, step))
    with pytest.raises(StorageUnavailableError):
        storage.publish("a", file)
    assert [] == list(storage.list(""))
    proxy.clear()

    assert Published() == storage.publish("a", file)
    assert file.content == read(gcs_server.url, bucket, "a")


@pytest.mark.parametrize("status", [204, 400, 404, 412, 499, 503])
def test_what_is_answered_to_cancelling_a_session_does_not_matter(proxy: HttpProxy, bucket: str, status: int) -> None:
    """The error is the cause of the cancellation, although GCS answers the cancellation with 499."""
    storage = FsspecStorage(f"gs://{bucket}", gcs_options(proxy.url, request_timeout_s=1.0))
    proxy.fail(503, times=100, when=lambda r: _is_step(r, "part"))
    proxy.fail(status, times=100, when=lambda r: r.method == "DELETE")
    with pytest.raises(StorageUnavailableError):
        storage.publish("a", _file("part", b"content"))


@pytest.mark.parametrize("step", _STEPS)
def test_an_answer_that_is_lost_in_the_middle(proxy: HttpProxy, gcs_server: Any, bucket: str, step: str) -> None:
    """The next attempt finds the stored part, and continues or begins again."""
    storage = FsspecStorage(f"gs://{bucket}", gcs_options(proxy.url))
    file = _file(step, b"content")
    proxy.lose_answer(when=lambda r: _is_step(r, step))
    for _ in range(3):
        try:
            storage.publish("a", file)
            break
        except StorageUnavailableError:
            continue

    assert file.content == read(gcs_server.url, bucket, "a")


@pytest.mark.parametrize("forgets", [True, False], ids=["cancelled", "not cancelled"])
@pytest.mark.parametrize("step", _STEPS)
def test_a_request_that_arrives_after_another_writer_has_won_changes_nothing(
    proxy: HttpProxy, gcs_server: Any, bucket: str, step: str, forgets: bool
) -> None:
    """The late request of a sender that gave up, perhaps without cancelling its session, changes nothing."""
    late = FsspecStorage(f"gs://{bucket}", gcs_options(proxy.url, request_timeout_s=2.0))
    held = proxy.hold(when=lambda r: _is_step(r, step))
    if not forgets:
        proxy.cut_off(times=100, when=lambda r: r.method == "DELETE")
    with pytest.raises(StorageUnavailableError):
        late.publish("a", _file(step, b"late"))
    winner = staged_parquet({"who": "winner"})
    assert Published() == FsspecStorage(f"gs://{bucket}", gcs_options(gcs_server.url)).publish("a", winner)
    held.released.set()
    assert held.answered.wait(30)

    assert winner.content == read(gcs_server.url, bucket, "a")
    assert AlreadyExists({"who": "winner"}) == late.publish("a", _file(step, b"late"))


def test_an_answer_that_comes_after_a_retry_has_won(proxy: HttpProxy, gcs_server: Any, bucket: str) -> None:
    """The late request finds the object that the same sender has stored, and changes nothing."""
    storage = FsspecStorage(f"gs://{bucket}", gcs_options(proxy.url, request_timeout_s=2.0))
    file = _file("last", b"content")
    held = proxy.hold(when=lambda r: _is_step(r, "last"))
    with pytest.raises(StorageUnavailableError):
        storage.publish("a", file)
    assert Published() == storage.publish("a", file)
    generation = json.loads(read(gcs_server.url, bucket, "a", "json"))["generation"]
    held.released.set()
    assert held.answered.wait(30)

    assert generation == json.loads(read(gcs_server.url, bucket, "a", "json"))["generation"]
    assert file.content == read(gcs_server.url, bucket, "a")
