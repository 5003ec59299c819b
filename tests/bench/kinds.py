"""`make bench-kinds`: what records cost that are not like the benchmark's, as ratios to a topic without them in the same run.

Prints a table, and writes docs/benchmarks/kinds.json. Each kind is drained by one task into a local folder, in a process of its
own.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import json
import random
import re
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from confluent_kafka import Producer

from kafka2parquet.testing.events import generate_events
from tests.bench import measure
from tests.bench.avro import SCHEMA, encoded
from tests.bench.protobuf import PROTO, messages
from tests.bench.run import BEGIN, PRODUCER_SETTINGS, configuration
from tests.stack.kafka import kafka
from tests.stack.s3 import s3
from tests.support.kafka_admin import create_topic
from tests.support.registry_server import RegistryServer

RECORDS = 300_000
RESULTS = Path(__file__).parents[2] / "docs" / "benchmarks" / "kinds.json"
SPAN = datetime.timedelta(hours=3)

_BAD_JSON = (b"not json", b'{"event_id":"x"', b"\xff\xfe", b"[1]", b'{"user":5}', b'{"a":1,"a":2}')
_TOLERANT = {"errors.tolerance": "all"}
_QUARANTINE = {**_TOLERANT, "kafka2parquet.quarantine": "true"}
_DEAD_LETTERS = {
    **_TOLERANT,
    "errors.deadletterqueue.topic.name": "dead-letters-of-kinds",
    "errors.deadletterqueue.topic.replication.factor": "1",
}
_ENVELOPE_SCHEMA = {
    "type": "struct",
    "fields": [
        {"field": "event_id", "type": "string"},
        {"field": "event_type", "type": "string"},
        {"field": "duration_ms", "type": "int64"},
        {
            "field": "user",
            "type": "struct",
            "fields": [{"field": "id", "type": "int64"}, {"field": "country", "type": "string"}],
        },
        {"field": "tags", "type": "array", "items": {"type": "string"}},
        {"field": "referrer", "type": "string", "optional": True},
    ],
}
#: The same as JSON Schema.
_EVENT_SCHEMA = {
    "type": "object",
    "properties": {
        "event_id": {"type": "string"},
        "event_type": {"type": "string"},
        "duration_ms": {"type": "integer"},
        "user": {"type": "object", "properties": {"id": {"type": "integer"}, "country": {"type": "string"}}},
        "tags": {"type": "array", "items": {"type": "string"}},
        "referrer": {"oneOf": [{"type": "null"}, {"type": "string"}]},
    },
}


@attrs.frozen
class Kind:
    """A topic, and how it is read.

    Attributes:
        values: makes the records' values of events, which are JSON; gets the id of the schema where there is a registry.
        bad: how many of a million are bad.
        spoil: makes an event, or a value of it, bad. None for values that `values` has made bad.
        settings: of the connector.
        producer: settings of the producer.
        base: the kind that it is compared with.
        records: how many.
        schema: subject type and schema in the registry; None without one.
    """

    values: Callable[[Sequence[bytes], int], Iterable[bytes]] = lambda events, _: events
    bad: int = 0
    spoil: Callable[[bytes, random.Random], bytes] | None = None
    settings: Mapping[str, str] = attrs.field(factory=dict)
    producer: Mapping[str, Any] = attrs.field(factory=dict)
    base: str = "base"
    records: int = RECORDS
    schema: tuple[str, object] | None = None


def main() -> None:
    """Measure all kinds, or those that are named, each after the one that it is compared with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these: whole names, or how they begin")
    options = parser.parse_args()
    wanted = [name for name in KINDS if not options.names or name.startswith(tuple(options.names))]
    bases = [name for name in KINDS if name in {KINDS[name].base for name in wanted}]
    results: dict[str, dict[str, Any]] = {}
    print(f"{'':24}{'CPU-s/M':>9}{'ratio':>8}{'rows/s':>10}{'RSS MB':>8}", flush=True)
    with kafka() as broker, s3() as store, RegistryServer() as registry, tempfile.TemporaryDirectory() as folder:
        for name in dict.fromkeys([*bases, *wanted]):
            found = results[name] = measured(KINDS[name], broker.bootstrap, store, registry, folder)
            found["ratio"] = round(found["cpu_s_per_million"] / results[KINDS[name].base]["cpu_s_per_million"], 2)
            cost, ratio, speed, memory = (found[key] for key in ("cpu_s_per_million", "ratio", "rows_per_s", "peak_rss_mb"))
            print(f"{name:24}{cost:>9.2f}{ratio:>8.2f}{speed:>10,}{memory:>8}", flush=True)
    if not options.names:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def measured(kind: Kind, bootstrap: str, store: Any, registry: RegistryServer, folder: str) -> dict[str, Any]:
    """The figures of a kind, for all its records, bad ones included."""
    topic = f"kind-{uuid.uuid4().hex[:8]}"
    schema_id = registry.add(f"{topic}-value", kind.schema[1], schema_type=kind.schema[0]) if kind.schema is not None else 0
    events, _ = generate_events(kind.records, BEGIN, SPAN, 1)
    values = [*kind.values(events, schema_id)]
    source = random.Random(1)
    bad = [number for number in range(len(values)) if source.random() * 1e6 < kind.bad]
    for number in bad:
        if kind.spoil is not None:
            values[number] = kind.spoil(values[number], source)
    _fill(bootstrap, topic, values, kind.producer)
    config = {**configuration(store, topic, {}, folder), **kind.settings}
    if kind.schema is not None:
        config["value.converter.schema.registry.url"] = registry.url
    worker = {"bootstrap.servers": bootstrap}
    rows = len(values) if "kafka2parquet.quarantine" in kind.settings else len(values) - len(bad)
    figures = measure.run("sink", config=config, worker=worker, rows=rows)
    figures["cpu_s_per_million"] = round(figures["cpu_s"] / len(values) * 1e6, 2)
    return {**figures, "records": len(values), "bad_records": len(bad)}


