from pathlib import Path
from typing import Any

import pytest

from kafka2parquet.connect.load import NAME_ADVICE, load_connect_config, validate
from kafka2parquet.connect.properties.option import ValueType
from kafka2parquet.connect.properties.table import S3_TABLE
from kafka2parquet.errors import ConfigurationError

#: What every case starts from: the base configuration of the cases.
BASE = {
    "name": "test-connector",
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "tasks.max": "1",
    "topics": "test-topic",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "s3.bucket.name": "test-bucket",
    "s3.region": "us-west-2",
    "flush.size": "3",
    "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
    "parquet.codec": "snappy",
    "partitioner.class": "io.confluent.connect.storage.partitioner.DefaultPartitioner",
    "topics.dir": "topics",
    "filename.offset.zero.pad.width": "10",
    "schema.compatibility": "NONE",
    "rotate.interval.ms": "-1",
    "rotate.schedule.interval.ms": "-1",
    "rotate.file.on.partition.change": "true",
    "timezone": "America/Los_Angeles",
    "locale": "en",
}
HOURLY: dict[str, str | None] = {
    "partitioner.class": "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
    "path.format": "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH",
    "partition.duration.ms": "3600000",
}
GCS = {
    "connector.class": "io.confluent.connect.gcs.GcsSinkConnector",
    "storage.class": "io.confluent.connect.gcs.storage.GcsStorage",
    "format.class": "io.confluent.connect.gcs.format.parquet.ParquetFormat",
    "gcs.bucket.name": "test-bucket",
    "s3.bucket.name": None,
    "s3.region": None,
}


def _with(**changes: str | None) -> dict[str, str]:
    """Returns the base configuration with changes; None removes a property."""
    return _changed({name.replace("__", "."): text for name, text in changes.items()})


def _changed(*changes: dict[str, str | None]) -> dict[str, str]:
    merged: dict[str, str | None] = dict(BASE)
    for change in changes:
        merged |= change
    return {name: text.strip() for name, text in merged.items() if text is not None}


def _problems(*changes: dict[str, str | None]) -> list[str]:
    return [str(problem) for problem in validate(_changed(*changes)).problems]


def test_the_usual_configuration_has_no_problems() -> None:
    """The base configuration of the cases has no problems."""
    assert [] == _problems()


def test_gcs_configuration() -> None:
    """The names of the GCS sink give the same result."""
    config = load_connect_config(_changed(GCS))
    assert ("gcs", "gs://test-bucket") == (config.provider, config.destination)


def test_own_url_replaces_the_bucket() -> None:
    """The destination can be any fsspec URL."""
    config = load_connect_config(_changed({"kafka2parquet.storage.url": "file:///data"}))
    assert "file:///data" == config.destination


@pytest.mark.parametrize("base", [{}, GCS])
def test_own_url_needs_no_bucket(base: Any) -> None:
    """A bucket isn't required if files go to another URL."""
    config = load_connect_config(
        _changed(base, {"s3.bucket.name": None, "gcs.bucket.name": None, "kafka2parquet.storage.url": "file:///data"})
    )
    assert "file:///data" == config.destination


def test_near_miss_is_refused_with_the_name_meant() -> None:
    """A misspelled property isn't mistaken for a user's own property."""
    assert ["flush.sizes is not a known property. Did you mean flush.size?"] == _problems(
        {"flush.size": None, "flush.sizes": "100"}
    )


def test_unknown_property_is_kept_with_a_warning() -> None:
    """Unknown properties are kept for custom classes, with a warning."""
    config = load_connect_config(_changed({"my.folder.rule": "x"}))
    assert {"my.folder.rule": "x"} == config.unknown
    assert "my.folder.rule is not a known property: only custom classes see it." in map(str, config.warnings)


def test_property_of_the_other_sink_warns() -> None:
    """A property of the GCS sink in an S3 configuration has no effect, and a warning."""
    config = load_connect_config(_changed({"gcs.part.size": "5242880"}))
    assert "gcs.part.size has no effect: it belongs to GcsSinkConnector." in map(str, config.warnings)


@pytest.mark.parametrize(
    "name", ["bootstrap.servers", "CONNECT_BOOTSTRAP_SERVERS", "services.connect.environment.CONNECT_GROUP_ID"]
)
def test_worker_in_the_place_of_a_connector(name: str) -> None:
    """The error names the mistake, because the two files are easily confused."""
    (problem,) = validate({name: "a:1"}).problems
    assert "These are properties of a worker: pass this file with --worker" in str(problem)


