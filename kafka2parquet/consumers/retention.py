"""Looks up how long topics keep records, through a kafka-python consumer."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from kafka.protocol.admin import DescribeConfigsRequest

_TOPIC = 2  # the type of a resource, as KafkaAdminClient's ConfigResourceType.TOPIC
_RETENTION, _CLEANUP = "retention.ms", "cleanup.policy"


def retentions_ms(client: Any, topics: Collection[str]) -> dict[str, int | None]:
    """Return how long each topic keeps records, in milliseconds; None if for ever or unknown.

    A topic that only compacts keeps records for ever. A topic whose settings may not be described is unknown. Kafka may delete
    records earlier if the topic has `retention.bytes`. Blocks until a broker has answered.

    Raises:
        kafka.errors.KafkaError: no broker answers.
    """
    if not topics:
        return {}
    request = DescribeConfigsRequest(
        resources=[(_TOPIC, topic, [_RETENTION, _CLEANUP]) for topic in topics], include_synonyms=False, min_version=0
    )
    response = client._manager.run(client._manager.send, request)
    found: dict[str, int | None] = dict.fromkeys(topics)
    for result in response.results:
        settings = {} if result.error_code else {config.name: config.value for config in result.configs}
        kept_ms, cleanup = settings.get(_RETENTION), settings.get(_CLEANUP) or "delete"
        if kept_ms is not None and int(kept_ms) >= 0 and "delete" in cleanup:
            found[result.resource_name] = int(kept_ms)
    return found
