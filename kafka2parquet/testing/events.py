"""Generated events of a web shop, for the demo and for measurements."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_EVENT_TYPES = ("page_viewed", "product_viewed", "cart_updated", "order_placed", "search_performed")
_EVENT_TYPE_SHARES = (0.45, 0.28, 0.13, 0.04, 0.10)
_COUNTRIES = ("DE", "FR", "GB", "IT", "NL", "PL", "SE", "US")
_TAGS = ("[]", '["sale"]', '["new"]', '["sale","last_items"]', '["new","gift","eco"]')
_REFERRERS = ("", ',"referrer":"newsletter"', ',"referrer":"search"', ',"referrer":"social"')
_COUPONS = ("", ',"coupon":"SPRING10"', ',"coupon":"WELCOME"')
_COUPON_SHARES = (0.9, 0.06, 0.04)
_LATEST_ARRIVAL_MS = 2_000

_EVENT = (
    '{"event_id":"%016x","event_type":"%s","occurred_at":"%sZ","user":{"id":%d,"country":"%s","is_member":%s},'
    '"product":{"sku":"SKU-%05d","price":%.2f,"quantity":%d},"tags":%s,"duration_ms":%d%s%s}'
)


def generate_events(
    count: int, start: datetime.datetime, span: datetime.timedelta, seed: int
) -> tuple[list[bytes], npt.NDArray[np.int64]]:
    """Generate JSON events of about 260 bytes each. The same arguments always give the same events.

    Each event has a unique id, a nested object, an array of strings, numbers, booleans, a time as ISO 8601 text and up to
    two optional fields. A few events arrive up to two seconds late, so the timestamps are almost in order.

    Args:
        count: number of events.
        start: time of the first event; UTC if it has no time zone.
        span: the events are spread evenly over this time.
        seed: seed of the random numbers.

    Returns:
        The events as UTF-8, and their timestamps in milliseconds since the epoch, all within [start, start + span).
    """
    random = np.random.default_rng(seed)
    timestamps_ms = _timestamps_ms(random, count, start, span)

    def pick(choices: Sequence[str], shares: Sequence[float] | None = None) -> list[str]:
        return [choices[index] for index in random.choice(len(choices), count, p=shares).tolist()]

    columns = (
        _unique_ids(random, count).tolist(),
        pick(_EVENT_TYPES, _EVENT_TYPE_SHARES),
        np.datetime_as_string(timestamps_ms.astype("datetime64[ms]")).tolist(),
        random.integers(1, 100_000, count).tolist(),
        pick(_COUNTRIES),
        pick(("true", "false")),
        random.integers(1, 5_000, count).tolist(),
        np.round(random.lognormal(3.2, 0.8, count), 2).tolist(),
        random.integers(1, 5, count).tolist(),
        pick(_TAGS),
        random.integers(5, 60_000, count).tolist(),
        pick(_REFERRERS),
        pick(_COUPONS, _COUPON_SHARES),
    )
    return [(_EVENT % row).encode() for row in zip(*columns, strict=True)], timestamps_ms


def _timestamps_ms(
    random: np.random.Generator, count: int, start: datetime.datetime, span: datetime.timedelta
) -> npt.NDArray[np.int64]:
    if start.tzinfo is None:
        start = start.replace(tzinfo=datetime.timezone.utc)
    start_ms = round(start.timestamp() * 1000)
    span_ms = span // datetime.timedelta(milliseconds=1)
    late_ms = random.exponential(100.0, count).clip(0, _LATEST_ARRIVAL_MS)
    offset_ms = np.arange(count) * (span_ms / max(count, 1)) - late_ms
    timestamps_ms: npt.NDArray[np.int64] = start_ms + offset_ms.clip(0).astype(np.int64)
    return timestamps_ms


def _unique_ids(random: np.random.Generator, count: int) -> npt.NDArray[np.uint64]:
    """Return distinct numbers that look random: multiplying by an odd factor permutes the 64-bit numbers."""
    first, factor = random.integers(1, 2**63, 2, dtype=np.uint64)
    ids: npt.NDArray[np.uint64] = (np.arange(count, dtype=np.uint64) + first) * (factor | np.uint64(1))
    return ids
