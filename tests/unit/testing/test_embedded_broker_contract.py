"""The embedded broker passes the same contract tests as Apache Kafka."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kafka2parquet.testing import EmbeddedBroker
from tests.support.broker_contract import BrokerContract


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    with EmbeddedBroker() as broker:
        yield broker.bootstrap


class TestEmbeddedBroker(BrokerContract):
    """Runs the contract in `tests.support.broker_contract` on the embedded broker."""
