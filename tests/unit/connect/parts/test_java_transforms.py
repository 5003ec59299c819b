"""Java's transforms and predicates by the names of their classes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import numpy as np
import pytest

from kafka2parquet.connect.describe import describe
from kafka2parquet.connect.load import load_connect_config, validate
from kafka2parquet.connect.parts.transforms import make_transforms
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.errors import ConflictingSinkError, RejectedRecordError
from kafka2parquet.problems import ProblemKind
from kafka2parquet.rows import Rows
from kafka2parquet.testing import MemoryRecord
from kafka2parquet.transforms.predicates import Predicate
from tests.support.story_sink import StorySink, story_properties
from tests.unit.transforms.test_predicates import header_section

_APACHE = "org.apache.kafka.connect.transforms"
_CONFLUENT = "io.confluent.connect.transforms"
_PREDICATES = f"{_APACHE}.predicates"
_HERE = "tests.unit.connect.parts.test_java_transforms"
_DEFAULT = "io.confluent.connect.storage.partitioner.DefaultPartitioner"
_PARQUET = "io.confluent.connect.s3.format.parquet.ParquetFormat"


class LaterThan(Predicate):
    """A user's predicate."""

    def __init__(self, offset: str) -> None:
        self._offset = int(offset)

    def holds(self, rows: Rows) -> np.ndarray:
        offsets: np.ndarray = rows.offsets.to_numpy()
        return offsets > self._offset

    @property
    def fingerprint(self) -> str:
        return f"later-{self._offset}"


def _of(class_name: str, **properties: str) -> dict[str, str]:
    """Returns the properties of one transform `t`."""
    named = {f"transforms.t.{name.replace('_', '.')}": value for name, value in properties.items()}
    return {"transforms": "t", "transforms.t.type": class_name, **named}


def _where(predicate: str, *, negate: str | None = None, **properties: str) -> dict[str, str]:
    """Returns the properties of a predicate `p` for the transform `t`."""
    return {
        "predicates": "p",
        "predicates.p.type": predicate if ":" in predicate else f"{_PREDICATES}.{predicate}",
        **{f"predicates.p.{name}": value for name, value in properties.items()},
        "transforms.t.predicate": "p",
        **({"transforms.t.negate": negate} if negate is not None else {}),
    }


def _problems(changes: dict[str, str]) -> list[str]:
    return [str(problem) for problem in validate(story_properties(changes)).problems]


@pytest.mark.parametrize(
    ("class_name", "advice"),
    [
        (f"{_CONFLUENT}.ExtractTopic$Value", "Use FieldPartitioner with partition.field.name"),
        (f"{_CONFLUENT}.MessageTimestampRouter", "timestamp.extractor=RecordField and timestamp.field"),
        (f"{_CONFLUENT}.Drop$Value", "This transform removes all values, so nothing is left to write."),
        (f"{_CONFLUENT}.Filter$Value", "Use kafka2parquet.transforms:Filter, with field and values"),
        ("io.debezium.transforms.Filter", "Use kafka2parquet.transforms:Filter, with field and values"),
        ("io.debezium.transforms.ByLogicalTableRouter", f"Use {_APACHE}.RegexRouter, with topic.regex as regex"),
        ("io.debezium.transforms.outbox.EventRouter", f"{_APACHE}.ExtractField$Value with field=payload"),
        ("io.debezium.connector.mongodb.transforms.ExtractNewDocumentState", "Use your own TableTransform in Python"),
        (
            "com.example.Ours",
            "Use a transform of Apache Kafka, a transform of kafka2parquet.transforms, or your own TableTransform",
        ),
        (
            "com.example.RegexRouter",
            "Use a transform of Apache Kafka, a transform of kafka2parquet.transforms, or your own TableTransform",
        ),
    ],
)
def test_classes_without_an_equal_are_refused_with_what_to_use(class_name: str, advice: str) -> None:
    """Classes that are valid in Connect but unsupported here are refused with advice."""
    validation = validate(story_properties(_of(class_name)))
    assert [ProblemKind.UNSUPPORTED] == [problem.kind for problem in validation.problems]
    assert f"transforms.t.type={class_name} is not supported" in str(validation.problems[0])
    assert advice in str(validation.problems[0])


@pytest.mark.parametrize(
    ("class_name", "properties"),
    [
        (f"{_APACHE}.ValueToKey", {"fields": "id"}),
        (f"{_CONFLUENT}.Drop$Key", {}),
        (f"{_APACHE}.HeaderFrom$Key", {"fields": "a", "headers": "b", "operation": "move"}),
    ],
)
def test_transforms_of_keys(class_name: str, properties: dict[str, str]) -> None:
    """Transforms that make other keys change nothing if keys aren't written, and are refused if keys are written."""
    changes = _of(class_name, **properties)
    config = load_connect_config(story_properties(changes))
    assert f"transforms.t.type={class_name} changes nothing that is written: keys are not written." in map(str, config.notes)
    assert () == make_transforms(config).made
    for written in ({"store.kafka.keys": "true", "keys.format.class": _PARQUET}, {"kafka2parquet.metadata.columns": "key"}):
        (problem,) = _problems({**changes, **written, "key.converter": "org.apache.kafka.connect.storage.StringConverter"})
        assert f"transforms.t.type={class_name} is not supported. Keys are written as they were sent. Remove" in problem


