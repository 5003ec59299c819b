"""A storage can be pickled, so that units of work run in other processes."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from kafka2parquet.storage import AssumedRole, FsspecStorage, GcsOptions, S3Options
from kafka2parquet.testing.contracts.storage import staged_parquet

S3 = S3Options(
    region="eu-west-1",
    access_key_id="id",
    secret_access_key="secret",
    endpoint_url="http://localhost:1",
    path_style=True,
    customer_key=b"k" * 32,
    server_side_encryption=None,
)


@pytest.mark.parametrize(
    ("url", "options", "more"),
    [
        ("s3://bucket/prefix", S3, {}),
        ("s3://bucket", S3Options(role=AssumedRole(arn="arn:aws:iam::1:role/r", session_name="s")), {"use_ssl": False}),
        ("gs://bucket/prefix", GcsOptions(token={"type": "service_account", "private_key": "x"}, project="p"), {}),
        ("/folder", None, {}),
    ],
)
def test_copies_have_the_same_settings(url: str, options: S3Options | GcsOptions | None, more: dict[str, object]) -> None:
    """A copy has the URL and all options of the original, and connects to nothing before its first call."""
    storage = FsspecStorage(url, options, **more)
    copy = pickle.loads(pickle.dumps(storage))
    assert storage.__reduce__() == copy.__reduce__()
    assert (storage.url, repr(storage)) == (copy.url, repr(copy))
    assert "secret" not in repr(copy)


def test_a_copy_reads_what_the_original_wrote(tmp_path: Path) -> None:
    """A copy is the same store."""
    storage = FsspecStorage(str(tmp_path))
    storage.publish("t/a", staged_parquet({"key": "value"}))
    storage.probe("t/probe")
    copy = pickle.loads(pickle.dumps(storage))
    assert {"key": "value"} == copy.read_metadata("t/a")