def _fill(bootstrap: str, topic: str, values: Sequence[bytes], settings: Mapping[str, Any]) -> None:
    create_topic(bootstrap, topic, 4)
    producer = Producer({"bootstrap.servers": bootstrap, **PRODUCER_SETTINGS, "message.max.bytes": 8_000_000, **settings})
    span_ms, begin_ms = SPAN // datetime.timedelta(milliseconds=1), round(BEGIN.timestamp() * 1000)
    for number, value in enumerate(values):
        time_ms = begin_ms + number * span_ms // len(values)
        producer.produce(topic, value, str(number).encode(), partition=number % 4, timestamp=time_ms)
        if not number % 1000:
            producer.poll(0)
            while len(producer) > 500_000:
                producer.poll(0.1)
    producer.flush()


# ---- how events become bad


def _no_json(_: bytes, source: random.Random) -> bytes:
    return source.choice(_BAD_JSON)


def _broken_inside(event: bytes, source: random.Random) -> bytes:
    return source.choice((event[:-1] + b",}", event.replace(b":", b":0", 1), event + b"}", event.replace(b'"', b'"\n', 3)))


def _misfit(event: bytes, source: random.Random) -> bytes:
    document = json.loads(event)
    change = source.choice(({"duration_ms": "x"}, {"user": 5}, {"product": {"quantity": True}}, {"tags": [1]}))
    return json.dumps(document | change).encode()


def _cut_off(value: bytes, source: random.Random) -> bytes:
    return value[: source.randrange(6, len(value))]


def _misfit_envelope(value: bytes, source: random.Random) -> bytes:
    begin, _, rest = value.rpartition(b'"duration_ms":')
    _, number, behind = re.split(rb"^(\d+)", rest)
    change = source.choice((b'"x"', number + b".5", b"null", number + b","))
    return begin + b'"duration_ms":' + change + behind


# ---- how events become values


def _avro(events: Sequence[bytes], schema_id: int) -> Iterable[bytes]:
    return encoded(events, schema_id)


def _protobuf(events: Sequence[bytes], schema_id: int) -> Iterable[bytes]:
    return messages(events, schema_id)


