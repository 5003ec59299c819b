from collections.abc import Mapping
from pathlib import Path

import pytest

from kafka2parquet.connect.describe import describe, duration
from kafka2parquet.connect.load import load_connect_config, read_connect_config
from kafka2parquet.connect.properties.option import Effect
from kafka2parquet.connect.properties.table import S3_TABLE
from kafka2parquet.connect.text import read_properties
from kafka2parquet.connect.worker import WorkerConfig, load_worker_config
from kafka2parquet.converters.string import StringConverter
from kafka2parquet.errors import ConfigurationError
from tests.support.connect_story import FIVE_MISTAKES, STORY

_WORKER = WorkerConfig(bootstrap_servers="kafka:9092")

_STORY_TEXT = """\
s3-sink-my-topic-parquet-hourly: from Kafka to s3://your-data-lake-bucket

Look at this first:
- timestamp.extractor is not set: the timestamp of a record decides its folder, while Confluent's sink uses the \
clock of its worker. A record of 2026-01-31 13:37 UTC that is written at 2026-02-01 09:05 UTC lies in \
year=2026/month=01/day=31/hour=13 here, and in year=2026/month=02/day=01/hour=09 there. Set timestamp.extractor=Record to keep \
this, or timestamp.extractor=Wallclock for what Confluent's sink does.

Up to 12 tasks will read the topic your-source-topic-name as members of the consumer group \
connect-s3-sink-my-topic-parquet-hourly.
A process starts at most one task for each partition and for each core that it may use (kafka2parquet.tasks sets a number).
A partition for which the group has no committed offset is read from its earliest record on.

Each value has to be a JSON object and becomes a row.
Columns are learned from the records and kept as a contract beside the data, and only ever added; a record that doesn't fit is \
rejected.
Keys and headers are not written.
A record without value (tombstone) ends the task with an error; nothing is lost.
A record that can't be read or written ends the task with an error; nothing is lost.

A row's folder is given by the timestamp of its record, in steps of 1 hour in the time zone UTC.
A file whose first record is offset 0 of partition 0 of 2026-01-31 13:37 UTC is called
s3://your-data-lake-bucket/raw/kafka-source/your-source-topic-name/year=2026/month=01/day=31/hour=13/\
your-source-topic-name+0+0000000000.snappy.parquet

The open files of a topic-partition are closed and published together, whichever comes first:
- after 100,000 rows, over all its folders
- when the times of their rows span 1 hour, or when they have been open for that time
- when a row belongs to another folder than the row before it
- by the clock, every 1 hour counted from midnight in UTC
- before more than 1,000 files would be open
- on an orderly stop

Every record will be in exactly one file, whatever crashes, rebalances or rotates (exactly once).
A store that can't give that is refused at the start.
A file becomes visible whole, is never replaced, and the offset is committed after it.
All tasks together buffer at most 256 MiB, then partitions wait.

Good to know:
- Where records are not in the order of their times, each change between folders closes files, as in Connect, and makes small \
ones. rotate.file.on.partition.change=false keeps several folders open instead."""

_FIVE_PROBLEMS = (
    "Invalid value 5MB for configuration s3.part.size: Not a number of type INT.",
    "format.class=io.confluent.connect.s3.format.json.JsonFormat is not supported. Only Parquet is written: use ParquetFormat.",
    "flush.sizes is not a known property. Did you mean flush.size?",
    "Invalid value Mars/Phobos for configuration timezone: The datetime zone id 'Mars/Phobos' is not recognised.",
    "Invalid value year=YYYY/'month'=MM/'day'=dd/'hour'=HH for configuration path.format: Illegal pattern component: r. "
    "Put text in single quotes, as in 'year'=YYYY.",
)


def _described(worker: WorkerConfig = _WORKER, **changes: str) -> str:
    properties = {**read_properties(STORY).values, **{name.replace("_", "."): text for name, text in changes.items()}}
    return describe(load_connect_config(properties), worker).text


def test_the_whole_description(tmp_path: Path) -> None:
    """The user's configuration, comments included, is described completely."""
    path = tmp_path / "sink.json"
    path.write_text(STORY)
    assert _STORY_TEXT == describe(load_connect_config(path), _WORKER).text


