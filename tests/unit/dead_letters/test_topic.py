"""The topic of dead letters is created once, by whichever task is first."""

from __future__ import annotations

import types
from typing import Any

import pytest
from kafka import errors as kafka_errors

from kafka2parquet.dead_letters.topic import _create


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (kafka_errors.NoError, ["Dead-letter topic bad was created with 1 partition and 3 replicas"]),
        (kafka_errors.TopicAlreadyExistsError, []),
    ],
)
def test_creation_is_logged_by_the_task_that_creates(error: Any, lines: list[str], caplog: pytest.LogCaptureFixture) -> None:
    """A task that finds the topic created by another task meanwhile logs nothing."""
    caplog.set_level("INFO")
    answer = {"topics": [{"error_code": error.errno, "error_message": None}]}
    admin: Any = types.SimpleNamespace(create_topics=lambda wanted, raise_errors: answer)
    _create(admin, "bad", 3)
    assert lines == caplog.messages
