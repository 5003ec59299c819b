"""Unwrap: the rows of a database out of Debezium's change events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.records import DATA_EXCEPTION, Stage
from kafka2parquet.rows import MixedRows, Transformed, without_columns
from kafka2parquet.schema.connect_schema import ConnectField, ConnectSchema
from kafka2parquet.transforms import Transform, TransformChain, Unwrap
from tests.support.rows import rows_of

ROW = pa.struct([("id", pa.int64()), ("name", pa.string())])
SOURCE = pa.struct([("ts_ms", pa.int64()), ("table", pa.string())])
EVENTS = pa.schema(
    [
        ("before", ROW),
        ("after", ROW),
        ("source", SOURCE),
        ("op", pa.string()),
        ("ts_ms", pa.int64()),
        ("transaction", pa.struct([("id", pa.string())])),
    ]
)
ANN, BOB = {"id": 1, "name": "Ann"}, {"id": 2, "name": None}
#: Of a database: the outer schema has the name and the version, the inner one the name that its rows have.
STATE = ConnectSchema(
    "struct",
    optional=True,
    name="shop.public.users.Value",
    fields=(
        ConnectField("id", ConnectSchema("int64", doc="The number.")),
        ConnectField("since", ConnectSchema("int32", optional=True, name="org.apache.kafka.connect.data.Date", version=1)),
    ),
)
ENVELOPE = ConnectSchema(
    "struct",
    name="shop.public.users.Envelope",
    version=2,
    fields=(
        ConnectField("before", STATE),
        ConnectField("after", STATE),
        ConnectField("source", ConnectSchema("struct", fields=(ConnectField("ts_ms", ConnectSchema("int64")),))),
        ConnectField("op", ConnectSchema("string")),
    ),
)


def _event(operation: str | None, before: Any = None, after: Any = None, **others: Any) -> dict[str, Any]:
    return {"op": operation, "before": before, "after": after, "source": {"ts_ms": 7, "table": "users"}, "ts_ms": 8, **others}


CREATED, DELETED, TRUNCATED = _event("c", None, ANN), _event("d", ANN), _event("t")
HEARTBEAT = {"ts_ms": 9}


def _apply(transform: Transform, events: Sequence[dict[str, Any]], schema: pa.Schema = EVENTS) -> Transformed:
    transformed = TransformChain([transform]).apply(rows_of(pa.Table.from_pylist(list(events), schema)))
    transformed.rows.table.validate(full=True)
    return transformed


def _written(transform: Transform, *events: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Returns the rows by offset; rejects fail the test."""
    transformed = _apply(transform, events)
    assert [] == list(transformed.rejects)
    return dict(zip(transformed.rows.offsets.to_pylist(), transformed.rows.table.to_pylist(), strict=True))


def _refused(transform: Transform, *events: dict[str, Any], schema: pa.Schema = EVENTS) -> list[tuple[int, str]]:
    return [(reject.offset, reject.reason) for reject in _apply(transform, events, schema).rejects]


def _envelopes(*operations: str) -> pa.Table:
    states = {"c": (None, {"id": 1, "since": None}), "d": ({"id": 1, "since": None}, None), "t": (None, None)}
    events = [
        {"before": states[operation][0], "after": states[operation][1], "source": {"ts_ms": 7}, "op": operation}
        for operation in operations
    ]
    return pa.Table.from_pylist(events, ENVELOPE.arrow_schema)


