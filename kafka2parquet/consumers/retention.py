"""Asks brokers how long topics keep records: a request, and what its answer says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from kafka.protocol.admin import DescribeConfigsRequest

_TOPIC = 2  # the type of a resource, as KafkaAdminClient's ConfigResourceType.TOPIC
_RETENTION, _CLEANUP = "retention.ms", "cleanup.policy"


def retention_request(topics: Collection[str]) -> Any:
    """Return the request that asks for the retention of topics. Any broker answers."""
    resources = [(_TOPIC, topic, [_RETENTION, _CLEANUP]) for topic in topics]
    return DescribeConfigsRequest(resources=resources, include_synonyms=False, min_version=0)


def retentions_ms(response: Any) -> Mapping[str, int | None]:
    """Return how long each topic keeps records, in milliseconds; None if for ever or unknown.

    A topic that only compacts keeps records for ever. A topic whose settings may not be described is unknown. Kafka may delete
    records earlier if the topic has `retention.bytes`.
    """
    return {result.resource_name: _retention_ms(result) for result in response.results}


def _retention_ms(result: Any) -> int | None:
    values = {config.name: config.value for config in result.configs} if result.error_code == 0 else {}
    if "delete" not in (values.get(_CLEANUP) or ""):
        return None
    retention_ms = int(values.get(_RETENTION) or -1)
    return retention_ms if retention_ms >= 0 else None
