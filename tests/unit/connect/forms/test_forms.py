"""The forms in which people keep connectors: the properties of each, and the errors about forms that can't be read."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.connect.load import load_connect_config
from kafka2parquet.connect.text import flatten, read_properties
from kafka2parquet.errors import ConfigurationError
from tests.support.sink_properties import json_sink

CASES = Path(__file__).parent / "cases"
SINK = json_sink({"rotate.schedule.interval.ms": "60000", "timezone": "UTC"})
UNNAMED = {name: text for name, text in SINK.items() if name != "name"}


def problem(text: str, *, name: str | None = None, suffix: str = "") -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_properties(text, name=name, suffix=suffix)
    return str(caught.value)


@pytest.mark.parametrize(
    "case", ["flat.yaml", "strimzi.yaml", "strimzi_with_labels.yaml", "byte_order_mark.json", "expand_info.json"]
)
def test_connectors_as_people_keep_them(case: str) -> None:
    """Each of these files makes the same sink."""
    config = load_connect_config(CASES / case)

    assert ("sink", ("events",), "s3://my-bucket") == (config.name, config.items("topics"), config.destination)
    assert (1000, False) == (config.number("flush.size"), config.flag("value.converter.schemas.enable"))
    assert () == config.warnings


def test_values_of_yaml_are_those_of_connect() -> None:
    """Quotes belong to YAML, and a number keeps its digits."""
    config = load_connect_config(CASES / "flat.yaml")

    assert ("raw", "'year'=YYYY/'month'=MM") == (config.text("topics.dir"), config.text("path.format"))


def test_tasks_of_strimzi() -> None:
    """The number of tasks is read beside the properties."""
    assert 3 == load_connect_config(CASES / "strimzi.yaml").tasks_max


def _wrappers() -> dict[str, object]:
    """Makes a connector in each known wrapper."""
    spec = {"class": SINK["connector.class"], "tasksMax": 1, "config": UNNAMED}
    strimzi = {"apiVersion": "kafka.strimzi.io/v1beta2", "kind": "KafkaConnector", "metadata": {"name": "sink"}, "spec": spec}
    confluent = {
        "apiVersion": "platform.confluent.io/v1beta1",
        "kind": "Connector",
        "metadata": {"name": "of-kubernetes"},
        "spec": {"name": "sink", "class": SINK["connector.class"], "taskMax": 1, "configs": UNNAMED},
    }
    info = {"info": {"name": "sink", "config": SINK, "tasks": [{"connector": "sink", "task": 0}], "type": "sink"}}
    msk = {"ConnectorName": "sink", "ConnectorConfiguration": UNNAMED, "Capacity": {"ProvisionedCapacity": {"McuCount": 1}}}
    return {
        "bare": SINK,
        "POST /connectors": {"name": "sink", "config": UNNAMED},
        "GET /connectors/sink": {"name": "sink", "config": SINK, "tasks": [], "type": "sink"},
        "GET /connectors?expand=info": {"sink": info},
        "GET /connectors?expand=info&expand=status": {"sink": {**info, "status": {"name": "sink"}}},
        "a list": [{"name": "sink", "config": UNNAMED}],
        "by name": {"sink": UNNAMED},
        "by name, wrapped": {"sink": {"config": UNNAMED}},
        "aws kafkaconnect create-connector": {
            "connectorName": "sink",
            "connectorConfiguration": UNNAMED,
            "capacity": {"autoScaling": {"maxWorkerCount": 2}},
            "kafkaConnectVersion": "2.7.1",
        },
        "CloudFormation": {"Resources": {"Sink": {"Type": "AWS::KafkaConnect::Connector", "Properties": msk}}},
        "describe-connector": {"connectorArn": "arn", "connectorConfiguration": SINK, "connectorName": "sink", "plugins": [{}]},
        "Terraform's JSON": {
            "resource": [{"aws_mskconnect_connector": {"x": {"name": "sink", "connector_configuration": UNNAMED}}}]
        },
        "terraform show -json": {
            "format_version": "1.0",
            "values": {
                "root_module": {"resources": [{"type": "confluent_connector", "values": {"config_nonsensitive": SINK}}]}
            },
        },
        "values of a chart": {"image": "connect:7.5.0", "connectors": [{"name": "sink", "config": UNNAMED}], "replicas": 2},
        "a connector called config": {"config": {"info": {"name": "sink", "config": SINK}}},
        "Strimzi": strimzi,
        "kubectl get -o json": {"apiVersion": "v1", "kind": "List", "items": [strimzi]},
        "beside a KafkaConnect": [{"kind": "KafkaConnect", "metadata": {"name": "w"}, "spec": {"config": {}}}, strimzi],
        "Confluent for Kubernetes": confluent,
    }


@pytest.mark.parametrize("wrapper", _wrappers())
@pytest.mark.parametrize("notation", [json.dumps, yaml.safe_dump])
def test_wrappers(wrapper: str, notation: Any) -> None:
    """The sink is found in each wrapper, in every notation."""
    read = read_properties(notation(_wrappers()[wrapper]))

    assert SINK == {name: text for name, text in read.values.items() if name != "tasks.max"}
    assert () == read.findings


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".properties", "# a sink\n" + "\n".join(f"{name}={text}" for name, text in SINK.items())),
        ("", "\n".join(f"{name} = {text}" for name, text in SINK.items())),
        (".conf", "\n".join(f"{name} {text}" for name, text in SINK.items())),
        (".properties", "\n".join(f"{name}: {text}" for name, text in SINK.items())),
        (".yaml", "---\n# a sink\n" + "\n".join(f"{name}: {text}" for name, text in SINK.items())),
        (".yml", "\n".join(f'"{name}": "{text}"' for name, text in SINK.items())),
        ("", "\n".join(f"'{name}': {text}" for name, text in SINK.items())),
        (".toml", "\n".join(f'"{name}" = "{text}"' for name, text in SINK.items())),
        (".toml", "# a sink\n" + "\n".join(f'{name} = "{text}"' for name, text in SINK.items())),
        ("", "\n".join(f'"{name}" = "{text}"' for name, text in SINK.items())),
        (".json", "# a sink\n\n" + json.dumps(SINK)),
        (".json", "// a sink\n" + json.dumps(SINK, indent=1)),
        ("", "/* a sink */ " + json.dumps({"name": "sink", "config": UNNAMED})),
        (".txt", "\n\n" + json.dumps(SINK)),
        (".properties", json.dumps(SINK)),
        (".properties", yaml.safe_dump({"kind": "KafkaConnector", "metadata": {"name": "sink"}, "spec": {"config": UNNAMED}})),
        (".json", "\n".join(f"{name}: {text}" for name, text in SINK.items())),
        (".yaml", "\n".join(f"{name}={text}" for name, text in SINK.items())),
        (".yaml", json.dumps(SINK, indent=1)),
    ],
)
def test_notations_are_recognised_by_content(tmp_path: Path, suffix: str, text: str, line_end: str) -> None:
    """The content decides the notation, because names of files are often wrong."""
    path = tmp_path / f"sink{suffix}"
    path.write_bytes(text.replace("\n", line_end).encode())

    assert SINK == load_connect_config(path).given


def test_tables_of_toml() -> None:
    """TOML turns dotted names into tables, and a list becomes several values of one property."""
    text = """
        name = "sink"
        topics = ["a", "b"]
        flush.size = 1_000
        store.kafka.keys = true
        [s3]
        region = "eu-west-1"
        bucket.name = "b"
    """

    assert {
        "name": "sink",
        "topics": "a,b",
        "flush.size": "1000",
        "store.kafka.keys": "true",
        "s3.region": "eu-west-1",
        "s3.bucket.name": "b",
    } == read_properties(text).values


def test_nested_yaml() -> None:
    """Tables and lists are joined, null is not set, and booleans are those of Kubernetes."""
    text = """
