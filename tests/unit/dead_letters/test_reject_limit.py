import pytest

from kafka2parquet.dead_letters.reject_limit import RejectLimit, RejectLimitState
from kafka2parquet.errors import TooManyRejectsError
from kafka2parquet.records import Reject, Stage, TopicPartition

_TOPIC_PARTITION = TopicPartition("orders", 3)


def _rejects(count: int, offset: int = 0) -> list[Reject]:
    return [Reject(_TOPIC_PARTITION, offset + number, Stage.DECODE, "not JSON") for number in range(count)]


def _breaker(share: float = 0.5, window_rows: int = 100, minimum_rows: int = 1) -> RejectLimitState:
    return RejectLimitState(RejectLimit(share, window_rows, minimum_rows), _TOPIC_PARTITION)


def test_share_at_the_limit_is_allowed() -> None:
    """Only a share above the limit ends the task."""
    breaker = _breaker()
    breaker.count(100, _rejects(50))
    with pytest.raises(TooManyRejectsError):
        breaker.count(1, _rejects(1))


def test_message_says_where_to_look() -> None:
    """The message has the number of rejects, the number of records and the last reject."""
    with pytest.raises(
        TooManyRejectsError, match=r"^orders-3: 60 of the last 100 records .* offset 59, .* not JSON\."
    ) as caught:
        _breaker().count(100, _rejects(60))
    assert ("orders", 3, 59) == (caught.value.topic, caught.value.partition, caught.value.offset)


def test_old_records_are_forgotten() -> None:
    """Records before the window don't count, whether they were good or bad."""
    breaker = _breaker()
    breaker.count(100, _rejects(40))
    breaker.count(100, [])
    breaker.count(100, _rejects(40))
    breaker.count(100_000, [])
    with pytest.raises(TooManyRejectsError, match=r"60 of the last 100 records"):
        breaker.count(100, _rejects(60))


def test_window_is_rounded_up_to_whole_batches() -> None:
    """A batch that is partly in the window counts as a whole."""
    breaker = _breaker(window_rows=100)
    breaker.count(60, _rejects(30))
    breaker.count(60, _rejects(30))
    with pytest.raises(TooManyRejectsError, match=r"61 of the last 121 records"):
        breaker.count(1, _rejects(1))


def test_further_rejects_of_counted_records() -> None:
    """A record that fails at a later stage is counted with its batch."""
    breaker = _breaker()
    breaker.count(100, _rejects(30))
    with pytest.raises(TooManyRejectsError, match=r"60 of the last 100 records"):
        breaker.count(0, _rejects(30))


def test_first_records_are_not_judged() -> None:
    """The limit doesn't apply to the first records of a topic."""
    breaker = _breaker(window_rows=1000, minimum_rows=10)
    breaker.count(9, _rejects(9))
    with pytest.raises(TooManyRejectsError):
        breaker.count(1, _rejects(1))


def test_window_smaller_than_the_minimum() -> None:
    """The limit applies to a full window, even if it is smaller than the minimum."""
    with pytest.raises(TooManyRejectsError):
        _breaker(window_rows=5, minimum_rows=100).count(5, _rejects(3))


def test_share_of_one_allows_everything() -> None:
    """A limit of 1 is never exceeded."""
    _breaker(share=1.0).count(100, _rejects(100))


def test_share_of_zero_allows_nothing() -> None:
    """The first reject ends the task."""
    with pytest.raises(TooManyRejectsError):
        _breaker(share=0.0).count(100, _rejects(1))
