"""What kafka-python raises, in our errors."""

from __future__ import annotations

import kafka.errors as kafka_errors
import pytest

from kafka2parquet.consumers.kafka_python.errors import translate
from kafka2parquet.errors import GuaranteeError


@pytest.mark.parametrize(
    ("error", "setting"),
    [
        (kafka_errors.OffsetMetadataTooLargeError(), "The broker setting offset.metadata.max.bytes"),
        (kafka_errors.InvalidCommitOffsetSizeError(), "max.message.bytes of the topic __consumer_offsets"),
    ],
)
def test_commits_that_are_too_large_name_the_setting(error: Exception, setting: str) -> None:
    """Waiting doesn't help, and the brokers' operator has to know what to change."""
    ours = translate(error, "committing offsets")

    assert isinstance(ours, GuaranteeError)
    assert setting in str(ours)
