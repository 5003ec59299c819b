"""Destinations: the texts of `--to`, and the settings of stores for other libraries."""

from __future__ import annotations

import pytest

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.storage import GcsOptions, S3Options
from kafka2parquet.tables.destination import Destination, delta_options, destinations, iceberg_options


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("delta", Destination("delta")),
        ("iceberg:prod.raw.orders", Destination("iceberg", ("prod", "raw", "orders"))),
        ("iceberg:prod.a.b.orders", Destination("iceberg", ("prod", "a", "b", "orders"))),
        ("glue:raw.orders", Destination("glue", ("raw", "orders"))),
    ],
)
def test_forms(text: str, expected: Destination) -> None:
    """Each kind of table has its form."""
    assert expected == Destination.parse(text)


@pytest.mark.parametrize("text", ["", "hudi:a.b", "iceberg", "iceberg:raw.orders", "iceberg:a..b", "glue:orders", "glue:a.b.c"])
def test_other_texts(text: str) -> None:
    """A text that names no table is refused, with the forms."""
    with pytest.raises(ConfigurationError, match="iceberg:CATALOG"):
        Destination.parse(text)


def test_a_table_for_each_topic() -> None:
    """`{topic}` stands for the topic, with underscores for what names can't have."""
    found = destinations("glue:raw.{topic}", ["orders.eu", "clicks"])
    assert {"orders.eu": ("raw", "orders_eu"), "clicks": ("raw", "clicks")} == {name: each.path for name, each in found.items()}


@pytest.mark.parametrize(
    ("text", "topics", "advice"),
    [("glue:raw.t", ["a", "b"], "Put {topic} into"), ("glue:raw.{topic}", ["a.b", "a-b"], "differ only in characters")],
)
def test_several_topics_in_one_table(text: str, topics: list[str], advice: str) -> None:
    """Topics that would go to one table are refused."""
    with pytest.raises(ConfigurationError, match=advice):
        destinations(text, topics)


def test_settings_of_s3() -> None:
    """Both libraries get the sink's endpoint, region and key, and nothing that isn't set."""
    options = S3Options(region="eu-central-1", endpoint_url="http://store", access_key_id="id", secret_access_key="key")
    assert {
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": "http://store",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "key",
    } == delta_options(options)
    assert {
        "s3.region": "eu-central-1",
        "s3.endpoint": "http://store",
        "s3.access-key-id": "id",
        "s3.secret-access-key": "key",
    } == iceberg_options(options)
    assert {} == delta_options(S3Options()) == iceberg_options(S3Options())


def test_settings_of_gcs() -> None:
    """deltalake gets the key file of GCS, or its content."""
    assert {"GOOGLE_SERVICE_ACCOUNT": "/key.json"} == delta_options(GcsOptions(token="/key.json"))
    assert {"GOOGLE_SERVICE_ACCOUNT_KEY": '{"a": 1}'} == delta_options(GcsOptions(token={"a": 1}))
    assert {} == delta_options(None)
