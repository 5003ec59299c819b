"""Stores that only fsspec knows."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from kafka2parquet.errors import ConfigurationError, GuaranteeError, StoragePermissionError, StorageUnavailableError, UsageError
from kafka2parquet.storage.any_fsspec import AnyFsspecStore
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.storage.options import AssumedRole, GcsOptions, S3Options


class Raising(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Raises the given errors."""

    cachable = False
    error: Exception = OSError("down")

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        raise self.error


@pytest.fixture
def store() -> AnyFsspecStore:
    return AnyFsspecStore(MemoryFileSystem(skip_instance_cache=True), f"/{uuid.uuid4().hex}")


def test_creates_where_nothing_stands(store: AnyFsspecStore) -> None:
    """An object is only created if the key is free, and the result says which."""
    assert (True, False) == (store.create("a/b", b"one"), store.create("a/b", b"two"))
    assert b"one" == store.read_tail("a/b", 100)


def test_reads_the_tail(store: AnyFsspecStore) -> None:
    """The tail has at most the requested length, and is None if the object doesn't exist."""
    store.create("a", b"0123456789")

    assert (b"789", None) == (store.read_tail("a", 3), store.read_tail("b", 3))


def test_lists_by_the_beginning_of_keys(store: AnyFsspecStore) -> None:
    """Listing matches the beginning of keys, as in object stores."""
    for key in ("t/a/1", "t/ab/2", "u/3"):
        store.create(key, b"")

    assert ["t/a/1", "t/ab/2"] == sorted(store.list("t/a"))
    assert ["t/a/1", "t/ab/2", "u/3"] == sorted(store.list(""))
    assert [] == list(store.list("nothing/x"))


def test_deletes_what_is_there(store: AnyFsspecStore) -> None:
    """Deleting an object that doesn't exist is not an error."""
    store.create("a", b"")
    store.delete("a")
    store.delete("a")

    assert store.read_tail("a", 1) is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError("down"), StorageUnavailableError),
        (RuntimeError("of some library"), StorageUnavailableError),
        (PermissionError("no"), StoragePermissionError),
        (NotImplementedError("create"), GuaranteeError),
        (TypeError("unexpected keyword argument 'mode'"), GuaranteeError),
    ],
)
def test_maps_errors(error: Exception, expected: type[Exception]) -> None:
    """Unknown errors are temporary, because a retry loses nothing."""
    filesystem = Raising()
    filesystem.error = error

    with pytest.raises(expected):
        AnyFsspecStore(filesystem, "/root").create("a", b"")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("memory://x", "MemoryStorage"),
        ("simplecache::s3://bucket", "chained"),
        ("s3://", "bucket"),
        ("gs:///x", "bucket"),
        ("nonsense://x", "nonsense"),
    ],
)
def test_refuses_what_can_not_work(url: str, problem: str) -> None:
    """When it is built, not when the first file is due."""
    with pytest.raises(ConfigurationError, match=problem):
        FsspecStorage(url)


@pytest.mark.parametrize(("url", "options"), [("gs://b", S3Options()), ("s3://b", GcsOptions()), ("/folder", S3Options())])
def test_refuses_options_of_another_store(url: str, options: S3Options | GcsOptions) -> None:
    """Options of another store are refused, because they would have no effect."""
    with pytest.raises(ConfigurationError, match="Options"):
        FsspecStorage(url, options)


def test_secrets_are_masked() -> None:
    """The `repr` of a storage doesn't contain secrets."""
    shown = [
        repr(S3Options(access_key_id="id", secret_access_key="hush", session_token="hush", customer_key=b"hush" * 8)),
        repr(S3Options(proxy_url="http://me:hush@proxy", role=AssumedRole(arn="a", session_name="s", external_id="hush"))),
        repr(GcsOptions(token={"private_key": "hush"}, proxy_url="http://me:hush@proxy")),
        repr(FsspecStorage("s3://b", S3Options(secret_access_key="hush"), token="hush")),
    ]

    assert [] == [text for text in shown if "hush" in text]


def test_tags_nothing(store: AnyFsspecStore) -> None:
    """Tags are refused instead of ignored, because fsspec doesn't support them."""
    store.create("a", b"")

    with pytest.raises(UsageError, match="doesn't support tags"):
        store.tag("a", {"b": "c"})


def test_nobody_is_asked_when_a_storage_is_built() -> None:
    """Creating a storage sends no requests, so it works before a fork and without a network."""
    assert "s3://b/x" == FsspecStorage("s3://b/x/", endpoint_url="http://127.0.0.1:1").url
