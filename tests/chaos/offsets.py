"""The group's offsets, set back as an operator does, or as a late commit of ours would."""

from __future__ import annotations

import collections
import random
import time

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CommitFailedError
from kafka.structs import OffsetAndMetadata

_KEPT = 50
_EMPTY_LIMIT_S = 30.0


class GroupOffsets:
    """Reads and sets the offsets of a group without the fault proxy, and remembers some of them."""

    def __init__(self, bootstrap: str, group: str, topic: str, rng: random.Random) -> None:
        self._bootstrap = bootstrap
        self._group = group
        self._topic = topic
        self._rng = rng
        self._seen: dict[int, collections.deque[OffsetAndMetadata]] = collections.defaultdict(
            lambda: collections.deque(maxlen=_KEPT)
        )

    def remember(self, partitions: int) -> None:
        """Reads and remembers the committed offsets."""
        with self._client() as client:
            for partition in range(partitions):
                found = client.committed(TopicPartition(self._topic, partition), metadata=True, timeout_ms=5_000)
                if found is not None and (not self._seen[partition] or self._seen[partition][-1] != found):
                    self._seen[partition].append(found)

    def back_to_an_older_commit(self) -> None:
        """Sets an offset that a member once committed, with its metadata. The group must have no members."""
        self._commit({partition: self._rng.choice(seen) for partition, seen in self._seen.items() if seen})

    def back_to_any_offset(self) -> None:
        """Sets any earlier offset without metadata. The group must have no members."""
        self._commit(
            {
                partition: OffsetAndMetadata(self._rng.choice((0, self._rng.randint(0, seen[-1].offset))), "", -1)
                for partition, seen in self._seen.items()
                if seen
            }
        )

    def _commit(self, offsets: dict[int, OffsetAndMetadata]) -> None:
        with self._client() as client:
            names = {TopicPartition(self._topic, partition): offset for partition, offset in offsets.items()}
            client.assign(list(names))
            deadline = time.monotonic() + _EMPTY_LIMIT_S
            while True:
                try:
                    client.commit(names, timeout_ms=10_000)
                    return
                except CommitFailedError:  # a member that was killed is still counted
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.5)

    def _client(self) -> KafkaConsumer:
        return KafkaConsumer(bootstrap_servers=self._bootstrap, group_id=self._group, enable_auto_commit=False)