@pytest.mark.parametrize(
    ("class_name", "properties"),
    [
        (f"{_APACHE}.InsertHeader", {"header": "a", "value_literal": "b"}),
        (f"{_APACHE}.DropHeaders", {"headers": "a"}),
        (f"{_APACHE}.HeaderFrom$Value", {"fields": "a", "headers": "b", "operation": "copy"}),
    ],
)
def test_transforms_of_headers(class_name: str, properties: dict[str, str]) -> None:
    """Transforms of headers change nothing if headers aren't written, and are refused if headers are written."""
    changes = _of(class_name, **properties)
    config = load_connect_config(story_properties(changes))
    assert f"transforms.t.type={class_name} changes nothing that is written: headers are not written." in map(str, config.notes)
    for written in (
        {"store.kafka.headers": "true", "headers.format.class": _PARQUET},
        {"kafka2parquet.metadata.columns": "headers"},
    ):
        (problem,) = _problems({**changes, **written})
        assert f"transforms.t.type={class_name} is not supported. Headers are written as they were sent. Remove" in problem


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        (_of("io.debezium.transforms.ExtractNewRecordState", add_headers="op"), "transforms.t.add.headers"),
        (_of(f"{_APACHE}.HeaderFrom$Value", fields="a", headers="h", operation="move"), "transforms.t.headers"),
    ],
)
def test_what_transforms_of_values_do_to_headers(changes: dict[str, str], note: str) -> None:
    """A note says that the transform doesn't change headers that aren't written."""
    notes = list(map(str, load_connect_config(story_properties(changes)).notes))
    assert f"{note} changes nothing that is written: headers are not written." in notes


def test_fields_that_move_into_headers_that_are_written() -> None:
    """The transform is refused. The advice for the rows is a transform that works."""
    changes = _of(f"{_APACHE}.HeaderFrom$Value", fields="a", headers="h", operation="move")
    (problem,) = _problems({**changes, "kafka2parquet.metadata.columns": "headers"})
    assert "To remove the fields from the rows, use kafka2parquet.transforms:Drop with the same fields." in problem
    instead = _of("kafka2parquet.transforms:Drop", fields="a")
    assert [] == _problems({**instead, "kafka2parquet.metadata.columns": "headers"})


@pytest.mark.parametrize(
    "instead",
    [
        {"timestamp.extractor": "RecordField", "timestamp.field": "at"},
        {"kafka2parquet.partition.field.name": "kind"},
        _of(f"{_APACHE}.RegexRouter", regex="(.*)_shard_[0-9]+", replacement="$1"),
        _of(f"{_APACHE}.TimestampRouter", topic_format="by-day-${timestamp}-${topic}"),
        {
            "transforms": "u,p",
            "transforms.u.type": "io.debezium.transforms.ExtractNewRecordState",
            "transforms.p.type": f"{_APACHE}.ExtractField$Value",
            "transforms.p.field": "payload",
        },
    ],
)
def test_what_is_advised_instead_of_routers(instead: dict[str, str]) -> None:
    """The advised configuration is accepted."""
    assert [] == _problems(instead)


