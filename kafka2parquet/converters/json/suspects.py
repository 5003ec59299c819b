"""Suspects: values that kernels find, because they look like others that the parser has refused.

A suspect is only looked at sooner than the others. So a pattern need not be exact: it has to find most of the values that are
refused for one reason, and few others.
"""

from __future__ import annotations

import collections
import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.converters.json.columns import Columns
from kafka2parquet.converters.json.lines import content_of
from kafka2parquet.converters.json.parse_batch import Objects, ValuesRefused
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS

#: The search for values with one fault begins where at least this number is expected: named by the parser one by one, or found.
_WORTH_IT_NAMED, _WORTH_IT_FOUND = 30, 5
#: Where the parser has named more than one value in this number as malformed, Python's parser looks at all values first.
_OFTEN_MALFORMED = 25
#: Batches are searched for a pattern where one in this number of values has matched it, among this number of recent values.
_FREQUENT, _LATELY = 20_000, 200_000
#: A pattern that finds a larger share of the values finds something that is usual in them, as long as others find something.
_FEW_SHARE = 0.2
#: Before anything is known, one in this number of values is taken for a culprit. After as many values, a culprit counts half.
_NO_CULPRIT_ROWS = 10_000
#: Patterns that one batch is searched for.
_MOST_PATTERNS = 8
#: Suspects that may turn out to be fine, for each that doesn't, and in any case.
_FINE_FOR_EACH, _FINE_IN_ANY_CASE = 4, 64
#: Values with more brackets may be nested so deeply that types of them would be a burden.
_MOST_BRACKETS = 100
#: Where there are more unexpected members, each value is looked at.
_MANY_NAMES = 16
#: Values that are parsed to find out the names of unexpected members, how many of these they may have, and how many nulls
#: the columns of all members may have where it isn't known which values have such members.
_FEW_VALUES, _MOST_MEMBERS, _MOST_NULLS = 32, 2000, 4_000_000

#: Stands for values with more braces that open than braces that close, or fewer.
_BRACES = ""
#: Stands for all values.
_ALL = "."
_TWO_DOCUMENTS = r"\}\s*\{"
_NO_NUMBER = "NaN|Infinity"
_CHANGED = re.compile(r"Column\((?P<path>.*)\) changed from \w+ to (?P<kind>\w+) in row")
_TWICE = re.compile(r"Column\((?P<path>.*)\) was specified twice in row")
#: What a value probably has in it, by the message that the parser has for the value.
_MALFORMED = {
    "Missing a name for object member": r",\s*[,}]",
    "Invalid encoding in string": r"(?s)[\x00-\x1f].",  # there is a newline behind each value
}
_DECODER = json.JSONDecoder()
_BEGINNINGS = {"number": r"[-\d]", "string": '"', "boolean": "[tf]", "object": r"\{", "array": r"\["}

_Int64s = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]


