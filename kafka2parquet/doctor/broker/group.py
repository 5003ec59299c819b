"""Checks of the consumer group: rights, other members, committed offsets, and the brokers' settings for groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kafka2parquet.connect.describe import duration
from kafka2parquet.delivery.commit_metadata import MAX_CHARACTERS, Identity, parse
from kafka2parquet.doctor.broker.cluster import (
    COORDINATOR_LOADING,
    COORDINATOR_NOT_AVAILABLE,
    EARLIEST,
    GROUP_REFUSED,
    LATEST,
    NO_ERROR,
    NOT_COORDINATOR,
    READ,
    Committed,
    Configs,
)
from kafka2parquet.doctor.check import Cause, Check, Finding, Level
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.errors import UnknownMetadataError
from kafka2parquet.records import TopicPartition
from kafka2parquet.util.display import counted

_GROUP = {"group": "connect-orders-to-s3"}
_PLACE = {**_GROUP, "bootstrap": "broker-1.example:9092"}
_RESET = (
    "kafka-consumer-groups --bootstrap-server {bootstrap} --group '{group}' --reset-offsets --topic '{topic}' --to-earliest"
    " --execute"
)

RIGHT = Check(
    "group-right",
    "Right on the group",
    "Looks the group's coordinator up, and sees whether the client may READ the group, which it needs to join and to commit.",
    (
        Cause(
            "no-read-right",
            {**_PLACE, "principal": "User:alice"},
            "This client may not use the consumer group {group}.",
            "An administrator grants the right:",
            paste="kafka-acls --bootstrap-server {bootstrap} --add --allow-principal '{principal}' --operation Read"
            " --group '{group}'",
        ),
        Cause(
            "no-coordinator",
            {**_PLACE, "code": "15"},
            "The group {group} has no coordinator (error code {code}): the topic __consumer_offsets can't be created, or its"
            " brokers are down.",
            "Start all brokers. In a small cluster set offsets.topic.replication.factor to at most the number of brokers. To"
            " look:",
            paste="kafka-topics --bootstrap-server {bootstrap} --describe --topic __consumer_offsets",
        ),
        Cause(
            "coordinator-not-reachable",
            {**_GROUP, "broker": "2", "server": "broker-2.internal:9092"},
            "The group {group} is coordinated by broker {broker} at {server}, which can't be reached.",
            "See the check kafka-advertised of that broker.",
        ),
    ),
)
MEMBERS = Check(
    "group-members",
    "Members of the group",
    "Looks at who uses the group: the sink needs a classic consumer group, and all members must offer a common assignor.",
    (
        Cause(
            "not-consumers",
            {**_GROUP, "kind": "connect"},
            "The group {group} is in use by something that is not a consumer group (its protocol is {kind}).",
            "Give the sink a group for itself. A Connect worker's own group can't be shared.",
            paste="consumer.override.group.id=<name>",
        ),
        Cause(
            "other-assignor",
            {**_GROUP, "theirs": "cooperative-sticky", "ours": "range", "members": "consumer-1 (10.0.0.7)"},
            "The members of {group} use the assignor {theirs}, and the sink offers {ours}, so it can't join. Members:"
            " {members}.",
            "Stop them first, if they are of the sink that this one replaces. Otherwise give this sink another group, or let"
            " all members offer a common assignor.",
            paste="consumer.override.group.id=<name>\nconsumer.override.partition.assignment.strategy=<a Java class>",
        ),
        Cause(
            "unknown-members",
            {**_GROUP, "members": "connector-consumer-orders-to-s3-0 (10.0.0.7)"},
            "The group {group} has members ({members}), and kafka2parquet has not committed any of its offsets. If the members"
            " belong to a connector that this sink replaces, running or paused, the sink gets only some of the partitions.",
            'Stop the connector: pausing is not enough (step 1 of the page "From Confluent\'s sink",'
            " migrating-from-confluent). Other processes of this sink do no harm.",
            Level.WARNING,
            paste="curl -X PUT http://<Connect worker>:8083/connectors/<the connector's name>/stop",
        ),
    ),
)
COMMITTED = Check(
    "group-offsets",
    "Committed offsets",
    "Compares the group's committed offsets with the log, and the metadata of the offsets with this sink.",
    (
        Cause(
            "below-log-start",
            {**_PLACE, "partition": "orders-3", "topic": "orders", "offset": "100", "start": "250"},
            "The group has committed offset {offset} of {partition}, and the log starts at {start}: Kafka has deleted records"
            " that were not written. The sink will stop with a DataLossError.",
            "To go on without these records:",
            paste="kafka2parquet.on.data.loss=continue",
        ),
        Cause(
            "beyond-log-end",
            {**_PLACE, "partition": "orders-3", "topic": "orders", "offset": "900", "end": "250"},
            "The group has committed offset {offset} of {partition}, and the log ends at {end}: the topic was truncated or"
            " created again.",
            "Choose another topics.dir, or stop the sink and reset the group's offsets.",
            paste=_RESET,
        ),
        Cause(
            "other-place",
            {**_PLACE, "partition": "orders-3", "other": "s3://old-lake/topics/orders", "here": "s3://lake/topics/orders"},
            "The group {group} belongs to a sink that writes {partition} to {other}, and this one writes to {here}.",
            "Give this sink another group (first line), or let it take over at its first start, if it replaces the other sink"
            " for good (second line).",
            paste="consumer.override.group.id=<name>\nkafka2parquet.take.over=true",
        ),
        Cause(
            "unknown-metadata",
            {"reason": "The committed offset of orders-3 carries the metadata 'k2p1 …', which was written by another version."},
            "{reason}",
            "Do what the message says.",
        ),
    ),
)
BROKER_SETTINGS = Check(
    "broker-settings",
    "Right to read brokers' settings",
    "Reads the brokers' settings for groups and offsets, which takes the right DESCRIBE_CONFIGS on the cluster. The sink works"
    " without it.",
    (
        Cause(
            "no-describe-configs-right",
            {"bootstrap": "broker-1.example:9092", "principal": "User:alice"},
            "This client may not read the brokers' settings, so the limits of groups and offsets are unknown.",
            "An administrator grants the right:",
            Level.WARNING,
            paste="kafka-acls --bootstrap-server {bootstrap} --add --allow-principal '{principal}' --operation DescribeConfigs"
            " --cluster",
        ),
    ),
)
METADATA_SIZE = Check(
    "offset-metadata-size",
    "Metadata of offsets",
    "Compares `offset.metadata.max.bytes` with the metadata that exactly-once delivery stores with each committed offset.",
    (
        Cause(
            "too-small",
            {"limit": "100", "needed": "300"},
            "The brokers accept at most {limit} bytes of metadata with an offset, and the sink needs up to {needed}.",
            "Set Kafka's default on the brokers and restart them.",
            paste="offset.metadata.max.bytes=4096",
        ),
    ),
)
OFFSETS_RETENTION = Check(
    "offsets-retention",
    "Retention of offsets",
    "Compares `offsets.retention.minutes` with the longest time between two commits. Kafka forgets the offsets of a group that"
    " has had no members for that time. The sink then finds its position from the published files.",
    (
        Cause(
            "short",
            {"minutes": "30", "wanted": "10080"},
            "Kafka forgets the offsets of a group after {minutes} minutes without members. After a longer stop the sink has to"
            " list and read its files to find its position.",
            "Set a longer time on the brokers and restart them.",
            Level.WARNING,
            paste="offsets.retention.minutes={wanted}",
        ),
    ),
)
SESSION = Check(
    "session-timeout",
    "Session timeout",
    "Compares `session.timeout.ms` with what the brokers accept.",
    (
        Cause(
            "out-of-range",
            {"timeout_ms": "3000", "least_ms": "6000", "most_ms": "1800000"},
            "session.timeout.ms={timeout_ms} is refused by the brokers, which accept {least_ms} to {most_ms}.",
            "Set a value in that range.",
            paste="consumer.override.session.timeout.ms=45000",
        ),
    ),
)
GROUP_CHECKS = (RIGHT, MEMBERS, COMMITTED)
BROKER_CHECKS = (BROKER_SETTINGS, METADATA_SIZE, OFFSETS_RETENTION, SESSION)

_KEYS = (
    "group.max.session.timeout.ms",
    "group.min.session.timeout.ms",
    "offset.metadata.max.bytes",
    "offsets.retention.minutes",
)
_LEAST_RETENTION_MINUTES = 24 * 60
_WEEK_MINUTES = 7 * 24 * 60
#: kafka-python's defaults.
_SESSION_TIMEOUT_MS = 45_000
_DEFAULT_ASSIGNORS = ("range", "roundrobin")
_MOST_MEMBERS = 5


def look_group_up(facts: Facts) -> Iterator[Finding]:
    """Look the group up: its coordinator, this client's rights, its members and its committed offsets."""
    cluster, group = facts.known_cluster(), facts.group_id
    values = {"group": group, "bootstrap": facts.bootstrap, "principal": facts.principal}
    code, coordinator = cluster.coordinator(group)
    if code == GROUP_REFUSED:
        yield RIGHT.found("no-read-right", **values)
        return
    if code != NO_ERROR:
        yield RIGHT.found("no-coordinator", **values, code=code)
        return
    if coordinator not in cluster.connections:
        server = cluster.addresses.get(coordinator, "an unknown address")
        yield RIGHT.found("coordinator-not-reachable", group=group, broker=coordinator, server=server)
        return
    found = cluster.group(group, coordinator)
    if found.error_code in (COORDINATOR_LOADING, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR):
        yield RIGHT.found("no-coordinator", **values, code=found.error_code)
        return
    if found.error_code == GROUP_REFUSED or (found.rights is not None and READ not in found.rights):
        yield RIGHT.found("no-read-right", **values)
        return
    yield RIGHT.ok(text=group)
    facts.committed = cluster.committed(facts.group_id, coordinator, facts.topics)
    members = _shown(found.members)
    ours = _offered_assignors(facts)
    if found.protocol_type not in ("", "consumer"):
        yield MEMBERS.found("not-consumers", group=group, kind=found.protocol_type)
    elif found.members and found.assignor and found.assignor not in ours:
        yield MEMBERS.found("other-assignor", group=group, theirs=found.assignor, ours=", ".join(ours), members=members)
    elif found.members and not any(_is_ours(facts, *each) for each in facts.committed.items()):
        yield MEMBERS.found("unknown-members", group=group, members=members)
    else:
        yield MEMBERS.ok(text=members or "none at the moment")
    yield from _committed(facts)


