"""Removes unknown values from properties, so that everything that doesn't depend on them can still be checked.

Also notices which warnings, and which sentences of a description, depend on unknown values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping

import attrs

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.properties.option import Value
from kafka2parquet.problems import Problem

_SECURITY = re.compile(r"(?:^|\.)(?:security|sasl|ssl)\.")
#: Settings that decide which other settings of a client are needed.
_DECIDING = ("security.protocol", "sasl.mechanism")
#: Stand-ins for values that other settings need, by the endings of their names.
_STAND_INS = {
    "sasl.jaas.config": 'org.apache.kafka.common.security.plain.PlainLoginModule required username="…" password="…";',
    "bootstrap.servers": "…:9092",
    "basic.auth.user.info": "…:…",
    "bearer.auth.token": "…",
    "proxy.url": "http://…",
}
#: Stand-ins for values of connectors without which nothing could be described, by names.
_EXAMPLES = {
    "partition.duration.ms": "3600000",
    "path.format": "'…'",
    "timestamp.extractor": "Wallclock",
    "timezone": "UTC",
    "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
}
#: Properties of which a variable can't be the value, even where nothing runs: their values name other things that are read.
READ_AT_ONCE = (*_EXAMPLES, "kafka2parquet.schema.file", "predicates", "transforms")


def without_missing(given: Mapping[str, str], missing: Collection[str]) -> dict[str, str]:
    """Return the properties of a worker or a connector without the properties whose values aren't known.

    A stand-in replaces an unknown value that other properties need. If the kind of a client's login isn't known, all security
    settings of the client are left out.
    """
    no_security = any(name.endswith(_DECIDING) for name in missing)
    kept = {}
    for name, text in given.items():
        if no_security and _SECURITY.search(name):
            continue
        stand_in = _EXAMPLES.get(name) or next((text for end, text in _STAND_INS.items() if name.endswith(end)), None)
        if name not in missing:
            kept[name] = text
        elif stand_in is not None:
            kept[name] = stand_in
    return kept


class NotedReads(Mapping[str, Value]):
    """Typed values of properties that notes which unknown values are read.

    An unknown value is the property's default, or a stand-in.

    Args:
        values: the values by property.
        unknown: properties whose values aren't known.

    Attributes:
        noted: the unknown properties that were read, in the order in which they were read first.
    """

    def __init__(self, values: Mapping[str, Value], unknown: Collection[str]) -> None:
        self._values = values
        self._unknown = frozenset(unknown)
        self.noted: dict[str, None] = {}

    def __getitem__(self, name: str) -> Value:
        if name in self._unknown:
            self.noted[name] = None
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def known_only(config: ConnectConfig, rule: Callable[[ConnectConfig], Iterator[Problem]]) -> Iterator[Problem]:
    """Yield the findings of a rule without the warnings and notes that may depend on values that aren't known here."""
    values = NotedReads(config.values, config.unresolved)
    for finding in rule(attrs.evolve(config, values=values)):
        if finding.kind.is_fatal or not values.noted:
            yield finding
