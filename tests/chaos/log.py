"""What lies in Kafka at the end, read by an ordinary consumer: the records that were produced, and the dead letters."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pyarrow as pa
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from tests.support.kafka_clients import unique, wait_until

_LIMIT_S = 60.0
_MANY = 10_000


def read_records(bootstrap: str, topic: str) -> pa.Table:
    """Reads partition `p`, offset `o` and number `i` of each record.

    The number is the offset, but for a producer that has lost an answer and had to begin a new epoch: some records are then in
    the log twice, and count twice.
    """
    return _table((*_place(message), number_of(message)) for message in _messages(bootstrap, topic))


def read_letters(bootstrap: str, topic: str) -> pa.Table:
    """Reads partition `p` and offset `o` of each dead letter's record from its headers, and number `i` from its key."""
    found = []
    for message in _messages(bootstrap, topic):
        headers = dict(message.headers() or ())
        partition, offset = (int(headers[f"__connect.errors.{name}"] or -1) for name in ("partition", "offset"))
        found.append((partition, offset, number_of(message)))
    return _table(found)


def _place(message: Message) -> tuple[int, int]:
    """Returns the partition and the offset of a record that was read."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    return partition, offset


def number_of(message: Message) -> int:
    """Returns the number of a record from its key or, if that is missing, from a header."""
    key = message.key()
    if key is not None:
        return int(key.rpartition(b"-")[2])
    return int(dict(message.headers() or ())["index"] or -1)


def log_ends(bootstrap: str, topic: str) -> dict[int, int]:
    """Returns the offset after the last record, by partition."""
    with _consumer(bootstrap) as consumer:
        return {partition: _end(consumer, topic, partition) for partition in _partitions(consumer, topic)}


def log_end(bootstrap: str, topic: str, partition: int) -> int:
    """Returns the offset after the last record of a partition, whoever leads the others."""
    with _consumer(bootstrap) as consumer:
        return _end(consumer, topic, partition)


def _table(found: Iterator[tuple[int, int, int]] | list[tuple[int, int, int]]) -> pa.Table:
    columns = list(zip(*found, strict=True)) or [(), (), ()]
    return pa.table({name: pa.array(column, pa.int64()) for name, column in zip("poi", columns, strict=True)})


def _messages(bootstrap: str, topic: str) -> Iterator[Message]:
    with _consumer(bootstrap) as consumer:
        for partition in _partitions(consumer, topic):
            end = _end(consumer, topic, partition)
            consumer.assign([TopicPartition(topic, partition, 0)])
            position = 0
            while position < end:
                messages = consumer.consume(min(_MANY, end - position), timeout=_LIMIT_S)
                if not messages:
                    raise TimeoutError(f"{topic}-{partition} ends at {end}, and nothing comes after {position}")
                for message in messages:
                    if message.error() is not None:
                        raise TimeoutError(f"{topic}-{partition}: {message.error()}")
                    position = _place(message)[1] + 1
                yield from messages


@contextlib.contextmanager
def _consumer(bootstrap: str) -> Iterator[Consumer]:
    own_group = {"group.id": unique("reader"), "enable.auto.commit": False}
    consumer = Consumer({"bootstrap.servers": bootstrap, "log_level": 2, **own_group})
    try:
        yield consumer
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    return list(consumer.list_topics(topic, timeout=_LIMIT_S).topics[topic].partitions)


def _end(consumer: Consumer, topic: str, partition: int) -> int:
    def bounds() -> tuple[int, int] | None:
        try:
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=5)
        except KafkaException:  # another broker leads the partition since a moment ago
            return None

    return int(wait_until(bounds, f"the end of {topic}-{partition}", _LIMIT_S)[1])
