"""The base converter bounds requests and waiting, and refuses schemas that can't be read."""

from __future__ import annotations

import json
import threading
import uuid
from typing import Any

import pytest

from kafka2parquet.converters.avro.converter import AvroConverter
from kafka2parquet.converters.payload_decoder import PayloadDecoder
from kafka2parquet.converters.registry.base import RegisteredSchema
from kafka2parquet.converters.registry.lookups import Lookups
from kafka2parquet.errors import SchemaRegistryUnavailableError, StorageUnavailableError
from kafka2parquet.testing import ManualClock
from tests.support.avro_cases import number
from tests.support.batches import batch_of
from tests.support.registries import FakeRegistry, framed, registered

USER = {"type": "record", "name": "User", "fields": [{"name": "id", "type": "long"}]}


def registry_of(*schemas: Any) -> FakeRegistry:
    """Makes a registry that has the schemas under the ids from 1 on."""
    return FakeRegistry({i: registered(json.dumps(schema), "AVRO") for i, schema in enumerate(schemas, 1)})


def user(schema_id: int) -> bytes:
    return framed(schema_id, number(7))


def test_a_schema_that_was_missing_is_asked_for_again_after_a_minute() -> None:
    """A missing schema is requested again after a minute, and not before."""
    registry = registry_of()
    converter = AvroConverter(registry)
    converter.clock = clock = ManualClock()
    assert 3 == len(converter.convert(batch_of([user(1)] * 3)).rejects)
    registry.schemas[1] = registered(json.dumps(USER), "AVRO")
    clock.advance(59)
    assert 1 == len(converter.convert(batch_of([user(1)])).rejects)
    assert 1 == len(registry.asked)
    clock.advance(2)
    assert 1 == len(converter.convert(batch_of([user(1)])).rows)
    assert 2 == len(registry.asked)


def test_many_unknown_ids_are_asked_for_once_each() -> None:
    """Each of many unknown ids, as in garbage that begins with a zero byte, is requested once."""
    registry = registry_of()
    converter = AvroConverter(registry)
    converter.clock = ManualClock()
    values = [framed(1000 + number, b"x") for number in range(2000)]
    for _ in range(2):
        assert 2000 == len(converter.convert(batch_of(values)).rejects)

    assert 2000 == len(registry.asked) == len({*registry.asked})


def test_unknown_ids_are_not_remembered_without_limit() -> None:
    """The number of unknown ids that are remembered is bounded."""
    converter = AvroConverter(registry_of())
    most = 1 << 15
    converter.convert(batch_of([framed(0, b"x")]))
    (missing,) = converter._missing.values()
    converter._missing.update({(number, "topic"): missing for number in range(most)})
    converter.convert(batch_of([framed(most + number, b"x") for number in range(10)]))

    assert (10, most + 9) == (min(converter._missing)[0], max(converter._missing)[0])
    assert most == len(converter._missing)


def test_a_registry_that_takes_its_time_holds_up_nobody() -> None:
    """A slow registry makes the batch come again, and what was found out for the batch is kept until it is done."""
    released = threading.Event()

    class SlowRegistry(FakeRegistry):
        def schema(self, schema_id: int | uuid.UUID, subject: str | None) -> RegisteredSchema:
            if schema_id == 2:
                released.wait()
            return super().schema(schema_id, subject)

    registry = SlowRegistry({2: registered(json.dumps(USER), "AVRO")})
    converter = AvroConverter(registry)
    converter.clock = clock = ManualClock()
    converter._lookups = Lookups(converter._look_up, longest_wait_s=0.01)
    batch = batch_of([framed(1, b"x"), user(2)])
    for _ in range(5):
        with pytest.raises(SchemaRegistryUnavailableError, match=r"not yet answered for schema id \d of topic"):
            converter.convert(batch)
        clock.advance(40)
    released.set()
    while True:
        try:
            converted = converter.convert(batch)
            break
        except SchemaRegistryUnavailableError:
            continue

    assert (1, 1) == (len(converted.rows), len(converted.rejects))
    assert [1, 2] == sorted(schema_id for schema_id, _ in registry.asked)


@pytest.mark.parametrize("error", [ValueError("x"), OSError("y"), RecursionError(), UnicodeError("\ud800")])
def test_whatever_a_schema_does_to_us_refuses_the_schema(error: Exception) -> None:
    """An unreadable schema makes its records rejects, and the task goes on."""

    class Failing(AvroConverter):
        def prepare(self, schema: RegisteredSchema) -> PayloadDecoder:
            raise error

    rejects = Failing(registry_of(USER)).convert(batch_of([user(1)])).rejects
    assert 1 == len(rejects)
    assert "schema id 1: the schema " in rejects[0].reason


@pytest.mark.parametrize("error", [MemoryError("none left"), StorageUnavailableError("disk full")])
def test_what_is_not_about_the_schema_passes(error: Exception) -> None:
    """An error that is not about the schema is raised as it is."""

    class Failing(AvroConverter):
        def prepare(self, schema: RegisteredSchema) -> PayloadDecoder:
            raise error

    with pytest.raises(type(error), match=str(error)):
        Failing(registry_of(USER)).convert(batch_of([user(1)]))


def test_a_subject_without_the_schema_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """If the subject that was asked doesn't have a schema, the log names the subject and the setting, once per subject."""
    registry = FakeRegistry({number: registered(json.dumps(USER), "AVRO", version=None) for number in (1, 2)})
    converter = AvroConverter(registry, subject_names="topic_record")
    with caplog.at_level("INFO", "kafka2parquet.converters"):
        for schema_id in (1, 2):
            assert 1 == len(converter.convert(batch_of([user(schema_id)])).rows)
    (message,) = (record.getMessage() for record in caplog.records)
    assert "has no version of schema id 1 in the subject topic-User." in message
    assert "value.subject.name.strategy decides the subject" in message
