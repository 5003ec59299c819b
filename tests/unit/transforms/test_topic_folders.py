"""Folders of topics behind several routers."""

from __future__ import annotations

import pytest

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.transforms import RegexRouter, Route, RoutedFolders, TimestampRouter, TopicNameMatches


def test_folders() -> None:
    """Routers apply one after the other, each to the topics that its predicate selects."""
    folders = RoutedFolders(
        [
            Route(RegexRouter("raw-(.*)", "$1")),
            Route(RegexRouter("(.*)", "big/$1"), TopicNameMatches("orders")),
            Route(RegexRouter("(.*)", "small/$1"), TopicNameMatches("orders|big/.*"), negate=True),
        ]
    )
    assert ["big/orders", "small/users"] == [folders.folder(topic) for topic in ("raw-orders", "users")]
    assert not any(folders.has_several(topic) for topic in ("raw-orders", "users"))
    assert folders.fingerprint != RoutedFolders(folders.routes[:2]).fingerprint


def test_folders_by_time() -> None:
    """The beginning of the folder names is known, and topics that the predicate doesn't select have one folder."""
    by_time = Route(TimestampRouter("lake/${topic}/${timestamp}", "yyyy"), TopicNameMatches("orders|a"))
    folders = RoutedFolders([Route(RegexRouter("raw-(.*)", "$1")), by_time])
    assert ("lake/orders/", True) == (folders.folder("raw-orders"), folders.has_several("raw-orders"))
    assert ("users", False) == (folders.folder("raw-users"), folders.has_several("raw-users"))
    assert ["lake/a/1970", "users"] == [folders.folder_at(topic, 0) for topic in ("raw-a", "users")]


def test_a_time_router_without_the_time() -> None:
    """A TimestampRouter without the time in its names works like other routers."""
    folders = RoutedFolders([Route(TimestampRouter("lake/${topic}"))])
    assert ("lake/a", False) == (folders.folder("a"), folders.has_several("a"))


def test_a_router_behind_one_by_time_is_refused() -> None:
    """A router after a TimestampRouter is refused, because the beginning of the names would be unknown."""
    for behind in (RegexRouter(".*", "x"), TimestampRouter()):
        with pytest.raises(ConfigurationError, match="only the last one of routes can have a TimestampRouter"):
            RoutedFolders([Route(TimestampRouter()), Route(behind)])