def test_fields_that_move_into_headers() -> None:
    """Fields that move into headers aren't columns, even if a row has no other fields."""
    sink = StorySink("t")
    changes = _of(f"{_APACHE}.HeaderFrom$Value", fields="a,c", headers="x,y", operation="move")
    sink.run(changes, "t", b'{"a":1,"b":2}', b'{"b":3}')
    assert [{"b": 2}, {"b": 3}] == sink.rows()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            _of(f"{_APACHE}.HeaderFrom$Value", fields="a,b", headers="x", operation="move"),
            "transforms.t.fields: it has to have as many elements as headers.",
        ),
        (
            _of(f"{_APACHE}.HeaderFrom$Value", fields="a", headers="x", operation="mv"),
            "transforms.t.operation: 'mv' is neither move nor copy.",
        ),
        (
            _of(f"{_APACHE}.HeaderFrom$Value", fields="a"),
            f"transforms.t.type={_APACHE}.HeaderFrom$Value: headers: it has to be set.",
        ),
        (
            _of(f"{_APACHE}.InsertField", offset_field="a"),
            f"transforms.t.type={_APACHE}.InsertField: InsertField is an abstract class in Java. Write InsertField$Value, or",
        ),
        (
            _of(f"{_APACHE}.RegexRouter", regex="(", replacement="x"),
            "transforms.t.regex: '(' is not a regular expression that Python reads as Java does",
        ),
        (
            _of(f"{_CONFLUENT}.TombstoneHandler", behavior="drop"),
            "transforms.t.behavior: 'drop' is not one of ignore, warn, fail.",
        ),
        (
            _of("io.debezium.transforms.ExtractNewRecordState", delete_handling_mode="keep"),
            "transforms.t.delete.handling.mode: 'keep' is not one of drop, rewrite, none.",
        ),
        (
            _of("io.debezium.transforms.ExtractNewRecordState", route_by_field="id"),
            "transforms.t.type=io.debezium.transforms.ExtractNewRecordState is not supported. Remove route.by.field. ",
        ),
        (
            {
                **_of("io.debezium.transforms.ExtractNewRecordState", add_headers="op"),
                "kafka2parquet.metadata.columns": "headers",
            },
            "transforms.t.type=io.debezium.transforms.ExtractNewRecordState is not supported. Headers are written as they were",
        ),
        (
            {**_of(f"{_APACHE}.Filter"), "transforms.t.negate": "true"},
            "Config 'transforms.t.negate' was provided but there is no config 'transforms.t.predicate' defining a predicate",
        ),
        (
            {**_of(f"{_APACHE}.Filter"), **_where("RecordIsTombstone", negate="yes")},
            "Invalid value yes for configuration transforms.t.negate: Expected value to be either true or false.",
        ),
        (
            {**_of(f"{_APACHE}.Filter"), "predicates": "p", "transforms.t.predicate": "p"},
            'Missing required configuration "predicates.p.type" which has no default value. Use HasHeaderKey, Record',
        ),
        (
            {**_of(f"{_APACHE}.Filter"), **_where("NoSuch")},
            f"predicates.p.type={_PREDICATES}.NoSuch is not supported. Use HasHeaderKey, RecordIsTombstone or TopicNameMatches",
        ),
        (
            {**_of(f"{_APACHE}.Filter"), **_where(f"{_HERE}:NoSuch")},
            f"Invalid value {_HERE}:NoSuch for configuration predicates.p.type: {_HERE}:NoSuch can't be imported",
        ),
        (
            {**_of(f"{_APACHE}.Filter"), **_where(f"{_HERE}:LaterThan")},
            f"predicates.p.type={_HERE}:LaterThan: LaterThan can't be created from these properties: ",
        ),
        (
            {**_of(f"{_APACHE}.Filter"), **_where("TopicNameMatches", pattern="(")},
            "predicates.p.pattern: '(' is not a regular expression that Python reads as Java does",
        ),
        (
            {**_of(f"{_APACHE}.Filter"), **_where("HasHeaderKey")},
            f"predicates.p.type={_PREDICATES}.HasHeaderKey: HasHeaderKey needs name.",
        ),
        (
            {**_of(f"{_APACHE}.RegexRouter", regex="(.*)", replacement="x"), **_where("HasHeaderKey", name="h")},
            f"transforms.t.predicate is not supported for {_APACHE}.RegexRouter, unless it is a TopicNameMatches.",
        ),
        (
            {**_of(f"{_APACHE}.RegexRouter", regex="(.*)", replacement="x"), "directory.delim": "_"},
            "directory.delim=_: to rename topics, it needs a character that neither topic names nor",
        ),
        (
            {**_of(f"{_APACHE}.TimestampRouter"), **_where("RecordIsTombstone")},
            f"transforms.t.predicate is not supported for {_APACHE}.TimestampRouter, unless it is a TopicNameMatches.",
        ),
        (
            _of(f"{_APACHE}.TimestampRouter", topic_format="${timestamp}-${topic}"),
            f"transforms.t.type={_APACHE}.TimestampRouter is not supported. After a crash, the sink finds a topic's files by"
            " the beginnings of its folder names. Put text or ${topic} before ${timestamp} in topic.format.",
        ),
        (
            _of(f"{_APACHE}.TimestampRouter", timestamp_format="YYYY-bb"),
            "transforms.t.timestamp.format: 'YYYY-bb' is not a pattern of SimpleDateFormat: 'b' is not a letter",
        ),
        (
            _of(f"{_APACHE}.TimestampRouter", topic_format="${ENV}-${topic}-${timestamp}"),
            "transforms.t.topic.format: ${ENV} in it is a placeholder that is not filled in.",
        ),
        (
            {
                **_of(f"{_APACHE}.TimestampRouter"),
                "transforms": "t,u",
                "transforms.u.type": f"{_APACHE}.RegexRouter",
                "transforms.u.regex": "(.*)",
                "transforms.u.replacement": "x-$1",
            },
            f"transforms.u.type={_APACHE}.RegexRouter after a TimestampRouter is not supported. After a crash, the sink finds"
            " a topic's files by the beginnings of its folder names, and a router after a TimestampRouter could change those",
        ),
        (
            {**_of(f"{_APACHE}.Filter"), **_where("RecordIsTombstone"), "predicates": "p,p"},
            "Invalid value [p, p] for configuration predicates: Duplicate alias provided.",
        ),
    ],
)
def test_problems(changes: dict[str, str], problem: str) -> None:
    """Each has the property and the reason, when the configuration is read."""
    problems = _problems(changes)
    assert [True] == [each.startswith(problem) for each in problems], problems


