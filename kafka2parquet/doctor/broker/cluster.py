"""Cluster: what the brokers say about themselves, the topics and the consumer group, by single requests."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import attrs
from kafka.protocol.admin import (
    DescribeConfigsRequest,
    DescribeConfigsResponse,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
)
from kafka.protocol.consumer import ListOffsetsRequest, ListOffsetsResponse, OffsetFetchRequest, OffsetFetchResponse
from kafka.protocol.metadata import (
    FindCoordinatorRequest,
    FindCoordinatorResponse,
    MetadataRequest,
    MetadataResponse,
)

from kafka2parquet.consumers.topic_ids import topic_id_text
from kafka2parquet.doctor.broker.connection import BrokerConnection, UnsupportedRequestError
from kafka2parquet.records import TopicPartition

#: Error codes of Kafka's protocol.
NO_ERROR = 0
UNKNOWN_TOPIC = 3
LEADER_NOT_AVAILABLE = 5
COORDINATOR_LOADING = 14
COORDINATOR_NOT_AVAILABLE = 15
NOT_COORDINATOR = 16
INVALID_TOPIC = 17
TOPIC_REFUSED = 29
GROUP_REFUSED = 30
CLUSTER_REFUSED = 31

_NOT_YET = (COORDINATOR_LOADING, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR)
_WAIT_S = 10.0
_PAUSE_S = 0.3

#: Numbers of rights in the answers (`AclOperation`).
READ, WRITE, CREATE, DESCRIBE = 3, 4, 5, 8
TOPIC, BROKER = 2, 4

#: Special timestamps of ListOffsets: the end and the start of the log, and the record with the greatest timestamp.
LATEST, EARLIEST, MAX_TIMESTAMP = -1, -2, -3


@attrs.frozen
class TopicInfo:
    """What the metadata says about a topic.

    Attributes:
        name: the topic.
        error_code: why there is nothing else; 0 if there is.
        topic_id: the topic's id; "" if the broker doesn't know ids.
        leaders: id of each partition's leader; -1 for a partition without one.
        rights: numbers of the rights that this client has; None if the broker doesn't say.
    """

    name: str
    error_code: int
    topic_id: str = ""
    leaders: Mapping[int, int] = attrs.field(factory=dict)
    rights: frozenset[int] | None = None


@attrs.frozen
class GroupInfo:
    """A consumer group.

    Attributes:
        error_code: why there is nothing else; 0 if there is.
        state: such as `Stable`, `Empty` or `Dead`.
        protocol_type: `consumer`, or what else uses the group; "" if nobody has used it yet.
        assignor: the assignor of the members; "" without members.
        members: client ids and hosts of the members.
        rights: numbers of the rights that this client has; None if the broker doesn't say.
    """

    error_code: int
    state: str = ""
    protocol_type: str = ""
    assignor: str = ""
    members: tuple[str, ...] = ()
    rights: frozenset[int] | None = None


@attrs.frozen
class Configs:
    """The settings of a topic or a broker.

    Attributes:
        error_code: why there are no values; 0 if there are.
        values: texts by name.
    """

    error_code: int
    values: Mapping[str, str] = attrs.field(factory=dict)

    def number(self, name: str) -> int | None:
        """Return a setting as a number; None if the broker doesn't have it."""
        text = self.values.get(name, "")
        return int(text) if text.removeprefix("-").isdecimal() else None


@attrs.frozen
class Committed:
    """A committed offset with its metadata."""

    offset: int
    metadata: str