def _shown(members: Sequence[str]) -> str:
    """Return the first members, and the number of the others."""
    first, others = members[:_MOST_MEMBERS], len(members) - _MOST_MEMBERS
    return ", ".join([*first, *([f"{others} more"] if others > 0 else [])])


def _offered_assignors(facts: Facts) -> tuple[str, ...]:
    given = facts.consumer.client_settings.get("partition_assignment_strategy")
    return tuple(map(str, given)) if isinstance(given, list) else _DEFAULT_ASSIGNORS


def _is_ours(facts: Facts, partition: TopicPartition, committed: Committed) -> bool:
    """Return whether kafka2parquet committed an offset, as the offset's metadata says."""
    try:
        return parse(committed.metadata, partition, facts.known_cluster().cluster_id) is not None
    except UnknownMetadataError:  # of another version of this library, or damaged
        return True


def _committed(facts: Facts) -> Iterator[Finding]:
    cluster = facts.known_cluster()
    if not facts.committed:
        yield COMMITTED.ok(text=f"none; the first start begins at {facts.consumer.first_start}")
        return
    starts, ends = cluster.offsets(facts.topics, EARLIEST), cluster.offsets(facts.topics, LATEST)
    is_fine = True
    for partition, committed in sorted(facts.committed.items()):
        start, end = starts.get(partition, (0, 0))[0], ends.get(partition, (committed.offset, 0))[0]
        finding = _offset_finding(facts, partition, committed, start, end)
        if finding is not None:
            is_fine = False
            yield finding
    if is_fine:
        yield COMMITTED.ok(text=f"of {counted(len(facts.committed), 'partition')}")


