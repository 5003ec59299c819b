"""The log of one topic-partition."""

from __future__ import annotations

import pytest

from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode
from kafka2parquet.testing.broker.log import AbortedTransaction, PartitionLog, Read
from kafka2parquet.testing.broker.record_batches import build_batches, read_header
from tests.support.record_batches import produced_batch

UNLIMITED = 1 << 30


def batches_of(*counts: int) -> bytes:
    return b"".join(b"".join(build_batches([b"v"] * count, range(count))) for count in counts)


def base_offsets(data: bytes) -> list[int]:
    offsets, position = [], 0
    while position < len(data):
        header = read_header(data, position)
        offsets.append(header.base_offset)
        position += header.size_bytes
    return offsets


def read_all(log: PartitionLog, offset: int = 0, *, committed_only: bool = False) -> Read:
    return log.read(offset, UNLIMITED, committed_only=committed_only, at_least_one=True)


def test_sets_the_offsets_of_batches() -> None:
    """Offsets continue from batch to batch, and from one append to the next."""
    log = PartitionLog()

    appended = [log.append(batches_of(3, 2)), log.append(batches_of(4))]

    assert [0, 5] == appended
    assert [0, 3, 5] == base_offsets(read_all(log).data)
    assert 9 == log.end


@pytest.mark.parametrize(("offset", "expected"), [(0, [0, 3, 5]), (2, [0, 3, 5]), (3, [3, 5]), (8, [5]), (9, [])])
def test_reads_from_the_batch_that_holds_the_offset(offset: int, expected: list[int]) -> None:
    """A read starts with the batch that contains the offset; at the log end it returns nothing."""
    log = PartitionLog()
    log.append(batches_of(3, 2, 4))

    assert expected == base_offsets(read_all(log, offset).data)


def test_reads_no_more_than_asked_for() -> None:
    """A read returns only whole batches within the limit."""
    log = PartitionLog()
    log.append(batches_of(3, 3, 3))
    one_bytes = log.size_bytes // 3

    read = log.read(3, 2 * one_bytes - 1, committed_only=False, at_least_one=True)

    assert [3] == base_offsets(read.data)


@pytest.mark.parametrize(("at_least_one", "expected"), [(True, [0]), (False, [])])
def test_gives_one_batch_beyond_the_limit_only_if_asked_to(at_least_one: bool, expected: list[int]) -> None:
    """With `at_least_one`, a read returns a batch larger than the limit, so that the reader proceeds."""
    log = PartitionLog()
    log.append(batches_of(3, 3))

    assert expected == base_offsets(log.read(0, 1, committed_only=False, at_least_one=at_least_one).data)


@pytest.mark.parametrize("offset", [-1, 3, 10])
def test_refuses_offsets_outside_the_log(offset: int) -> None:
    """A read before the log start or after the log end is an error."""
    log = PartitionLog()
    log.append(batches_of(9))
    log.delete_before(4)

    with pytest.raises(BrokerError) as caught:
        read_all(log, offset)
    assert ErrorCode.OFFSET_OUT_OF_RANGE == caught.value.code


def test_counts_what_can_be_read() -> None:
    """The readable size counts from the batch that contains the offset to the end, also after a deletion."""
    log = PartitionLog()
    log.append(batches_of(3, 3, 3))
    one_bytes = log.size_bytes // 3
    log.delete_before(3)

    readable = [log.readable_bytes(offset, committed_only=False) for offset in (3, 5, 6, 9)]

    assert [2 * one_bytes, 2 * one_bytes, one_bytes, 0] == readable


def test_deletes_whole_batches_and_moves_the_start() -> None:
    """The log start may be inside a batch, which is then kept."""
    log = PartitionLog()
    log.append(batches_of(3, 3))

    assert [4, 4, 6] == [log.delete_before(4), log.delete_before(1), log.delete_before(-1)]
    assert (6, 6, 0) == (log.start, log.end, log.size_bytes)


def test_leaves_gaps_like_compaction() -> None:
    """A read inside a gap continues with the next batch."""
    log = PartitionLog()
    log.append(batches_of(2))
    log.leave_gap(5)
    log.append(batches_of(1))

    assert [7] == base_offsets(read_all(log, 4).data)