name: sink
topics:
  - a
  - b
s3:
  bucket.name: b
  region: ~
store.kafka.keys: yes
flush.size: 1_000
key:
"""

    assert {"name": "sink", "topics": "a,b", "s3.bucket.name": "b", "store.kafka.keys": "true", "flush.size": "1_000"} == (
        read_properties(text).values
    )


def test_anchors_of_yaml() -> None:
    """Anchors and merge keys are read, as Compose files use them; a repeated name is a warning."""
    text = "base: &base\n  connector.class: C\n  flush.size: 1\none:\n  <<: *base\n  flush.size: 2\n  flush.size: 3\n"
    read = read_properties(text, name="one")

    assert {"name": "one", "connector.class": "C", "flush.size": "3"} == read.values
    assert ["flush.size is given more than once; the last one counts."] == list(map(str, read.findings))


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}")])
def test_anchors_are_not_a_bomb(opening: str, closing: str) -> None:
    """Aliases of aliases are refused before any code visits their values."""
    both = "{}, {}" if opening == "[" else "{}, b: {}"
    lines = ["a0: &a0 x", *(f"a{n}: &a{n} {opening}{both.format(f'*a{n - 1}', f'*a{n - 1}')}{closing}" for n in range(1, 60))]

    assert "This YAML can't be read: it has more than 100,000 values." == problem("\n".join(lines))


@pytest.mark.parametrize("text", ["a: " + "[" * 5000, "- " * 5000 + "a", "\n".join(" " * n + "a:" for n in range(3000))])
def test_yaml_that_is_too_deep(text: str) -> None:
    """YAML that is too deep is an ordinary error."""
    assert "This YAML can't be read: it is nested too deeply." == problem(text)


def test_strimzi_counts_for_more_than_its_config() -> None:
    """Class and tasks outside of `config` take precedence, as in Strimzi."""
    document = {"kind": "KafkaConnector", "metadata": {"name": "s"}, "spec": {"class": "A", "config": {"connector.class": "B"}}}
    read = flatten(document)

    assert {"name": "s", "connector.class": "A"} == read.values
    assert ["connector.class=B has no effect: spec says A."] == list(map(str, read.findings))


@pytest.mark.parametrize("text", ["[" * 400 + "]" * 400, '{"a":' * 400 + "1" + "}" * 400])
def test_json_that_is_deep(text: str) -> None:
    """Connectors are not searched for at the bottom of deep JSON."""
    with pytest.raises(ConfigurationError, match=r"holds no connector|Missing required configuration|is an object or a list"):
        load_connect_config({"a": json.loads(text)})


MANY = {name: {"info": {"name": name, "config": {**SINK, "name": name}}} for name in ("one", "two", "three")}
DOCUMENTS = "---\n".join(
    f"kind: KafkaConnector\nmetadata:\n  name: {name}\nspec:\n  class: C\n  config:\n    topics: {name}\n"
    for name in ("a", "b")
)


def test_one_of_several_connectors() -> None:
    """One of several connectors is selected by its name."""
    assert "two" == read_properties(json.dumps(MANY), name="two").values["name"]
    assert "b" == read_properties(DOCUMENTS, name="b").values["topics"]
    assert "two" == flatten(MANY, name="two").values["name"]


def test_several_connectors_without_a_name() -> None:
    """The error lists the names of the connectors."""
    choose = "Choose one with --name NAME (in Python: name=…)."
    assert f"The configuration contains 3 connectors: one, two, three. {choose}" == problem(json.dumps(MANY))
    assert f"The configuration contains 2 connectors: a, b. {choose}" == problem(DOCUMENTS)


def test_wrapper_without_a_name() -> None:
    """The key of a wrapper is not a name."""
    assert UNNAMED == read_properties(json.dumps({"config": UNNAMED})).values
    assert SINK == read_properties(json.dumps({"connectorConfiguration": UNNAMED}), name="sink").values


def test_name_that_is_not_there() -> None:
    """The error lists the existing names."""
    assert "--name four: the configuration has no such connector. Its connectors: one, two, three." == problem(
        json.dumps(MANY), name="four"
    )
    twice = [{"name": "x", "config": SINK}] * 2
    assert "2 connectors in the configuration are called x. Keep one of them." == problem(json.dumps(twice), name="x")


def test_name_that_is_given() -> None:
    """A configuration without a name gets it; one with a name keeps its own."""
    assert SINK == read_properties(json.dumps(UNNAMED), name="sink").values
    assert SINK == read_properties(json.dumps(SINK), name="sink").values
    assert SINK == load_connect_config(UNNAMED, name="sink").given
    assert problem(json.dumps(SINK), name="other").startswith(
        "--name other: the connector in the configuration is called sink. "
    )


def test_missing_name_is_explained() -> None:
    """The error says where the name belongs, and what it decides."""
    with pytest.raises(ConfigurationError, match=r"consumer group, connect-<name>.*--name NAME.*PUT /connectors/<name>/config"):
        load_connect_config(CASES / "put_body.json")
    assert "events" == load_connect_config(CASES / "put_body.json", name="events").name


@pytest.mark.parametrize(
    ("case", "advice"),
    [
        ("terraform.tf", "terraform show -json | jq '.. | objects | .connector_configuration // empty' > sink.json"),
        ("ksql.sql", "curl -s localhost:8083/connectors/sink > sink.json"),
        ("copied_from_a_shell_script.json", "Line 16: '\\'' is how a shell script writes an apostrophe"),
    ],
)
def test_other_languages(case: str, advice: str) -> None:
    """Other languages are recognised, and the error says how to extract the JSON."""
    with pytest.raises(ConfigurationError) as caught:
        load_connect_config(CASES / case)
    assert advice in str(caught.value)


HCL_RESOURCE = """
resource "aws_mskconnect_connector" "sink" {
  name = "sink"
  connector_configuration = {
    "connector.class" = "io.confluent.connect.s3.S3SinkConnector"
  }
}
"""
HCL_CONFLUENT = """
# a sink
resource "confluent_connector" "sink" {
  config_nonsensitive = {
    "connector.class" = "S3_SINK"
  }
}
"""
CURL = """curl -X PUT -H "Content-Type: application/json" http://connect:8083/connectors/sink/config \\
  -d '{
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "path.format": "'\\''year'\\''=YYYY"
  }'
