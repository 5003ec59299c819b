"""PendingDeadLetter: one dead letter on its way, and how kafka-python is given one that its checks don't know."""

from __future__ import annotations

from collections.abc import Sequence

from kafka.serializer import Serializer

from kafka2parquet.errors import Kafka2ParquetError
from kafka2parquet.records import Reject


class PendingDeadLetter:
    """A `DeadLetterFuture`. Written by the producer's thread, read by the one that sent it.

    Attributes:
        reject: the record, until it has arrived; None for a letter that only asks whether sending works.
        headers: what it is sent with.
    """

    def __init__(self, reject: Reject | None) -> None:
        self.reject = reject
        self.headers: Sequence[tuple[str, bytes | None]] = ()
        self._is_done = False
        self._error: Kafka2ParquetError | None = None

    @property
    def is_open(self) -> bool:
        """Whether nothing is known yet."""
        return not self._is_done and self._error is None

    @property
    def size_bytes(self) -> int:
        """Of the record."""
        if self.reject is None:
            return 0
        headers = sum(len(name) + len(value or b"") for name, value in self.reject.headers)
        return len(self.reject.key or b"") + len(self.reject.value or b"") + headers

    def arrived(self) -> None:
        """Kafka has it."""
        self.reject = None
        self.headers = ()
        self._is_done = True

    def failed(self, error: Kafka2ParquetError) -> None:
        """Kafka will never have it."""
        self._error = error

    def done(self) -> bool:
        """See `DeadLetterFuture.done`."""
        if self._error is not None:
            raise self._error
        return self._is_done

    def result(self) -> None:
        """See `DeadLetterFuture.result`."""
        if not self.done():
            raise RuntimeError("result() of a dead letter that isn't done")


class NullableHeaders(list[tuple[str, bytes | None]]):
    """Headers that may be null. kafka-python writes them, but would first add the sizes of all up, unless the list is false."""

    def __bool__(self) -> bool:
        return False


class DeadLetterSerializer(Serializer):  # type: ignore[misc]  # kafka-python has no types
    """Gives the producer value and headers of a letter after it has checked its arguments.

    The checks refuse null headers, and records with neither key nor value; Kafka takes both.
    """

    def serialize(self, topic: str, headers: list[tuple[str, bytes | None]], data: PendingDeadLetter) -> bytes | None:
        """Called by the producer, with the list of headers that it will write."""
        headers.extend(data.headers)
        return data.reject.value if data.reject is not None else None
