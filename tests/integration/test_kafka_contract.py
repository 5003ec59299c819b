"""Apache Kafka passes the contract that the embedded broker is built to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.broker_contract import BrokerContract


@pytest.fixture(scope="module")
def bootstrap(kafka_server: Any) -> str:
    address: str = kafka_server.bootstrap
    return address


class TestApacheKafka(BrokerContract):
    """Runs the contract in `tests.support.broker_contract` on Apache Kafka."""
