import logging

from kafka2parquet.log_repeats import WithoutRepeats


def _record(name, text, at_s):
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, "Topic %s not found", (text,), None)
    record.created = at_s
    return record


def test_repeats_are_left_out_for_a_while():
    """A text is logged again when the pause is over."""
    without = WithoutRepeats("kafka", pause_s=60)
    assert [True, False, False, True] == [without.filter(_record("kafka.cluster", "a", at)) for at in (0, 0.1, 59, 60)]


def test_other_texts_are_logged():
    """What differs in any word is another text."""
    without = WithoutRepeats("kafka")
    assert [True, True] == [without.filter(_record("kafka.cluster", topic, 0)) for topic in ("a", "b")]


def test_lines_of_others_are_not_touched():
    """Our own name only begins in the same way."""
    without = WithoutRepeats("kafka")
    assert [True, True] == [without.filter(_record("kafka2parquet.runner", "a", 0)) for _ in range(2)]


def test_memory_is_bounded():
    """Texts with numbers in them could be without end."""
    without = WithoutRepeats("kafka", pause_s=60)
    assert all(without.filter(_record("kafka", str(number), 0)) for number in range(3000))