def _offset_finding(facts: Facts, partition: TopicPartition, committed: Committed, start: int, end: int) -> Finding | None:
    """Return what is wrong about a committed offset; None if nothing is."""
    subject, offset = str(partition), committed.offset
    values = {
        "group": facts.group_id,
        "bootstrap": facts.bootstrap,
        "partition": partition,
        "topic": partition.topic,
        "offset": offset,
    }
    try:
        stored = parse(committed.metadata, partition, facts.known_cluster().cluster_id)
    except UnknownMetadataError as error:
        return COMMITTED.found("unknown-metadata", subject, reason=str(error))
    here = f"{facts.storage.url}/{facts.naming.place(partition.topic)}"
    ours = Identity("", "", "", here)
    if stored is not None and ours.writes_elsewhere(stored.identity) and not facts.config.flag("kafka2parquet.take.over"):
        return COMMITTED.found("other-place", subject, **values, other=stored.identity.place, here=here)
    if offset < start and facts.config.text("kafka2parquet.on.data.loss") == "fail":
        return COMMITTED.found("below-log-start", subject, **values, start=start)
    if offset > end:
        return COMMITTED.found("beyond-log-end", subject, **values, end=end)
    return None


def compare_broker_settings(facts: Facts) -> Iterator[Finding]:
    """Compare the brokers' settings for groups with what the sink needs. One broker answers for all."""
    cluster = facts.known_cluster()
    broker = next(number for number in cluster.connections if number >= 0)
    found = cluster.broker_configs(broker, _KEYS)
    if found.error_code:
        yield BROKER_SETTINGS.found("no-describe-configs-right", bootstrap=facts.bootstrap, principal=facts.principal)
        return
    yield from _limits(facts, found)


