"""A schema registry that goes away while a configuration runs, or refuses us: on Apache Kafka, Apicurio and S3."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from kafka2parquet.errors import SchemaRegistryAuthenticationError, SchemaRegistryUnavailableError
from kafka2parquet.events import ConverterRetried
from tests.support.connect_sink import ConnectRun, ConnectSink
from tests.support.http_proxy import HttpProxy, Request
from tests.support.kafka_admin import committed_offsets, create_topic
from tests.support.kafka_clients import unique

PARTITIONS = 2
ROWS = 100
FLUSH_ROWS = 70
ALWAYS = 1 << 30
RETRIES = 3


@pytest.fixture
def sink(kafka_server: Any, s3_server: Any) -> Iterator[ConnectSink]:
    made = ConnectSink(kafka_server, s3_server)
    yield made
    made.close()


@pytest.fixture
def proxy(own_registry: Any) -> Iterator[HttpProxy]:
    """Starts a proxy in front of the registry."""
    with HttpProxy(own_registry.url) as made:
        yield made


class Orders:
    """A topic whose producers use a schema with more and more fields."""

    def __init__(self, kafka: Any, registry: Any) -> None:
        self.topic = unique("orders")
        self._kafka, self._registry = kafka, registry
        self._sent = 0
        create_topic(kafka.bootstrap, self.topic, PARTITIONS)

    @property
    def rows(self) -> Mapping[tuple[int, int], int]:
        """Returns the first field by partition and offset."""
        return {(partition, offset): offset for partition in range(PARTITIONS) for offset in range(self._sent)}

    def messages(self, names: str) -> Callable[[], None]:
        """Registers a schema with these fields, and returns a function that produces its records to all partitions."""
        fields = [{"name": name, "type": ["null", "int"], "default": None} for name in names]
        context = SerializationContext(self.topic, MessageField.VALUE)
        with SchemaRegistryClient({"url": self._registry.url}) as client:
            serialize = AvroSerializer(client, json.dumps({"type": "record", "name": "Order", "fields": fields}))
            values = [serialize({names[0]: self._sent + index}, context) for index in range(ROWS)]
        self._sent += ROWS

        def produce() -> None:
            producer = Producer({"bootstrap.servers": self._kafka.bootstrap})
            for value in values:
                for partition in range(PARTITIONS):
                    producer.produce(self.topic, value, partition=partition)
            producer.flush()

        return produce

    def properties(self, sink: ConnectSink, proxy: HttpProxy, changes: Mapping[str, str]) -> dict[str, str]:
        """Makes a configuration that asks the registry through the proxy."""
        return sink.properties(
            {
                "topics": self.topic,
                "tasks.max": "2",
                "value.converter": "io.confluent.connect.avro.AvroConverter",
                "value.converter.schema.registry.url": f"{proxy.url}/apis/ccompat/v7",
                "value.converter.max.retries": "0",
                "value.converter.http.read.timeout.ms": "500",
                "timestamp.extractor": "Record",
                "errors.tolerance": "all",
                "errors.log.enable": "true",
                "errors.retry.delay.max.ms": "500",
                "flush.size": str(FLUSH_ROWS),
                "kafka2parquet.metadata.columns": "partition,offset",
                **changes,
            }
        )


def written(sink: ConnectSink) -> dict[tuple[int, int], int]:
    """Returns the first field of each row by partition and offset; a repeated row is an error."""
    found: dict[tuple[int, int], int] = {}
    for _, table in sink.tables():
        for row in table.to_pylist():
            place = (row["_kafka_partition"], row["_kafka_offset"])
            if place in found:
                raise ValueError(f"twice: {place}")
            found[place] = row["a"]
    return found


@contextlib.contextmanager
def answers_503(registry: Any, proxy: HttpProxy) -> Iterator[None]:
    proxy.fail(503, times=ALWAYS, body=b'{"error_code": 50302, "message": "no"}')
    yield
    proxy.clear()


@contextlib.contextmanager
def unreachable(registry: Any, proxy: HttpProxy) -> Iterator[None]:
    proxy.cut_off(times=ALWAYS)
    yield
    proxy.clear()


@contextlib.contextmanager
def frozen(registry: Any, proxy: HttpProxy) -> Iterator[None]:
    registry.freeze()
    try:
        yield
    finally:
        registry.thaw()


@pytest.mark.parametrize("outage", [answers_503, unreachable, frozen])
def test_registry_that_is_away_for_a_while(
    kafka_server: Any,
    own_registry: Any,
    proxy: HttpProxy,
    sink: ConnectSink,
    outage: Callable[[Any, HttpProxy], contextlib.AbstractContextManager[None]],
) -> None:
    """Records of a new schema wait for the registry, no record is rejected or lost, and the sink continues without help."""
    orders = Orders(kafka_server, own_registry)
    retried: list[ConverterRetried] = []

    def note(event: object) -> None:
        if isinstance(event, ConverterRetried):
            retried.append(event)

    orders.messages("a")()
    known = len(orders.rows)
    produce_more = orders.messages("ab")
    with ConnectRun(sink, orders.properties(sink, proxy, {}), [note]) as run:
        run.until(lambda now: now.taken_rows == known, "the rows of the known schema")
        with outage(own_registry, proxy):
            produce_more()
            partitions = range(PARTITIONS)
            run.until(
                lambda _: all([event.topic_partition.partition for event in retried].count(n) >= RETRIES for n in partitions),
                "attempts to convert the new records of each partition",
            )
            assert (known, 0) == (run.runner.progress.taken_rows, run.runner.progress.rejected)
        progress = run.drain(len(orders.rows))
    assert {SchemaRegistryUnavailableError} == {type(event.error) for event in retried}
    assert (len(orders.rows), 0) == (progress.committed_rows, progress.rejected)
    assert orders.rows == written(sink)


def test_registry_that_refuses_us(kafka_server: Any, own_registry: Any, proxy: HttpProxy, sink: ConnectSink) -> None:
    """The tasks end with advice and commit nothing. With the right password, every record is written."""
    orders = Orders(kafka_server, own_registry)
    orders.messages("a")()
    right = f"Basic {base64.b64encode(b'sink:right').decode()}"

    def is_stranger(request: Request) -> bool:
        return request.headers.get("authorization") != right

    proxy.fail(401, times=ALWAYS, when=is_stranger, body=b'{"error_code": 401, "message": "Unauthorized"}')
    given = orders.properties(
        sink,
        proxy,
        {
            "value.converter.basic.auth.credentials.source": "USER_INFO",
            "value.converter.basic.auth.user.info": "sink:wrong",
        },
    )
    with (
        ConnectRun(sink, given) as run,
        pytest.raises(
            SchemaRegistryAuthenticationError, match=r"HTTP 401, .*asked for schema \d+.*Check basic\.auth"
        ) as raised,
    ):
        run.drain(len(orders.rows))
    assert "wrong" not in str(raised.value)
    committed = committed_offsets(kafka_server.bootstrap, f"connect-{given['name']}", orders.topic)
    assert 0 == max(committed.values(), default=0)
    assert [] == sink.keys()
    with ConnectRun(sink, {**given, "value.converter.basic.auth.user.info": "sink:right"}) as run:
        run.drain(len(orders.rows))
    assert orders.rows == written(sink)