def test_pattern_of_java() -> None:
    """Java's notation for named groups is accepted, although Python's differs."""
    config = load_connect_config(_changed({"topics": None, "topics.regex": r"shop\.(?<what>[a-z]+)$"}))
    assert config.topics_pattern is not None
    match = config.topics_pattern.fullmatch("shop.orders")
    assert match is not None
    assert match["what"] == "orders"


def test_licence_is_accepted_with_a_note() -> None:
    """Confluent's licence properties may stay."""
    config = load_connect_config(_changed({"confluent.topic.bootstrap.servers": "kafka:9092"}))
    assert "confluent.topic.bootstrap.servers has no effect: no licence is needed; kafka2parquet is free software." in map(
        str, config.notes
    )


def test_other_output_format_is_refused() -> None:
    """A value that is valid in Connect and not supported here is a problem, with advice."""
    validation = validate(_changed({"format.class": "io.confluent.connect.s3.format.avro.AvroFormat"}))
    assert validation.is_valid
    assert [
        "format.class=io.confluent.connect.s3.format.avro.AvroFormat is not supported. "
        "Only Parquet is written: use ParquetFormat."
    ] == [str(problem) for problem in validation.problems]


def test_unknown_connector_names_the_known_ones() -> None:
    """Another connector's configuration can't be read."""
    assert [
        "connector.class=io.aiven.S3 is not supported. Use io.confluent.connect.s3.S3SinkConnector or "
        "io.confluent.connect.gcs.GcsSinkConnector."
    ] == _problems({"connector.class": "io.aiven.S3"})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": None}, f'Missing required configuration "name" which has no default value. {NAME_ADVICE}'),
        ({"topics": None}, "Must configure one of topics or topics.regex. Set topics."),
        (
            {"topics.regex": "a.*"},
            "topics and topics.regex are mutually exclusive options, but both are set. Remove one of them.",
        ),
        (
            {"topics": None, "topics.regex": "a("},
            "topics.regex: 'a(' is not a regular expression that Python reads as Java does: missing ), "
            "unterminated subpattern at position 1.",
        ),
        ({"tasks.max": "0"}, "Invalid value 0 for configuration tasks.max: Value must be at least 1."),
        (
            {"timezone": "PST"},
            "Invalid value PST for configuration timezone: The datetime zone id 'PST' is not recognised.",
        ),
        (
            {"timezone": "", "rotate.schedule.interval.ms": "60000"},
            "timezone configuration must be set when using rotate.schedule.interval.ms. Set it, for example to UTC.",
        ),
        (
            {"s3.part.size": "1000"},
            "Invalid value 1000 for configuration s3.part.size: Part size must be at least: 5242880 bytes (5MB).",
        ),
        (
            {"parquet.codec": "SNAPPY"},
            "Invalid value SNAPPY for configuration parquet.codec: String must be one of: none, snappy, gzip, "
            "lzo, brotli, lz4, zstd, lz4_raw.",
        ),
        (
            {"aws.access.key.id": "AKIA"},
            "aws.secret.access.key is not set, but aws.access.key.id is. Set both or none.",
        ),
        (
            {"behavior.on.null.values": "write"},
            "store.kafka.keys, behavior.on.null.values: Writing Kafka record keys to storage is mandatory when tombstone"
            " writing is enabled. Set store.kafka.keys=true, or name `key` in kafka2parquet.metadata.columns.",
        ),
        (
            {"errors.deadletterqueue.topic.name": "test-topic"},
            "errors.deadletterqueue.topic.name, topics: The DLQ topic 'test-topic' may not be included in the list of topics "
            "('topics=test-topic') consumed by the connector. Choose another topic for dead letters.",
        ),
        (
            {"value.converter": "io.confluent.connect.avro.AvroConverter"},
            'Missing required configuration "value.converter.schema.registry.url" which has no default value. '
            "AvroConverter needs a schema registry: set the URL of yours, such as http://registry:8081.",
        ),
        (
            {"partitioner.class": "com.example.Mine"},
            "partitioner.class=com.example.Mine is not known. Name a Python class that derives from Partitioner, as "
            "package.module:Class.",
        ),
        (
            {"partitioner.class": "collections:OrderedDict"},
            "Invalid value collections:OrderedDict for configuration partitioner.class: collections:OrderedDict is not a "
            "subclass of Partitioner.",
        ),
        (
            HOURLY | {"path.format": ""},
            "Invalid value  for configuration path.format: Path format cannot be empty. Set it, for example to "
            "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH.",
        ),
        (
            HOURLY | {"partition.duration.ms": "0"},
            "Invalid value 0 for configuration partition.duration.ms: Partition duration needs to be a positive. Set it, for "
            "example to 3600000 for an hour.",
        ),
        (
            HOURLY | {"locale": ""},
            "Invalid value  for configuration locale: Locale cannot be empty. Set it, for example to en.",
        ),
        (
            HOURLY | {"timestamp.extractor": "record"},
            "timestamp.extractor: Invalid timestamp extractor: record. Use Record, RecordField or Wallclock; for "
            "another time, write a Partitioner in Python.",
        ),
    ],
)
def test_each_mistake_has_its_sentence(change: Any, problem: str) -> None:
    """A problem has property, value and advice."""
    assert problem in _problems(change)