class TestWhatIsWritten:
    """Unwrap writes a row for an event, drops the event, or rejects it."""

    @pytest.mark.parametrize("operation", ["c", "r", "u"])
    def test_the_row_as_it_is_now(self, operation: str) -> None:
        """The fields of `after` become the columns."""
        assert {0: BOB} == _written(Unwrap(), _event(operation, ANN, BOB))

    def test_deletions_are_left_out(self) -> None:
        """Deletions are dropped, and the other rows keep their offsets."""
        assert {0: ANN, 2: BOB} == _written(Unwrap(), CREATED, DELETED, _event("u", ANN, BOB))

    def test_deletions_are_rewritten(self) -> None:
        """A deletion is written as the previous row, marked by a text."""
        assert {0: {**ANN, "__deleted": "false"}, 1: {**ANN, "__deleted": "true"}} == _written(
            Unwrap(deletes="rewrite"), CREATED, DELETED
        )

    def test_nothing_but_deletions(self) -> None:
        """A batch of deletions leaves no rows."""
        assert {} == _written(Unwrap(), DELETED, DELETED)

    @pytest.mark.parametrize("deletes", ["drop", "rewrite"])
    def test_truncations_are_left_out(self, deletes: Any) -> None:
        """Truncations are dropped, because they don't have a row."""
        assert {} == _written(Unwrap(deletes=deletes), TRUNCATED)

    def test_deletion_of_nobody_knows_what(self) -> None:
        """A deletion without the deleted row is rejected, because it can't be rewritten."""
        reason = "before is null: the event of the deletion doesn't say what was deleted, so it can't be rewritten."
        assert [(1, reason)] == _refused(Unwrap(deletes="rewrite"), CREATED, _event("d"))

    def test_deletion_of_nobody_knows_what_is_left_out(self) -> None:
        """A deletion without the deleted row is dropped if all deletions are."""
        assert {0: ANN} == _written(Unwrap(), CREATED, _event("d"))

    def test_event_without_a_row(self) -> None:
        """An event without a row is rejected with its record."""
        (reject,) = _apply(Unwrap(), [CREATED, _event("u")]).rejects
        reason = "after is null, and so is before: the event has no row."
        assert (1, Stage.TRANSFORM, reason, DATA_EXCEPTION, b"value of 1") == (
            reject.offset,
            reject.stage,
            reject.reason,
            reject.exception,
            reject.value,
        )

    def test_rows_of_different_columns(self) -> None:
        """If a database logs only the key of a deleted row, the other columns are null."""
        schema = EVENTS.set(0, pa.field("before", pa.struct([("id", pa.int32())])))
        transformed = _apply(Unwrap(deletes="rewrite"), [CREATED, _event("d", {"id": 1})], schema)
        assert [{**ANN, "__deleted": "false"}, {"id": 1, "name": None, "__deleted": "true"}] == (
            transformed.rows.table.to_pylist()
        )

    def test_rows_whose_columns_have_no_common_type(self) -> None:
        """If a deleted row's column has an incompatible type, rows with a value in it are rejected."""
        schema = EVENTS.set(0, pa.field("before", pa.struct([("id", pa.bool_())])))
        assert [(1, "Unwrap: two types meet in one column: id: int64 and bool.")] == _refused(
            Unwrap(deletes="rewrite"), CREATED, _event("d", {"id": True}), _event("d", {"id": None}), schema=schema
        )

    def test_text_instead_of_a_row(self) -> None:
        """An event with text instead of a row, as from MongoDB, is rejected."""
        schema = EVENTS.set(1, pa.field("after", pa.string()))
        reason = "after is string, which doesn't have fields. Events of MongoDB contain JSON text there."
        assert [(0, reason)] == _refused(Unwrap(), _event("c", None, "{}"), schema=schema)

    def test_slices(self) -> None:
        """Structs are unwrapped correctly if they start in the middle of their memory."""
        table = pa.Table.from_pylist([CREATED, DELETED, _event("u", ANN, BOB)], EVENTS).slice(1)
        assert [{**ANN, "__deleted": "true"}, {**BOB, "__deleted": "false"}] == (
            Unwrap(deletes="rewrite").apply(rows_of(table)).rows.table.to_pylist()
        )