def test_what_has_no_effect() -> None:
    """Such properties have warnings: an alias may be missing, or the class has no property of the name."""
    changes = {
        **_of(f"{_APACHE}.Filter", condition="x"),
        **{f"transforms.u.{name}": text for name, text in {"type": f"{_APACHE}.Flatten$Value", "fields": "_"}.items()},
        "transforms": "t,u",
        **_where("RecordIsTombstone", nmae="x"),
        "predicates.q.type": f"{_PREDICATES}.RecordIsTombstone",
    }
    assert {
        "transforms.t.condition has no effect: its class has no such property.",
        "transforms.u.fields has no effect: its class has no such property.",
        "predicates.p.nmae has no effect: its class has no such property.",
        "predicates.q.type has no effect: predicates names no such alias.",
    } <= set(map(str, load_connect_config(story_properties(changes)).warnings))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (_of(f"{_APACHE}.ReplaceField$Value", exlude="email"),
         "transforms.t.exlude is not a property of ReplaceField$Value. Did you mean transforms.t.exclude?"),
        (_of(f"{_APACHE}.ReplaceField$Value", exlude="email", exclude="name"),
         "transforms.t.exlude is not a property of ReplaceField$Value. Did you mean transforms.t.exclude? It is set too, to "
         "another value: keep one of them."),
        (_of(f"{_APACHE}.Flatten$Value", Delimeter="_"),
         "transforms.t.Delimeter is not a property of Flatten$Value. Did you mean transforms.t.delimiter?"),
        ({**_of(f"{_APACHE}.Filter"), **_where("TopicNameMatches", pattern="a.*", paterns="b.*")},
         "predicates.p.paterns is not a property of TopicNameMatches. Did you mean predicates.p.pattern? It is set too, to "
         "another value: keep one of them."),
        ({**_of(f"{_APACHE}.ReplaceField$Value", include="a"), "transfroms.t.exclude": "email"},
         "transfroms.t.exclude is not a known property. Did you mean transforms.t.exclude?"),
    ],
)  # fmt: skip
def test_misspelled_property_of_a_class(changes: dict[str, str], problem: str) -> None:
    """A name that is nearly that of a class's property is refused, because the rows would differ from what was intended."""
    assert [problem] == _problems(changes)


def test_misspelled_property_that_changes_nothing() -> None:
    """A misspelled name with the value of the right name is a warning, and so is one of a transform that has no effect."""
    same = _of(f"{_APACHE}.ReplaceField$Value", exlude="email", exclude="email")
    of_keys = _of(f"{_APACHE}.ReplaceField$Key", exlude="email")
    for changes in (same, of_keys):
        warnings = map(str, load_connect_config(story_properties(changes)).warnings)
        assert "transforms.t.exlude has no effect: its class has no such property." in warnings


def test_filter_without_a_predicate() -> None:
    """A Filter without a predicate leaves all records out, and has a note."""
    note = f"transforms.t.type={_APACHE}.Filter without a predicate leaves all records out, as in Connect."
    assert note in map(str, load_connect_config(story_properties(_of(f"{_APACHE}.Filter"))).notes)


def test_check_shows_predicates_and_tombstones() -> None:
    """`check` shows where each transform applies, and that the policy is for tombstones after the transforms."""
    changes = {**_of(f"{_APACHE}.Filter"), **_where("RecordIsTombstone", negate="true")}
    described = describe(load_connect_config(story_properties(changes)), WorkerConfig(bootstrap_servers="kafka:9092")).text
    assert f"Rows then go through t ({_APACHE}.Filter where not p ({_PREDICATES}.RecordIsTombstone))." in described
    assert "A record without value (tombstone) that comes out of the transforms ends the task with an error" in described


@pytest.mark.parametrize(
    "changes",
    [
        {**_of(f"{_APACHE}.Filter"), **_where("RecordIsTombstone")},
        {**_of("Filter"), **_where("RecordIsTombstone"), "predicates.p.type": "RecordIsTombstone"},
        _of(f"{_CONFLUENT}.TombstoneHandler", behavior="ignore"),
    ],
)
def test_tombstones_are_left_out(changes: dict[str, str]) -> None:
    """The transform drops tombstones whatever the sink does with others, and their offsets are committed."""
    sink = StorySink("t")
    sink.run(changes, "t", b'{"a":1}', None, b'{"a":2}', None)
    assert ([{"a": 1}, {"a": 2}], 4) == (sink.rows(), sink.committed("t"))


def test_a_tombstone_that_is_let_through_ends_the_task() -> None:
    """A tombstone that passes the transforms ends the task, as without transforms."""
    sink = StorySink("t")
    changes = {**_of(f"{_APACHE}.Filter"), **_where("TopicNameMatches", pattern="other")}
    with pytest.raises(RejectedRecordError, match="Null valued records are not writeable"):
        sink.run(changes, "t", b'{"a":1}', None)