def test_five_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    """The error has five problems, each with property, value and advice."""
    path = tmp_path / "sink.json"
    path.write_text(FIVE_MISTAKES)
    with pytest.raises(ConfigurationError) as caught:
        load_connect_config(path)
    assert _FIVE_PROBLEMS == caught.value.problems


def test_missing_brokers_are_not_a_problem_yet() -> None:
    """A configuration can be checked without a broker. A note says that a run needs brokers."""
    assert "- To run it, brokers are needed: bootstrap.servers is not set." in _described(WorkerConfig())


def test_path_format_is_linted() -> None:
    """A valid pattern that is probably a mistake has a warning."""
    assert "Look at this first:\n- path.format='dt'=YYYY-mm-dd: mm is the minute. The month is MM." in _described(
        path_format="'dt'=YYYY-mm-dd", partition_duration_ms="86400000", timestamp_extractor="Record"
    )


def test_registries_are_described_without_their_credentials() -> None:
    """`check` names the registry that has the schemas of the rows, without credentials."""
    text = _described(value_converter="Avro", value_converter_schema_registry_url="http://me:secret@registry:8081")
    assert "a row as Avro makes it, by its schema in the registry at http://[hidden]@registry:8081.\n" in text


def test_envelopes_are_described() -> None:
    """Messages with schemas are described as such, not as plain JSON."""
    text = _described(value_converter_schemas_enable="true")
    assert "Each value has to be a JSON object with schema and payload, which becomes a row" in text


def test_skipped_records_are_described() -> None:
    """`check` describes tolerance and tombstones as configured."""
    text = _described(errors_tolerance="all", behavior_on_null_values="ignore")
    assert (
        "A record without value (tombstone) is left out.\nA record that can't be read is left out, and not kept anywhere."
        in text
    )


def test_wall_clock_folders_are_described() -> None:
    """`check` names the source of the time."""
    assert "A row's folder is given by the clock at which its flush was opened" in _described(timestamp_extractor="Wallclock")


def test_field_folders_are_described() -> None:
    """`check` names the fields of the folders."""
    text = _described(
        partitioner_class="io.confluent.connect.storage.partitioner.FieldPartitioner",
        partition_field_name="country,user.city",
    )
    assert "A row's folder is given by the values of country, user.city." in text
    assert "/your-source-topic-name/country=…/user.city=…/your-source-topic-name+0+0000000000.snappy.parquet" in text


def test_rules_that_end_files_are_all_described() -> None:
    """Each configured rule has a line, in order of precedence."""
    text = _described(kafka2parquet_target_file_bytes="134217728", partitioner_max_open_files="50")
    assert "- before more than 50 files would be open\n- when they have about 134,217,728 bytes\n" in text


def test_at_least_once_is_described() -> None:
    """`check` doesn't present the weaker guarantee as the stronger one."""
    assert "No record will be lost (at least once)." in _described(kafka2parquet_delivery="at_least_once")


def test_group_of_ones_own_and_latest() -> None:
    """`check` shows consumer overrides."""
    text = _described(consumer_override_group_id="mine", consumer_override_auto_offset_reset="latest")
    assert "as members of the consumer group mine.\n" in text
    assert "is read from its latest record on." in text


def test_problems_of_worker_and_connector_come_together() -> None:
    """The error lists both a wrong consumer setting and a missing converter."""
    config = load_connect_config({**read_properties(STORY).values, "consumer.override.fetch.min.bytes": "x"})
    bare = {name: text for name, text in config.given.items() if not name.startswith("value.converter")}
    with pytest.raises(ConfigurationError) as caught:
        describe(load_connect_config(bare), _WORKER)
    assert 2 == len(caught.value.problems)


def test_workers_converter_is_taken_where_the_connector_has_none() -> None:
    """The worker's converter applies with its settings, as in Connect."""
    bare = {name: text for name, text in read_properties(STORY).values.items() if not name.startswith("value.converter")}
    worker = load_worker_config(
        {"bootstrap.servers": "kafka:9092", "value.converter": "org.apache.kafka.connect.storage.StringConverter"}
    )
    assert "Each value becomes a row with one column of text." in describe(load_connect_config(bare), worker).text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (3_600_000, "1 hour"),
        (7_200_000, "2 hours"),
        (90_000, "90 seconds"),
        (86_400_000, "1 day"),
        (1500, "1,500 milliseconds"),
    ],
)
def test_durations(milliseconds: int, text: str) -> None:
    """A duration is shown in its largest whole unit."""
    assert text == duration(milliseconds)