def test_classic_mistake_in_the_path_format() -> None:
    """`year` without quotes is a pattern of letters."""
    problems = _problems(HOURLY, {"path.format": "year=YYYY"})
    assert 1 == len(problems)
    assert problems[0].startswith("Invalid value year=YYYY for configuration path.format: ")


def test_all_problems_come_at_once() -> None:
    """All problems are reported together, so that five mistakes don't need five starts."""
    with pytest.raises(ConfigurationError) as caught:
        load_connect_config(
            _changed(
                HOURLY, {"flush.size": "many", "s3.bucket.name": None, "tasks.max": "-1", "locale": "", "kafka2parquet.x": "x"}
            )
        )
    assert 5 == len(caught.value.problems)


def test_a_wrong_value_is_reported_only_once() -> None:
    """A wrong value is reported once, and rules about several properties don't repeat it."""
    assert ["Invalid value Mars for configuration timezone: The datetime zone id 'Mars' is not recognised."] == _problems(
        HOURLY, {"timezone": "Mars"}
    )


def test_record_interval_without_time_warns() -> None:
    """Only time-based partitioners look at record times, as in Connect."""
    warnings = tuple(map(str, validate(_changed({"rotate.interval.ms": "60000"})).config.warnings))
    assert any(warning.startswith("rotate.interval.ms has no effect with DefaultPartitioner") for warning in warnings)


def test_unset_extractor_is_warned_of_first() -> None:
    """The warning shows both folders, because only this default differs from Confluent's."""
    given = _changed(HOURLY, {"timezone": "Asia/Tokyo", "errors.tolerance": "all", "my.own": "x"})
    warnings = tuple(map(str, validate(given).config.warnings))
    assert (
        "timestamp.extractor is not set: the timestamp of a record decides its folder, while Confluent's sink uses the "
        "clock of its worker. A record of 2026-01-31 13:37 UTC that is written at 2026-02-01 09:05 UTC lies in "
        "year=2026/month=01/day=31/hour=22 here, and in year=2026/month=02/day=01/hour=18 there. Set "
        "timestamp.extractor=Record to keep this, or timestamp.extractor=Wallclock for what Confluent's sink does."
    ) == warnings[0]
    assert ("errors.tolerance=all:", "my.own") == tuple(warning.split()[0] for warning in warnings[1:])


@pytest.mark.parametrize("extractor", ["Record", "Wallclock", "RecordField"])
def test_extractor_that_is_set(extractor: str) -> None:
    """An explicit extractor has no warning, because it means the same in Connect."""
    assert () == validate(_changed(HOURLY, {"timestamp.extractor": extractor})).config.warnings


def test_unset_extractor_where_the_folder_is_wrong_too() -> None:
    """One mistake doesn't hide the other."""
    validation = validate(_changed(HOURLY, {"path.format": "year=YYYY"}))
    (warning,) = map(str, validation.config.warnings)
    assert "clock of its worker. Set timestamp.extractor=Record to keep this" in warning
    assert 1 == len(validation.problems)


def test_secrets_are_not_in_the_repr() -> None:
    """The repr doesn't contain secrets, so a configuration can be logged."""
    config = load_connect_config(_changed({"aws.access.key.id": "AKIA", "aws.secret.access.key": "hunter2"}))
    assert "hunter2" not in repr(config)