def test_a_handler_of_tombstones_that_fails() -> None:
    """The handler makes rejects, like an exception of a transform in Connect."""
    sink = StorySink("t")
    changes = _of(f"{_CONFLUENT}.TombstoneHandler", behavior="fail")
    with pytest.raises(RejectedRecordError, match="TombstoneHandler has behavior=fail"):
        sink.run(changes, "t", b'{"a":1}', None)
    sink = StorySink("t")
    sink.run({**changes, "errors.tolerance": "all"}, "t", b'{"a":1}', None, b'{"a":2}')
    assert ([{"a": 1}, {"a": 2}], 3) == (sink.rows(), sink.committed("t"))


def test_records_with_a_header() -> None:
    """Records with a header are dropped, or only they are kept."""
    for negate, expected in (("false", [{"a": 1}]), ("true", [{"a": 2}])):
        sink = StorySink("t")
        sink.append("t", MemoryRecord(value=b'{"a":1}'), MemoryRecord(value=b'{"a":2}', headers=header_section(["x", "h"])))
        sink.run({**_of(f"{_APACHE}.Filter"), **_where("HasHeaderKey", name="h", negate=negate)})
        assert expected == sink.rows()


def test_a_transform_and_a_predicate_of_ones_own() -> None:
    """Transforms in Python can have predicates, too."""
    sink = StorySink("t")
    changes = {**_of("kafka2parquet.transforms:Drop", fields="a"), **_where(f"{_HERE}:LaterThan", offset="0")}
    sink.run(changes, "t", b'{"a":1,"b":1}', b'{"a":2,"b":2}')
    assert [{"a": 1, "b": 1}, {"a": None, "b": 2}] == sink.rows()


def test_java_s_class_under_a_predicate() -> None:
    """Java's classes, given by class name, apply to selected records."""
    sink = StorySink("t")
    sink.append("t", MemoryRecord(value=b'{"a":1}'), MemoryRecord(value=b'{"a":2}', headers=header_section(["h"])))
    sink.run({**_of(f"{_APACHE}.InsertField$Value", offset_field="o"), **_where("HasHeaderKey", name="h")})
    assert [{"a": 1, "o": None}, {"a": 2, "o": 1}] == sink.rows()


@pytest.mark.parametrize(
    ("class_name", "properties"),
    [
        (f"{_APACHE}.InsertHeader", {"header": "h", "value.literal": "x"}),
        (f"{_APACHE}.DropHeaders", {"headers": "g, h"}),
        (f"{_APACHE}.HeaderFrom$Value", {"fields": "a", "headers": "h", "operation": "copy"}),
        ("io.debezium.transforms.ExtractNewRecordState", {"add.headers": "op:h", "add.headers.prefix": ""}),
    ],
)
def test_a_predicate_by_a_header_that_was_changed_before(class_name: str, properties: dict[str, str]) -> None:
    """Such a predicate is refused, because it sees only the original headers. Other headers and the opposite order are fine."""
    earlier = {f"transforms.e.{name}": value for name, value in {"type": class_name, **properties}.items()}
    changes = {**_of(f"{_APACHE}.Filter"), **_where("HasHeaderKey", name="h"), **earlier, "transforms": "e,t"}
    assert [
        "transforms.t.predicate=p checks a header that transforms.e has changed before. Predicates see headers as they were"
        " sent. Put transforms.t before transforms.e."
    ] == _problems(changes)
    assert [] == _problems({**changes, "transforms": "t,e"})
    assert [] == _problems({**changes, "predicates.p.name": "other"})


def test_fields_of_a_record_s_place() -> None:
    """A value without a schema gets the record's timestamp as a number, as in Java; the configuration is a published one."""
    sink = StorySink("t")
    sink.run(_of(f"{_APACHE}.InsertField$Value", timestamp_field="kafka_ts", offset_field="kafka_offset"), "t", b'{"id":7}')
    assert [{"id": 7, "kafka_offset": 0, "kafka_ts": 0}] == sink.rows()


def test_fields_that_are_null_make_tombstones() -> None:
    """behavior.on.null.values, or a later Filter, decides what the sink does with tombstones."""
    changes = _of(f"{_APACHE}.ExtractField$Value", field="user")
    values = [b'{"user":{"id":1}}', b'{"user":null}', b'{"user":{"id":2}}']
    with pytest.raises(RejectedRecordError, match="Null valued records are not writeable"):
        StorySink("t").run(changes, "t", *values)
    filtered = {f"transforms.f.{name}": text for name, text in {"type": f"{_APACHE}.Filter", "predicate": "p"}.items()}
    of_tombstones = {name: text for name, text in _where("RecordIsTombstone").items() if name.startswith("predicates")}
    for others in ({"behavior.on.null.values": "ignore"}, {**filtered, **of_tombstones, "transforms": "t,f"}):
        sink = StorySink("t")
        sink.run({**changes, **others}, "t", *values)
        assert ([{"id": 1}, {"id": 2}], 3) == (sink.rows(), sink.committed("t"))


