import codecs
import json
from pathlib import Path

import pytest

from kafka2parquet.connect.forms.json_form import strip_comments
from kafka2parquet.connect.forms.properties import Properties, parse_java_properties
from kafka2parquet.connect.load import load_connect_config
from kafka2parquet.connect.parts.schema_files import read_schema_file
from kafka2parquet.connect.text import flatten, read_properties
from kafka2parquet.connect.variables import ConfigProviders
from kafka2parquet.connect.worker import load_worker_config
from kafka2parquet.errors import ConfigurationError
from tests.support.connect_story import STORY


def test_line_comments_are_blanked() -> None:
    """`//` comments are blanked, and every other character keeps its line and column."""
    assert '{"a": "1",       \n}' == strip_comments('{"a": "1", // one\n}')


def test_block_comments_are_blanked() -> None:
    """`/* */` comments are blanked, over several lines too, and the lines stay."""
    assert "{  \n   }" == strip_comments("{/*\n*/ }")


def test_comment_marks_in_strings_are_text() -> None:
    """A URL or a comment mark is text inside a string, after an escaped quote too."""
    for text in ('"http://x/*y*/"', r'"a\"//b"', '"/*" : "*/"'):
        assert text == strip_comments(text)


def test_wrapper_gives_the_name() -> None:
    """The name beside `config` becomes the property `name`."""
    read = read_properties('{"name": "sink", "config": {"topics": "a"}}')
    assert {"name": "sink", "topics": "a"} == read.values


def test_flat_mapping() -> None:
    """A document without `config` is the configuration itself."""
    assert {"name": "sink", "topics": "a"} == read_properties('{"name": "sink", "topics": "a"}').values


def test_two_names_that_differ() -> None:
    """The name beside `config` has to equal the name inside."""
    read = read_properties('{"name": "one", "config": {"name": "two"}}')
    assert ["name: the name beside `config` is 'one', the property name is 'two'; keep one."] == list(map(str, read.problems))


def test_scalars_become_trimmed_text() -> None:
    """Numbers keep their digits, booleans are lower case, blanks around texts go, null is not set."""
    read = read_properties('{"a": 100000, "b": true, "c": " x ", "d": null, "e": 1.50}')
    assert {"a": "100000", "b": "true", "c": "x", "e": "1.50"} == read.values


def test_nested_value_is_a_problem() -> None:
    """A property can't be an object or a list."""
    (problem,) = flatten({"a": ["x"]}).problems
    assert "a: the value is an object or a list; write a text, with commas between several values." == str(problem)


def test_broken_json_names_the_place() -> None:
    """An error about broken JSON has line and column of the original text, including comments."""
    with pytest.raises(ConfigurationError, match=r"^Line 3, column 6: this is not valid JSON: Expecting ':' delimiter\.$"):
        read_properties('{\n "a": "1", // one\n "b" "2"\n}')


def test_repeated_property_warns() -> None:
    """The last of two equal names counts, as in Connect, with a warning."""
    read = read_properties('{"a": "1", "a": "2"}')
    assert ({"a": "2"}, ["a is given more than once; the last one counts."]) == (read.values, list(map(str, read.findings)))


def test_java_properties() -> None:
    """Comments, the three separators, continued lines and escapes are read like java.util.Properties."""
    text = "# comment\n! comment\na=1\nb : 2\nc 3\n\nd=x\\\n   y\ne\\ f=\\u00e9\\t=\ng\n"
    assert {"a": "1", "b": "2", "c": "3", "d": "xy", "e f": "é\t=", "g": ""} == parse_java_properties(text)


def test_properties_text_is_recognised() -> None:
    """A text that doesn't begin with a brace is read as properties."""
    assert {"name": "sink", "store.url": "http://host:1//x"} == read_properties("name=sink\nstore.url=http://host:1//x").values


def test_comma_behind_the_last_entry_is_named() -> None:
    """The error names the trailing comma, a classic mistake in handwritten JSON."""
    reason = "^Line 3, column 1: this is not valid JSON: the last entry before } is followed by a comma; remove it.$"
    with pytest.raises(ConfigurationError, match=reason):
        read_properties('{\n  "name": "x", // last\n}')


def test_lists_are_reported_as_not_read() -> None:
    """Properties that can't be read are listed, so that nothing else is reported about them."""
    assert ("topics",) == read_properties('{"topics": ["a", "b"]}').unread


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_with_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    """Files from Windows, with a mark and other line endings, are read."""
    properties = {**read_properties(STORY).values, "note": "ü"}
    texts = {
        "a.json": json.dumps(properties, ensure_ascii=False, indent=1),
        "a.properties": "\n".join(f"{name}={value}" for name, value in properties.items()),
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.write_bytes(text.replace("\n", "\r\n").encode(encoding))
        assert properties == load_connect_config(path).given
    worker = tmp_path / "worker.properties"
    worker.write_bytes("bootstrap.servers=broker:9092\r\nconsumer.client.id=ü\r\n".encode(encoding))
    read = load_worker_config(worker)
    assert ("broker:9092", {"client.id": "ü"}) == (read.bootstrap_servers, read.consumer)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_secrets_with_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    """The mark is not a part of a value, nor of the first property's name."""
    (tmp_path / "a.properties").write_bytes("first=1\nsecond=2".encode(encoding))
    (tmp_path / "value").write_bytes("3".encode(encoding))
    given = {
        "a": f"${{file:{tmp_path}/a.properties:first}}",
        "b": f"${{file:{tmp_path}/a.properties:second}}",
        "c": f"${{directory:{tmp_path}:value}}",
    }
    assert {"a": "1", "b": "2", "c": "3"} == ConfigProviders().resolve(Properties(given)).values


def test_file_of_another_encoding(tmp_path: Path) -> None:
    """A file in another encoding is an error, which names the byte that can't be read."""
    (tmp_path / "a.json").write_bytes(b'{"name": "\xfc"}')
    with pytest.raises(ConfigurationError, match=r"can't be read: 'utf-8' codec can't decode byte 0xfc"):
        load_connect_config(tmp_path / "a.json")


def test_schema_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    """A schema file with a mark is read like any other."""
    (tmp_path / "a.json").write_bytes(codecs.BOM_UTF8 + b'[{"name": "a", "type": "int64"}]')
    assert ["a"] == read_schema_file(str(tmp_path / "a.json")).names
