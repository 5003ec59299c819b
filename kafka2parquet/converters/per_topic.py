"""PerTopicConverter: each topic has a converter of its own."""

from __future__ import annotations

from collections.abc import Callable

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rows import Converted
from kafka2parquet.util.arguments import checked


@checked
class PerTopicConverter(RecordConverter):
    """Gives the records of each topic to a converter of its own, so that topics don't share a learned schema."""

    def __init__(self, make: Callable[[str], RecordConverter], *, fingerprint: str | None = None) -> None:
        """Make converters with `make`, which is called with the topic's name when its first record comes.

        Args:
            make: makes a topic's converter.
            fingerprint: names the settings of all of them, where topics have settings of their own.
        """
        self._make = make
        self._by_topic: dict[str, RecordConverter] = {}
        self._fingerprint = fingerprint if fingerprint is not None else make("").fingerprint

    @property
    def fingerprint(self) -> str:
        """That of each topic's converter, where they differ only in what they have learned; else the one that was given."""
        return self._fingerprint

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Let the topic's converter make each record either a row or a reject."""
        topic = batch.topic_partition.topic
        if topic not in self._by_topic:
            self._by_topic[topic] = self._make(topic)
        return self._by_topic[topic].convert(batch)