def test_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is a problem of the configuration."""
    with pytest.raises(ConfigurationError, match=r"no\.json can't be read"):
        load_connect_config(tmp_path / "no.json")


def test_properties_file(tmp_path: Path) -> None:
    """Java properties give the same configuration."""
    path = tmp_path / "sink.properties"
    path.write_text("\n".join(f"{name}={text}" for name, text in BASE.items()))
    assert dict(BASE) == dict(load_connect_config(path).given)


def test_recommended_values() -> None:
    """The table of options has the possible values of a property with a fixed set."""
    assert ("NONE", "BACKWARD", "FORWARD", "FULL") == S3_TABLE.options["schema.compatibility"].choices
    assert ValueType.STRING is S3_TABLE.options["schema.compatibility"].type


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("bootstrap.servers", "it belongs to the worker's properties (--worker FILE, or --bootstrap-server HOST:PORT)."),
        ("sasl.jaas.config", "it belongs to the worker's properties (--worker FILE)."),
        (
            "consumer.fetch.min.bytes",
            "it belongs to the worker's properties (--worker FILE). In a connector it is consumer.override.fetch.min.bytes.",
        ),
        ("offset.flush.interval.ms", "it concerns Connect's workers."),
        (
            "output.data.format",
            "it belongs to Confluent Cloud's connectors. Use format.class, which is always ParquetFormat.",
        ),
        ("hive.integration", "the sink doesn't write to a metastore; query engines find the folders by themselves."),
    ],
)
def test_properties_of_other_places_are_distinguished(name: str, why: str) -> None:
    """A property of a worker or of Confluent Cloud is ignored, as in Connect. The warning says where it belongs."""
    assert (f"{name} has no effect: {why}",) == tuple(map(str, validate(_changed({name: "x"})).config.warnings))


@pytest.mark.parametrize("connector", ["S3_SINK", "GcsSink"])
def test_connectors_of_confluent_cloud(connector: str) -> None:
    """Such configurations are refused, with a replacement for each property that differs."""
    problems = validate(
        {"connector.class": connector, "name": "x", "input.data.format": "AVRO", "time.interval": "HOURLY"}
    ).problems
    assert [("connector.class",), ("input.data.format",), ("time.interval",), ("name",)] == [
        problem.properties for problem in problems
    ]
    assert "Use io.confluent.connect." in problems[0].advice
    assert "Use value.converter: AVRO is io.confluent.connect.avro.AvroConverter" in problems[1].advice
    assert (
        "name: the offsets of Confluent Cloud's connector are not those of connect-x. They belong to the consumer group "
        in str(problems[3])
    )


def test_group_of_a_connector_of_confluent_cloud() -> None:
    """Where the configuration names the group of the connector in Confluent Cloud, nothing has to be said about it."""
    given = {"connector.class": "S3_SINK", "name": "x", "consumer.override.group.id": "connect-lcc-1"}
    assert [("connector.class",)] == [problem.properties for problem in validate(given).problems]


@pytest.mark.parametrize(
    ("name", "text", "start"),
    [
        ("value.converter.rule.executors", "encrypt", "value.converter.rule.executors=encrypt is not supported. "),
        ("s3.credentials.provider.vault.role", "reader", "s3.credentials.provider.vault.role=reader is not supported. "),
        ("s3.credentials.provider.vault.pin", "0815x", "s3.credentials.provider.vault.pin is not supported. "),
        ("value.converter.request.header.X-Tenant", "abc", "value.converter.request.header.X-Tenant is not supported. "),
        ("value.converter.request.header.X-Api-Key", "abc", "value.converter.request.header.X-Api-Key is not supported. "),
    ],
)
def test_value_of_a_refused_property(name: str, text: str, start: str) -> None:
    """The value is shown if it can't be a secret, and otherwise left out."""
    (problem,) = validate(_changed({name: text})).problems
    assert str(problem).startswith(start)


def test_alias_of_the_gcs_sink() -> None:
    """`GcsSink` is an alias, as in a self-managed Connect."""
    assert [] == _problems(GCS, {"connector.class": "GcsSink", "time.interval": "HOURLY"})


@pytest.mark.parametrize("bucket", ["s3://lake", "lake/folder", "my lake"])
def test_bucket_has_a_bare_name(bucket: str) -> None:
    """A URL is refused, because Connect would look for a bucket with that name."""
    assert [
        f"s3.bucket.name={bucket} is not the name of a bucket. Write the bare name without a scheme; a folder in the bucket "
        "goes to topics.dir."
    ] == _problems({"s3.bucket.name": bucket})


def test_access_points_are_buckets() -> None:
    """ARNs of access points are accepted, because S3 accepts them as bucket names."""
    assert [] == _problems({"s3.bucket.name": "arn:aws:s3:us-west-2:123456789012:accesspoint/lake"})


