"""Who is to blame: a range that is refused as a whole is halved, until each refusal is about a few."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

_Result = TypeVar("_Result")
_Refusal = TypeVar("_Refusal", bound=Exception)


def attempt_halves(
    length: int, attempt: Callable[[int, int], _Result], refusal: type[_Refusal], *, few: int = 1
) -> Iterator[tuple[int, int, _Result | _Refusal]]:
    """Attempt the range [0, length), and where that is refused each half of it in the same way.

    Args:
        length: of the whole range, at least 1.
        attempt: called with start and length of a range.
        refusal: what it raises where something in the range is to blame.
        few: ranges of so many, or fewer, are not halved any more.

    Yields:
        Start, length and outcome of each range, in their order: what `attempt` returned, or what it raised.
    """
    ranges = [(0, length)]
    while ranges:
        start, size = ranges.pop()
        try:
            outcome: _Result | _Refusal = attempt(start, size)
        except refusal as error:
            if size > few:
                ranges += [(start + size // 2, size - size // 2), (start, size // 2)]  # the first half is taken next
                continue
            outcome = error
        yield start, size, outcome
