"""Kafka's own transforms of values, named by a configuration, from records to rows in files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kafka2parquet.connect.load import load_connect_config, validate
from kafka2parquet.connect.text import read_properties
from kafka2parquet.errors import RejectedRecordError
from tests.support.connect_story import STORY
from tests.support.story_sink import StorySink

_APACHE = "org.apache.kafka.connect.transforms"


def _chain(*steps: tuple[str, dict[str, str]]) -> dict[str, str]:
    """Returns the properties of some transforms in a chain."""
    properties = {"transforms": ",".join(f"t{number}" for number in range(len(steps)))}
    for number, (class_name, settings) in enumerate(steps):
        properties[f"transforms.t{number}.type"] = f"{_APACHE}.{class_name}$Value"
        properties |= {f"transforms.t{number}.{name}": text for name, text in settings.items()}
    return properties


def _written(changes: dict[str, str], *documents: Any) -> list[dict[str, Any]]:
    sink = StorySink("t")
    sink.run(changes, "t", *(json.dumps(document).encode() for document in documents))
    return sink.rows()


def test_the_day_of_a_record_as_text() -> None:
    """InsertField and TimestampConverter work together, as many configurations use them."""
    changes = _chain(
        ("InsertField", {"timestamp.field": "day", "offset.field": "at"}),
        ("TimestampConverter", {"field": "day", "target.type": "string", "format": "yyyy-MM-dd"}),
    )
    assert _written(changes, {"a": 1}) == [{"a": 1, "day": "1970-01-01", "at": 0}]


def test_a_chain_of_kafkas_transforms() -> None:
    """Each transform sees the result of the previous one."""
    changes = _chain(
        ("ReplaceField", {"exclude": "debug", "renames": "user:u"}),
        ("MaskField", {"fields": "card", "replacement": "****"}),
        ("Flatten", {"delimiter": "_"}),
        ("Cast", {"spec": "u_age:string,n:int8"}),
    )
    document = {"debug": 1, "user": {"age": 30, "name": "Ann"}, "card": "4711", "n": 300}
    assert _written(changes, document) == [{"u_age": "30", "u_name": "Ann", "card": "****", "n": 44}]


@pytest.mark.parametrize("policy", ["ignore", "fail"])
def test_an_extracted_null_is_as_the_policy_for_null_values_says(policy: str) -> None:
    """An extracted null is a record without a value for later steps, as in Connect."""
    changes = {**_chain(("ExtractField", {"field": "after"})), "behavior.on.null.values": policy}
    if policy == "fail":
        with pytest.raises(RejectedRecordError, match="Null valued"):
            _written(changes, {"after": {"id": 1}}, {"after": None})
    else:
        assert _written(changes, {"after": {"id": 1}}, {"after": None}, {"op": "d"}) == [{"id": 1}]


def test_records_that_java_throws_on_are_rejects() -> None:
    """If errors are tolerated, records on which Java throws are rejects, and the others are written."""
    changes = {**_chain(("Cast", {"spec": "a:int32"})), "errors.tolerance": "all", "errors.log.enable": "true"}
    assert _written(changes, {"a": "1"}, {"a": "x"}, {"a": "3"}) == [{"a": 1}, {"a": 3}]


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        (("TimestampConverter", {"field": "a", "target.type": "string"}), "format: target.type=string needs a format."),
        (("TimestampConverter", {"target.type": "day"}), "transforms.t0.target.type: 'day' is not one of string, unix, Date"),
        (("TimestampConverter", {"target.type": "unix", "format": "bbb"}), "transforms.t0.format: 'bbb' is not a pattern of"),
        (("Cast", {"spec": "a:decimal"}), "transforms.t0.spec: 'decimal' is not a type to cast to. The types are int8"),
        (("Cast", {}), "Cast needs spec."),
        (("MaskField", {"fields": ""}), "transforms.t0.fields: name at least one field."),
        (("ReplaceField", {"renames": "a"}), "transforms.t0.renames: 'a' isn't of the form left:right."),
        (("Flatten", {"delimiter": "_"}), None),
    ],
)
def test_wrong_properties_are_reported_when_the_configuration_is_read(step: Any, problem: str | None) -> None:
    """The problem names the property and the possible values."""
    problems = [str(one) for one in validate({**read_properties(STORY).values, **_chain(step)}).problems]
    assert ([] if problem is None else [True]) == [problem is not None and problem in one for one in problems]


def test_a_property_that_the_class_lacks_is_a_warning() -> None:
    """An unknown property is a warning, because Kafka ignores it."""
    step = ("TimestampConverter", {"columns": "a", "target.type": "unix"})
    config = load_connect_config({**read_properties(STORY).values, **_chain(step)})
    assert "transforms.t0.columns has no effect: its class has no such property." in map(str, config.warnings)