def test_a_topic_that_was_renamed_is_inserted() -> None:
    """Transforms after a router see the new name."""
    sink = StorySink("t")
    inserted = {
        f"transforms.i.{name}": text for name, text in {"type": f"{_APACHE}.InsertField$Value", "topic.field": "x"}.items()
    }
    sink.run({**_of(f"{_APACHE}.RegexRouter", regex="t", replacement="u"), **inserted, "transforms": "t,i"}, "t", b'{"a":1}')
    assert [{"a": 1, "x": "u"}] == sink.rows()


def test_unwrapped_with_older_names() -> None:
    """Debezium's class works with older properties, which most configurations still have."""
    sink = StorySink("t")
    changes = _of(
        "io.debezium.transforms.ExtractNewRecordState",
        drop_tombstones="true",
        delete_handling_mode="rewrite",
        add_fields="op,ts_ms",
    )
    events = [
        {"before": None, "after": {"id": 1}, "source": {"ts_ms": 1}, "op": "c", "ts_ms": 2},
        {"before": {"id": 1}, "after": None, "source": {"ts_ms": 3}, "op": "d", "ts_ms": 4},
    ]
    sink.run(changes, "t", *(json.dumps(event).encode() for event in events), None)
    assert [
        {"id": 1, "__deleted": "false", "__op": "c", "__ts_ms": 2},
        {"id": 1, "__deleted": "true", "__op": "d", "__ts_ms": 4},
    ] == sink.rows()
    assert 3 == sink.committed("t")


ROUTED = _of(f"{_APACHE}.RegexRouter", regex=r"(raw|old)\.(.*)", replacement="lake/$2")


class TestRegexRouter:
    """RegexRouter decides only the folders of topics."""

    def _keys(self, sink: StorySink) -> list[str]:
        return [re.sub(r"0{9}(?=\d)", "", key.removeprefix("raw/kafka-source/")) for key in sink.files()]

    def test_topics_in_one_folder(self) -> None:
        """Files of two topics in one folder have different names."""
        sink = StorySink("raw.a", "old.a", "b")
        sink.append("old.a", MemoryRecord(value=b'{"n":1}', timestamp_ms=0))
        sink.append("b", MemoryRecord(value=b'{"n":2}', timestamp_ms=0))
        sink.run({**ROUTED, "topics": "raw.a,old.a,b", "partitioner.class": _DEFAULT}, "raw.a", b'{"n":3}')
        assert [
            "b/partition=0/b+0+0.snappy.parquet",
            "lake/a/partition=0/old.a+0+0.snappy.parquet",
            "lake/a/partition=0/raw.a+0+0.snappy.parquet",
        ] == self._keys(sink)

    def test_published_files_are_found_again(self) -> None:
        """A lost offset doesn't repeat records, and the other topic's files are not mistaken for the topic's own."""
        sink = StorySink("raw.a", "old.a")
        changes = {**ROUTED, "topics": "raw.a,old.a", "partitioner.class": _DEFAULT, "flush.size": "1"}
        sink.append("old.a", MemoryRecord(value=b'{"n":1}', timestamp_ms=0))
        sink.run(changes, "raw.a", b'{"n":2}', b'{"n":3}')
        before = dict(sink.storage.objects)
        sink.kafka.commit("g", "raw.a", 0, 0)
        sink.kafka.commit("g", "old.a", 0, 0)
        sink.run(changes, "raw.a", b'{"n":4}')
        assert set(before) < set(sink.storage.objects)
        assert all(sink.storage.objects[key] is stored for key, stored in before.items())
        assert [1, 2, 3, 4] == sorted(row["n"] for row in sink.rows())

    def test_a_sink_that_goes_elsewhere_stops(self) -> None:
        """The sink stops, because the group's offsets belong to the files in the other folder."""
        sink = StorySink("raw.a")
        sink.run({"topics": "raw.a"}, "raw.a", b'{"n":1}')
        with pytest.raises(ConflictingSinkError, match="kafka-source/lake/a"):
            sink.run({**ROUTED, "topics": "raw.a"}, "raw.a", b'{"n":2}')

    def test_a_predicate_by_topic(self) -> None:
        """Topics that the predicate doesn't select keep their folders."""
        sink = StorySink("raw.a", "raw.b")
        sink.append("raw.b", MemoryRecord(value=b'{"n":1}', timestamp_ms=0))
        changes = {**ROUTED, **_where("TopicNameMatches", pattern=".*b", negate="true"), "topics": "raw.a,raw.b"}
        sink.run(changes, "raw.a", b'{"n":2}')
        assert {"lake/a", "raw.b/"} == {key[:6] for key in self._keys(sink)}

    def test_an_impossible_folder(self) -> None:
        """A warning has the topic and its new name before anything is read."""
        changes = {**_of(f"{_APACHE}.RegexRouter", regex=".*", replacement="")}
        warnings = map(str, load_connect_config(story_properties(changes)).warnings)
        (warning,) = [each for each in warnings if each.startswith("topics=t")]
        assert "Topic t, which is renamed to '', can't be written: no object can have the keys of its files" in warning

    def test_problems_of_other_transforms_come_once(self) -> None:
        """A problem of another transform is reported once, and not for folders again."""
        broken = {"transforms": "t,u", "transforms.u.type": "kafka2parquet.transforms:Drop"}
        validation = validate(story_properties({**ROUTED, **broken}))
        assert ["transforms.u.type"] == [name for problem in validation.problems for name in problem.properties]
        assert [] == [each for each in validation.config.warnings if "Drop" in str(each)]

    def test_check_shows_the_folder(self) -> None:
        """`check` shows the folder in an example of a key."""
        changes = {**ROUTED, "topics": "raw.a"}
        described = describe(load_connect_config(story_properties(changes)), WorkerConfig(bootstrap_servers="kafka:9092")).text
        assert "kafka-source/lake/a/" in described


