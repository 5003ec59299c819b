"""PerTopicConverter: a separate converter for each topic."""

from __future__ import annotations

from collections.abc import Callable

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rows import Converted
from kafka2parquet.util.arguments import checked


@checked
class PerTopicConverter(RecordConverter):
    """Converts each topic with a separate converter, so that topics may have different settings and learned schemas."""

    def __init__(self, make: Callable[[str], RecordConverter], *, fingerprint: str | None = None) -> None:
        """Makes no converter before the first record of a topic.

        Args:
            make: called with the name of a topic; makes the topic's converter.
            fingerprint: names the settings of all converters, if topics have different settings.
        """
        self._make = make
        self._by_topic: dict[str, RecordConverter] = {}
        self._fingerprint = fingerprint if fingerprint is not None else make("").fingerprint

    @property
    def fingerprint(self) -> str:
        """The given fingerprint; by default that of any topic's converter."""
        return self._fingerprint

    def convert(self, batch: ConsumedBatch) -> Converted:
        """Converts the batch with the topic's converter."""
        topic = batch.topic_partition.topic
        if topic not in self._by_topic:
            self._by_topic[topic] = self._make(topic)
        return self._by_topic[topic].convert(batch)
