"""Bisects a batch that fails as a whole until each failure covers at most `few` items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

_Result = TypeVar("_Result")
_Refusal = TypeVar("_Refusal", bound=Exception)


def bisect_failures(
    length: int, attempt: Callable[[int, int], _Result], refusal: type[_Refusal], *, few: int = 1
) -> Iterator[tuple[int, int, _Result | _Refusal]]:
    """Attempts the range [0, length) as a whole and, if that fails, parts of it until the failing items are found.

    A failing range is halved until at most `few` items are left. The next range is as long as the good range before the
    failing items, and each further range is twice as long. So if one item in a hundred fails, ranges of about a hundred items
    are halved. Ranges are attempted in the order of their items while the result is iterated.

    Args:
        length: number of items, at least 1.
        attempt: called with the start and the length of a range.
        refusal: the exception that `attempt` raises if an item of the range fails. It may have an attribute `row`: the index
            in the range of the item that probably fails first, or None.
        few: length up to which a failing range is not halved any further.

    Yields:
        Start, length and outcome of each range, in order. The outcome is what `attempt` returned or raised.
    """
    start, size, last_refused = 0, length, 0
    refused_until: int | None = None  # an item in [start, refused_until) fails
    blamed: int | None = None
    while start < length:
        stop = min(start + size, length)
        try:
            outcome: _Result | _Refusal = attempt(start, stop - start)
        except refusal as error:
            if stop - start > few:
                row = getattr(error, "row", None)
                refused_until, blamed, size = stop, None, (stop - start) // 2
                if row is not None and row < stop - start:
                    blamed, size = start + row, row or few
                continue
            outcome = error
            size, last_refused, refused_until, blamed = max(stop - last_refused, few), stop, None, None
        else:
            size *= 2
            if refused_until is not None and stop < refused_until:
                size = few if stop == blamed else max((refused_until - stop) // 2, few)
            else:
                refused_until = None
        yield start, stop - start, outcome
        start = stop