class JsonConverter(StringConverter):
    """A user's converter with the name of one of Connect's."""

    def __init__(self, properties: Mapping[str, str]) -> None:
        super().__init__()


def test_a_python_converter_is_not_taken_for_the_one_of_its_name() -> None:
    """The description of a user's converter only has its name."""
    described = _described(value_converter=f"{__name__}:JsonConverter")
    assert "Each value becomes a row as JsonConverter makes it." in described.splitlines()


def _described_without(names: tuple[str, ...], **given: str) -> str:
    """Return the description of the story whose properties `names` are variables that aren't set."""
    variables = {name: f"${{env:UNSET_{number}}}" for number, name in enumerate(names)}
    changed = {name.replace("_", "."): text for name, text in given.items()}
    source = {**read_properties(STORY).values, **changed, **variables}
    validation = read_connect_config(source, missing_allowed=True)
    assert () == validation.fatal
    return describe(validation.config, _WORKER).text


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("flush.size", "- after ${env:UNSET_0} rows, over all its folders"),
        ("rotate.schedule.interval.ms", "- by the clock, every ${env:UNSET_0} milliseconds counted from midnight in UTC"),
        ("partition.duration.ms", "A row's folder is given by the timestamp of its record, in steps of ${env:UNSET_0} "
         "milliseconds in the time zone UTC."),
        ("kafka2parquet.target.file.bytes", "- when they have about ${env:UNSET_0} bytes"),
        ("kafka2parquet.memory.bytes", "All tasks together buffer at most ${env:UNSET_0} bytes, then partitions wait."),
        ("kafka2parquet.delivery", "This depends on kafka2parquet.delivery=${env:UNSET_0}, which is not known here."),
        ("value.converter", "This depends on value.converter=${env:UNSET_0}, which is not known here."),
        ("path.format", "This depends on path.format=${env:UNSET_0}, which is not known here."),
        ("timestamp.extractor", "This depends on timestamp.extractor=${env:UNSET_0}, which is not known here."),
    ],
)  # fmt: skip
def test_value_that_is_not_known(name: str, line: str) -> None:
    """Where a variable isn't set, the description shows the variable and not what the property's default would do."""
    assert line in _described_without((name,)).splitlines()


#: Properties that are refused without others.
_NOT_ALONE = ("aws.access.key.id", "connector.class", "kafka2parquet.gcs.billing.project", "s3.proxy.user")
_USED = [
    option.name
    for option in S3_TABLE.options.values()
    if option.effect is Effect.USED and not option.is_prefix and not option.name.startswith("s3.credentials.provider.sts.")
]


@pytest.mark.parametrize("name", [name for name in _USED if name not in _NOT_ALONE])
def test_each_property_may_be_a_variable_that_is_not_set(name: str) -> None:
    """Nothing that depends on an unset variable keeps a configuration from being described."""
    assert f"- {name}: ${{env:UNSET_0}}: this environment variable is not set." in _described_without((name,))


def test_no_warning_depends_on_a_value_that_is_not_known() -> None:
    """Warnings that a default or a stand-in would cause are left out."""
    names = ("rotate.schedule.interval.ms", "rotate.interval.ms", "schema.compatibility", "timezone")
    warnings, _, _ = _described_without(names, timestamp_extractor="Record").partition("Up to 12 tasks")
    assert "s3-sink-my-topic-parquet-hourly: from Kafka to s3://your-data-lake-bucket\n\n" == warnings


def test_unknown_values_beside_the_converter_of_a_worker() -> None:
    """Values that aren't known stay unknown where the converter comes from the worker."""
    given = {name: text for name, text in read_properties(STORY).values.items() if not name.startswith("value.converter")}
    config = read_connect_config({**given, "flush.size": "${env:UNSET}"}, missing_allowed=True).config
    worker = load_worker_config({"value.converter": "org.apache.kafka.connect.storage.StringConverter"})
    assert "- after ${env:UNSET} rows, over all its folders" in describe(config, worker).text.splitlines()
