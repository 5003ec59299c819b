"""RegexRouter: renames topics; RoutedFolders: the folders of renamed topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from kafka2parquet.arguments import Name, checked
from kafka2parquet.rows import Rows
from kafka2parquet.transforms.base import Transform, Transformed
from kafka2parquet.transforms.java_patterns import compiled, replacement
from kafka2parquet.transforms.predicates import TopicNameMatches
from kafka2parquet.transforms.properties import TransformProperties


@checked
class RegexRouter(Transform):
    """Renames topics, as Kafka Connect's RegexRouter does.

    The transforms behind it see the new name. Where `ObjectNaming.topic_folders` has the router too, the new name is the folder
    of the topic's files. Offsets, consumer group and the names of files keep the topic's own name.
    """

    def __init__(self, regex: Name, replacement_text: str) -> None:
        """Choose the topics and their names.

        Args:
            regex: a regular expression of Java's; topics whose whole name it doesn't match keep their name.
            replacement_text: what stands in the place of the first match in the name: `$1` is the first group.

        Raises:
            ConfigurationError: one of them can't be read.
        """
        self._regex = compiled(regex, "regex")
        self._replacement = replacement(replacement_text, self._regex, "replacement")
        self._text = replacement_text

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> RegexRouter:
        """Properties: `regex`, `replacement`."""
        given = TransformProperties(properties, "RegexRouter", "regex", "replacement")
        text = given.text("replacement")
        return cls(given.required("regex"), text if text is not None else given.required("replacement"))

    def routed(self, topic: str) -> str:
        """The new name of a topic."""
        if self._regex.fullmatch(topic) is None:
            return topic
        return self._regex.sub(self._replacement, topic, count=1)

    @property
    def fingerprint(self) -> str:
        """Names expression and replacement."""
        return f"route-{self._regex.pattern!r}-{self._text!r}"

    def apply(self, rows: Rows) -> Transformed:
        """Give the rows the new topic."""
        return Transformed(attrs.evolve(rows, routed_topic=self.routed(rows.topic)))

    def apply_to_tombstones(self, rows: Rows) -> Transformed:
        """The same."""
        return self.apply(rows)


@checked
@attrs.frozen(eq=False)
class Route:
    """One RegexRouter among the transforms, and the topics that it is applied to.

    Attributes:
        router: renames topics.
        predicate: chooses the topics; all where there is none.
        negate: whether the router is applied to the other topics instead.
    """

    router: RegexRouter
    predicate: TopicNameMatches | None = None
    negate: bool = False

    def routed(self, topic: str) -> str:
        """The new name of a topic."""
        if self.predicate is not None and self.predicate.matches(topic) == self.negate:
            return topic
        return self.router.routed(topic)

    @property
    def fingerprint(self) -> str:
        """Names router and predicate."""
        chosen = f"{'not-' if self.negate else ''}{self.predicate.fingerprint}" if self.predicate is not None else ""
        return f"{chosen}{self.router.fingerprint}"


@checked
@attrs.frozen(eq=False)
class RoutedFolders:
    """The folders of topics that some RegexRouters rename, one after the other: for `ObjectNaming.topic_folders`."""

    routes: Sequence[Route]

    def folder(self, topic: str) -> str:
        """The name of a topic behind all routers."""
        for route in self.routes:
            topic = route.routed(topic)
        return topic

    @property
    def fingerprint(self) -> str:
        """Names all routers."""
        return "+".join(route.fingerprint for route in self.routes)