class TestAddedFields:
    """Unwrap adds fields of the event to its row."""

    @pytest.mark.parametrize(
        ("field", "column"),
        [
            ("op", {"__op": "c"}),
            ("ts_ms", {"__ts_ms": 8}),
            ("source.ts_ms", {"__source_ts_ms": 7}),
            ("table", {"__table": "users"}),
            ("id", {"__id": "x"}),
            ("transaction.id:tx", {"__tx": "x"}),
            ("op:what", {"__what": "c"}),
            ("source.lsn", {}),
            ("lsn", {}),
        ],
    )
    def test_fields(self, field: str, column: dict[str, Any]) -> None:
        """Fields are found and named as in Debezium, and fields that events lack are not added."""
        event = _event("c", None, ANN, transaction={"id": "x"})
        assert {0: {**ANN, **column}} == _written(Unwrap(add_fields=[field]), event)

    def test_field_that_another_transform_put_into_the_event(self) -> None:
        """A field that another transform added to the event is found if `source` lacks it."""
        schema = EVENTS.append(pa.field("region", pa.string()))
        transformed = _apply(Unwrap(add_fields=["region"]), [_event("c", None, ANN, region="eu")], schema)
        assert [{**ANN, "__region": "eu"}] == transformed.rows.table.to_pylist()

    def test_deletions_have_them(self) -> None:
        """Rewritten deletions have the added fields, after `__deleted`."""
        written = _written(Unwrap(deletes="rewrite", add_fields=["op"], prefix="_"), DELETED)
        assert [("id", 1), ("name", "Ann"), ("__deleted", "true"), ("_op", "d")] == list(written[0].items())

    def test_null_in_a_struct_that_is_null(self) -> None:
        """A field of a null struct is null, such as `transaction` in a snapshot."""
        assert {0: {**ANN, "__transaction_id": None}} == _written(Unwrap(add_fields=["transaction.id"]), CREATED)

    def test_name_that_is_taken(self) -> None:
        """Two columns with the same name are merged, and an event with values in both is rejected."""
        unwrap = Unwrap(add_fields=["table:name"], prefix="")
        transformed = _apply(unwrap, [CREATED, _event("c", None, {"id": 2})])
        assert [{"id": 2, "name": "users"}] == transformed.rows.table.to_pylist()
        assert [(0, "Unwrap would make two columns called name.")] == [(one.offset, one.reason) for one in transformed.rejects]


class TestOtherRows:
    """Rows that aren't change events stay unchanged."""

    @pytest.mark.parametrize(
        "row",
        [
            {"a": 1},
            {"op": "c", "n": 1},
            {"op": 1, "after": {"n": 1}},
            {"op": "c", "after": "text"},
            {"after": {"n": 1}},
        ],
    )
    def test_columns_of_something_else(self, row: dict[str, Any]) -> None:
        """Rows without the columns of an event are returned as the same object."""
        rows = rows_of(pa.Table.from_pylist([row]))
        assert rows is Unwrap().apply(rows).rows

    @pytest.mark.parametrize("operation", [None, "m", "x"])
    def test_operation_that_changes_no_row(self, operation: str | None) -> None:
        """An operation that doesn't change a row is written unchanged."""
        row = {"op": operation, "source": {"ts_ms": 7, "table": None}, "ts_ms": 9}
        has = {name: value for name, value in row.items() if value is not None}
        assert {0: {"id": None, "name": None, **has}} == _written(Unwrap(), row)

    def test_among_events(self) -> None:
        """Events and other rows have nulls in each other's columns, and keep their order."""
        assert {
            0: {**ANN, "__deleted": "false", "ts_ms": None},
            1: {"id": None, "name": None, "__deleted": None, "ts_ms": 9},
            2: {**ANN, "__deleted": "true", "ts_ms": None},
        } == _written(Unwrap(deletes="rewrite"), CREATED, HEARTBEAT, DELETED)

    def test_columns_that_don_t_fit_those_of_events(self) -> None:
        """A row whose columns conflict with those of events is a reject, and the events are rows."""
        schema = EVENTS.append(pa.field("id", pa.string()))
        assert [(1, "Unwrap: two types meet in one column: id: int64 and string.")] == _refused(
            Unwrap(), CREATED, {"id": "x"}, schema=schema
        )


