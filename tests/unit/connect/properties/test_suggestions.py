"""Every name that a message or the settings reference suggests is accepted where it is followed."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kafka2parquet.connect
from kafka2parquet.connect.clients.consumer import CONSUMER_TABLE
from kafka2parquet.connect.clients.producer import ADMIN_TABLE, PRODUCER_TABLE
from kafka2parquet.connect.load import validate
from kafka2parquet.connect.properties.misplaced import CLOUD
from kafka2parquet.connect.properties.option import Effect, ValueType, simple_name
from kafka2parquet.connect.properties.table import GCS_TABLE, S3_TABLE, OptionTable
from kafka2parquet.connect.properties.unknown import SYNONYMS
from tests.support.sink_properties import json_sink

_TABLES = {"s3": S3_TABLE, "gcs": GCS_TABLE}
_OPTIONS = {option.name: option for table in _TABLES.values() for option in table.options.values()}
_CLIENT_SETTINGS = {
    name
    for table in (CONSUMER_TABLE, PRODUCER_TABLE, ADMIN_TABLE)
    for name in (*table.same_name, *table.special, *table.without_effect, *table.unsupported, "bootstrap.servers")
}
_FIRST_WORDS = "|".join(sorted({re.split(r"[.*]", name)[0] for name in _OPTIONS if "." in name}))
_PROPERTY = re.compile(rf"(?<![\w.:/-])(?:{_FIRST_WORDS})(?:\.[a-z0-9]+)+(?!\w)")
_PYTHON_CLASS = re.compile(r"kafka2parquet[a-z_.]*:[A-Z]\w+")
_JAVA_CLASS = re.compile(r"\b(?:io\.confluent|com\.canelmas)[a-z0-9.]*\.[A-Z]\w+")
#: A module, a property of a Java class, and one of workers.
_OF_OTHERS = {"kafka2parquet.transforms", "timestamp.format", "config.providers"}


def _sink(table: OptionTable, **changes: str) -> dict[str, str]:
    given = json_sink({})
    if table is GCS_TABLE:
        given = {name: text.replace(".s3.S3", ".gcs.Gcs").replace(".s3.", ".gcs.") for name, text in given.items()}
        given["gcs.bucket.name"] = given.pop("s3.bucket.name")
    return {**given, **changes}


def _texts() -> Iterator[tuple[str, str]]:
    """Returns all text, except docstrings, of the code that reads configurations, with its module."""
    folder = Path(next(iter(kafka2parquet.connect.__path__)))
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text())
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield path.relative_to(folder).as_posix(), node.value


_TEXTS = [(module, text) for module, text in _texts() if " " in text or ":" in text]


def _is_known(name: str) -> bool:
    return (
        any(table.find(f"{prefix}{name}") is not None for table in _TABLES.values() for prefix in ("", "value.converter."))
        or any(option.startswith((f"{name}.", f"{name}*")) for option in _OPTIONS)
        or name in {*_CLIENT_SETTINGS, *CLOUD, *SYNONYMS, *_OF_OTHERS}
    )


def test_every_property_in_a_text_is_known() -> None:
    """Each property in a text is known, belongs to a client, or is the subject of the text."""
    assert [] == sorted({(module, name) for module, text in _TEXTS for name in _PROPERTY.findall(text) if not _is_known(name)})


def test_every_python_class_in_a_text_can_be_imported() -> None:
    """Python classes in texts, such as suggested transforms, can be imported."""
    paths = {path for _, text in _TEXTS for path in _PYTHON_CLASS.findall(text)}
    for module, _, name in (path.partition(":") for path in paths):
        assert hasattr(importlib.import_module(module), name), (module, name)


def test_every_java_class_in_a_text_is_accepted() -> None:
    """Each Java class in a text is a valid value of at least one property."""
    choices = {choice for option in _OPTIONS.values() for choice in option.choices}
    classes = {name for _, text in _TEXTS for name in _JAVA_CLASS.findall(text)}
    for name in classes - choices:
        assert [] == validate(json_sink(_FOLLOWED[name])).sentences, name


_PARTITIONERS = "io.confluent.connect.storage.partitioner"
_BY_TIME = {
    "path.format": "YYYY/MM/dd",
    "partition.duration.ms": "86400000",
    "locale": "en",
    "timezone": "UTC",
    "timestamp.extractor": "Record",
}
#: Java classes that are not among the choices, with what they need.
_FOLLOWED = {
    "com.canelmas.kafka.connect.FieldAndTimeBasedPartitioner": {
        "partitioner.class": "com.canelmas.kafka.connect.FieldAndTimeBasedPartitioner",
        "partition.field.name": "kind",
        **_BY_TIME,
    },
    "com.canelmas.kafka.connect.TimeAndFieldBasedPartitioner": {
        "partitioner.class": "com.canelmas.kafka.connect.TimeAndFieldBasedPartitioner",
        "partition.field": "kind",
        **_BY_TIME,
    },
    "io.confluent.connect.replicator.util.ByteArrayConverter": {
        "value.converter": "io.confluent.connect.replicator.util.ByteArrayConverter"
    },
    "io.confluent.kafka.serializers.context.NullContextNameStrategy": {
        "value.converter.context.name.strategy": "io.confluent.kafka.serializers.context.NullContextNameStrategy"
    },
}


_CHOICES = [
    pytest.param(option.name, choice, table, id=f"{provider}-{option.name}={choice}")
    for provider, table in _TABLES.items()
    for option in table.options.values()
    if not option.is_prefix and option.name != "connector.class"
    for choice in option.choices
    if choice not in option.refused
]


@pytest.mark.parametrize(("name", "choice", "table"), _CHOICES)
def test_every_choice_is_accepted(name: Any, choice: Any, table: Any) -> None:
    """Each choice is valid, although it may need other properties."""
    needed = {
        f"{side}.converter.{rest}": "http://registry:8081"
        for side in ("key", "value")
        for rest in ("schema.registry.url",)
        if "converter" in name
    }
    problems = validate(_sink(table, **{**_BY_TIME, "partition.field.name": "kind", **needed, name: choice})).problems
    about = [str(problem) for problem in problems if f"{name}={choice}" in str(problem) or str(problem).startswith("Invalid")]
    assert [] == about


def _slip(name: str) -> str:
    return name[:-3] + name[-2:]


_SLIPS = [
    pytest.param(option, table, id=f"{provider}-{option.name}")
    for provider, table in _TABLES.items()
    for option in table.options.values()
    if not option.is_prefix and option.effect is Effect.USED and table.find(_slip(option.name)) is None
    if option.name not in ("name", "connector.class")
]


@pytest.mark.parametrize(("option", "table"), _SLIPS)
def test_a_slip_in_a_name_leads_to_one_that_is_accepted(option: Any, table: Any) -> None:
    """Following the suggestion for a misspelled name always works."""
    given, slip = _sink(table), _slip(option.name)
    text = given.pop(option.name, "x")
    validation = validate({**given, slip: text})
    said = " ".join((*validation.sentences, *map(str, validation.config.warnings)))
    suggested = re.search(r"Did you mean (?P<name>[\w.]+)\?", said)
    assert suggested is not None, said
    meant = table.options[suggested["name"]]
    if meant.type is ValueType.STRING and not meant.choices and meant.validator is None and meant.name not in given:
        followed = validate({**given, meant.name: text})
        assert not any(f"{meant.name} is not" in sentence for sentence in followed.sentences)


@pytest.mark.parametrize("name", ["Default", "Daily", "Hourly", "TimeBased", "Field"])
def test_a_known_name_in_another_package(name: str) -> None:
    """The suggestion is the known class of the same name."""
    (problem, *_) = validate(json_sink({"partitioner.class": f"com.acme.{name}Partitioner"})).sentences
    (suggested,) = _JAVA_CLASS.findall(problem)
    followed = validate(json_sink({"partitioner.class": suggested, "partition.field.name": "kind", **_BY_TIME}))
    assert [] == followed.sentences
    assert f"{name}Partitioner" == simple_name(suggested)