def _limits(facts: Facts, found: Configs) -> Iterator[Finding]:
    limit = found.number("offset.metadata.max.bytes")
    if limit is not None and limit < MAX_CHARACTERS:
        yield METADATA_SIZE.found("too-small", limit=limit, needed=MAX_CHARACTERS)
    elif limit is not None:
        yield METADATA_SIZE.ok(text=f"up to {limit:,} bytes")
    minutes = found.number("offsets.retention.minutes")
    wanted = max(_LEAST_RETENTION_MINUTES, 2 * (facts.longest_open_ms or 0) // 60_000)
    if minutes is not None and minutes < wanted:
        yield OFFSETS_RETENTION.found("short", minutes=minutes, wanted=max(wanted, _WEEK_MINUTES))
    elif minutes is not None:
        yield OFFSETS_RETENTION.ok(text=duration(minutes * 60_000))
    least_ms, most_ms = found.number("group.min.session.timeout.ms"), found.number("group.max.session.timeout.ms")
    timeout_ms = facts.consumer.client_settings.get("session_timeout_ms", _SESSION_TIMEOUT_MS)
    if least_ms is not None and most_ms is not None and isinstance(timeout_ms, int):
        if least_ms <= timeout_ms <= most_ms:
            yield SESSION.ok(text=f"{timeout_ms} ms")
        else:
            yield SESSION.found("out-of-range", timeout_ms=timeout_ms, least_ms=least_ms, most_ms=most_ms)