class TestSchemas:
    """Events that came with a schema keep types and names."""

    @pytest.mark.parametrize("deletes", ["drop", "rewrite"])
    def test_schema_is_that_of_the_database_s_rows(self, deletes: Any) -> None:
        """The schema keeps the name, the documentation and the types of the database rows."""
        chain = TransformChain([Unwrap(deletes=deletes, add_fields=["op"])])
        rows = chain.apply(rows_of(_envelopes("c"), value_schema=ENVELOPE)).rows
        assert rows.value_schema is not None
        text = ConnectSchema("string", optional=True)
        added = {"drop": {"__op": text}, "rewrite": {"__deleted": text, "__op": text}}[deletes]
        assert ("shop.public.users.Value", None, {**STATE.field_schemas, **added}) == (
            rows.value_schema.name,
            rows.value_schema.version,
            rows.value_schema.field_schemas,
        )
        assert rows.value_schema.arrow_schema == rows.table.schema

    def test_schema_is_the_same_object_whatever_the_events_are(self) -> None:
        """The schema stays the same object, so that a deletion doesn't end a file."""
        chain = TransformChain([Unwrap(deletes="rewrite")])
        batches = [_envelopes("c"), _envelopes("d"), _envelopes("t", "d", "c")]
        schemas = [chain.apply(rows_of(table, value_schema=ENVELOPE)).rows.value_schema for table in batches]
        assert (schemas[0], schemas[0]) == (schemas[1], schemas[2])
        assert schemas[0] is schemas[1] is schemas[2]

    def test_required_fields_stay_required(self) -> None:
        """Fields stay required, although they don't have values in a null struct."""
        transformed = Unwrap(deletes="rewrite").apply(rows_of(_envelopes("c", "d", "t"), value_schema=ENVELOPE))
        transformed.rows.table.validate(full=True)
        assert (False, 0, 2) == (
            transformed.rows.table.schema.field("id").nullable,
            transformed.rows.table["id"].null_count,
            len(transformed.rows),
        )

    def test_schema_of_something_else(self) -> None:
        """A message of the database's log is left alone, because it has `op` and `source` but no row."""
        schema = ConnectSchema("struct", fields=(*ENVELOPE.fields[2:], ConnectField("message", ConnectSchema("string"))))
        message = {"op": "m", "source": {"ts_ms": 7}, "message": "hello"}
        rows = rows_of(pa.Table.from_pylist([message], schema.arrow_schema), value_schema=schema)
        assert rows is Unwrap().apply(rows).rows

    def test_unknown_operation(self) -> None:
        """An unknown operation is a reject, because rows of one schema have its columns."""
        table = _envelopes("c", "c").set_column(3, ENVELOPE.arrow_schema.field("op"), pa.array(["c", "x"]))
        transformed = Unwrap().apply(rows_of(table, value_schema=ENVELOPE))
        assert [(1, "op is not a change of a row, although the schema is that of change events.")] == [
            (reject.offset, reject.reason) for reject in transformed.rejects
        ]


