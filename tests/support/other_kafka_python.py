"""kafka-python as another version might be: its fetcher doesn't take our class for its records, or calls it otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kafka.consumer.fetcher import Fetcher

_OWN = Fetcher.PartitionRecords


def looks_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attribute is there, and setting it changes nothing."""
    monkeypatch.setattr(Fetcher, "PartitionRecords", property(lambda fetcher: _OWN, lambda fetcher, made: None))


def can_not_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attribute can't be set."""
    monkeypatch.setattr(Fetcher, "PartitionRecords", property(lambda fetcher: _OWN))


def has_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attribute can be set, and nothing asks for it."""
    parse = Fetcher._parse_fetched_data

    def parse_with_own(fetcher: Any, fetch: Any) -> Any:
        set_by_us = fetcher.__dict__.pop("PartitionRecords", None)
        try:
            return parse(fetcher, fetch)
        finally:
            if set_by_us is not None:
                fetcher.PartitionRecords = set_by_us

    monkeypatch.setattr(Fetcher, "_parse_fetched_data", parse_with_own)


def has_another_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    """The class is called with an argument that ours doesn't know."""

    class Own(_OWN):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: Any, new_argument: int, **keywords: Any) -> None:
            super().__init__(*arguments, **keywords)

    parse = Fetcher._parse_fetched_data

    def parse_with_argument(fetcher: Any, fetch: Any) -> Any:
        made = fetcher.PartitionRecords
        fetcher.PartitionRecords = lambda *arguments, **keywords: made(*arguments, new_argument=1, **keywords)
        try:
            return parse(fetcher, fetch)
        finally:
            fetcher.PartitionRecords = made

    monkeypatch.setattr(Fetcher, "PartitionRecords", Own)
    monkeypatch.setattr(Fetcher, "_parse_fetched_data", parse_with_argument)


OTHER_VERSIONS: list[Callable[[pytest.MonkeyPatch], None]] = [
    looks_elsewhere,
    can_not_be_set,
    has_another_name,
    has_another_argument,
]
