from typing import Any

import pytest

from kafka2parquet.dead_letters.connect_report import ConnectStage
from kafka2parquet.dead_letters.tolerance import Tolerance
from kafka2parquet.records import Reject, Stage, TopicPartition

_BEFORE_THE_SINK = {Stage.KEY, Stage.DECODE, Stage.TRANSFORM}


@pytest.mark.parametrize("has_reporter", [False, True])
def test_none_tolerates_nothing(has_reporter: bool) -> None:
    """Without tolerance each reject ends the task, even if reporters are configured."""
    tolerance = Tolerance(everything=False, has_reporter=has_reporter)
    assert [] == [stage for stage in Stage if tolerance.tolerates(stage)]


def test_all_with_a_reporter_tolerates_every_stage() -> None:
    """All stages are tolerated if rejects are stored or reported."""
    tolerance = Tolerance(everything=True, has_reporter=True)
    assert list(Stage) == [stage for stage in Stage if tolerance.tolerates(stage)]


def test_all_without_a_reporter_tolerates_what_comes_before_the_sink() -> None:
    """The sink itself can't skip a record that it can't report."""
    tolerance = Tolerance(everything=True)
    assert _BEFORE_THE_SINK == {stage for stage in Stage if tolerance.tolerates(stage)}


@pytest.mark.parametrize(("everything", "tolerated"), [(True, list(ConnectStage)), (False, [])])
def test_retriable_exceptions_are_tolerated_anywhere(everything: bool, tolerated: Any) -> None:
    """In Connect, a retriable exception is tolerated at any stage when its attempts are used up."""
    tolerance = Tolerance(everything=everything)
    assert tolerated == [stage for stage in ConnectStage if tolerance.tolerates_in_connect(stage, retriable=True)]


@pytest.mark.parametrize(
    ("tolerance", "stage", "words"),
    [
        (Tolerance(everything=False), Stage.DECODE, r"Tolerance exceeded in error handler\. .*errors\.tolerance=all"),
        (Tolerance(everything=False, has_reporter=True), Stage.WRITE, r"Tolerance exceeded in error handler\."),
        (
            Tolerance(everything=False),
            Stage.WRITE,
            r"Unhandled .*errors\.tolerance=all instead .*, with errors\.deadletterqueue",
        ),
        (Tolerance(everything=True), Stage.WRITE, r"Unhandled exception in .* set errors\.deadletterqueue\.topic\.name"),
    ],
)
def test_failure_has_connects_words_and_says_what_to_do(tolerance: Any, stage: Any, words: str) -> None:
    """The error names the record, why it failed, and the setting that decides."""
    error = tolerance.failure(Reject(TopicPartition("orders", 3), 9, stage, "too long"))
    assert ("orders", 3, 9, stage.value, "too long") == (
        error.topic,
        error.partition,
        error.offset,
        error.stage,
        error.reason,
    )
    with pytest.raises(type(error), match=rf"^orders-3, offset 9: rejected at stage '{stage.value}': too long\. {words}"):
        raise error


def test_failure_doesnt_double_the_end_of_a_sentence() -> None:
    """A reason that is a whole sentence keeps a single full stop."""
    error = Tolerance(everything=False).failure(Reject(TopicPartition("orders", 3), 9, Stage.DECODE, "Unknown magic byte!"))
    assert "Unknown magic byte! Tolerance exceeded" in str(error)