class TestProperties:
    """The properties have Debezium's names."""

    @pytest.mark.parametrize(
        ("mode", "rows", "tombstones"),
        [
            ({}, [0], []),
            ({"delete.tombstone.handling.mode": "drop"}, [0], []),
            ({"delete.tombstone.handling.mode": "tombstone"}, [0], [1]),
            ({"delete.tombstone.handling.mode": "rewrite"}, [0, 1], []),
            ({"delete.tombstone.handling.mode": "rewrite-with-tombstone"}, [0, 1], [2]),
            ({"drop.tombstones": "false"}, [0], [2]),
            ({"drop.tombstones": "false", "delete.handling.mode": "none"}, [0], [1, 2]),
            ({"drop.tombstones": "true", "delete.handling.mode": "none"}, [0], [1]),
            ({"drop.tombstones": "true", "delete.handling.mode": "REWRITE"}, [0, 1], []),
            ({"drop.tombstones": "false", "delete.handling.mode": "rewrite"}, [0, 1], [2]),
            ({"delete.tombstone.handling.mode": "drop", "drop.tombstones": "false"}, [0], []),
            ({"delete.tombstone.handling.mode": "", "delete.handling.mode": "rewrite"}, [0, 1], []),
        ],
    )
    def test_mode(self, mode: dict[str, str], rows: list[int], tombstones: list[int]) -> None:
        """The mode decides about deletions and tombstones; older properties count only without the newer one."""
        chain = TransformChain([Unwrap.from_config(mode)])
        events = chain.apply(rows_of(pa.Table.from_pylist([CREATED, DELETED], EVENTS)))
        sent = chain.apply(rows_of(without_columns(1), first_offset=2, tombstones=True))
        groups = [group for part in (events, sent) for group in part.groups]
        assert (rows, tombstones) == tuple(
            [offset for group in groups if group.tombstones == is_null for offset in group.offsets.to_pylist()]
            for is_null in (False, True)
        )

    def test_properties_that_say_what_is_so_anyway(self) -> None:
        """Properties that state the only supported behaviour are accepted."""
        properties = {
            "operation.header": "false",
            "replace.null.with.default": "true",
            "route.by.field": "",
            "drop.fields.from.key": "true",
            "drop.fields.keep.schema.compatible": "false",
        }
        assert Unwrap().fingerprint == Unwrap.from_config(properties).fingerprint

    def test_added_fields(self) -> None:
        """Added fields are a comma-separated list with any prefix, even an empty one."""
        written = [
            _written(Unwrap.from_config({"add.fields": "op, source.ts_ms:at", **prefix}), CREATED)[0]
            for prefix in ({}, {"add.fields.prefix": "x_"}, {"add.fields.prefix": ""})
        ]
        assert [{**ANN, "__op": "c", "__at": 7}, {**ANN, "x_op": "c", "x_at": 7}, {**ANN, "op": "c", "at": 7}] == written

    @pytest.mark.parametrize(
        ("properties", "message"),
        [
            (
                {"delete.tombstone.handling.mode": "none"},
                "delete.tombstone.handling.mode: 'none' is not one of drop, tombstone, ",
            ),
            ({"add.fields": "a..b"}, "add.fields: 'a..b' isn't of the form field or struct.field, with or without :name"),
            ({"add.fields": "a:"}, "add.fields: 'a:' isn't of the form"),
            ({"add.fields": "a:b:c"}, "add.fields: 'a:b:c' isn't of the form"),
            ({"add.fields": "op,op"}, "add.fields: two columns have the same name: __op, __op"),
            ({"delete.handling.mode": "tombstone"}, "delete.handling.mode: 'tombstone' is not one of drop, rewrite, none"),
            ({"drop.tombstones": "yes"}, "drop.tombstones: 'yes' is neither true nor false"),
            ({"add.source.fields": "ts_ms"}, "add.source.fields: Use add.fields, with source. before each name"),
            ({"operation.header": "true"}, "operation.header: Headers stay as they were sent; use add.fields=op"),
            ({"replace.null.with.default": "false"}, "replace.null.with.default: Leave it out: the converter decides it"),
            ({"drop.fields.header.name": "h"}, "drop.fields.header.name: Use kafka2parquet.transforms:Drop after this"),
            ({"add.headers": "op"}, "add.headers: Headers stay as they were sent; use add.fields"),
            ({"route.by.field": "id"}, "route.by.field: The content of a record can't rename its topic"),
            ({"add.field": "op"}, "add.field is not a property of Unwrap"),
        ],
    )
    def test_wrong_properties(self, properties: dict[str, str], message: str) -> None:
        """Wrong properties are refused when the configuration is read, with advice."""
        with pytest.raises(ConfigurationError, match=message):
            Unwrap.from_config(properties)

    def test_wrong_argument(self) -> None:
        """A wrong argument is refused by the constructor."""
        with pytest.raises(ConfigurationError, match="deletes has to be 'drop', 'rewrite' or 'tombstone', not 'none'"):
            Unwrap(deletes="none")  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="tombstones has to be 'pass' or 'drop', not 'keep'"):
            Unwrap(tombstones="keep")  # type: ignore[arg-type]

    def test_fingerprint_distinguishes_settings(self) -> None:
        """Settings with other results have other fingerprints."""
        transforms = [
            Unwrap(),
            Unwrap(deletes="rewrite"),
            Unwrap(add_fields=["op"]),
            Unwrap(add_fields=["op"], prefix="_"),
            Unwrap(add_fields=["source.op"]),
        ]
        assert 5 == len({transform.fingerprint for transform in transforms})


