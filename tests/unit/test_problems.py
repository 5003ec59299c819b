"""Problems of configurations, and the error that carries them."""

import pytest

from kafka2parquet.connect.load import read_connect_config
from kafka2parquet.errors import ConfigurationError, collecting
from kafka2parquet.problems import Problem, ProblemKind, note, unsupported, warning
from tests.support.sink_properties import json_sink


def test_a_problem_names_its_property() -> None:
    """As text, a problem names its property, with the advice at the end."""
    assert "a.b: it is empty. Set it." == str(Problem("a.b", "it is empty", "Set it."))
    assert "a.b is empty. Set it." == str(Problem("a.b", "a.b is empty.", "Set it."))
    assert "Is a.b empty? Set it." == str(Problem("a.b", "Is a.b empty?", "Set it."))
    assert "Nothing is set." == str(Problem((), "Nothing is set"))


def test_a_problem_below_a_prefix() -> None:
    """The prefix stands before the property's name, in the message too."""
    problem = Problem("ssl.file", "ssl.file=x is missing").under("value.converter.")
    assert (("value.converter.ssl.file",), "value.converter.ssl.file=x is missing.") == (problem.properties, str(problem))


def test_the_prefix_stands_in_the_advice_too() -> None:
    """Advice that names one of the problem's properties can be followed literally. A name without dots may be a word."""
    problem = Problem(("ssl.file", "ssl.type", "type"), "ssl.file=x has the wrong type", "Set ssl.type to PEM, a type of file.")
    assert "a.ssl.file=x has the wrong a.type. Set a.ssl.type to PEM, a type of file." == str(problem.under("a."))


def test_a_problem_within_a_place() -> None:
    """The place stands before the message, which names its property first if it doesn't name it otherwise."""
    problems = (Problem("a.b", "a.b is empty", "Set it."), Problem("a.b", "it is empty"))
    assert ["In x: a.b is empty. Set it.", "In x: a.b: it is empty."] == [str(each.within("In x")) for each in problems]
    assert [("a.b",), ("a.b",)] == [each.within("In x").properties for each in problems]


def test_only_two_kinds_keep_a_configuration_from_running() -> None:
    """Problems that Connect has too, and unsupported settings, are fatal. Warnings and notes are not."""
    made = (Problem("a", "a"), unsupported("a", "a"), warning("a", "a"), note("a", "a"))
    assert [True, True, False, False] == [problem.kind.is_fatal for problem in made]
    assert list(ProblemKind) == [problem.kind for problem in made]


def test_an_error_has_texts_and_details() -> None:
    """A ConfigurationError has a text and the properties of each problem; a problem that was given as text names none."""
    error = ConfigurationError([Problem("a", "a is empty"), "Something else is wrong."])
    assert ("a is empty.", "Something else is wrong.") == error.problems
    assert [("a",), ()] == [problem.properties for problem in error.details]


def test_problems_of_several_errors_are_collected() -> None:
    """`collecting` adds the problems of an error to a list, and lets other errors pass."""
    problems: list[Problem] = []
    with collecting(problems):
        raise ConfigurationError(Problem("a", "a is empty"))
    with collecting(problems):
        raise ConfigurationError("b is empty.")
    assert ["a is empty.", "b is empty."] == list(map(str, problems))
    with pytest.raises(KeyError), collecting(problems):
        raise KeyError("c")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"transforms": "t", "transforms.t.type": "Cast$Value", "transforms.t.spec": "a:b:c"}, "transforms.t.spec"),
        ({"transforms": "t", "transforms.t.type": "Cast$Value"}, "transforms.t.type"),
        (
            {
                "value.converter": "io.confluent.connect.avro.AvroConverter",
                "value.converter.schema.registry.url": "http://registry:8081",
                "value.converter.basic.auth.credentials.source": "USER_INFO",
            },
            "value.converter.basic.auth.credentials.source",
        ),
        (
            {
                "value.converter": "io.confluent.connect.avro.AvroConverter",
                "value.converter.schema.registry.url": "http://registry:8081",
                "value.converter.schema.registry.ssl.truststore.location": "/ca.jks",
            },
            "value.converter.schema.registry.ssl.truststore.location",
        ),
        ({"kafka2parquet.quarantin": "true", "_comment": "x"}, "kafka2parquet.quarantin"),
    ],
)
def test_problems_of_parts_have_the_full_names_of_properties(changes: dict[str, str], name: str) -> None:
    """The code that finds a problem names the property; no code reads the name from the text."""
    validation = read_connect_config(json_sink(changes))
    assert [name] == [problem.properties[0] for problem in validation.fatal]
