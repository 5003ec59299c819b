"""Patterns of strftime in the place of Joda's."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kafka2parquet import TimeBasedPartitioner
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.partitioners.path_format import PathFormat
from kafka2parquet.partitioners.strftime import joda_pattern, strftime_directive


@pytest.mark.parametrize(
    ("pattern", "directive", "joda"),
    [
        ("%Y/%m/%d", "%Y", "YYYY/MM/dd"),
        ("year=%Y/month=%m/day=%d/hour=%H", "%Y", "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH"),
        ("'year'=%Y/'month'=%m", "%Y", "'year'=YYYY/'month'=MM"),
        ("'year=%Y/month=%m'", "%Y", "'year'=YYYY/'month'=MM"),
        ("'year'=YYYY/'month'=%m", "%m", "'year'=YYYY/'month'=MM"),
        ("dt=%F/%H%M", "%F", "'dt'=YYYY-MM-dd/HHmm"),
        ("my_folder-1/%-d. %B", "%-d", "'my_folder'-1/d. MMMM"),
        ("%Y/week-%U", "%Y", None),
        ("%s", "%s", None),
        ("%m%B", "%m", None),
    ],
)
def test_patterns(pattern: str, directive: str, joda: str | None) -> None:
    """A strftime pattern is recognized, and shown in Joda's letters where possible."""
    assert directive == strftime_directive(pattern)
    assert joda == joda_pattern(pattern)
    assert joda is None or PathFormat(joda)


@pytest.mark.parametrize("pattern", ["YYYY/MM/dd", "'%'YYYY", "YYYY'%'", "'100%'/YYYY", "'at %d'=YYYY", "100%/YYYY"])
def test_other_patterns(pattern: str) -> None:
    """A percent sign without a directive is text, as in Joda."""
    assert strftime_directive(pattern) is None
    assert PathFormat(pattern)


_LITERALS = st.text(st.sampled_from("year=/-_. 1%"), max_size=6).map(lambda text: text.replace("%", "%%"))
_DIRECTIVES = st.sampled_from([f"%{letter}" for letter in "YymBbjdAaHIpMSfGVu"] + ["%F", "%T"])


@given(
    st.lists(st.tuples(_LITERALS, _DIRECTIVES), min_size=1, max_size=5),
    _LITERALS,
    st.datetimes(datetime.datetime(1000, 1, 1), datetime.datetime(9999, 1, 1)),
)
def test_both_print_the_same(parts: Any, end: Any, moment: Any) -> None:
    """The translated pattern prints the same as strftime."""
    pattern = "".join(f"{literal}{directive}" for literal, directive in parts) + end
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=datetime.timezone.utc)
    joda = joda_pattern(pattern)
    assume(joda is not None)
    assert joda is not None
    assert moment.strftime(pattern) == PathFormat(joda).format(moment)


def test_in_python() -> None:
    """The error of the constructor shows the translated pattern."""
    with pytest.raises(
        ConfigurationError, match=r"%Y is a directive of strftime, but the letters are Joda's\. Write YYYY/MM/dd\."
    ):
        TimeBasedPartitioner(path_format="%Y/%m/%d", partition_duration=datetime.timedelta(days=1))
