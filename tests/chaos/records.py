"""The records: what lies at each offset of a partition, so that whoever counts knows it without having seen it produced."""

from __future__ import annotations

import enum

BEGIN_MS = 1_779_012_000_000  # 2026-05-17 10:00 UTC
#: Times rise over this number of hours, again and again, so that flushes have several files.
HOURS = 3
#: Each series of `RECORDS_OF_A_FIELD` good records adds a field, so that the schema grows while everything breaks.
RECORDS_OF_A_FIELD = 10_000
#: The first records are good ones: of these the columns are learned.
ALL_GOOD = 1_000
#: After that the kinds of records come again in the same order.
PERIOD = 4_000


class Kind(enum.Enum):
    """The kind of a record. Only good records and tombstones can be written."""

    GOOD = "good"
    TOMBSTONE = "tombstone"
    BROKEN = "JSON that ends too early"
    NO_TEXT = "no UTF-8"
    ARRAY = "no object"
    TWICE = "a member named twice"
    MISFIT = "text in a column of numbers"
    NO_TIME = "no time"
    NO_KEY = "no key"
    NO_HEADERS = "no headers"


BAD = tuple(kind for kind in Kind if kind not in (Kind.GOOD, Kind.TOMBSTONE))


def kind_of(index: int) -> Kind:
    """Returns the kind of the record at the offset: one in a hundred is bad, and one in a thousand is a tombstone."""
    if index < ALL_GOOD:
        return Kind.GOOD
    if index % 100 == 37:
        return BAD[index // 100 % len(BAD)]
    return Kind.TOMBSTONE if index % 1000 == 573 else Kind.GOOD


def time_of(index: int, late_ms: int) -> int:
    """Returns the time of the record in milliseconds since the epoch."""
    return BEGIN_MS + index * 50 % (HOURS * 3_600_000) + late_ms


def key_of(kind: Kind, partition: int, index: int) -> bytes | None:
    """Returns the key of the record."""
    return None if kind is Kind.NO_KEY else b"%d-%d" % (partition, index)


def headers_of(kind: Kind, index: int) -> list[tuple[str, bytes]]:
    """Returns the headers of the record."""
    return [] if kind is Kind.NO_HEADERS else [("source", b"chaos"), ("index", b"%d" % index)]


def field_of(index: int) -> str:
    """Returns the field that only some of the records have."""
    return f"f{index // RECORDS_OF_A_FIELD}"


def value_of(kind: Kind, partition: int, index: int, time_ms: int) -> bytes | None:
    """Returns the value of the record; `half` is a whole number first, and later one with a fraction."""
    if kind is Kind.TOMBSTONE:
        return None
    half = b"%d" % (index // 2) if index % 2 == 0 else b"%d.5" % (index // 2)
    numbers = b'"half":%b,"%b":%d' % (half, field_of(index).encode(), index)
    good = b'{"partition":%d,"index":%d,"time":%d,%b}' % (partition, index, time_ms, numbers)
    bad = {
        Kind.BROKEN: good[:-1],
        Kind.NO_TEXT: good[:-1] + b',"text":"\xff"}',
        Kind.ARRAY: b"[%b]" % good,
        Kind.TWICE: good[:-1] + b',"index":0}',
        Kind.MISFIT: good.replace(b'"index":%d' % index, b'"index":"%d"' % index),
        Kind.NO_TIME: b'{"partition":%d,"index":%d,%b}' % (partition, index, numbers),
    }
    return bad.get(kind, good)
