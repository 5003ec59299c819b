"""RoutedFolders: the folders of topics that routers rename."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.transforms.predicates import TopicNameMatches
from kafka2parquet.transforms.regex_router import RegexRouter
from kafka2parquet.transforms.timestamp_router import TimestampRouter
from kafka2parquet.util.arguments import checked

Router = RegexRouter | TimestampRouter
"""A transform that renames topics by their names, or by the timestamps of their records too."""


@checked
@attrs.frozen(eq=False)
class Route:
    """One router among the transforms, and the topics that it is applied to.

    Attributes:
        router: renames topics.
        predicate: chooses the topics; all where there is none.
        negate: whether it chooses the other ones.
    """

    router: Router
    predicate: TopicNameMatches | None = None
    negate: bool = False

    def applies(self, topic: str) -> bool:
        """Return whether the router is applied to a topic."""
        return self.predicate is None or self.predicate.matches(topic) != self.negate

    @property
    def fingerprint(self) -> str:
        """Names router and predicate."""
        chosen = f"{'not-' if self.negate else ''}{self.predicate.fingerprint}" if self.predicate is not None else ""
        return f"{chosen}{self.router.fingerprint}"


@checked
@attrs.frozen(eq=False)
class RoutedFolders:
    """The folders of topics that some routers rename, one after the other: for `ObjectNaming.topic_folders`.

    Only the last one can be a TimestampRouter. After a crash the files of a topic are looked for by how the names of its
    folders begin, and a router behind a TimestampRouter could begin them in any way.
    """

    routes: Sequence[Route]

    def __attrs_post_init__(self) -> None:
        """Find out at once.

        Raises:
            ConfigurationError: a router stands behind a TimestampRouter.
        """
        if any(isinstance(route.router, TimestampRouter) for route in self.routes[:-1]):
            raise ConfigurationError("RoutedFolders: only the last one of routes can have a TimestampRouter.")

    def folder(self, topic: str) -> str:
        """Return the name of a topic behind all of them; of several names, what they begin with."""
        topic, by_time = self._routed(topic)
        return topic if by_time is None else by_time.beginning(topic)

    def has_several(self, topic: str) -> bool:
        """Return whether the records of a topic have several names, by their timestamps."""
        topic, by_time = self._routed(topic)
        return by_time is not None and by_time.has_several(topic)

    def folder_at(self, topic: str, timestamp_ms: int) -> str:
        """Return the whole name that a record of that time, in milliseconds since the epoch, has behind all of them."""
        topic, by_time = self._routed(topic)
        return topic if by_time is None else by_time.routed(topic, timestamp_ms)

    @property
    def fingerprint(self) -> str:
        """Names all of them."""
        return "+".join(route.fingerprint for route in self.routes)

    def _routed(self, topic: str) -> tuple[str, TimestampRouter | None]:
        """Return the name of a topic behind all RegexRouters, and the TimestampRouter that is applied to it then."""
        for route in self.routes:
            if not route.applies(topic):
                continue
            if isinstance(route.router, TimestampRouter):
                return topic, route.router
            topic = route.router.routed(topic)
        return topic, None
