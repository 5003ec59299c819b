"""Checks of the topics: whether they exist and may be read, and whether their settings fit the sink's."""

from __future__ import annotations

from collections.abc import Iterator

from kafka2parquet.connect.describe import duration
from kafka2parquet.connect.parts.cores import usable_cores
from kafka2parquet.connect.parts.tasks import task_count
from kafka2parquet.doctor.broker.cluster import (
    LEADER_NOT_AVAILABLE,
    NO_ERROR,
    READ,
    TOPIC_REFUSED,
    UNKNOWN_TOPIC,
    Configs,
    TopicInfo,
)
from kafka2parquet.doctor.check import Cause, Check, Finding, Level
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.util import display
from kafka2parquet.util.display import counted, size

_TOPIC = {"topic": "orders"}
_PLACE = {**_TOPIC, "bootstrap": "broker-1.example:9092"}
_ACL = (
    "kafka-acls --bootstrap-server {bootstrap} --add --allow-principal '{principal}' --operation {operation} --topic '{topic}'"
)
_RIGHT = {**_PLACE, "principal": "User:alice", "operation": "Read"}
_ALTER = "kafka-configs --bootstrap-server {bootstrap} --alter --entity-type topics --entity-name '{topic}' --add-config"

TOPICS = Check(
    "topics",
    "Topic",
    "Looks each topic up, and sees whether the client may read it. The Kafka client says nothing about a topic that doesn't"
    " exist or that it may not describe; it just reads nothing.",
    (
        Cause(
            "missing",
            _PLACE,
            "The topic {topic} doesn't exist.",
            "Correct topics, or create the topic:",
            paste="kafka-topics --bootstrap-server {bootstrap} --create --topic '{topic}' --partitions <number>",
        ),
        Cause(
            "no-match",
            {"pattern": "orders-.*"},
            "No topic matches topics.regex={pattern}, as far as this client may see.",
            "Correct topics.regex, or grant the right to read such topics. The sink waits until there is one.",
            Level.WARNING,
        ),
        Cause(
            "no-read-right",
            _RIGHT,
            "This client may not read the topic {topic}.",
            "An administrator grants the right:",
            paste=_ACL,
        ),
        Cause(
            "bad-name",
            {**_TOPIC, "code": "17"},
            "Kafka refuses the name {topic} (error code {code}).",
            "Correct topics.",
        ),
        Cause(
            "no-leader",
            {**_PLACE, "partitions": "0, 3"},
            "Partitions of {topic} have no leader, so they can't be read now: {partitions}.",
            "Start the brokers that hold them. To see which they are:",
            paste="kafka-topics --bootstrap-server {bootstrap} --describe --topic '{topic}' --unavailable-partitions",
        ),
    ),
)
TASKS = Check(
    "tasks",
    "Tasks",
    "Says how many tasks start here, and compares the number that `kafka2parquet.tasks` sets with that of the partitions.",
    (
        Cause(
            "idle-tasks",
            {"tasks": "10", "partitions": "4"},
            "kafka2parquet.tasks is {tasks}, and the topics' partitions are enough for {partitions}: some tasks will have"
            " nothing to do.",
            "Remove the setting, or lower the number. Idle tasks cost a thread and a connection each.",
            Level.WARNING,
            paste="kafka2parquet.tasks={partitions}",
        ),
    ),
)
SETTINGS = Check(
    "topic-settings",
    "Right to read settings",
    "Reads the settings of the topics, which takes the right DESCRIBE_CONFIGS. The sink works without it, but neither the"
    " doctor nor the retention margin of the status can then warn of records that Kafka will delete.",
    (
        Cause(
            "no-describe-configs-right",
            {**_RIGHT, "operation": "DescribeConfigs"},
            "This client may not read the settings of the topic {topic}, so its retention is unknown.",
            "An administrator grants the right:",
            Level.WARNING,
            paste=_ACL,
        ),
    ),
)
RETENTION = Check(
    "topic-retention",
    "Retention",
    "Compares the time for which Kafka keeps records with the longest time for which a record may wait in an open file. What"
    " Kafka deletes before it is written is lost, and the sink then stops with a `DataLossError`.",
    (
        Cause(
            "shorter-than-flush",
            {**_PLACE, "retention": "30 minutes", "open": "1 hour", "wanted_ms": "86400000"},
            "{topic} keeps records for {retention}, and the sink may keep them in open files for {open}: Kafka deletes records"
            " before they are written.",
            "Keep records for longer, or lower rotate.schedule.interval.ms or rotate.interval.ms.",
            paste=f"{_ALTER} retention.ms={{wanted_ms}}",
        ),
        Cause(
            "short",
            {**_PLACE, "retention": "2 hours", "open": "1 hour", "wanted_ms": "86400000"},
            "{topic} keeps records for {retention}, and the sink may keep them in open files for {open}. If the store or"
            " the sink is down for the rest of that time, records are lost.",
            "Keep records for longer, or lower rotate.schedule.interval.ms or rotate.interval.ms.",
            Level.WARNING,
            paste=f"{_ALTER} retention.ms={{wanted_ms}}",
        ),
        Cause(
            "nothing-closes-files",
            {**_PLACE, "retention": "7 days"},
            "{topic} keeps records for {retention}, but nothing closes files by the clock: the last rows of a quiet partition"
            " stay in an open file, and Kafka may delete them before they are written.",
            "Let the clock close files, such as each hour.",
            Level.WARNING,
            paste="rotate.schedule.interval.ms=3600000\ntimezone=UTC",
        ),
        Cause(
            "by-size",
            {**_TOPIC, "size": "1.0 GiB"},
            "{topic} keeps at most {size} for each partition (retention.bytes): a burst of records shortens the time"
            " that is left to write them, whatever retention.ms says.",
            "Make retention.bytes large enough for some hours of the highest rate, or remove it.",
            Level.WARNING,
        ),
    ),
)
CLEANUP = Check(
    "topic-cleanup-policy",
    "Cleanup policy",
    "Reads `cleanup.policy`. Compaction removes records that have a successor with the same key, also before the sink reads"
    " them.",
    (
        Cause(
            "compacted",
            {**_PLACE, "policy": "compact"},
            "{topic} has cleanup.policy={policy}: while the sink is behind or stopped, Kafka removes older records of a key."
            " The files then have the newest record of each key, not each record.",
            "If each record matters, switch compaction off, or let it wait for longer than the longest outage of the sink.",
            Level.WARNING,
            paste=f"{_ALTER} cleanup.policy=delete\n{_ALTER} min.compaction.lag.ms=86400000",
        ),
    ),
)
MESSAGE_SIZE = Check(
    "topic-message-size",
    "Message size",
    "Compares `max.message.bytes` of each topic with the sink's limits for a batch of records.",
    (
        Cause(
            "larger-than-batch-limit",
            {**_TOPIC, "bytes": "536870912", "limit": "268435456"},
            "{topic} accepts batches of {bytes} bytes, and the sink treats a batch of more than {limit} bytes as corrupt.",
            "Raise the limit to at least max.message.bytes, times the compression ratio.",
            paste="kafka2parquet.record.batch.max.bytes={bytes}",
        ),
        Cause(
            "larger-than-memory",
            {**_TOPIC, "bytes": "536870912", "limit": "268435456", "wanted": "2147483648"},
            "{topic} accepts batches of {bytes} bytes, and all tasks together may buffer {limit} bytes: such a batch needs more"
            " memory than the limit.",
            "Raise the limit to several times max.message.bytes, or lower max.message.bytes if no producer needs it.",
            Level.WARNING,
            paste="kafka2parquet.memory.bytes={wanted}",
        ),
    ),
)
TIMESTAMPS = Check(
    "topic-timestamps",
    "Timestamps and the broker's clock",
    "Compares the newest timestamp of each partition with this machine's clock. With `message.timestamp.type=LogAppendTime` the"
    " broker's clock sets the timestamps, otherwise the producers' clocks do. Kafka has no request that asks for its time, so a"
    " broker's clock that is slow isn't found.",
    (
        Cause(
            "broker-clock",
            {"partition": "orders-3", "ahead": "1 hour"},
            "The newest record of {partition} got a timestamp from its broker that is {ahead} ahead of this machine's clock.",
            "Synchronize the clocks of the brokers and of this machine. To see whether this one is:",
            Level.WARNING,
            paste="timedatectl\nchronyc tracking",
        ),
        Cause(
            "from-the-future",
            {**_PLACE, "partition": "orders-3", "ahead": "1 hour"},
            "The newest record of {partition} has a timestamp that is {ahead} ahead of this machine's clock: it goes to a"
            " folder of the future if record times name folders, and Kafka keeps it that much longer.",
            "Correct the producers' clocks, or the unit of their timestamps (milliseconds). To let Kafka refuse such records:",
            Level.WARNING,
            paste=f"{_ALTER} message.timestamp.after.max.ms=3600000",
        ),
    ),
)
_KEYS = (
    "cleanup.policy",
    "max.message.bytes",
    "message.timestamp.type",
    "retention.bytes",
    "retention.ms",
)
SETTINGS_CHECKS = (SETTINGS, RETENTION, CLEANUP, MESSAGE_SIZE, TIMESTAMPS)

