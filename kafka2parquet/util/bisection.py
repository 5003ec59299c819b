"""Finds the items to blame: a range that is refused as a whole is narrowed down, until each refusal is about a few items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

_Result = TypeVar("_Result")
_Refusal = TypeVar("_Refusal", bound=Exception)


def bisect_failures(
    length: int, attempt: Callable[[int, int], _Result], refusal: type[_Refusal], *, few: int = 1
) -> Iterator[tuple[int, int, _Result | _Refusal]]:
    """Attempt the range [0, length), and where that is refused parts of it, until what is to blame is found.

    A refused range is halved until its first few are to blame. The next range is as long as the one before that was without
    fault, and then twice as long each time. So where one item in a hundred is to blame, ranges of about a hundred are halved.

    Args:
        length: of the whole range, at least 1.
        attempt: called with start and length of a range.
        refusal: what it raises where something in the range is to blame. If it has an attribute `row` that is not None, that
            is the place in the range, counted from 0, of what is probably the first to blame.
        few: ranges of at most this length are not halved any more.

    Yields:
        Start, length and outcome of each range, in their order: what `attempt` returned, or what it raised.
    """
    start, size, last_refused = 0, length, 0
    refused_until: int | None = None  # something before it, and not before `start`, is to blame
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
