"""Transforms in a Kafka Connect configuration."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pytest

from kafka2parquet.connect.describe import describe
from kafka2parquet.connect.load import load_connect_config, validate
from kafka2parquet.connect.parts.transforms import make_transforms
from kafka2parquet.connect.text import read_properties
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.transforms import TableTransform, TransformChain
from tests.support.connect_story import STORY
from tests.support.rows import rows_of
from tests.support.story_sink import StorySink

_BUILT_IN = "kafka2parquet.transforms"
_HERE = "tests.unit.connect.parts.test_transforms"


class Shout(TableTransform):
    """A transform for the tests that makes a column upper case."""

    def __init__(self, column: str, end_mark: str = "!") -> None:
        if end_mark == "?":
            raise ValueError("nobody asks")
        self.column = column
        self.end_mark = end_mark

    def transform(self, table: pa.Table) -> pa.Table:
        texts = [f"{text.upper()}{self.end_mark}" for text in table[self.column].to_pylist()]
        return table.set_column(0, self.column, pa.array(texts))


class NotATransform(TableTransform):
    """A class whose `from_config` returns something else."""

    @classmethod
    def from_config(cls, properties: Any) -> Any:
        return "text"

    def transform(self, table: pa.Table) -> pa.Table:
        return table


def _properties(changes: dict[str, str]) -> dict[str, str]:
    return {**read_properties(STORY).values, **changes}


def _problems(changes: dict[str, str]) -> list[str]:
    return [str(problem) for problem in validate(_properties(changes)).problems]


def _transformed(changes: dict[str, str], **columns: object) -> dict[str, list[object]]:
    transforms = make_transforms(load_connect_config(_properties(changes))).made
    table: dict[str, list[object]] = TransformChain(transforms).apply(rows_of(pa.table(columns))).rows.table.to_pydict()
    return table


def test_transforms_are_made_in_order() -> None:
    """Each transform gets the properties of its alias."""
    changes = {
        "transforms": "pick, call",
        "transforms.call.type": f"{_BUILT_IN}:Rename",
        "transforms.call.renames": "a:x",
        "transforms.pick.type": f"{_BUILT_IN}:Keep",
        "transforms.pick.fields": "a,b",
    }
    assert {"x": [1], "b": [2]} == _transformed(changes, a=[1], b=[2], c=[3])


def test_no_transforms() -> None:
    """A configuration without transforms has an empty chain."""
    transforms = make_transforms(load_connect_config(_properties({})))
    assert ((), None) == (transforms.made, transforms.folders)


def test_class_of_ones_own() -> None:
    """A user's class is given by its Python path, and its properties become keyword arguments."""
    changes = {
        "transforms": "shout",
        "transforms.shout.type": f"{_HERE}:Shout",
        "transforms.shout.column": "a",
        "transforms.shout.end.mark": "!!",
    }
    assert {"a": ["HI!!"]} == _transformed(changes, a=["hi"])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"transforms.t.type": f"{_HERE}:Shout"},
            f"transforms.t.type={_HERE}:Shout: Shout can't be created from these properties: ",
        ),
        (
            {"transforms.t.type": f"{_HERE}:Shout", "transforms.t.column": "a", "transforms.t.end_mark": "?"},
            f"Invalid value {_HERE}:Shout for configuration transforms.t.type: nobody asks.",
        ),
        (
            {"transforms.t.type": f"{_HERE}:NotATransform"},
            f"Invalid value {_HERE}:NotATransform for configuration transforms.t.type: from_config returned str, ",
        ),
        (
            {"transforms.t.type": f"{_BUILT_IN}:TableTransform"},
            f"Invalid value {_BUILT_IN}:TableTransform for configuration transforms.t.type: Can't instantiate abstract class",
        ),
        (
            {"transforms.t.type": f"{_BUILT_IN}:NoSuch"},
            f"Invalid value {_BUILT_IN}:NoSuch for configuration transforms.t.type: {_BUILT_IN}:NoSuch can't be imported",
        ),
        (
            {"transforms.t.type": "pathlib:Path"},
            "Invalid value pathlib:Path for configuration transforms.t.type: pathlib:Path is not a subclass of Transform.",
        ),
        (
            {"transforms.t.type": f"{_BUILT_IN}:Cast", "transforms.t.spec": "a"},
            "transforms.t.spec: 'a' isn't of the form left:right.",
        ),
        (
            {"transforms.t.type": f"{_BUILT_IN}:Drop", "transforms.t.fields": "a", "transforms.t.feilds": "b"},
            "transforms.t.feilds is not a property of Drop, which has fields.",
        ),
        ({"transforms.t.type": f"{_BUILT_IN}:Drop"}, f"transforms.t.type={_BUILT_IN}:Drop: Drop needs fields."),
        ({}, 'Missing required configuration "transforms.t.type" which has no default value. Use a transform of Apache'),
        (
            {"transforms.t.type": f"{_BUILT_IN}:Drop", "transforms.t.fields": "a", "transforms": "t,t"},
            "Invalid value [t, t] for configuration transforms: Duplicate alias provided.",
        ),
        (
            {"transforms.t.type": f"{_BUILT_IN}:Drop", "transforms.t.fields": "a", "transforms.t.predicate": "p"},
            "transforms.t.predicate=p: this predicate is not defined. Name it in predicates, and set predicates.p.type.",
        ),
    ],
)
def test_problems(changes: dict[str, Any], problem: str) -> None:
    """Each problem names property and reason when the configuration is read."""
    problems = _problems({"transforms": "t", **changes})
    assert (1, True) == (len(problems), problems[0].startswith(problem)), problems


def test_problems_of_all_transforms_at_once() -> None:
    """Problems of all transforms are reported, and not only those of the first."""
    assert ["transforms.a.type", "transforms.b.type"] == sorted(
        re.findall(r'"(.*?)"', " ".join(_problems({"transforms": "a,b"})))
    )


def test_properties_of_an_alias_that_isn_t_named() -> None:
    """Such properties have no effect, and a warning: an alias may be missing."""
    config = load_connect_config(_properties({"transforms.t.type": f"{_BUILT_IN}:Drop"}))
    assert "transforms.t.type has no effect: transforms names no such alias." in map(str, config.warnings)


def test_check_names_the_transforms() -> None:
    """`check` names the transforms of rows."""
    changes = {"transforms": "less", "transforms.less.type": f"{_BUILT_IN}:Drop", "transforms.less.fields": "a"}
    described = describe(load_connect_config(_properties(changes)), WorkerConfig(bootstrap_servers="kafka:9092")).text
    assert "Rows then go through less (kafka2parquet.transforms:Drop)." in described


def test_a_task_transforms_its_rows() -> None:
    """Misfits and filtered rows are dropped, and both are committed."""
    sink = StorySink("t")
    changes = {
        "errors.tolerance": "all",
        "transforms": "types,some,less",
        "transforms.types.type": f"{_BUILT_IN}:Cast",
        "transforms.types.spec": "n:int32",
        "transforms.some.type": f"{_BUILT_IN}:Filter",
        "transforms.some.field": "n",
        "transforms.some.values": "3",
        "transforms.some.keep": "false",
        "transforms.less.type": f"{_BUILT_IN}:Drop",
        "transforms.less.fields": "at",
    }
    sink.run(changes, "t", b'{"n":"1","at":0}', b'{"n":"x","at":0}', b'{"n":"2","at":0}', b'{"n":"3","at":0}')
    assert 1 == len(sink.files())
    assert ([{"n": 1}, {"n": 2}], 4) == (sink.rows(), sink.committed("t"))
