"""The generated events are reproducible, well formed and spread as documented."""

from __future__ import annotations

import datetime
import json

import numpy as np

from kafka2parquet.testing.events import generate_events

START = datetime.datetime(2026, 5, 17, 10, tzinfo=datetime.timezone.utc)
SPAN = datetime.timedelta(hours=3)


def test_same_arguments_make_same_events() -> None:
    """The same arguments give the same events; another seed gives other events."""
    values, timestamps_ms = generate_events(100, START, SPAN, 1)
    again, again_ms = generate_events(100, START, SPAN, 1)
    others, _ = generate_events(100, START, SPAN, 2)

    assert (values, timestamps_ms.tolist()) == (again, again_ms.tolist())
    assert values != others


def test_events_are_json_of_the_same_shape() -> None:
    """Each event has a nested object, an array, numbers, booleans, texts and a unique id; two fields are optional."""
    events = [json.loads(value) for value in generate_events(5000, START, SPAN, 1)[0]]

    always = {"event_id", "event_type", "occurred_at", "user", "product", "tags", "duration_ms"}
    assert always == set.intersection(*(set(event) for event in events))
    assert always | {"referrer", "coupon"} == set.union(*(set(event) for event in events))
    assert {int: 5000} == {type(event["user"]["id"]): len(events) for event in events}
    assert {True, False} == {event["user"]["is_member"] for event in events}
    assert len(events) == len({event["event_id"] for event in events})


def test_events_are_spread_over_the_span() -> None:
    """Timestamps are almost in order, lie within the span, and agree with the time in the event."""
    values, timestamps_ms = generate_events(20_000, START, SPAN, 1)

    start_ms = int(START.timestamp() * 1000)
    assert start_ms <= timestamps_ms.min() <= timestamps_ms.max() < start_ms + 3 * 3_600_000
    per_hour = np.bincount((timestamps_ms - start_ms) // 3_600_000)
    assert np.allclose(20_000 / 3, per_hour, rtol=0.01)
    occurred_at = datetime.datetime.fromisoformat(json.loads(values[7000])["occurred_at"].replace("Z", "+00:00"))
    assert timestamps_ms[7000] == round(occurred_at.timestamp() * 1000)


def test_events_are_about_260_bytes_long() -> None:
    """Events are about 260 bytes long, as the measurements assume."""
    values, _ = generate_events(10_000, START, SPAN, 1)

    assert 250 < sum(map(len, values)) / len(values) < 280


def test_a_start_without_time_zone_is_utc() -> None:
    """A start without a time zone is taken as UTC, not as local time."""
    _, aware_ms = generate_events(10, START, SPAN, 1)
    _, naive_ms = generate_events(10, START.replace(tzinfo=None), SPAN, 1)

    assert aware_ms.tolist() == naive_ms.tolist()


def test_no_events() -> None:
    """A count of zero gives no events."""
    values, timestamps_ms = generate_events(0, START, SPAN, 1)

    assert ([], []) == (values, timestamps_ms.tolist())
