"""Consumers of a broker that are closed at the end."""

from __future__ import annotations

from typing import Any

from kafka2parquet.consumers.kafka_python.consumer import KafkaPythonConsumer


class Consumers:
    """Makes `KafkaPythonConsumer`s that return records soon, and closes them."""

    def __init__(self, bootstrap: str, **client_settings: Any) -> None:
        self.bootstrap = bootstrap
        self._client_settings = client_settings
        self._consumers: list[KafkaPythonConsumer] = []

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        for consumer in self._consumers:
            consumer.close(5.0)

    def consumer(self, group_id: str, topic: str, **client_settings: Any) -> KafkaPythonConsumer:
        consumer = KafkaPythonConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=group_id,
            topics=[topic],
            client_settings={
                "fetch_max_wait_ms": 50,
                "heartbeat_interval_ms": 100,
                "session_timeout_ms": 6000,
                **self._client_settings,
                **client_settings,
            },
            gather_max_wait_s=0.05,
        )
        self._consumers.append(consumer)
        return consumer
