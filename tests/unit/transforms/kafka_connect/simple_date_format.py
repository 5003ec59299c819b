"""Java's SimpleDateFormat for one time: it goes through pattern and text letter by letter. From the year 1583 on, in UTC."""

from __future__ import annotations

import calendar
import datetime
import itertools
from collections.abc import Iterator

_EPOCH = datetime.datetime(1970, 1, 1)
#: After 400 years the same dates are the same days of the week.
_CYCLE_MS = 146_097 * 86_400_000
_NUMBERS = "yMdHhkKmsSD"
_NAMES = {"M": list(calendar.month_name)[1:], "E": [*list(calendar.day_name)[6:], *list(calendar.day_name)[:6]]}


def _parts(pattern: str) -> Iterator[tuple[str, int]]:
    """Splits a pattern into letters with their counts; each letter of a text stands alone, with 0."""
    for place, piece in enumerate(pattern.split("'")):
        if place % 2:
            yield from ((letter, 0) for letter in piece)
            continue
        for letter, run in itertools.groupby(piece):
            count = len(list(run))
            if letter.isalpha():
                yield letter, count
            else:
                yield from [(letter, 0)] * count


def written_date(ms: int, pattern: str) -> str:
    """Writes a time as text."""
    cycles, of_cycle_ms = divmod(ms, _CYCLE_MS)
    time = _EPOCH + datetime.timedelta(milliseconds=of_cycle_ms)
    year = time.year + 400 * cycles
    return "".join(_field(time, year, letter, count) if count else letter for letter, count in _parts(pattern))


def _field(time: datetime.datetime, year: int, letter: str, count: int) -> str:
    if letter in "MEa" and (letter != "M" or count > 2):
        if letter == "a":
            return "AM" if time.hour < 12 else "PM"
        name: str = _NAMES[letter][time.month - 1 if letter == "M" else time.isoweekday() % 7]
        return name if count > 3 else name[:3]
    if letter in "zZX":
        return {"z": "UTC", "Z": "+0000", "X": "Z"}[letter]
    numbers = {
        "y": year % 100 if count == 2 else year,
        "M": time.month,
        "d": time.day,
        "D": time.timetuple().tm_yday,
        "H": time.hour,
        "k": time.hour or 24,
        "K": time.hour % 12,
        "h": time.hour % 12 or 12,
        "m": time.minute,
        "s": time.second,
        "S": time.microsecond // 1000,
    }
    return str(numbers[letter]).zfill(count)


def read_date(text: str, pattern: str) -> int | None:
    """Reads the time in a text leniently; returns None if the text doesn't match the pattern."""
    parts = list(_parts(pattern))
    found: dict[str, int] = {}
    place = 0
    for index, (letter, count) in enumerate(parts):
        if not count:
            if text[place : place + 1] != letter:
                return None
            place += 1
            continue
        following, its_count = parts[index + 1] if index + 1 < len(parts) else ("", 0)
        width = count if its_count and _is_number(following, its_count) else 0
        read = _read_field(text, place, letter, count, width)
        if read is None:
            return None
        found[letter], place = read
    return _moment(found)


def _is_number(letter: str, count: int) -> bool:
    return letter in _NUMBERS and not (letter == "M" and count > 2)


def _read_field(text: str, place: int, letter: str, count: int, width: int) -> tuple[int, int] | None:
    start = place
    if letter in "ME" and not _is_number(letter, count):
        for short in (False, True):
            for number, name in enumerate(_NAMES[letter]):
                wanted = name[:3] if short else name
                if text[place : place + len(wanted)].lower() == wanted.lower():
                    return number + 1, place + len(wanted)
        return None
    if letter == "a":
        word = text[place : place + 2].upper()
        return (int(word == "PM"), place + 2) if word in ("AM", "PM") else None
    while text[place : place + 1] in (" ", "\t"):
        place += 1
    if letter == "X":
        return _read_zone(text, place, count)
    end = start + width if width else len(text)
    if end > len(text):
        return None
    stop = place + (text[place : place + 1] == "-" and place < end)
    first = stop
    while stop < end and text[stop].isascii() and text[stop].isdigit():
        stop += 1
    if stop == first or (width and stop < end):  # Java reads fewer digits than are due; ours doesn't
        return None
    number = (int(text[place:stop]) + (1 << 31)) % (1 << 32) - (1 << 31)
    if letter == "y" and count <= 2 and stop - place == 2 and first == place:
        number += 1900 if number >= 47 else 2000
    return number, stop


def _read_zone(text: str, place: int, count: int) -> tuple[int, int] | None:
    if text[place : place + 1] == "Z":
        return 0, place + 1
    form = ["hh", "hhmm", "hh:mm"][count - 1]
    zone = text[place + 1 : place + 1 + len(form)]
    if text[place : place + 1] not in ("+", "-") or len(zone) < len(form):
        return None
    if any(not letter.isdigit() if due in "hm" else letter != due for letter, due in zip(zone, form, strict=True)):
        return None
    hours, minutes = int(zone[:2]), int(zone[-2:]) if count > 1 else 0
    if hours > 23 or minutes > 59:
        return None
    return (hours * 60 + minutes) * (1 if text[place] == "+" else -1), place + 1 + len(form)


def _moment(found: dict[str, int]) -> int | None:
    months = found.get("y", 1970) * 12 + found.get("M", 1) - 1
    if not 1600 * 12 <= months < 9900 * 12:
        raise ValueError("the model knows years from 1600 to 9900")
    day = datetime.date(months // 12, months % 12 + 1, 1).toordinal() + found.get("d", 1) - 1
    if "D" in found:
        day = datetime.date(found.get("y", 1970), 1, 1).toordinal() + found["D"] - 1
    hour = found.get("h", found.get("K", 0)) % 12 if found.get("h") == 12 else found.get("h", found.get("K", 0))
    hour += 12 * found.get("a", 0)
    if "H" in found or "k" in found:
        hour = found.get("H", 0 if found.get("k") == 24 else found.get("k", 0))
    minutes = (day - _EPOCH.toordinal()) * 1440 + hour * 60 + found.get("m", 0) - found.get("X", 0)
    return (minutes * 60 + found.get("s", 0)) * 1000 + found.get("S", 0)