#: How many times as long as a file stays open records should be kept, so that an outage loses nothing.
_ROOM = 4
_DAY_MS = 86_400_000
_SKEW_MS = 60_000


def look_topics_up(facts: Facts) -> Iterator[Finding]:
    """Look the topics up, and keep those that can be read in the facts."""
    cluster = facts.known_cluster()
    pattern = facts.config.topics_pattern
    names = facts.named_topics
    if pattern is not None:
        names = tuple(name for name in cluster.topic_names() if pattern.fullmatch(name))
        if not names:
            yield TOPICS.found("no-match", pattern=pattern.pattern)
    known = []
    for topic in cluster.topics(names):
        finding = _topic_finding(facts, topic)
        if topic.error_code == NO_ERROR:
            known.append(topic)
        yield finding
    facts.topics = tuple(known)


def _topic_finding(facts: Facts, topic: TopicInfo) -> Finding:
    values = {"topic": topic.name, "bootstrap": facts.bootstrap, "principal": facts.principal, "operation": "Read"}
    without = [partition for partition, leader in sorted(topic.leaders.items()) if leader < 0]
    if topic.error_code == TOPIC_REFUSED or (topic.rights is not None and READ not in topic.rights):
        return TOPICS.found("no-read-right", topic.name, **values)
    if without or topic.error_code == LEADER_NOT_AVAILABLE:
        return TOPICS.found("no-leader", topic.name, **values, partitions=", ".join(map(str, without)) or "all")
    if topic.error_code == NO_ERROR:
        return TOPICS.ok(topic.name, counted(len(topic.leaders), "partition"))
    if topic.error_code == UNKNOWN_TOPIC:
        return TOPICS.found("missing", topic.name, **values)
    return TOPICS.found("bad-name", topic.name, **values, code=topic.error_code)


