"""Handlers of requests about the cluster and its topics: versions, metadata, creation, partitions, deletion, settings."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from typing import Any

import attrs

from kafka2parquet.testing.broker.coordinator import GroupCoordinator
from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode
from kafka2parquet.testing.broker.messages import APIS, Call, Handler
from kafka2parquet.testing.broker.topics import Topic, Topics

NODE_ID = 1
_NO_ID = uuid.UUID(int=0)
_DYNAMIC_TOPIC_CONFIG = 1  # the source of a setting


@attrs.frozen
class ClusterHandlers:
    """Handles requests about the cluster and its topics.

    Attributes:
        topics: the broker's topics.
        groups: the broker's groups, which drop offsets of deleted topics.
        cluster_id: the cluster id that clients see.
        address: host and port of the broker.
        auto_create_topics: create a topic when a client that allows it asks for its metadata.
    """

    topics: Topics
    groups: GroupCoordinator
    cluster_id: str
    address: Callable[[], tuple[str, int]]
    auto_create_topics: bool

    def handlers(self) -> dict[str, Handler]:
        """Return the handler of each request, by the name of the request."""
        return {
            "ApiVersions": self.api_versions,
            "FindCoordinator": self.find_coordinator,
            "Metadata": self.metadata,
            "DescribeCluster": self.describe_cluster,
            "DescribeConfigs": self.describe_configs,
            "CreateTopics": self.create_topics,
            "CreatePartitions": self.create_partitions,
            "DeleteTopics": self.delete_topics,
        }

    async def api_versions(self, call: Call) -> Any:
        """Return the supported versions of all requests. `request` is None if the version of this request is unknown."""
        version_class = call.api.response.ApiVersion
        return call.response(
            error_code=ErrorCode.UNSUPPORTED_VERSION if call.request is None else call.injected_error,
            api_keys=[version_class(api_key=api.key, min_version=0, max_version=api.max_version) for api in APIS.values()],
        )

    async def find_coordinator(self, call: Call) -> Any:
        """Return this broker, which coordinates all groups and transactions."""
        host, port = self.address()
        answer = {"node_id": NODE_ID, "host": host, "port": port, "error_code": call.injected_error, "error_message": None}
        coordinator_class = call.api.response.Coordinator
        keys = call.request.coordinator_keys or ()
        return call.response(coordinators=[coordinator_class(key=key, **answer) for key in keys], **answer)

    async def metadata(self, call: Call) -> Any:
        """Return topics with their ids and partitions. Creates missing topics named in the request, if this is allowed."""
        host, port = self.address()
        asked = call.request.topics
        if asked is None or (call.version == 0 and not asked):
            described = [self._describe_topic(call, topic.name, topic) for topic in self.topics]
        else:
            described = [self._describe_asked(call, topic.name, topic.topic_id) for topic in asked]
        return call.response(
            brokers=[call.api.response.MetadataResponseBroker(node_id=NODE_ID, host=host, port=port, rack=None)],
            cluster_id=self.cluster_id,
            controller_id=NODE_ID,
            topics=described,
        )

    def _describe_asked(self, call: Call, name: str | None, topic_id: uuid.UUID | None) -> Any:
        try:
            if name is None:
                return self._describe_topic(call, None, self.topics.topic_by_id(topic_id or _NO_ID))
            return self._describe_topic(call, name, self._find_or_create(call, name))
        except BrokerError as error:
            return call.api.response.MetadataResponseTopic(error_code=error.code, name=name, topic_id=topic_id or _NO_ID)

    def _find_or_create(self, call: Call, name: str) -> Topic:
        try:
            return self.topics.topic(name)
        except BrokerError:
            if self.auto_create_topics and (call.version < 4 or call.request.allow_auto_topic_creation):
                return self.topics.create(name)
            raise

    def _describe_topic(self, call: Call, name: str | None, topic: Topic) -> Any:
        topic_class = call.api.response.MetadataResponseTopic
        return topic_class(
            error_code=call.injected_error,
            name=topic.name if name is None else name,
            topic_id=topic.topic_id,
            partitions=[
                topic_class.MetadataResponsePartition(
                    partition_index=index, leader_id=NODE_ID, leader_epoch=0, replica_nodes=[NODE_ID], isr_nodes=[NODE_ID]
                )
                for index in range(len(topic.partitions))
            ],
        )

    async def describe_cluster(self, call: Call) -> Any:
        """Return the cluster id and the only broker."""
        host, port = self.address()
        broker_class = call.api.response.DescribeClusterBroker
        return call.response(
            error_code=call.injected_error,
            cluster_id=self.cluster_id,
            controller_id=NODE_ID,
            brokers=[broker_class(broker_id=NODE_ID, host=host, port=port, rack=None)],
        )

    async def describe_configs(self, call: Call) -> Any:
        """Return the settings that topics were created with."""
        result_class = call.api.response.DescribeConfigsResult
        settings = {topic.name: topic.configs for topic in self.topics}
        return call.response(
            results=[
                result_class(
                    error_code=call.injected_error,
                    error_message=None,
                    resource_type=resource.resource_type,
                    resource_name=resource.resource_name,
                    configs=[
                        result_class.DescribeConfigsResourceResult(
                            name=name,
                            value=value,
                            read_only=False,
                            config_source=_DYNAMIC_TOPIC_CONFIG,
                            is_default=False,
                            is_sensitive=False,
                        )
                        for name, value in settings.get(resource.resource_name, {}).items()
                    ],
                )
                for resource in call.request.resources
            ]
        )

    async def create_topics(self, call: Call) -> Any:
        """Create topics, or only validate the request."""
        result_class = call.api.response.CreatableTopicResult
        results = []
        for asked in call.request.topics:
            topic_id, partitions, code = _NO_ID, -1, ErrorCode.NONE.value
            try:
                call.check()
                configs = {config.name: config.value for config in asked.configs}
                wanted = len(asked.assignments) or (None if asked.num_partitions == -1 else asked.num_partitions)
                if call.request.validate_only:
                    self.topics.check_new(asked.name, 1 if wanted is None else wanted)
                else:
                    topic = self.topics.create(asked.name, wanted, configs)
                    topic_id, partitions = topic.topic_id, len(topic.partitions)
            except BrokerError as error:
                code = error.code
            results.append(
                result_class(
                    name=asked.name,
                    topic_id=topic_id,
                    error_code=code,
                    error_message=None,
                    num_partitions=partitions,
                    replication_factor=1,
                    configs=[],
                )
            )
        return call.response(topics=results)

    async def create_partitions(self, call: Call) -> Any:
        """Add partitions to topics."""
        result_class = call.api.response.CreatePartitionsTopicResult
        return call.response(
            results=[
                result_class(
                    name=asked.name,
                    error_code=call.attempt(functools.partial(self.topics.add_partitions, asked.name, asked.count)),
                    error_message=None,
                )
                for asked in call.request.topics
            ]
        )

    async def delete_topics(self, call: Call) -> Any:
        """Delete topics, by name or (from version 6 on) by id, with their committed offsets."""
        result_class = call.api.response.DeletableTopicResult
        if call.version < 6:
            asked = [(name, _NO_ID) for name in call.request.topic_names]
        else:
            asked = [(state.name, state.topic_id) for state in call.request.topics]
        results = []
        for name, topic_id in asked:
            code = ErrorCode.NONE.value
            try:
                call.check()
                topic = self.topics.topic(name) if name is not None else self.topics.topic_by_id(topic_id)
                name, topic_id = topic.name, topic.topic_id
                self.delete_topic(name)
            except BrokerError as error:
                code = error.code
            results.append(result_class(name=name, topic_id=topic_id or _NO_ID, error_code=code, error_message=None))
        return call.response(responses=results)

    def delete_topic(self, name: str) -> None:
        """Delete a topic with its records and committed offsets.

        Raises:
            BrokerError: the topic doesn't exist.
        """
        self.topics.delete(name)
        self.groups.forget_topic(name)
