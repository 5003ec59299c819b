"""Kafka's notation of topic ids."""

from __future__ import annotations

import uuid

import pytest

from kafka2parquet.consumers.topic_ids import topic_id_text


@pytest.mark.parametrize(
    ("topic_id", "text"),
    [
        (uuid.UUID("fbd3f1e8-7fff-4d2a-9a6d-0b1c2d3e4f50"), "-9Px6H__TSqabQscLT5PUA"),
        (uuid.UUID(int=1), "AAAAAAAAAAAAAAAAAAAAAQ"),
        (uuid.UUID(int=0), ""),
        (None, ""),
    ],
)
def test_an_id_is_written_as_kafkas_tools_print_it(topic_id: uuid.UUID | None, text: str) -> None:
    """Ids are URL-safe base64 without padding; the id of zeros stands for none."""
    assert text == topic_id_text(topic_id)
