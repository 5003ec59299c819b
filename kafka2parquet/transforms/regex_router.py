"""RegexRouter: renames topics by a regular expression."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from kafka2parquet.rows import Rows
from kafka2parquet.transforms.base import Transform, Transformed
from kafka2parquet.transforms.java_patterns import compiled, replacement
from kafka2parquet.transforms.properties import TransformProperties
from kafka2parquet.util.arguments import Name, checked


@checked
class RegexRouter(Transform):
    """Renames topics, as Kafka Connect's RegexRouter does.

    Later transforms see the new name. If `ObjectNaming.topic_folders` has the router too, the topic's folder has the new name.
    Offsets, consumer group and file names keep the original topic.
    """

    def __init__(self, regex: Name, replacement_text: str) -> None:
        """Choose the topics and their names.

        Args:
            regex: one of Java's regular expressions. Topics whose whole name doesn't match keep their name.
            replacement_text: text that replaces the first match in the name; `$1` stands for the first group.

        Raises:
            ConfigurationError: Java would refuse an argument, or Python doesn't support it.
        """
        self._regex = compiled(regex, "regex")
        self._replacement = replacement(replacement_text, self._regex, "replacement")
        self._text = replacement_text

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> RegexRouter:
        """Read the properties `regex`, `replacement`."""
        given = TransformProperties(properties, "RegexRouter", "regex", "replacement")
        text = given.text("replacement")
        return cls(given.required("regex"), text if text is not None else given.required("replacement"))

    def routed(self, topic: str) -> str:
        """Return the new name of a topic."""
        if self._regex.fullmatch(topic) is None:
            return topic
        return self._regex.sub(self._replacement, topic, count=1)

    @property
    def fingerprint(self) -> str:
        """Text that identifies expression and replacement."""
        return f"route-{self._regex.pattern!r}-{self._text!r}"

    def apply(self, rows: Rows) -> Transformed:
        """Set the rows' new topic."""
        return Transformed(attrs.evolve(rows, routed_topic=self.routed(rows.topic)))

    def apply_to_tombstones(self, rows: Rows) -> Transformed:
        """Rename tombstones, as `apply` does rows."""
        return self.apply(rows)
