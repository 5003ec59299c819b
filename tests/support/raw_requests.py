"""Single requests of producers and group members, with what tests need to know of the answers."""

from __future__ import annotations

import struct
from typing import Any

from kafka.protocol.admin import DeleteGroupsRequest, DeleteGroupsResponse
from kafka.protocol.consumer import (
    HeartbeatRequest,
    HeartbeatResponse,
    JoinGroupRequest,
    JoinGroupResponse,
    LeaveGroupRequest,
    OffsetCommitRequest,
    OffsetCommitResponse,
    SyncGroupRequest,
    SyncGroupResponse,
)
from kafka.protocol.producer import ProduceRequest, ProduceResponse

from kafka2parquet.testing.broker.error_codes import ErrorCode
from tests.support.raw_kafka_client import RawKafkaClient

# what a consumer says about itself: version 0, subscribed to nothing
_SUBSCRIPTION = struct.pack(">hii", 0, 0, -1)


def produce_batch(client: RawKafkaClient, topic: str, batch: bytes, transactional_id: str | None = None) -> tuple[int, int]:
    """Produces one batch to partition 0, and returns error code and base offset."""
    topic_class = ProduceRequest.TopicProduceData
    partition = topic_class.PartitionProduceData(index=0, records=batch)
    request = ProduceRequest(
        transactional_id=transactional_id,
        acks=-1,
        timeout_ms=10_000,
        topic_data=[topic_class(name=topic, partition_data=[partition])],
    )
    answer = client.ask(request, ProduceResponse, 9).responses[0].partition_responses[0]
    return answer.error_code, answer.base_offset


def join_request(group: str, member_id: str, *, instance_id: str | None = None, session_timeout_ms: int = 10_000) -> Any:
    """Makes the request of a member that joins a group with the range strategy."""
    return JoinGroupRequest(
        group_id=group,
        session_timeout_ms=session_timeout_ms,
        rebalance_timeout_ms=10_000,
        member_id=member_id,
        group_instance_id=instance_id,
        protocol_type="consumer",
        protocols=[JoinGroupRequest.JoinGroupRequestProtocol(name="range", metadata=_SUBSCRIPTION)],
    )


def sync_request(
    group: str, member_id: str, generation: int, assignments: dict[str, bytes], instance_id: str | None = None
) -> Any:
    """Makes the request of a member for its assignment; the leader's request has all assignments."""
    assignment_class = SyncGroupRequest.SyncGroupRequestAssignment
    return SyncGroupRequest(
        group_id=group,
        generation_id=generation,
        member_id=member_id,
        group_instance_id=instance_id,
        protocol_type="consumer",
        protocol_name="range",
        assignments=[assignment_class(member_id=member, assignment=data) for member, data in assignments.items()],
    )


def leave_request(group: str, member_id: str) -> Any:
    """Makes the request of a member that leaves."""
    return LeaveGroupRequest(group_id=group, members=[LeaveGroupRequest.MemberIdentity(member_id=member_id)])


def delete_group(client: RawKafkaClient, group: str) -> int:
    """Deletes a group, and returns the error code."""
    code: int = client.ask(DeleteGroupsRequest(groups_names=[group]), DeleteGroupsResponse, 2).results[0].error_code
    return code


def become_member(
    client: RawKafkaClient, group: str, *, instance_id: str | None = None, session_timeout_ms: int = 10_000
) -> tuple[str, int]:
    """Joins an empty group as its leader, and returns member id and generation."""
    request = join_request(group, "", instance_id=instance_id, session_timeout_ms=session_timeout_ms)
    joined = client.ask_coordinator(request, JoinGroupResponse, 9)
    if joined.error_code == ErrorCode.MEMBER_ID_REQUIRED:
        request = join_request(group, joined.member_id, session_timeout_ms=session_timeout_ms)
        joined = client.ask(request, JoinGroupResponse, 9)
    member_id, generation = joined.member_id, joined.generation_id
    client.ask(sync_request(group, member_id, generation, {member_id: b"mine"}, instance_id), SyncGroupResponse, 5)
    return member_id, generation


def heartbeat(client: RawKafkaClient, group: str, member_id: str, generation: int, instance_id: str | None = None) -> int:
    """Sends a member's heartbeat, and returns the error code."""
    request = HeartbeatRequest(group_id=group, generation_id=generation, member_id=member_id, group_instance_id=instance_id)
    code: int = client.ask(request, HeartbeatResponse, 4).error_code
    return code


def commit_offset(client: RawKafkaClient, group: str, topic: str, member_id: str, generation: int) -> int:
    """Commits offset 1 of partition 0, and returns the error code."""
    topic_class = OffsetCommitRequest.OffsetCommitRequestTopic
    partition = topic_class.OffsetCommitRequestPartition(partition_index=0, committed_offset=1, committed_metadata="")
    request = OffsetCommitRequest(
        group_id=group,
        generation_id_or_member_epoch=generation,
        member_id=member_id,
        topics=[topic_class(name=topic, partitions=[partition])],
    )
    code: int = client.ask(request, OffsetCommitResponse, 8).topics[0].partitions[0].error_code
    return code