def test_finds_offsets_by_time() -> None:
    """The search by time finds the first record that is not older, and ignores deleted records."""
    log = PartitionLog()
    log.append(b"".join(build_batches([b"v"] * 6, [10, 20, 30, 40, 50, 60], records_per_batch=2)))
    log.delete_before(1)

    assert [(1, 20), (3, 40), None] == [log.offset_for_time(time) for time in (0, 31, 61)]
    assert (5, 60) == log.newest_timestamp()


def test_empty_log_has_no_newest_timestamp() -> None:
    """An empty log doesn't have a newest timestamp."""
    assert PartitionLog().newest_timestamp() is None


def test_keeps_a_repeated_batch_once() -> None:
    """A batch that an idempotent producer repeats is stored once, and gets the offset of the first time."""
    log = PartitionLog()
    first, second = produced_batch(3, 7, 0, 0), produced_batch(2, 7, 0, 3)

    assert [0, 3, 0, 3] == [log.append(first), log.append(second), log.append(first), log.append(second)]
    assert 5 == log.end


@pytest.mark.parametrize(
    ("epoch", "base_sequence", "code"),
    [(5, 2, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER), (4, 1, ErrorCode.INVALID_PRODUCER_EPOCH)],
    ids=["gap in the sequence", "older epoch"],
)
def test_refuses_what_breaks_a_producer_s_order(epoch: int, base_sequence: int, code: ErrorCode) -> None:
    """A gap in a producer's sequence and an older epoch are errors."""
    log = PartitionLog()
    log.append(produced_batch(1, 7, 5, 0))

    with pytest.raises(BrokerError) as caught:
        log.append(produced_batch(1, 7, epoch, base_sequence))
    assert code == caught.value.code


def test_hides_open_transactions_from_readers_of_committed_records() -> None:
    """Readers of committed records stop at the first record of the oldest open transaction."""
    log = PartitionLog()
    log.append(batches_of(2))
    log.append(produced_batch(1, 7, 0, 0, transactional=True))
    log.append(batches_of(2))

    assert 2 == log.last_stable_offset
    assert [0] == base_offsets(read_all(log, committed_only=True).data)
    assert [0, 2, 3] == base_offsets(read_all(log).data)


def test_lists_aborted_transactions_for_readers_of_committed_records() -> None:
    """A read of committed records lists aborted transactions; the abort marker has an offset."""
    log = PartitionLog()
    log.append(produced_batch(2, 7, 0, 0, transactional=True))
    log.end_transaction(7, 0, 1000, commit=False)

    read = read_all(log, committed_only=True)

    assert ([0, 2], [AbortedTransaction(7, 0, 2)]) == (base_offsets(read.data), list(read.aborted))
    assert [] == list(read_all(log).aborted)


def test_forgets_aborted_transactions_before_the_offset() -> None:
    """A read after an abort marker doesn't list the aborted transaction."""
    log = PartitionLog()
    log.append(produced_batch(2, 7, 0, 0, transactional=True))
    log.end_transaction(7, 0, 1000, commit=False)
    log.append(batches_of(1))

    assert [] == list(read_all(log, 3, committed_only=True).aborted)


def test_marker_fences_older_epochs() -> None:
    """After a newer producer has ended the transaction, an older epoch can't write."""
    log = PartitionLog()
    log.append(produced_batch(1, 7, 0, 0, transactional=True))
    log.end_transaction(7, 1, 1000, commit=False)

    with pytest.raises(BrokerError) as caught:
        log.append(produced_batch(1, 7, 0, 1, transactional=True))
    assert ErrorCode.INVALID_PRODUCER_EPOCH == caught.value.code


def test_takes_corrupt_batches_without_check_crc() -> None:
    """Without `check_crc` the log takes corrupt batches, so a test can see how its consumer handles them."""
    log = PartitionLog()
    corrupt = batches_of(2)[:-1] + b"x"

    assert 0 == log.append(corrupt, check_crc=False)
    assert 2 == log.end
