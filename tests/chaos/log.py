"""What lies in Kafka at the end, read by an ordinary consumer: the records that were produced, and the dead letters."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from confluent_kafka import Consumer, Message, TopicPartition

from tests.support.kafka_clients import unique

_LIMIT_S = 60.0
_MANY = 10_000


def read_records(bootstrap: str, topic: str) -> pa.Table:
    """Partition `p`, offset `o` and number `i` of each record.

    The number is the offset, but for a producer that has lost an answer and had to begin a new epoch: some records are then in
    the log twice, and count twice.
    """
    return _table((message.partition(), message.offset(), _number(message)) for message in _messages(bootstrap, topic))


def read_letters(bootstrap: str, topic: str) -> pa.Table:
    """Partition `p` and offset `o` of the record of each dead letter, by its headers; `i` is the number that its key tells."""
    found = []
    for message in _messages(bootstrap, topic):
        headers = dict(message.headers() or ())
        partition, offset = (int(headers[f"__connect.errors.{name}"] or -1) for name in ("partition", "offset"))
        found.append((partition, offset, _number(message)))
    return _table(found)


def log_ends(bootstrap: str, topic: str) -> dict[int, int]:
    """The offset after the last record, by partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": unique("reader")})
    try:
        partitions = consumer.list_topics(topic, timeout=_LIMIT_S).topics[topic].partitions
        return {
            partition: consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_LIMIT_S)[1]
            for partition in partitions
        }
    finally:
        consumer.close()


def _number(message: Message) -> int:
    """The number of a record: its key tells it, and where it has none, a header."""
    key = message.key()
    if key is not None:
        return int(key.rpartition(b"-")[2])
    return int(dict(message.headers() or ())["index"] or -1)


def _table(found: Iterator[tuple[int, int, int]] | list[tuple[int, int, int]]) -> pa.Table:
    columns = list(zip(*found, strict=True)) or [(), (), ()]
    return pa.table({name: pa.array(column, pa.int64()) for name, column in zip("poi", columns, strict=True)})


def _messages(bootstrap: str, topic: str) -> Iterator[Message]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": unique("reader"), "enable.auto.commit": False})
    try:
        for partition in consumer.list_topics(topic, timeout=_LIMIT_S).topics[topic].partitions:
            _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_LIMIT_S)
            consumer.assign([TopicPartition(topic, partition, 0)])
            position = 0
            while position < end:
                messages = consumer.consume(min(_MANY, end - position), timeout=_LIMIT_S)
                if not messages:
                    raise TimeoutError(f"{topic}-{partition} ends at {end}, and nothing comes after {position}")
                for message in messages:
                    if message.error() is not None:
                        raise TimeoutError(f"{topic}-{partition}: {message.error()}")
                    position = message.offset() + 1
                yield from messages
    finally:
        consumer.close()
