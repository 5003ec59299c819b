"""The broker's consumer groups: membership and committed offsets, by group id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode
from kafka2parquet.testing.broker.groups import Group, GroupState

TopicPartition = tuple[str, int]

# Kafka's default of offset.metadata.max.bytes, which it compares with the number of characters
_METADATA_MAX_CHARACTERS = 4096


@attrs.frozen
class CommittedOffset:
    """Where a group goes on reading.

    Attributes:
        offset: next offset to read.
        leader_epoch: of the last record read, -1 if unknown.
        metadata: whatever the consumer stored with it.
    """

    offset: int
    leader_epoch: int
    metadata: str


@attrs.define(eq=False)
class GroupOffsets:
    """A group's offsets.

    Attributes:
        committed: what a consumer gets.
        pending: offsets that belong to open transactions, by producer id.
    """

    committed: dict[TopicPartition, CommittedOffset] = attrs.Factory(dict)
    pending: dict[int, dict[TopicPartition, CommittedOffset]] = attrs.Factory(dict)

    def commit(self, topic_partition: TopicPartition, offset: CommittedOffset, producer_id: int | None = None) -> None:
        """Store an offset, for later if it belongs to a producer's transaction.

        Raises:
            BrokerError: the metadata is too long.
        """
        if len(offset.metadata) > _METADATA_MAX_CHARACTERS:
            raise BrokerError(ErrorCode.OFFSET_METADATA_TOO_LARGE)
        target = self.committed if producer_id is None else self.pending.setdefault(producer_id, {})
        target[topic_partition] = offset

    def end_transaction(self, producer_id: int, *, commit: bool) -> None:
        """Apply or forget the offsets of a producer's transaction."""
        offsets = self.pending.pop(producer_id, {})
        if commit:
            self.committed.update(offsets)

    def is_unstable(self, topic_partition: TopicPartition) -> bool:
        """Whether an open transaction is about to change this offset."""
        return any(topic_partition in offsets for offsets in self.pending.values())


class GroupCoordinator:
    """All consumer groups of the broker. Not thread-safe; belongs to the broker's event loop."""

    def __init__(self, initial_rebalance_delay_s: float) -> None:
        self._initial_rebalance_delay_s = initial_rebalance_delay_s
        self._groups: dict[str, Group] = {}
        self._offsets: dict[str, GroupOffsets] = {}

    def __iter__(self) -> Iterator[Group]:
        """The groups that have members or offsets."""
        return iter([group for group in self._groups.values() if group.members or self._offsets[group.group_id].committed])

    def group(self, group_id: str) -> Group:
        """The group, a new and empty one if it isn't known yet.

        Raises:
            BrokerError: the id is empty.
        """
        if not group_id:
            raise BrokerError(ErrorCode.INVALID_GROUP_ID)
        if group_id not in self._groups:
            self._groups[group_id] = Group(group_id, initial_rebalance_delay_s=self._initial_rebalance_delay_s)
            self._offsets[group_id] = GroupOffsets()
        return self._groups[group_id]

    def offsets(self, group_id: str) -> GroupOffsets:
        """The group's offsets.

        Raises:
            BrokerError: the id is empty.
        """
        self.group(group_id)
        return self._offsets[group_id]

    def find(self, group_id: str) -> Group | None:
        """The group, None if nobody has used that id yet."""
        return self._groups.get(group_id)

    def committed(self, group_id: str) -> Mapping[TopicPartition, CommittedOffset]:
        """What the group has committed; empty for an unknown group."""
        return self._offsets[group_id].committed if group_id in self._offsets else {}

    def delete(self, group_id: str) -> None:
        """Forget a group without members, with its offsets.

        Raises:
            BrokerError: there is no such group, or it has members.
        """
        group = self._groups.get(group_id)
        if group is None:
            raise BrokerError(ErrorCode.GROUP_ID_NOT_FOUND)
        if group.state is not GroupState.EMPTY:
            raise BrokerError(ErrorCode.NON_EMPTY_GROUP)
        del self._groups[group_id], self._offsets[group_id]

    def forget_topic(self, topic: str) -> None:
        """Drop every group's offsets of a topic that was deleted."""
        for offsets in self._offsets.values():
            for kept in (offsets.committed, *offsets.pending.values()):
                for topic_partition in [each for each in kept if each[0] == topic]:
                    del kept[topic_partition]

    def expire(self, now: float) -> None:
        """Apply what became due in every group."""
        for group in self._groups.values():
            group.expire(now)