class Cluster:
    """Open connections to the brokers of a cluster. All methods block. For one thread.

    Methods raise `NoAnswerError` if a broker doesn't answer, and `UnsupportedRequestError` if it is too old.

    Attributes:
        cluster_id: the cluster's id; "" if unknown.
        addresses: advertised address of each broker, by its id.
        connections: connections by the broker's id. The connection under -1 is to a bootstrap server.
    """

    def __init__(self, bootstrap: BrokerConnection) -> None:
        self.connections: dict[int, BrokerConnection] = {-1: bootstrap}
        answer = self._ask_metadata([])
        self.cluster_id = answer.cluster_id or ""
        self.addresses = {broker.node_id: f"{_bracketed(broker.host)}:{broker.port}" for broker in answer.brokers}

    def close(self) -> None:
        """Close all connections."""
        for connection in self.connections.values():
            connection.close()

    def _ask_metadata(self, topics: Collection[str] | None) -> Any:
        return ask_metadata(self.connections[-1], topics)

    def topic_names(self) -> list[str]:
        """Return the names of all topics that this client may describe."""
        return sorted(topic.name for topic in self._ask_metadata(None).topics if not topic.is_internal)

    def topics(self, names: Collection[str]) -> list[TopicInfo]:
        """Return what the metadata says about these topics, in their order."""
        if not names:
            return []
        found = {topic.name: topic for topic in self._ask_metadata(names).topics}
        return [topic_info(found[name]) for name in names]

    def topic_configs(self, topics: Collection[str], keys: Collection[str]) -> dict[str, Configs]:
        """Return the settings of topics, by name."""
        return self._configs(self.connections[-1], TOPIC, topics, keys)

    def broker_configs(self, broker: int, keys: Collection[str]) -> Configs:
        """Return the settings of a broker, which answers only for itself."""
        return self._configs(self.connections[broker], BROKER, [str(broker)], keys)[str(broker)]

    def _configs(
        self, connection: BrokerConnection, resource_type: int, names: Collection[str], keys: Collection[str]
    ) -> dict[str, Configs]:
        resources = [
            DescribeConfigsRequest.DescribeConfigsResource(
                resource_type=resource_type, resource_name=name, configuration_keys=list(keys)
            )
            for name in names
        ]
        if not resources:
            return {}
        answer = connection.ask(DescribeConfigsRequest(resources=resources), DescribeConfigsResponse, 1, 4)
        return {
            result.resource_name: Configs(result.error_code, {each.name: each.value or "" for each in result.configs})
            for result in answer.results
        }

    def coordinator(self, group: str) -> tuple[int, int]:
        """Return an error code and the id of the broker that coordinates the group. Waits some seconds for a coordinator."""
        deadline = time.monotonic() + _WAIT_S
        while True:
            answer = self.connections[-1].ask(FindCoordinatorRequest(key=group, key_type=0), FindCoordinatorResponse, 1, 3)
            if answer.error_code not in _NOT_YET or time.monotonic() > deadline:
                return int(answer.error_code), int(answer.node_id)
            time.sleep(_PAUSE_S)

    def group(self, group: str, coordinator: int) -> GroupInfo:
        """Return what the coordinator says about a group. Waits some seconds while the coordinator loads the group."""
        connection = self.connections[coordinator]
        deadline = time.monotonic() + _WAIT_S
        while True:
            request = DescribeGroupsRequest(groups=[group], include_authorized_operations=True)
            found = connection.ask(request, DescribeGroupsResponse, 3, 5).groups[0]
            if found.error_code not in _NOT_YET or time.monotonic() > deadline:
                break
            time.sleep(_PAUSE_S)
        members = tuple(f"{member.client_id} ({member.client_host.lstrip('/')})" for member in found.members)
        return GroupInfo(
            found.error_code,
            found.group_state,
            found.protocol_type,
            found.protocol_data,
            members,
            _rights(found.authorized_operations),
        )

    def committed(self, group: str, coordinator: int, topics: Iterable[TopicInfo]) -> dict[TopicPartition, Committed]:
        """Return the group's committed offsets in these topics."""
        asked = [
            OffsetFetchRequest.OffsetFetchRequestTopic(name=topic.name, partition_indexes=list(topic.leaders))
            for topic in topics
        ]
        answer = self.connections[coordinator].ask(OffsetFetchRequest(group_id=group, topics=asked), OffsetFetchResponse, 2, 5)
        return {
            TopicPartition(topic.name, each.partition_index): Committed(each.committed_offset, each.metadata or "")
            for topic in answer.topics
            for each in topic.partitions
            if each.committed_offset >= 0 and not each.error_code
        }

    def offsets(self, topics: Iterable[TopicInfo], timestamp: int) -> dict[TopicPartition, tuple[int, int]]:
        """Return offset and timestamp of a record of each partition whose leader is known and connected.

        Args:
            topics: the topics.
            timestamp: `LATEST`, `EARLIEST` or `MAX_TIMESTAMP`.

        Raises:
            UnsupportedRequestError: a broker doesn't know `MAX_TIMESTAMP`.
        """
        by_leader: dict[int, list[tuple[str, int]]] = {}
        for topic in topics:
            for partition, leader in topic.leaders.items():
                if leader in self.connections:
                    by_leader.setdefault(leader, []).append((topic.name, partition))
        found: dict[TopicPartition, tuple[int, int]] = {}
        for leader, partitions in by_leader.items():
            asked: dict[str, list[Any]] = {}
            for name, partition in partitions:
                one = ListOffsetsRequest.ListOffsetsTopic.ListOffsetsPartition(
                    partition_index=partition, timestamp=timestamp, current_leader_epoch=-1
                )
                asked.setdefault(name, []).append(one)
            request = ListOffsetsRequest(
                replica_id=-1,
                isolation_level=0,
                topics=[ListOffsetsRequest.ListOffsetsTopic(name=name, partitions=each) for name, each in asked.items()],
            )
            least = 7 if timestamp == MAX_TIMESTAMP else 2
            answer = self.connections[leader].ask(request, ListOffsetsResponse, least, 7)
            for topic_answer in answer.topics:
                for each in topic_answer.partitions:
                    if not each.error_code:
                        found[TopicPartition(topic_answer.name, each.partition_index)] = (each.offset, each.timestamp)
        return found

    def newest_times(self, topics: Iterable[TopicInfo]) -> dict[TopicPartition, int]:
        """Return the greatest timestamp of each partition, in milliseconds; {} if the brokers are too old."""
        try:
            found = self.offsets(topics, MAX_TIMESTAMP)
        except UnsupportedRequestError:
            return {}
        return {name: timestamp for name, (_, timestamp) in found.items() if timestamp >= 0}


def ask_metadata(connection: BrokerConnection, topics: Collection[str] | None) -> Any:
    """Ask a broker about topics, with this client's rights on them; about all topics, without rights, if `topics` is None.

    Raises:
        NotPossibleError: the broker doesn't answer, or is too old.
    """
    asked = None if topics is None else [MetadataRequest.MetadataRequestTopic(name=topic) for topic in topics]
    request = MetadataRequest(
        topics=asked, allow_auto_topic_creation=False, include_topic_authorized_operations=topics is not None
    )
    return connection.ask(request, MetadataResponse, 4, 10)


def topic_info(topic: Any) -> TopicInfo:
    """Return what an answer says about a topic."""
    leaders = {each.partition_index: each.leader_id for each in topic.partitions}
    return TopicInfo(topic.name, topic.error_code, topic_id_text(topic.topic_id), leaders, _rights(topic.authorized_operations))


def _rights(numbers: Any) -> frozenset[int] | None:
    """Return the rights in an answer; None if the broker left them out, which sets only the highest bit."""
    found = frozenset(numbers) if numbers is not None else frozenset()
    return None if not found or max(found) >= 31 else found


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
