"""BoundedCache: a cache of bounded size for results that are expensive to compute."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

#: More schemas than the records of a process have at a time, so that none is worked out again and again.
_LIMIT = 1000


class BoundedCache(Generic[_Key, _Value]):
    """Values by their keys. When there are too many all are forgotten, which costs no bookkeeping at each look."""

    def __init__(
        self, limit: int = _LIMIT, *, limit_size: int | None = None, size_of: Callable[[_Key], int] = lambda _: 0
    ) -> None:
        """Begin with nothing.

        Args:
            limit: how many values are kept at the most.
            limit_size: how large all keys together may be, where keys can be large; the last one is kept in any case.
            size_of: measures a key.
        """
        self._limit = limit
        self._limit_size = limit_size
        self._size_of = size_of
        self._size = 0
        self._values: dict[_Key, _Value] = {}

    def get_or_create(self, key: _Key, make: Callable[[], _Value]) -> _Value:
        """Return the value of the key, made where it isn't remembered."""
        if key not in self._values:
            value = make()
            self._size += self._size_of(key)
            if len(self._values) >= self._limit or (self._limit_size is not None and self._size > self._limit_size):
                self._values.clear()
                self._size = self._size_of(key)
            self._values[key] = value
        return self._values[key]

    def find(self, is_meant: Callable[[_Value], bool]) -> _Value | None:
        """Return the first remembered value that is meant; None where there is none."""
        return next((value for value in self._values.values() if is_meant(value)), None)
