"""What `checked` accepts, converts and says."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pytest

from kafka2parquet import (
    DefaultPartitioner,
    FieldPartitioner,
    KafkaPythonConsumer,
    RecordCountRotation,
    RecordTimeRotation,
    RetryPolicy,
    SinkTask,
)
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.schema import CompatibilityMode
from kafka2parquet.testing import MemoryConsumer, MemoryKafka, MemoryStorage
from kafka2parquet.util.arguments import Count, SecretSettings, checked


@checked
class Sample:
    """Takes one argument of each kind."""

    def __init__(
        self,
        names: Sequence[str] = (),
        *others: Count,
        word: Literal["exactly_once", "at_least_once"] = "exactly_once",
        mode: CompatibilityMode | None = None,
        numbers: Mapping[str, Count] | None = None,
        settings: SecretSettings | None = None,
        seconds: float = 1.0,
    ) -> None:
        self.names, self.others, self.numbers, self.seconds = names, others, numbers, seconds


def _refusal(**arguments: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Sample(**arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"word": "exactly-once"},
            "word has to be 'exactly_once' or 'at_least_once', not 'exactly-once'. Did you mean 'exactly_once'?",
        ),
        ({"mode": "BACKWARD"}, "mode has to be a CompatibilityMode, not a str. Did you mean CompatibilityMode.BACKWARD?"),
        ({"names": ["a", 1]}, "names[1] has to be a str, not 1."),
        ({"names": 7}, "names has to be a sequence of texts, not 7."),
        ({"numbers": {"a": True}}, "numbers['a'] has to be a whole number, not True."),
        ({"numbers": {1: 1}}, "numbers: a key has to be a str, not 1."),
        ({"numbers": {"a": 0}}, "numbers['a'] has to be 1 or more, not 0."),
        ({"seconds": datetime.timedelta(seconds=1)}, "seconds has to be a finite number, not 0:00:01."),
    ],
)
def test_sentence_says_what_is_wrong(arguments: dict[str, Any], sentence: str) -> None:
    """The error names the class, the argument and the position, and suggests a similar word."""
    assert f"Sample: {sentence}" == _refusal(**arguments)


def test_all_problems_are_reported_at_once() -> None:
    """The error lists all problems, so that correcting one doesn't reveal another."""
    assert 2 == len(_refusal(names=7, seconds="1").splitlines())


def test_elements_of_a_parameter_that_collects_are_named() -> None:
    """Elements of a collecting parameter are named by position."""
    with pytest.raises(ConfigurationError, match=r"Sample: others\[1\] has to be 1 or more, not 0\."):
        Sample("a", 1, 0)


def test_values_that_can_only_mean_one_thing_are_converted() -> None:
    """A single text becomes a sequence, and numpy's numbers become Python's."""
    three, half, two = np.int64(3), np.float32(0.5), np.int32(2)
    made = Sample("events", three, seconds=half, numbers={"a": two})  # type: ignore[arg-type,dict-item]  # numpy's numbers
    assert (("events",), (3,), 0.5, {"a": 2}) == (made.names, made.others, made.seconds, made.numbers)
    assert [int, float] == [type(made.others[0]), type(made.seconds)]


def test_python_names_missing_arguments() -> None:
    """Python itself reports missing arguments, as for any function."""
    with pytest.raises(TypeError, match=r"__init__\(\) missing 1 required positional argument: 'rows'"):
        RecordCountRotation()  # type: ignore[call-arg]


def test_duration_in_seconds_is_refused_with_the_way_to_say_it() -> None:
    """3600 could be seconds, or milliseconds."""
    with pytest.raises(ConfigurationError, match=r"not 3600\. Seconds are datetime\.timedelta\(seconds=3600\)\."):
        RecordTimeRotation(3600)  # type: ignore[arg-type]


def test_class_instead_of_an_instance() -> None:
    """The error shows how to create an instance, or what an object of another kind lacks."""
    with pytest.raises(ConfigurationError) as caught:
        SinkTask(
            consumer=MemoryStorage(),  # type: ignore[arg-type]
            converter=None,  # type: ignore[arg-type]
            partitioner=DefaultPartitioner,  # type: ignore[arg-type]
            rotation=1000,  # type: ignore[arg-type]
            storage=MemoryStorage(),
        )
    assert [
        "SinkTask: consumer has to be a Consumer, not a MemoryStorage. It lacks close, commit, pause, poll, resume, start.",
        "SinkTask: converter has to be a RecordConverter, not None.",
        "SinkTask: partitioner has to be a Partitioner, not the class DefaultPartitioner. Give an instance:"
        " DefaultPartitioner(...).",
        "SinkTask: rotation has to be a RotationPolicy, not 1000.",
    ] == list(caught.value.problems)


def test_topics_as_one_text() -> None:
    """A text is one topic, not one for each letter."""
    consumer = MemoryConsumer(MemoryKafka(), group_id="g", topics="events")
    assert {"events"} == consumer.topics


def test_repr_shows_what_was_given() -> None:
    """The `repr` shows the arguments, except defaults."""
    assert "FieldPartitioner(fields=('kind',))" == repr(FieldPartitioner("kind"))
    assert "RecordTimeRotation(interval=datetime.timedelta(seconds=3600))" == repr(
        RecordTimeRotation(datetime.timedelta(hours=1))
    )
    assert "DefaultPartitioner()" == repr(DefaultPartitioner())
    assert "RetryPolicy(first_s=1.0, longest_s=30.0, limit_s=None)" == repr(RetryPolicy(first_s=1))


def test_secrets_are_not_shown() -> None:
    """Neither in a repr nor in the sentence about a wrong value."""
    consumer = KafkaPythonConsumer(
        bootstrap_servers="b:9092", group_id="g", topics="t", client_settings={"sasl_plain_password": "hush"}
    )
    assert "client_settings=..." in repr(consumer)
    assert "hush" not in repr(consumer) + _refusal(settings="hush", names=["a", b"hush"], seconds="hush")