def test_pattern_in_topics() -> None:
    """A pattern is refused, because no topic has such a name and the sink would wait forever."""
    assert [
        "topics=orders.*: orders.* is not the name of a topic. Names have up to 249 letters, digits, dots, underscores and "
        "hyphens; a pattern belongs in topics.regex."
    ] == _problems({"topics": "orders.*"})


@pytest.mark.parametrize("extractor", ["com.acme.RecordTimestampExtractor", "my.pkg.Outer$RecordFieldTimestampExtractor"])
def test_extractors_of_others_are_not_taken_for_confluents(extractor: str) -> None:
    """Other Java classes are refused, even if their names end in the same way."""
    assert [
        f"timestamp.extractor: Invalid timestamp extractor: {extractor}. Use Record, RecordField or Wallclock; for another "
        "time, write a Partitioner in Python."
    ] == _problems(HOURLY, {"timestamp.extractor": extractor})


def test_extractor_by_its_full_name() -> None:
    """The full name of Confluent's extractor is accepted."""
    full = "io.confluent.connect.storage.partitioner.TimeBasedPartitioner$RecordTimestampExtractor"
    assert "Record" == load_connect_config(_changed(HOURLY, {"timestamp.extractor": full})).extractor


def test_tolerance_that_leaves_no_trace_is_pointed_out() -> None:
    """A warning says that records would disappear without a report."""
    (warning,) = map(str, validate(_changed({"errors.tolerance": "all"})).config.warnings)
    assert warning.startswith(
        "errors.tolerance=all: records that can't be read are left out without a trace. A record that can be read but not "
    )
    assert "ends the task, as in Connect" in warning


def test_tolerance_that_reports_records_is_fine() -> None:
    """Tolerance has no warning if rejects are logged or kept."""
    assert () == validate(_changed({"errors.tolerance": "all", "errors.log.enable": "true"})).config.warnings


def test_partitioner_by_field_and_time() -> None:
    """A copy of the public class in another package is refused with the known name."""
    (problem,) = _problems({"partitioner.class": "com.acme.TimeAndFieldPartitioner"})
    public = "com.canelmas.kafka.connect.FieldAndTimeBasedPartitioner"
    assert f"If it makes the same folders as {public}, write that name. Otherwise name a Python class" in problem


@pytest.mark.parametrize("name", ["com.acme.DailyPartitioner", "org.acme.DaylyPartitioner"])
def test_partitioner_that_is_called_like_a_known_one(name: str) -> None:
    """The problem gives the full name of the known partitioner."""
    (problem,) = _problems({"partitioner.class": name})
    assert (
        "If it makes the same folders as io.confluent.connect.storage.partitioner.DailyPartitioner, write that name." in problem
    )


def test_another_partitioner() -> None:
    """An unknown partitioner has to be written in Python, as the advice says."""
    assert [
        "partitioner.class=com.acme.ByTenant is not known. Name a Python class that derives from Partitioner, as "
        "package.module:Class."
    ] == _problems({"partitioner.class": "com.acme.ByTenant"})


@pytest.mark.parametrize("delimiter", ["", "0"])
def test_file_delimiter_keeps_numbers_apart(delimiter: str) -> None:
    """Ambiguous delimiters are refused, because files are found by the numbers in their names."""
    assert [
        f"file.delim={delimiter} is not supported. Partition and offset would run together in file names. Use + or -."
    ] == _problems({"file.delim": delimiter})


def test_a_topic_that_would_lie_among_the_schemas_is_warned_of() -> None:
    """Such a topic is only a warning, because the task refuses it at its start. topics.regex may find one too."""
    warnings = tuple(map(str, load_connect_config(_changed({"topics": "orders,_kafka2parquet"})).warnings))
    (warning,) = [text for text in warnings if text.startswith("topics=")]
    assert warning.startswith("topics=_kafka2parquet: Topic _kafka2parquet can't be written: its folder topics/_kafka2parquet/")


@pytest.mark.parametrize(("pattern", "is_valid"), [("%Y/%m/%d", True), ("year=%Y", False)])
def test_patterns_of_strftime_are_refused(pattern: str, is_valid: bool) -> None:
    """The pattern is refused, because Connect would print letters behind percent signs: %2026/%37/%31."""
    validation = validate(_changed(HOURLY, {"path.format": pattern}))
    assert is_valid == validation.is_valid
    (problem,) = validation.sentences
    assert f"Invalid value {pattern} for configuration path.format: %Y is a directive of strftime" in problem
