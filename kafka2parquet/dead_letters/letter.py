"""PendingDeadLetter: a dead letter that is being sent, and a way around kafka-python's checks of its headers and value."""

from __future__ import annotations

from collections.abc import Sequence

from kafka.serializer import Serializer

from kafka2parquet.errors import Kafka2ParquetError
from kafka2parquet.records import Reject


class PendingDeadLetter:
    """A `DeadLetterFuture`. The producer's thread writes it, and the sending thread reads it.

    Attributes:
        reject: the record until it is delivered; None for a letter that only checks whether sending works.
        headers: the headers to send.
    """

    def __init__(self, reject: Reject | None) -> None:
        self.reject = reject
        self.headers: Sequence[tuple[str, bytes | None]] = ()
        self._is_done = False
        self._error: Kafka2ParquetError | None = None

    @property
    def is_open(self) -> bool:
        """Whether the outcome is still unknown."""
        return not self._is_done and self._error is None

    @property
    def size_bytes(self) -> int:
        """Size of the record's key, value and headers."""
        if self.reject is None:
            return 0
        headers = sum(len(name) + len(value or b"") for name, value in self.reject.headers)
        return len(self.reject.key or b"") + len(self.reject.value or b"") + headers

    def arrived(self) -> None:
        """Mark the letter as delivered."""
        self.reject = None
        self.headers = ()
        self._is_done = True

    def failed(self, error: Kafka2ParquetError) -> None:
        """Mark the letter as permanently refused."""
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
    """Headers whose values may be None.

    kafka-python can encode such headers but fails while summing their sizes. It skips the sum for a falsy list. Can go once
    kafka-python's producer accepts None as a header's value.
    """

    def __bool__(self) -> bool:
        return False


class DeadLetterSerializer(Serializer):  # type: ignore[misc]  # kafka-python has no types
    """Passes a letter's value and headers to the producer after the producer has checked its arguments.

    The checks refuse headers that are None, and records with neither key nor value, although Kafka accepts both. Can go once
    kafka-python's producer accepts both.
    """

    def serialize(self, topic: str, headers: list[tuple[str, bytes | None]], data: PendingDeadLetter) -> bytes | None:
        """Return the letter's value, and add its headers to `headers`, the list that the producer writes. Called by it."""
        headers.extend(data.headers)
        return data.reject.value if data.reject is not None else None