def compare_tasks(facts: Facts) -> Iterator[Finding]:
    """Count the tasks that would start here, and compare their number with that of the partitions."""
    partitions = sum(len(topic.leaders) for topic in facts.topics)
    tasks = task_count(facts.config, partitions, usable_cores())
    if 0 < partitions < tasks:  # without any topic, the check of topics has a finding
        yield TASKS.found("idle-tasks", tasks=tasks, partitions=partitions)
    else:
        yield TASKS.ok(text=f"{tasks} of at most {facts.config.tasks_max}, for {counted(partitions, 'partition')}")


def compare_settings(facts: Facts) -> Iterator[Finding]:
    """Compare the topics' settings with the sink's, check by check."""
    configs = facts.known_cluster().topic_configs([topic.name for topic in facts.topics], _KEYS)
    known = {topic: found for topic, found in sorted(configs.items()) if not found.error_code}
    for topic in sorted(set(configs) - set(known)):
        values = {"topic": topic, "bootstrap": facts.bootstrap, "principal": facts.principal}
        yield SETTINGS.found("no-describe-configs-right", topic, **values, operation="DescribeConfigs")
    for topic, found in known.items():
        yield from _retention(facts, topic, found)
    for topic, found in known.items():
        policy = found.values.get("cleanup.policy", "delete")
        if "compact" in policy:
            yield CLEANUP.found("compacted", topic, topic=topic, bootstrap=facts.bootstrap, policy=policy)
        else:
            yield CLEANUP.ok(topic, policy)
    for topic, found in known.items():
        yield _message_size(facts, topic, found)
    yield from _timestamps(facts, configs)