"""
HEREDOC = """#!/usr/bin/env bash
set -e
cat <<EOF > sink.json
{
  "name": "sink"
}
EOF
"""


@pytest.mark.parametrize(
    ("text", "suffix", "says"),
    [
        (HCL_RESOURCE, ".tf", "This is Terraform (HCL)"),
        (HCL_RESOURCE, "", "| .connector_configuration // empty"),
        (HCL_CONFLUENT, ".txt", "| .config_nonsensitive // empty"),
        ('connector_configuration = { "name" = "sink" }', "", "This is Terraform (HCL)"),
        ("locals {\n  x = 1\n}\n", "", "This is Terraform (HCL)"),
        ("-- a sink\ncreate or replace sink connector if not exists `my-sink` with (\n 'topics' = 'a');", "", "s/my-sink"),
        ("SET 'auto.offset.reset' = 'earliest';\nCREATE SINK CONNECTOR s WITH ('a'='b');", ".ksql", "This is SQL of ksqlDB"),
        (CURL, "", "the first { to the last }, lines 2 to 5."),
        ("$ " + CURL, ".txt", "This is a shell script"),
        (HEREDOC, ".sh", "between <<EOF and EOF, lines 4 to 6."),
        (HEREDOC.replace("<<EOF", "<<-'EOF'"), "", "between <<EOF and EOF, lines 4 to 6."),
        ("#!/bin/sh\nexec connect-standalone worker.properties sink.properties\n", "", "or the file that it names."),
        ("#!/bin/sh\ncurl -d '{\"name\": 1}' host:8083/connectors", "", "the first { to the last }, line 2."),
        ("HTTP/1.1 200 OK\nContent-Type: application/json\n\n{}", "", "as curl without -i prints it"),
        ("path.format='\\''year'\\''=YYYY", ".properties", "Line 1: '\\'' is how a shell script"),
        ('{"path.format": "\'"\'"\'year\'"\'"\'=YYYY"}', ".json", "is how a shell script writes an apostrophe"),
        ('["one", "two"]', ".json", "GET /connectors?expand=info has their configurations"),
        ('{"one": {"status": {"name": "one", "tasks": []}}}', ".json", "GET /connectors?expand=info has their configurations"),
        (
            "{'name': 'sink'}",
            ".json",
            """Line 1, column 2: this is not valid JSON: JSON uses " around names""",
        ),
        ('{\\"name\\": \\"sink\\"}', ".json", 'replace each \\" with "'),
        ("{“name”: “sink”}", ".json", "these quotes are typographic"),
        ('{"name": “sink”}', ".json", "these quotes are typographic"),
        ('{"error_code":404,"message":"Connector sink not found"}', "", "This is an error from Kafka Connect"),
        ("[]", ".json", "The configuration contains no connector."),
        ("{}", ".json", "The configuration contains no connector."),
        ("kind: KafkaTopic\nspec:\n  partitions: 3\n", ".yaml", "The configuration contains no connector."),
        ("", "", "The configuration is empty."),
        ("# nothing\n\n", ".properties", "The configuration is empty."),
        ("name: {{ .Values.name }}\nclass: {{ .Values.class }}", ".yaml", "it is a template"),
        ("PUT /connectors/x/config HTTP/1.1\nContent-Type: a\n\n{}", ".http", "headers of an HTTP message"),
        ("a: 'b'c'\n", ".yaml", "this is not valid YAML"),
        ("path.format: 'year'=YYYY\n", ".yaml", "Put a value that begins with a quote completely into double quotes."),
        ("a: b\n\tc: d\n", ".yaml", "Indent with spaces, not with tabs."),
        ("a: @b\n", ".yaml", "Put the value into double quotes."),
        ("a: b: c\n", ".yaml", "Put a value that contains a colon and a space into double quotes."),
        ('{"name": "x"}{"name": "y"}', "", "Line 1, column 14: this is not valid JSON: there is more text after the object"),
        ("a: !vault x\n", ".yaml", "could not determine a constructor for the tag '!vault'"),
        ('name = "a"\ntopics = "b', ".toml", "This is not valid TOML"),
    ],
)
def test_what_is_not_read(text: str, suffix: str, says: str) -> None:
    """The error says what the text is, and what to do."""
    assert says in problem(text, suffix=suffix)


