"""The broker's consumer groups: their membership and committed offsets, by group id."""

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
    """An offset that a group has committed for a topic-partition.

    Attributes:
        offset: next offset to read.
        leader_epoch: leader epoch of the last record read; -1 if unknown.
        metadata: text that the consumer stored with the offset.
    """

    offset: int
    leader_epoch: int
    metadata: str


@attrs.define(eq=False)
class GroupOffsets:
    """The offsets of a group.

    Attributes:
        committed: the committed offsets, which consumers get.
        pending: the offsets of open transactions, by producer id.
    """

    committed: dict[TopicPartition, CommittedOffset] = attrs.Factory(dict)
    pending: dict[int, dict[TopicPartition, CommittedOffset]] = attrs.Factory(dict)

    def commit(self, topic_partition: TopicPartition, offset: CommittedOffset, producer_id: int | None = None) -> None:
        """Store an offset. If it belongs to a producer's transaction, it takes effect when the transaction is committed.

        Raises:
            BrokerError: the metadata is too long.
        """
        if len(offset.metadata) > _METADATA_MAX_CHARACTERS:
            raise BrokerError(ErrorCode.OFFSET_METADATA_TOO_LARGE)
        target = self.committed if producer_id is None else self.pending.setdefault(producer_id, {})
        target[topic_partition] = offset

    def end_transaction(self, producer_id: int, *, commit: bool) -> None:
        """Apply or drop the offsets of a producer's transaction."""
        offsets = self.pending.pop(producer_id, {})
        if commit:
            self.committed.update(offsets)

    def is_unstable(self, topic_partition: TopicPartition) -> bool:
        """Return whether an open transaction has an offset for this topic-partition."""
        return any(topic_partition in offsets for offsets in self.pending.values())


class GroupCoordinator:
    """All consumer groups of the broker. Not thread-safe: only the broker's event loop may use it."""

    def __init__(self, initial_rebalance_delay_s: float) -> None:
        self._initial_rebalance_delay_s = initial_rebalance_delay_s
        self._groups: dict[str, Group] = {}
        self._offsets: dict[str, GroupOffsets] = {}

    def __iter__(self) -> Iterator[Group]:
        """Iterate over the groups that have members or offsets."""
        return iter([group for group in self._groups.values() if group.members or self._offsets[group.group_id].committed])

    def group(self, group_id: str) -> Group:
        """Return a group; a new, empty group if the id is unknown.

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
        """Return the offsets of a group.

        Raises:
            BrokerError: the id is empty.
        """
        self.group(group_id)
        return self._offsets[group_id]

    def find(self, group_id: str) -> Group | None:
        """Return a group; None if the id is unknown."""
        return self._groups.get(group_id)

    def committed(self, group_id: str) -> Mapping[TopicPartition, CommittedOffset]:
        """Return the committed offsets of a group; an empty mapping for an unknown group."""
        return self._offsets[group_id].committed if group_id in self._offsets else {}

    def delete(self, group_id: str) -> None:
        """Delete a group without members, with its offsets.

        Raises:
            BrokerError: the group doesn't exist, or it has members.
        """
        group = self._groups.get(group_id)
        if group is None:
            raise BrokerError(ErrorCode.GROUP_ID_NOT_FOUND)
        if group.state is not GroupState.EMPTY:
            raise BrokerError(ErrorCode.NON_EMPTY_GROUP)
        del self._groups[group_id], self._offsets[group_id]

    def forget_topic(self, topic: str) -> None:
        """Drop all committed offsets of a deleted topic."""
        for offsets in self._offsets.values():
            for kept in (offsets.committed, *offsets.pending.values()):
                for topic_partition in [each for each in kept if each[0] == topic]:
                    del kept[topic_partition]

    def expire(self, now: float) -> None:
        """Apply the timeouts that have passed, in every group."""
        for group in self._groups.values():
            group.expire(now)