class TestTimestampRouter:
    """TimestampRouter puts the time of each record in the name of its folder."""

    BY_DAY: Mapping[str, str] = _of(f"{_APACHE}.TimestampRouter")
    RENAMED: Mapping[str, str] = {
        **BY_DAY,
        "transforms": "r,t",
        "transforms.r.type": f"{_APACHE}.RegexRouter",
        "transforms.r.regex": "raw-(.*)",
        "transforms.r.replacement": "lake/$1",
    }

    def test_folders(self) -> None:
        """The router works after a RegexRouter, and published files are found again after a lost offset."""
        sink = StorySink("raw-a")
        changes = {**self.RENAMED, "topics": "raw-a", "partitioner.class": _DEFAULT, "flush.size": "2"}
        sink.append("raw-a", MemoryRecord(value=b'{"n":1}', timestamp_ms=86_400_000))
        sink.run(changes, "raw-a", b'{"n":2}', b'{"n":3}')
        names = [key.removeprefix("raw/kafka-source/lake/") for key in sink.files()]
        assert [
            "a-19700101/partition=0/raw-a+0+0000000001.snappy.parquet",
            "a-19700101/partition=0/raw-a+0+0000000002.snappy.parquet",
            "a-19700102/partition=0/raw-a+0+0000000000.snappy.parquet",
        ] == names
        before = dict(sink.storage.objects)
        sink.kafka.commit("g", "raw-a", 0, 0)
        sink.run({**changes, "flush.size": "1"}, "raw-a", b'{"n":4}')
        assert [1, 2, 3, 4] == sorted(row["n"] for row in sink.rows())
        assert all(sink.storage.objects[key] is stored for key, stored in before.items())

    def test_a_predicate_by_topic(self) -> None:
        """Other topics keep a single folder, in which their files are found."""
        sink = StorySink("a", "a-b")
        changes = {**self.BY_DAY, **_where("TopicNameMatches", pattern="a"), "topics": "a,a-b", "flush.size": "1"}
        sink.append("a-b", MemoryRecord(value=b'{"n":1}', timestamp_ms=0))
        sink.run(changes, "a", b'{"n":2}')
        before = sink.files()
        assert {"a-19700101", "a-b"} == {key.split("/")[2] for key in before}
        for topic in ("a", "a-b"):
            sink.kafka.commit("g", topic, 0, 0)
        sink.append("a-b", MemoryRecord(value=b'{"n":3}', timestamp_ms=0))
        sink.run(changes, "a", b'{"n":4}')
        assert [1, 2, 3, 4] == sorted(row["n"] for row in sink.rows())

    def test_transforms_behind_see_the_name(self) -> None:
        """Later transforms, and their predicates by topic, see the new name."""
        sink = StorySink("t")
        sink.append("t", MemoryRecord(value=b'{"n":1}', timestamp_ms=86_400_000))
        inserted = {"transforms.i.type": f"{_APACHE}.InsertField$Value", "transforms.i.topic.field": "x"}
        chosen = _where("TopicNameMatches", pattern=".*02")
        chosen["transforms.i.predicate"] = chosen.pop("transforms.t.predicate")
        sink.run({**self.BY_DAY, **inserted, **chosen, "transforms": "t,i"}, "t", b'{"n":2}')
        rows = sorted(sink.rows(), key=lambda row: row["n"])
        assert ["t-19700102", None] == [row.get("x") for row in rows]

    def test_check_shows_the_folder(self) -> None:
        """`check` shows the folder of an example record."""
        described = describe(
            load_connect_config(story_properties({**self.RENAMED, "topics": "raw-a", "partitioner.class": _DEFAULT})),
            WorkerConfig(bootstrap_servers="kafka:9092"),
        ).text
        assert "The name of its topic's folder has the timestamp of its record in it." in described
        assert "of partition 0 of 2026-01-31 13:37 UTC is called" in described
        assert "kafka-source/lake/a-20260131/partition=0/raw-a+0+0000000000.snappy.parquet" in described

    def test_folders_that_may_be_those_of_the_librarys_own_files(self) -> None:
        """A warning says so before anything is read."""
        config = load_connect_config(story_properties(_of(f"{_APACHE}.TimestampRouter", topic_format="_${timestamp}")))
        (warning,) = [each for each in map(str, config.warnings) if each.startswith("topics=t")]
        assert "Topic t, which is renamed to '_*', can't be written" in warning