@pytest.mark.parametrize(
    "text",
    [
        "hello world",
        '<?xml version="1.0"?><a/>',
        "[sink]\na=b",
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  sink.json: '{}'\n",
        'config = {\n  "a": 1,\n}\nprint(config)',
    ],
)
def test_text_that_is_not_a_configuration(text: str, tmp_path: Path) -> None:
    """The error says what a configuration is."""
    (tmp_path / "sink").write_text(text)
    with pytest.raises(ConfigurationError, match=r"A configuration is (JSON|a JSON object)"):
        load_connect_config(tmp_path / "sink")


def test_commands_in_yaml_are_not_a_script() -> None:
    """A text with many lines inside YAML is not mistaken for a script."""
    text = "name: sink\nconnector.class: C\n_comment: |\n  curl -X PUT http://connect/\n"

    assert "C" == read_properties(text, suffix=".yml").values["connector.class"]


def test_yaml_without_its_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra to install; properties with colons don't need the parser."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'kafka2parquet\[yaml\]'"):
        load_connect_config(CASES / "flat.yaml")
    assert SINK == read_properties("\n".join(f"{name}: {text}" for name, text in SINK.items()), suffix=".properties").values


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,4}(\.[a-z][a-z0-9_]{0,4}){0,3}", fullmatch=True),
        st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f\x85"), max_size=12),
        max_size=4,
    )
)
def test_notations_agree(extra: dict[str, str]) -> None:
    """JSON, YAML and TOML give the same properties."""
    properties = {**SINK, **{f"x.{name}": text.strip() for name, text in extra.items()}}
    texts = (
        json.dumps(properties),
        yaml.safe_dump(properties, sort_keys=False),
        "\n".join(f'"{name}" = {json.dumps(text)}' for name, text in properties.items()),
    )
    if not any(quote in text for text in texts for quote in ("'\\''", "'\"'\"'")):
        assert [properties] * 3 == [dict(read_properties(text).values) for text in texts]
