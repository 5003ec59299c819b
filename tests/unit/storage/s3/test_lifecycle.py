"""Which lifecycle rules remove unfinished uploads."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from kafka2parquet.storage.s3.lifecycle import removes_unfinished_uploads


class Bucket:
    """A file system that answers the question for rules, with rules or with an error's code."""

    def __init__(self, answer: list[dict[str, Any]] | str) -> None:
        self._answer = answer

    def call_s3(self, operation: str, Bucket: str) -> dict[str, Any]:  # noqa: N803
        assert ("get_bucket_lifecycle_configuration", "lake") == (operation, Bucket)
        if isinstance(self._answer, str):
            raise OSError("translated") from ClientError({"Error": {"Code": self._answer}}, operation)
        return {"Rules": self._answer}


def rule(**changes: Any) -> dict[str, Any]:
    return {"Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}, **changes}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([], "no"),
        ([rule()], "yes"),
        ([rule(Status="Disabled")], "no"),
        ([{"Status": "Enabled", "Expiration": {"Days": 1}}], "no"),
        ([rule(Filter={"Prefix": "topics/"})], "yes"),
        ([rule(Filter={"Prefix": "top"})], "yes"),
        ([rule(Filter={"Prefix": "topics/orders/"})], "no"),
        ([rule(Filter={"And": {"Prefix": "logs/"}})], "no"),
        ([rule(Prefix="logs/"), rule(Prefix="topics/")], "yes"),
        ([rule(Filter={"Tag": {"Key": "a", "Value": "b"}})], "no"),
        ("NoSuchLifecycleConfiguration", "no"),
        ("AccessDenied", "refused"),
        ("NotImplemented", "unknown"),
    ],
)
def test_rules(answer: Any, expected: str) -> None:
    """A rule has to be on, to abort uploads, and to cover the whole prefix; rules for tags don't apply to uploads."""
    bucket: Any = Bucket(answer)
    assert expected == removes_unfinished_uploads(bucket, "lake", "topics/")
