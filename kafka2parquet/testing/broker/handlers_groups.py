"""Handlers of requests about consumer groups: membership, offsets, administration."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import attrs

from kafka2parquet.testing.broker.coordinator import CommittedOffset, GroupCoordinator, GroupOffsets
from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode
from kafka2parquet.testing.broker.groups import Group, JoinRequest, JoinResult, Member, SyncResult
from kafka2parquet.testing.broker.messages import Call, Handler
from kafka2parquet.testing.broker.topics import Topics

_NO_OFFSET = CommittedOffset(-1, -1, "")


@attrs.frozen
class GroupHandlers:
    """Handles requests of the classic group protocol.

    Attributes:
        topics: the broker's topics. Offsets are stored only for partitions that exist.
        groups: the broker's groups.
    """

    topics: Topics
    groups: GroupCoordinator

    def handlers(self) -> dict[str, Handler]:
        """Return the handler of each request, by the name of the request."""
        return {
            "JoinGroup": self.join_group,
            "SyncGroup": self.sync_group,
            "Heartbeat": self.heartbeat,
            "LeaveGroup": self.leave_group,
            "OffsetCommit": self.offset_commit,
            "OffsetFetch": self.offset_fetch,
            "OffsetDelete": self.offset_delete,
            "DescribeGroups": self.describe_groups,
            "ListGroups": self.list_groups,
            "DeleteGroups": self.delete_groups,
        }

    async def join_group(self, call: Call) -> Any:
        """Wait until the group has a new generation, and return the member's role in this generation."""
        asked = call.request
        joined: asyncio.Future[JoinResult] = asyncio.get_running_loop().create_future()
        try:
            call.check()
            rebalance_timeout_ms = asked.rebalance_timeout_ms if call.version >= 1 else asked.session_timeout_ms
            request = JoinRequest(
                member_id=asked.member_id,
                instance_id=asked.group_instance_id,
                client_id=call.client_id,
                session_timeout_s=asked.session_timeout_ms / 1000,
                rebalance_timeout_s=rebalance_timeout_ms / 1000,
                protocol_type=asked.protocol_type,
                protocols=tuple((protocol.name, bytes(protocol.metadata)) for protocol in asked.protocols),
                needs_known_id=call.version >= 4,
                may_skip_assignment=call.version >= 9,
            )
            self.groups.group(asked.group_id).join(request, _now(), functools.partial(_answer, joined))
            result = await joined
        except BrokerError as error:
            result = JoinResult(error.code, asked.member_id)
        member_class = call.api.response.JoinGroupResponseMember
        return call.response(
            error_code=result.error,
            generation_id=result.generation,
            protocol_type=result.protocol_type,
            protocol_name=result.protocol_name if call.version >= 7 else result.protocol_name or "",
            leader=result.leader_id,
            skip_assignment=result.skip_assignment,
            member_id=result.member_id,
            members=[
                member_class(member_id=member.member_id, group_instance_id=member.instance_id, metadata=member.metadata)
                for member in result.members
            ],
        )

    async def sync_group(self, call: Call) -> Any:
        """Wait until the leader has sent the assignments, and return the member's assignment."""
        asked = call.request
        synced: asyncio.Future[SyncResult] = asyncio.get_running_loop().create_future()
        protocol_type = protocol_name = None
        try:
            call.check()
            group = self.groups.group(asked.group_id)
            group.sync(
                asked.member_id,
                asked.group_instance_id,
                asked.generation_id,
                {each.member_id: bytes(each.assignment) for each in asked.assignments},
                _now(),
                functools.partial(_answer, synced),
            )
            result = await synced
            protocol_type, protocol_name = group.protocol_type, group.protocol_name
        except BrokerError as error:
            result = SyncResult(error.code)
        return call.response(
            error_code=result.error, protocol_type=protocol_type, protocol_name=protocol_name, assignment=result.assignment
        )

    async def heartbeat(self, call: Call) -> Any:
        """Record a heartbeat, and return an error if the member has to rejoin."""
        asked = call.request

        def beat() -> None:
            self.groups.group(asked.group_id).heartbeat(asked.member_id, asked.group_instance_id, asked.generation_id, _now())

        return call.response(error_code=call.attempt(beat))

    async def leave_group(self, call: Call) -> Any:
        """Remove one member or, from version 3 on, several members."""
        member_class = call.api.response.MemberResponse
        if call.version < 3:
            leaving = [(call.request.member_id, None)]
        else:
            leaving = [(member.member_id, member.group_instance_id) for member in call.request.members]

        def leave(member_id: str, instance_id: str | None) -> None:
            self.groups.group(call.request.group_id).leave(member_id, instance_id, _now())

        members = [
            member_class(
                member_id=member_id,
                group_instance_id=instance_id,
                error_code=call.attempt(functools.partial(leave, member_id, instance_id)),
            )
            for member_id, instance_id in leaving
        ]
        return call.response(error_code=members[0].error_code if call.version < 3 else call.injected_error, members=members)

    async def offset_commit(self, call: Call) -> Any:
        """Store offsets, if the member may commit."""
        asked = call.request
        topic_class = call.api.response.OffsetCommitResponseTopic
        refused = call.attempt(functools.partial(self._check_commit, asked))

        def store(topic: str, partition: Any) -> int:
            offset = CommittedOffset(
                partition.committed_offset, partition.committed_leader_epoch, partition.committed_metadata or ""
            )
            return refused or self.store_offset(asked.group_id, topic, partition.partition_index, offset)

        return call.response(
            topics=[
                topic_class(
                    name=topic.name,
                    partitions=[
                        topic_class.OffsetCommitResponsePartition(
                            partition_index=partition.partition_index, error_code=store(topic.name, partition)
                        )
                        for partition in topic.partitions
                    ],
                )
                for topic in asked.topics
            ]
        )

    def _check_commit(self, asked: Any) -> None:
        self.groups.group(asked.group_id).check_commit(
            asked.member_id, asked.group_instance_id, asked.generation_id_or_member_epoch, _now()
        )

    def store_offset(
        self, group_id: str, topic: str, partition: int, offset: CommittedOffset, producer_id: int | None = None
    ) -> int:
        """Store one offset, in a producer's transaction if a producer is given. Returns the error code."""
        try:
            self.topics.log(topic, partition)
            self.groups.offsets(group_id).commit((topic, partition), offset, producer_id)
        except BrokerError as error:
            return error.code
        return ErrorCode.NONE

    async def offset_fetch(self, call: Call) -> Any:
        """Return the committed offsets of a group or, from version 8 on, of several groups."""
        if call.version < 8:
            topic_class = call.api.response.OffsetFetchResponseTopic
            partition_class = topic_class.OffsetFetchResponsePartition
            topics = self._fetch_offsets(call, call.request.group_id, call.request.topics, topic_class, partition_class)
            return call.response(error_code=call.injected_error, topics=topics)
        group_class = call.api.response.OffsetFetchResponseGroup
        topic_class = group_class.OffsetFetchResponseTopics
        partition_class = topic_class.OffsetFetchResponsePartitions
        return call.response(
            groups=[
                group_class(
                    group_id=group.group_id,
                    error_code=call.injected_error,
                    topics=self._fetch_offsets(call, group.group_id, group.topics, topic_class, partition_class),
                )
                for group in call.request.groups
            ]
        )

    def _fetch_offsets(self, call: Call, group_id: str, asked: Any, topic_class: Any, partition_class: Any) -> list[Any]:
        offsets = self.groups.offsets(group_id) if self.groups.find(group_id) else GroupOffsets()
        wanted: dict[str, list[int]] = {}
        if asked is None:
            for topic, partition in offsets.committed:
                wanted.setdefault(topic, []).append(partition)
        else:
            wanted = {topic.name: list(topic.partition_indexes) for topic in asked}

        def describe(topic: str, partition: int) -> Any:
            committed, code = offsets.committed.get((topic, partition), _NO_OFFSET), ErrorCode.NONE
            if call.request.require_stable and offsets.is_unstable((topic, partition)):
                committed, code = _NO_OFFSET, ErrorCode.UNSTABLE_OFFSET_COMMIT
            return partition_class(
                partition_index=partition,
                committed_offset=committed.offset,
                committed_leader_epoch=committed.leader_epoch,
                metadata=committed.metadata,
                error_code=code,
            )

        return [
            topic_class(name=topic, partitions=[describe(topic, partition) for partition in partitions])
            for topic, partitions in wanted.items()
        ]

    async def offset_delete(self, call: Call) -> Any:
        """Delete committed offsets."""
        topic_class = call.api.response.OffsetDeleteResponseTopic
        committed = self.groups.offsets(call.request.group_id).committed
        topics = []
        for topic in call.request.topics:
            partitions = []
            for partition in topic.partitions:
                if not call.injected_error:
                    committed.pop((topic.name, partition.partition_index), None)
                partitions.append(
                    topic_class.OffsetDeleteResponsePartition(
                        partition_index=partition.partition_index, error_code=call.injected_error
                    )
                )
            topics.append(topic_class(name=topic.name, partitions=partitions))
        return call.response(error_code=call.injected_error, topics=topics)

    async def describe_groups(self, call: Call) -> Any:
        """Return groups with their states and members. The state of an unknown group is "Dead"."""
        return call.response(groups=[self._describe_group(call, group_id) for group_id in call.request.groups])

    def _describe_group(self, call: Call, group_id: str) -> Any:
        group_class = call.api.response.DescribedGroup
        group = self.groups.find(group_id)
        if group is None:
            return group_class(error_code=call.injected_error, group_id=group_id, group_state="Dead")
        return group_class(
            error_code=call.injected_error,
            group_id=group_id,
            group_state=group.state.value,
            protocol_type=group.protocol_type or "",
            protocol_data=group.protocol_name or "",
            members=[_describe_member(group_class, group, member) for member in group.members.values()],
        )

    async def list_groups(self, call: Call) -> Any:
        """Return all groups that have members or offsets."""
        group_class = call.api.response.ListedGroup
        wanted_states = [state.lower() for state in call.request.states_filter or ()]
        return call.response(
            error_code=call.injected_error,
            groups=[
                group_class(
                    group_id=group.group_id,
                    protocol_type=group.protocol_type or "",
                    group_state=group.state.value,
                    group_type="classic",
                )
                for group in self.groups
                if not wanted_states or group.state.value.lower() in wanted_states
            ],
        )

    async def delete_groups(self, call: Call) -> Any:
        """Delete groups without members."""
        result_class = call.api.response.DeletableGroupResult
        return call.response(
            results=[
                result_class(group_id=group_id, error_code=call.attempt(functools.partial(self.groups.delete, group_id)))
                for group_id in call.request.groups_names
            ]
        )


def _describe_member(group_class: Any, group: Group, member: Member) -> Any:
    return group_class.DescribedGroupMember(
        member_id=member.member_id,
        group_instance_id=member.instance_id,
        client_id=member.request.client_id,
        client_host="/127.0.0.1",
        member_metadata=member.metadata_for(group.protocol_name),
        member_assignment=member.assignment,
    )


def _now() -> float:
    return asyncio.get_running_loop().time()


def _answer(future: asyncio.Future[Any], result: JoinResult | SyncResult) -> None:
    if not future.done():  # the connection may be closed
        future.set_result(result)