class TestTransformsOfKeys:
    """Transforms of keys change the keys that are written."""

    EXTRACTED: Mapping[str, str] = _of(f"{_APACHE}.ExtractField$Key", field="id")
    WRITTEN: Mapping[str, str] = {"kafka2parquet.metadata.columns": "key"}
    JSON: Mapping[str, str] = {
        "key.converter": "org.apache.kafka.connect.json.JsonConverter",
        "key.converter.schemas.enable": "true",
    }

    def _key(self, payload: object) -> bytes:
        fields = [{"field": "id", "type": "int64", "optional": True}, {"field": "db", "type": "string"}]
        return json.dumps({"schema": {"type": "struct", "fields": fields, "optional": True}, "payload": payload}).encode()

    def _sink(self) -> StorySink:
        sink = StorySink("t")
        keys = [self._key({"id": 7, "db": "x"}), self._key({"id": 8, "db": "y"}), self._key({"id": None, "db": "z"}), None]
        sink.append("t", *(MemoryRecord(value=b'{"a":%d}' % row, key=key) for row, key in enumerate(keys)))
        return sink

    def test_change_nothing_where_keys_are_not_written(self) -> None:
        """The transform changes nothing, and has a note."""
        config = load_connect_config(story_properties(self.EXTRACTED))
        note = f"transforms.t.type={_APACHE}.ExtractField$Key changes nothing that is written: keys are not written."
        assert (note in map(str, config.notes), (), ()) == (True, make_transforms(config).made, make_transforms(config).of_keys)

    def test_in_a_column(self) -> None:
        """The column has a field of the key; null if the field is null or the record has no key."""
        sink = self._sink()
        sink.run({**self.EXTRACTED, **self.WRITTEN, **self.JSON})
        assert [(0, 7), (1, 8), (2, None), (3, None)] == [(row["a"], row["_kafka_key"]) for row in sink.rows()]

    def test_in_their_order(self) -> None:
        """Transforms of keys and of values apply in their common order."""
        sink = self._sink()
        chain = {
            "transforms": "t,v,h",
            "transforms.v.type": f"{_APACHE}.HoistField$Value",
            "transforms.v.field": "line",
            "transforms.h.type": f"{_APACHE}.HoistField$Key",
            "transforms.h.field": "key",
        }
        sink.run({**self.EXTRACTED, **chain, **self.WRITTEN, **self.JSON})
        assert [(0, {"key": 7}), (1, {"key": 8})] == [(row["line"]["a"], row["_kafka_key"]) for row in sink.rows()[:2]]

    def test_in_files_of_keys(self) -> None:
        """Transformed keys are written to the files beside those of values."""
        sink = StorySink("t")
        sink.append("t", MemoryRecord(value=b'{"a":1}', key=self._key({"id": 7, "db": "x"})))
        sink.run({**self.EXTRACTED, **self.JSON, "store.kafka.keys": "true", "keys.format.class": _PARQUET})
        assert [{"key": 7}] == [row for key in sink.files() if ".keys." in key for row in sink.storage.rows(key)]

    def test_a_key_that_can_t_be_transformed(self) -> None:
        """Such a key is a reject of the stage `key`, with the reason."""
        sink = StorySink("t")
        sink.append("t", MemoryRecord(value=b'{"a":1}', key=b"text"))
        missing = _of(f"{_APACHE}.Cast$Key", spec="int32")
        of_text = {"key.converter": "org.apache.kafka.connect.storage.StringConverter"}
        with pytest.raises(RejectedRecordError, match="rejected at stage 'key'"):
            sink.run({**missing, **self.WRITTEN, **of_text})

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            (
                {"key.converter": "org.apache.kafka.connect.json.JsonConverter", "key.converter.schemas.enable": "false"},
                f"transforms.t.type={_APACHE}.ExtractField$Key is not supported. Keys of JSON without a schema are",
            ),
            (
                {**JSON, **_where("RecordIsTombstone")},
                f"transforms.t.predicate is not supported for {_APACHE}.ExtractField$Key. If keys are written, a",
            ),
        ],
    )
    def test_problems(self, changes: dict[str, str], problem: str) -> None:
        """Transforms of keys that aren't supported are refused."""
        (found,) = _problems({**self.EXTRACTED, **self.WRITTEN, **changes})
        assert found.startswith(problem), found
