"""BoundedCache: a cache of bounded size for results that are expensive to compute."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

#: More than the number of schemas that a process uses at a time, so that none is computed again and again.
_LIMIT = 1000


class BoundedCache(Generic[_Key, _Value]):
    """A bounded cache for values that are expensive to compute. It is cleared when full, to avoid bookkeeping per access."""

    def __init__(
        self, limit: int = _LIMIT, *, limit_size: int | None = None, size_of: Callable[[_Key], int] = lambda _: 0
    ) -> None:
        """Create an empty cache.

        Args:
            limit: maximum number of values.
            limit_size: maximum size of all keys together, if keys can be large. The last key is kept in any case.
            size_of: returns the size of a key.
        """
        self._limit = limit
        self._limit_size = limit_size
        self._size_of = size_of
        self._size = 0
        self._values: dict[_Key, _Value] = {}

    def get_or_create(self, key: _Key, make: Callable[[], _Value]) -> _Value:
        """Return the value of a key. Calls `make` if it isn't cached."""
        if key not in self._values:
            value = make()
            self._size += self._size_of(key)
            if len(self._values) >= self._limit or (self._limit_size is not None and self._size > self._limit_size):
                self._values.clear()
                self._size = self._size_of(key)
            self._values[key] = value
        return self._values[key]

    def find(self, matches: Callable[[_Value], bool]) -> _Value | None:
        """Return the first cached value for which `matches` is true; None if there isn't one."""
        return next((value for value in self._values.values() if matches(value)), None)