def _registered_json(events: Sequence[bytes], schema_id: int) -> Iterable[bytes]:
    begin = b"\0" + schema_id.to_bytes(4, "big")
    return (begin + event for event in events)


def _envelopes(events: Sequence[bytes], _: int) -> Iterable[bytes]:
    begin = json.dumps({"schema": _ENVELOPE_SCHEMA})[:-1].encode() + b', "payload": '
    return (begin + event + b"}" for event in events)


def _types(events: Sequence[bytes], _: int) -> Iterable[bytes]:
    """20 types of events, of 10 members each."""
    source = random.Random(2)
    for _event in events:
        number = source.randrange(20)
        members = {f"t{number}_f{field}": source.random() if field % 3 else f"s{source.randrange(1000)}" for field in range(10)}
        yield json.dumps({"type": f"t{number}", **members}).encode()


def _growing(events: Sequence[bytes], _: int) -> Iterable[bytes]:
    """A new member each 5,000 records."""
    return (event[:-1] + b',"new_%d":1}' % (number // 5000) for number, event in enumerate(events))


_AVRO = functools.partial(
    Kind,
    _avro,
    schema=("AVRO", SCHEMA),
    settings={**_TOLERANT, "value.converter": "io.confluent.connect.avro.AvroConverter"},
    spoil=_cut_off,
    base="avro",
)
_PROTOBUF = functools.partial(
    Kind,
    _protobuf,
    schema=("PROTOBUF", PROTO),
    settings={**_TOLERANT, "value.converter": "io.confluent.connect.protobuf.ProtobufConverter"},
    spoil=_cut_off,
    base="protobuf",
)
_JSON_SCHEMA = functools.partial(
    Kind,
    _registered_json,
    schema=("JSON", _EVENT_SCHEMA),
    settings={**_TOLERANT, "value.converter": "io.confluent.connect.json.JsonSchemaConverter"},
    spoil=_misfit_envelope,
    base="json_schema",
)
_ENVELOPE = functools.partial(
    Kind,
    _envelopes,
    settings={**_TOLERANT, "value.converter.schemas.enable": "true"},
    spoil=_misfit_envelope,
    base="envelope",
)
_SHARES = {"0.1%": 1_000, "1%": 10_000, "10%": 100_000}

KINDS: dict[str, Kind] = {
    "base": Kind(),
    **{f"bad_{share}": Kind(bad=bad, spoil=_no_json, settings=_TOLERANT) for share, bad in _SHARES.items()},
    **{f"broken_{share}": Kind(bad=bad, spoil=_broken_inside, settings=_TOLERANT) for share, bad in _SHARES.items()},
    **{f"misfit_{share}": Kind(bad=bad, spoil=_misfit, settings=_TOLERANT) for share, bad in _SHARES.items()},
    **{f"quarantine_{share}": Kind(bad=bad, spoil=_no_json, settings=_QUARANTINE) for share, bad in _SHARES.items()},
    **{f"dead_letters_{share}": Kind(bad=bad, spoil=_no_json, settings=_DEAD_LETTERS) for share, bad in _SHARES.items()},
    "avro": _AVRO(),
    **{f"avro_{share}": _AVRO(bad=bad) for share, bad in _SHARES.items()},
    "protobuf": _PROTOBUF(),
    **{f"protobuf_{share}": _PROTOBUF(bad=bad) for share, bad in _SHARES.items()},
    "json_schema": _JSON_SCHEMA(),
    **{f"json_schema_{share}": _JSON_SCHEMA(bad=bad) for share, bad in _SHARES.items()},
    "envelope": _ENVELOPE(),
    **{f"envelope_{share}": _ENVELOPE(bad=bad) for share, bad in _SHARES.items()},
    "one_record_batches": Kind(records=100_000, producer={"linger.ms": 0, "batch.num.messages": 1, "compression.type": "none"}),
    "ten_record_batches": Kind(producer={"batch.num.messages": 10}),
    "types_20x10": Kind(_types),
    "new_member_each_5000": Kind(_growing),
}

if __name__ == "__main__":
    main()