class Records:
    """The reasons for which values were refused lately.

    Tasks on several threads may share them: sets are replaced, not changed.
    """

    def __init__(self) -> None:
        self._found: collections.Counter[str] = collections.Counter()
        self._rows = 0
        self._culprits = self._rows_lately = 0.0

    def rows_of_each(self, culprits: int, rows: int) -> float:
        """In how many values there was one lately that the parser refused.

        Args:
            culprits: values that it has refused since the last batch.
            rows: how many values there were since then.
        """
        return (_NO_CULPRIT_ROWS + self._rows_lately + rows) / (self._culprits + culprits + 1)

    def frequent(self) -> list[str]:
        """The patterns that it is worth to search each batch for, before it is parsed."""
        most = self._found.most_common()[: _MOST_PATTERNS - 1]  # sorted at once, whatever other threads add
        return [pattern for pattern, count in most if count * _FREQUENT > self._rows]

    def add(self, found: Mapping[str, int], culprits: int, rows: int) -> None:
        """Count the values of a batch that match some patterns. Older counts weigh less.

        Args:
            found: how many values each pattern has matched.
            culprits: how many values the parser has refused, however they look.
            rows: how many values there were.
        """
        if self._rows > _LATELY:
            self._found = collections.Counter({pattern: count // 2 for pattern, count in [*self._found.items()] if count > 1})
            self._rows //= 2
        self._found.update(found)
        self._rows += rows
        weight = 0.5 ** (rows / _NO_CULPRIT_ROWS)
        self._rows_lately = weight * self._rows_lately + rows
        self._culprits = weight * self._culprits + culprits

    def clear(self) -> None:
        """Forget all of it."""
        self._found.clear()


class Suspects:
    """Who may be to blame, of the values of one batch."""

    def __init__(self, text: pa.BinaryArray, columns: Columns, records: Records) -> None:
        """Begin with those that look like values of batches before.

        Args:
            text: the values.
            columns: what they are converted to.
            records: of batches before; changed by `finish`.
        """
        self._records = records
        self._text = text
        self._columns = columns
        self._found: collections.Counter[str] = collections.Counter()
        self._tried: dict[str, _Bools] = {}
        self._guilty: list[_Int64s] = []
        self._confirmed = self._fine = self._malformed = 0
        self._patterns = {*records.frequent()}
        flags = np.zeros(len(text), np.bool_)
        known = self._patterns - {_BRACES}
        if known:
            flags = self._matches(text, "|".join(f"(?:{pattern})" for pattern in known))
        if _BRACES in self._patterns:
            flags = flags | self._matches(text, _BRACES)
        self._flags: _Bools | None = flags

    def flagged(self, places: _Int64s) -> _Int64s:
        """Indices of those that look like others before."""
        self._tried = {}
        found = self._flags[places] if self._flags is not None else np.zeros(len(places), np.bool_)
        if self._malformed * _OFTEN_MALFORMED > places[0]:
            texts = self._text.take(pa.array(places)).cast(pa.string()).to_pylist()
            malformed = np.fromiter(map(_is_malformed, texts), np.bool_, len(texts))
            self._malformed += int((malformed & ~found).sum())
            found = found | malformed
        return np.flatnonzero(found)

    @staticmethod
    def is_named(refusal: ValuesRefused, objects: Objects) -> bool:
        """Whether the parser has said which of the values is to blame."""
        return refusal.row is not None and refusal.row < len(objects)

    def named(self, refusal: ValuesRefused, objects: Objects, places: _Int64s) -> ValuesRefused:
        """The refusal with the row that is to blame, if the parser can be made to say that.

        Of members that are not in the schema it doesn't say the row, unless these are to become columns.

        Args:
            refusal: of the values.
            objects: the values.
            places: of them.
        """
        self._tried = {}
        if len(places) == 1:
            return ValuesRefused(str(refusal), 0)
        if not self._columns.ignores_unknown:
            return self._named_by_members(refusal, objects, places)
        return ValuesRefused(str(refusal))

    def _named_by_members(self, refusal: ValuesRefused, objects: Objects, places: _Int64s) -> ValuesRefused:
        """The same where a member that is not in the schema may be the reason.

        Only a few values are parsed with further columns: each value takes memory for each of these.
        """
        members = objects.with_other_names(_names(self._columns.parsed))
        suspects = np.unique(members)
        chosen = suspects[:_FEW_VALUES]
        if len(chosen) and np.count_nonzero(members <= chosen[-1]) > _MOST_MEMBERS:
            self._tried[_ALL] = np.isin(np.arange(len(places)), suspects)
            return ValuesRefused(str(refusal))
        if not len(chosen):
            if objects.most_columns() * len(places) > _MOST_NULLS:
                return ValuesRefused(str(refusal))
            chosen = np.arange(len(places))
        few = objects.chosen(chosen)
        if few.most_brackets() > _MOST_BRACKETS:
            return ValuesRefused(str(refusal))
        try:
            inferred = few.inferred(self._columns.parsed)
        except ValuesRefused as again:
            if again.row is not None and again.row < len(chosen):
                return ValuesRefused(str(again), int(chosen[again.row]))
            return ValuesRefused(str(refusal))
        names = {*_names_beyond(inferred, self._columns.parsed)}
        if len(names) > _MANY_NAMES:
            self._tried[_ALL] = np.ones(len(places), np.bool_)
        elif names:
            text = self._text.take(pa.array(places))
            self._tried = {re.escape(f'"{name}"'): self._matches(text, re.escape(f'"{name}"')) for name in names}
        return ValuesRefused(str(refusal))

    def found(self, places: _Int64s) -> _Int64s:
        """Indices of those to look at, after `named` had no row to name."""
        if not any(found.any() for found in self._tried.values()):
            chosen = self._text.take(pa.array(places))
            for pattern in (_BRACES, _TWO_DOCUMENTS, _NO_NUMBER, _no_integer(self._columns.parsed)):
                self._tried[pattern] = self._matches(chosen, pattern)
            some = {pattern: found for pattern, found in self._tried.items() if 0 < found.mean() <= _FEW_SHARE}
            self._tried = some or self._tried
        return np.flatnonzero(np.logical_or.reduce([*self._tried.values()]))

    def learn(self, message: str, start: int) -> None:
        """The parser has refused a value with this message, and the value deserved it: flag others from a place on."""
        pattern = _pattern_of(message)
        if pattern is None:
            self._malformed += "in row" in message
            return
        self._found[pattern] += 1
        if self._found[pattern] * (len(self._text) - start) > _WORTH_IT_NAMED * start:
            self._flag(pattern, start)

    def confirm(self, places: _Int64s, are_culprits: _Bools, start: int) -> None:
        """Take in the outcome of suspects, by their places: flag other values from `start` on that look like the culprits."""
        tried, self._tried = self._tried, {}
        culprits = int(are_culprits.sum())
        self._confirmed += culprits
        self._fine += len(places) - culprits
        if self._fine > _FINE_IN_ANY_CASE + _FINE_FOR_EACH * self._confirmed:
            self._flags = None
            self._patterns = {*map(str, range(_MOST_PATTERNS))}  # no more of them
            self._records.clear()
            return
        if not culprits:
            return
        guilty = places[are_culprits]
        if not tried:
            self._guilty.append(guilty)
        self._count(tried.keys() - {_ALL}, guilty)
        for pattern in tried.keys() - {_ALL}:
            if self._found[pattern] * (len(self._text) - start) > _WORTH_IT_FOUND * start:
                self._flag(pattern, start)

    def finish(self, culprits: int) -> None:
        """Remember what the values were refused for, and how many of them the parser has refused."""
        if self._guilty and self._flags is not None:
            self._count(self._patterns, np.concatenate(self._guilty))
        self._records.add(self._found, culprits, len(self._text))

    def _count(self, patterns: Iterable[str], guilty: _Int64s) -> None:
        text = self._text.take(pa.array(guilty))
        self._found.update({pattern: int(self._matches(text, pattern).sum()) for pattern in patterns})

    def _flag(self, pattern: str, start: int) -> None:
        if pattern in self._patterns or len(self._patterns) >= _MOST_PATTERNS:
            return
        self._patterns.add(pattern)
        if self._flags is None:
            self._flags = np.zeros(len(self._text), np.bool_)
        self._flags[start:] |= self._matches(self._text.slice(start), pattern)

    @staticmethod
    def _matches(text: pa.BinaryArray, pattern: str) -> _Bools:
        if pattern == _BRACES:
            differ: _Bools = _count(text, "{") != _count(text, "}")
            return differ
        found = pa.array(np.zeros(len(text), np.bool_))
        with contextlib.suppress(*ARROW_DATA_ERRORS):  # names that make no pattern
            found = pc.match_substring_regex(text, pattern)
        matches: _Bools = found.to_numpy(zero_copy_only=False)
        return matches


def _count(text: pa.BinaryArray, character: str) -> _Int64s:
    """How often a character stands in each value."""
    offsets, characters = content_of(text)
    content = characters[offsets[0] : offsets[-1]]
    counts: _Int64s = np.diff(np.searchsorted(np.flatnonzero(content == ord(character)), offsets - offsets[0]))
    return counts


def _is_malformed(text: str) -> bool:
    try:
        _DECODER.decode(text)
    except (ValueError, RecursionError):
        return True
    return False


def _pattern_of(message: str) -> str | None:
    """Finds values that the parser refuses with this message; None where there is no such pattern."""
    changed, twice = _CHANGED.search(message), _TWICE.search(message)
    if changed is not None and changed["kind"] in _BEGINNINGS:
        *_, name = [part for part in changed["path"].split("/") if part != "[]"]
        inside = r"(?:\[[^\]]*)?" if changed["path"].endswith("[]") else ""
        return rf'"{re.escape(name)}"\s*:\s*{inside}{_BEGINNINGS[changed["kind"]]}'
    if twice is not None:
        name = re.escape(twice["path"].rsplit("/", 1)[-1])
        return rf'(?s)"{name}"\s*:.*"{name}"\s*:'
    return next((pattern for words, pattern in _MALFORMED.items() if words in message), None)


def _no_integer(schema: pa.Schema) -> str:
    """Finds members that are to be integers, and have a value that isn't one."""
    names = "|".join(sorted({re.escape(name) for name in _integer_members(schema)}))
    return rf'"(?:{names})"\s*:\s*(?:\[[^\]]*)?-?(?:\d+[.eE]|\d{{19}}|[NI])'


def _integer_members(fields: pa.Schema | pa.StructType) -> Iterator[str]:
    for field in fields:
        type_: Any = field.type
        while pa.types.is_list(type_):
            type_ = type_.value_type
        if pa.types.is_integer(type_):
            yield field.name
        elif pa.types.is_struct(type_):
            yield from _integer_members(type_)


def _names(fields: pa.Schema | pa.StructType) -> Iterator[str]:
    """The names of all fields, at any depth."""
    for field in fields:
        yield field.name
        type_: Any = field.type
        while pa.types.is_list(type_):
            type_ = type_.value_type
        if pa.types.is_struct(type_):
            yield from _names(type_)


def _names_beyond(found: pa.Schema | pa.StructType, known: pa.Schema | pa.StructType) -> Iterator[str]:
    """Names of the fields in `found` that are not in `known`."""
    for field in found:
        index = known.get_field_index(field.name)
        if index < 0:
            yield field.name
            continue
        inner, outer = field.type, known.field(index).type
        while pa.types.is_list(inner) and pa.types.is_list(outer):
            inner, outer = inner.value_type, outer.value_type
        if pa.types.is_struct(inner) and pa.types.is_struct(outer):
            yield from _names_beyond(inner, outer)
