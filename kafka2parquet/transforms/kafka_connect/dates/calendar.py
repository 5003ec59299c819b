"""Java's GregorianCalendar for whole columns: converts days since 1970 to dates and back. Dates are Julian until 4 Oct 1582."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

#: 15 October 1582, the first day of the Gregorian calendar, in days since 1970.
_FIRST_GREGORIAN = -141_427
_FIRST_GREGORIAN_YEAR = 1582
#: From 1 March of the year 0 to 1 January 1970.
_TO_1970, _TO_1970_JULIAN = 719_468, 719_470
_DAYS_OF_4_YEARS, _DAYS_OF_400_YEARS = 1461, 146_097


class Dates(NamedTuple):
    """Dates as columns. The year 0 is 1 BC, the year before the year 1."""

    year: Integers
    month: Integers
    day: Integers


def dates_of(days: Integers) -> Dates:
    """Convert days since 1970 to dates."""
    if (days >= _FIRST_GREGORIAN).all():
        return _gregorian(days)
    early = days < _FIRST_GREGORIAN
    return Dates(*(np.where(early, julian, other) for julian, other in zip(_julian(days), _gregorian(days), strict=True)))


def days_of(year: Integers, month: Integers, day: Integers) -> Integers:
    """Convert dates to days since 1970. Months and days may be outside their year and month, as in lenient parsing."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    gregorian = _days(year, month, day)
    if (year > _FIRST_GREGORIAN_YEAR).all() and (gregorian >= _FIRST_GREGORIAN).all():
        return gregorian
    julian = _days(year, month, day, julian=True)
    is_gregorian = (gregorian >= _FIRST_GREGORIAN) & (
        (year > _FIRST_GREGORIAN_YEAR) | ((year == _FIRST_GREGORIAN_YEAR) & (julian >= _FIRST_GREGORIAN))
    )
    return np.where(is_gregorian, gregorian, julian)


def _gregorian(days: Integers) -> Dates:
    shifted = days + _TO_1970
    era = shifted // _DAYS_OF_400_YEARS
    of_era = shifted - era * _DAYS_OF_400_YEARS
    years = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    return _from_march(years + era * 400, of_era - (365 * years + years // 4 - years // 100))


def _julian(days: Integers) -> Dates:
    shifted = days + _TO_1970_JULIAN
    years = (4 * shifted + 3) // _DAYS_OF_4_YEARS
    return _from_march(years, shifted - years * _DAYS_OF_4_YEARS // 4)


def _from_march(year: Integers, of_year: Integers) -> Dates:
    """Return the date of a day of a year that begins in March."""
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = np.where(month < 10, month + 3, month - 9)
    return Dates(year + (month <= 2), month, day)


def _days(year: Integers, month: Integers, day: Integers, *, julian: bool = False) -> Integers:
    year = year - (month <= 2)
    of_year = (153 * np.where(month > 2, month - 3, month + 9) + 2) // 5 + day - 1
    days = 365 * year + year // 4 + of_year
    return days - _TO_1970_JULIAN if julian else days - year // 100 + year // 400 - _TO_1970
