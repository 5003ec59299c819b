"""This library's own properties for the schemas of JSON records, for all topics or for one topic."""

from __future__ import annotations

import attrs

from kafka2parquet.connect.properties.option import Option, Value, ValueType, at_least, between
from kafka2parquet.connect.properties.typed import boolean, choice, integer, string

_PREFIX = "kafka2parquet."
TOPIC_PREFIX = "kafka2parquet.topic."
_MISFITS = ("reject", "rescue", "string")
_EVOLUTIONS = ("add", "none", "ignore")
_TIMESTAMPS = ("iso8601", "epoch_ms")


def _not_empty(value: Value) -> None:
    if not value:
        raise ValueError("String must be non-empty")


SCHEMA_OPTIONS = (
    boolean(
        "kafka2parquet.schema.contract",
        True,
        "Whether a topic's learned schema is kept in storage, so that all members agree on it, in"
        " `<topics.dir>/_kafka2parquet/<topic>/schema-<version>.json`.",
    ),
    choice(
        "kafka2parquet.schema.on.misfit",
        "reject",
        "What happens to a record whose types don't fit: the record is rejected; or the values that don't fit go into a rescue"
        " column; or the column becomes text.",
        _MISFITS,
    ),
    string("kafka2parquet.schema.rescue.column", "_rescued", "Name of the rescue column.", validator=_not_empty),
    choice(
        "kafka2parquet.schema.evolution",
        "add",
        "What happens to a new member of a record: it becomes a column (`add`); or the schema is pinned, and the member is a"
        " misfit (`none`) or left out (`ignore`).",
        _EVOLUTIONS,
    ),
    integer(
        "kafka2parquet.schema.max.fields",
        2000,
        "Most fields of a learned schema, including fields inside objects. A member beyond this number is a misfit.",
        validator=at_least(1),
    ),
    integer(
        "kafka2parquet.schema.max.name.bytes",
        255,
        "Most bytes of the name of a learned field, in UTF-8. A member with a longer name is a misfit.",
        validator=at_least(1),
    ),
    integer(
        "kafka2parquet.schema.max.bytes",
        1 << 20,
        "Most bytes of the text of a learned schema. A member that would make the text longer is a misfit.",
        validator=between(1 << 10, 8 << 20),
    ),
    string(
        "kafka2parquet.schema.file",
        "",
        "Local file with the schema, which is then used as it is instead of learned: JSON, an Arrow schema, or a Parquet file.",
    ),
    choice(
        "kafka2parquet.schema.timestamps",
        "iso8601",
        "How the records write timestamps of that schema: as text, or as milliseconds since 1970.",
        _TIMESTAMPS,
    ),
)
_BY_SETTING = {option.name.removeprefix(_PREFIX): option for option in SCHEMA_OPTIONS}


@attrs.frozen
class TopicOption(Option):
    """The option for properties of `SCHEMA_OPTIONS` with a topic in their names, which may contain dots."""

    def parse(self, name: str, text: str) -> Value:
        """Parse and check the text of a property, as `Option.parse` does.

        Raises:
            ValueError: the name has no topic or no known setting, or the value breaks a rule.
        """
        _, setting = split_topic(name)
        if setting is None:
            raise ValueError(
                f"{name} is not a known property: after {TOPIC_PREFIX}<topic>. comes one of {', '.join(_BY_SETTING)}"
            )
        return _BY_SETTING[setting].parse(name, text)


TOPIC_OPTION = TopicOption(
    f"{TOPIC_PREFIX}*",
    ValueType.STRING,
    "",
    "The settings `schema.*` above for one topic: `kafka2parquet.topic.<topic>.schema.evolution` and so on.",
)


def split_topic(name: str) -> tuple[str, str | None]:
    """Split a name such as `kafka2parquet.topic.my.orders.schema.file` into topic and setting; None without a setting."""
    rest = name.removeprefix(TOPIC_PREFIX)
    for setting in _BY_SETTING:
        topic = rest.removesuffix(f".{setting}")
        if topic and topic != rest:
            return topic, setting
    return rest, None
