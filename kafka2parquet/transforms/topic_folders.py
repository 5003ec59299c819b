"""RoutedFolders: the folders of renamed topics."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.transforms.predicates import TopicNameMatches
from kafka2parquet.transforms.regex_router import RegexRouter
from kafka2parquet.transforms.timestamp_router import TimestampRouter
from kafka2parquet.util.arguments import checked

Router = RegexRouter | TimestampRouter
"""A transform that renames topics by their names, or by their records' timestamps too."""


@checked
@attrs.frozen(eq=False)
class Route:
    """A router among the transforms, and the topics to which it is applied.

    Attributes:
        router: the transform that renames topics.
        predicate: selects the topics; None for all topics.
        negate: whether the router is applied to the topics that the predicate doesn't select.
    """

    router: Router
    predicate: TopicNameMatches | None = None
    negate: bool = False

    def applies(self, topic: str) -> bool:
        """Return whether the router is applied to a topic."""
        return self.predicate is None or self.predicate.matches(topic) != self.negate

    @property
    def fingerprint(self) -> str:
        """Text that identifies router and predicate."""
        chosen = f"{'not-' if self.negate else ''}{self.predicate.fingerprint}" if self.predicate is not None else ""
        return f"{chosen}{self.router.fingerprint}"


@checked
@attrs.frozen(eq=False)
class RoutedFolders:
    """The folders of topics that several routers rename in turn, for `ObjectNaming.topic_folders`.

    Only the last router can be a TimestampRouter. After a crash, the files of a topic are found by the prefix of their
    folders' names, and a router after a TimestampRouter could change this prefix arbitrarily.
    """

    routes: Sequence[Route]

    def __attrs_post_init__(self) -> None:
        """Check the order of the routers.

        Raises:
            ConfigurationError: a router follows a TimestampRouter.
        """
        if any(isinstance(route.router, TimestampRouter) for route in self.routes[:-1]):
            raise ConfigurationError("RoutedFolders: only the last one of routes can have a TimestampRouter.")

    def folder(self, topic: str) -> str:
        """Return a topic's name after all routers, or the common prefix of its names if it has several."""
        topic, by_time = self._routed(topic)
        return topic if by_time is None else by_time.beginning(topic)

    def has_several(self, topic: str) -> bool:
        """Return whether a topic's records get different names, by their timestamps."""
        topic, by_time = self._routed(topic)
        return by_time is not None and by_time.has_several(topic)

    def folder_at(self, topic: str, timestamp_ms: int) -> str:
        """Return a topic's whole name after all routers, for a record at a time in milliseconds since the epoch."""
        topic, by_time = self._routed(topic)
        return topic if by_time is None else by_time.routed(topic, timestamp_ms)

    @property
    def fingerprint(self) -> str:
        """Text that identifies all of them."""
        return "+".join(route.fingerprint for route in self.routes)

    def _routed(self, topic: str) -> tuple[str, TimestampRouter | None]:
        """Return a topic's name after all RegexRouters, and the TimestampRouter that follows for this topic, if any."""
        for route in self.routes:
            if not route.applies(topic):
                continue
            if isinstance(route.router, TimestampRouter):
                return topic, route.router
            topic = route.router.routed(topic)
        return topic, None