_STATES = st.none() | st.fixed_dictionaries({"id": st.integers(0, 9), "name": st.none() | st.sampled_from("ab")})
_ROWS = st.lists(
    st.builds(_event, st.sampled_from(["c", "u", "d", "t"]), _STATES, _STATES) | st.just(HEARTBEAT), min_size=1, max_size=10
)
_DELETES = st.sampled_from(["drop", "rewrite"])


def _expected(event: dict[str, Any], deletes: str) -> dict[str, Any] | str | None:
    """Returns the row of one record without nulls, a reject, or nothing, according to the rules."""
    before, after = event.get("before"), event.get("after")
    rewrites = deletes == "rewrite"
    row: dict[str, Any] | None
    if "op" not in event:
        row = event
    elif after is not None:
        row = {**after, **({"__deleted": "false"} if rewrites else {})}
    elif before is not None:
        if deletes == "tombstone":
            return "tombstone"
        row = {**before, "__deleted": "true"} if rewrites else None
    else:
        return None if event["op"] == "t" or (event["op"] == "d" and not rewrites) else "reject"
    return None if row is None else {name: value for name, value in row.items() if value is not None}


class TestLaws:
    """Laws that hold for any events."""

    @given(_ROWS, _DELETES | st.just("tombstone"))
    def test_columns_agree_with_a_rule_for_each_record(self, events: list[dict[str, Any]], deletes: Any) -> None:
        """Each record is a row, a reject or nothing, independently of the others."""
        transformed = _apply(Unwrap(deletes=deletes), events)
        got: list[dict[str, Any] | str | None] = [None] * len(events)
        for rows in transformed.groups:
            values = rows.table.to_pylist() if rows.table.num_columns else [None] * len(rows)
            for offset, row in zip(rows.offsets.to_pylist(), values, strict=True):
                got[offset] = "tombstone" if row is None else {name: each for name, each in row.items() if each is not None}
        for reject in transformed.rejects:
            got[reject.offset] = "reject"
        assert [_expected(event, deletes) for event in events] == got

    @given(_ROWS, st.data(), _DELETES)
    def test_other_polls_give_the_same_rows(self, events: list[dict[str, Any]], data: st.DataObject, deletes: Any) -> None:
        """Other polls give the same rows, and the same columns for a file of all rows."""
        rows = rows_of(pa.Table.from_pylist(events, EVENTS))
        cut = data.draw(st.integers(0, len(events)))
        chain = TransformChain([Unwrap(deletes=deletes)])
        whole = chain.apply(rows).rows
        parts = [chain.apply(part).rows for part in (rows.slice(0, cut), rows.slice(cut)) if len(part)]
        together = MixedRows.of(parts)
        assert whole.offsets == together.offsets
        if len(whole):
            assert (set(whole.table.column_names), whole.table.to_pylist()) == (
                set(together.table.column_names),
                together.table.to_pylist(),
            )