def _retention(facts: Facts, topic: str, found: Configs) -> Iterator[Finding]:
    yield _retention_by_time(facts, topic, found)
    size_bytes = found.number("retention.bytes") or -1
    if size_bytes > 0:
        yield RETENTION.found("by-size", topic, topic=topic, size=size(size_bytes))


def _retention_by_time(facts: Facts, topic: str, found: Configs) -> Finding:
    retention_ms, open_ms = found.number("retention.ms"), facts.longest_open_ms
    if retention_ms is None:
        return RETENTION.not_possible(f"the broker doesn't say how long {topic} keeps records", topic)
    if retention_ms < 0 or "delete" not in found.values.get("cleanup.policy", ""):
        return RETENTION.ok(topic, "for ever")
    values = {"topic": topic, "bootstrap": facts.bootstrap, "retention": _long(retention_ms)}
    if open_ms is None:
        return RETENTION.found("nothing-closes-files", topic, **values)
    values |= {"open": _long(open_ms), "wanted_ms": str(max(_DAY_MS, _ROOM * open_ms))}
    if retention_ms <= open_ms:
        return RETENTION.found("shorter-than-flush", topic, **values)
    if retention_ms < _ROOM * open_ms:
        return RETENTION.found("short", topic, **values)
    return RETENTION.ok(topic, f"{_long(retention_ms)}, files are open for at most {_long(open_ms)}")


def _message_size(facts: Facts, topic: str, found: Configs) -> Finding:
    size_bytes = found.number("max.message.bytes")
    if size_bytes is None:
        return MESSAGE_SIZE.not_possible(f"the broker doesn't say which messages {topic} accepts", topic)
    for cause, name in (
        ("larger-than-batch-limit", "kafka2parquet.record.batch.max.bytes"),
        ("larger-than-memory", "kafka2parquet.memory.bytes"),
    ):
        limit_bytes = facts.config.number(name)
        if size_bytes > limit_bytes:
            values = {"bytes": size_bytes, "limit": limit_bytes, "wanted": 4 * size_bytes}
            return MESSAGE_SIZE.found(cause, topic, topic=topic, **values)
    return MESSAGE_SIZE.ok(topic, f"at most {size(size_bytes)}")


def _timestamps(facts: Facts, configs: dict[str, Configs]) -> Iterator[Finding]:
    now_ms = round(facts.clock.now().timestamp() * 1000)
    is_fine = True
    for partition, newest_ms in sorted(facts.known_cluster().newest_times(facts.topics).items()):
        ahead_ms = newest_ms - now_ms
        if ahead_ms <= _SKEW_MS:
            continue
        is_fine = False
        kind = configs[partition.topic].values.get("message.timestamp.type")
        cause = "broker-clock" if kind == "LogAppendTime" else "from-the-future"
        values = {"topic": partition.topic, "bootstrap": facts.bootstrap, "partition": partition, "ahead": _long(ahead_ms)}
        yield TIMESTAMPS.found(cause, str(partition), **values)
    if is_fine:
        yield TIMESTAMPS.ok(text="none is in the future")


def _long(milliseconds: int) -> str:
    """Return a duration for people: exactly if it is a whole number of a unit, otherwise to the second."""
    if milliseconds % 1000 == 0 or milliseconds < 1000:
        return duration(milliseconds)
    return display.duration(milliseconds / 1000)
