"""Which keys each kind of store can have, asked without talking to the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafka2parquet.storage.fsspec_storage import FsspecStorage
from kafka2parquet.storage.options import S3Options

LONG_SEGMENT = f"topics/c={'x' * 300}/t.parquet"
COMPATIBLE = S3Options(endpoint_url="http://127.0.0.1:1", access_key_id="a", secret_access_key="b", region="us-east-1")


@pytest.fixture(autouse=True)
def _no_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)


def test_names_in_a_folder_are_short(tmp_path: Path) -> None:
    """Stores that may keep objects as files limit each segment of a key."""
    for storage in (FsspecStorage(str(tmp_path)), FsspecStorage("s3://bucket", COMPATIBLE)):
        assert storage.why_no_object(LONG_SEGMENT) == "it has a segment of 302 bytes, and the limit is 255"


def test_an_endpoint_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store whose endpoint comes from the environment is not Amazon's, so segments are limited."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert FsspecStorage("s3://bucket").why_no_object(LONG_SEGMENT)


@pytest.mark.parametrize("url", ["s3://bucket/prefix", "gs://bucket/prefix"])
def test_keys_in_a_bucket_have_a_limit_only_as_a_whole(url: str) -> None:
    """In a bucket only the whole key is limited, including the prefix."""
    storage = FsspecStorage(url)
    assert storage.why_no_object(LONG_SEGMENT) is None
    assert storage.why_no_object("x" * 1017) is None
    assert storage.why_no_object("x" * 1018) == "it has 1018 bytes, and the limit is 1017"
    for impossible in ("a//b", "a/../b", "a/\0/b", "/a", "a/"):
        assert storage.why_no_object(impossible)
