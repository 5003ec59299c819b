"""Finds suspects: values that look like values which the parser has refused before.

A suspect is only judged sooner than other values. So a pattern needn't be exact: it has to find most values that are refused
for one reason, and few others.
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

#: A search for values with one fault starts if at least this number of them is expected: by the rate at which the parser named
#: such values one by one, or by the rate at which a pattern found them.
_WORTH_IT_NAMED, _WORTH_IT_FOUND = 30, 5
#: If the parser has named more than one in this number of values as malformed, Python's parser looks at all values first.
_OFTEN_MALFORMED = 25
#: Batches are searched for a pattern that one in this number of values has matched, among this number of recent values.
_FREQUENT, _LATELY = 20_000, 200_000
#: A pattern that finds a larger share of the values is ignored as usual, as long as other patterns find something.
_FEW_SHARE = 0.2
#: At the start, one in this number of values is assumed to be a culprit. After as many values, a culprit counts half.
_NO_CULPRIT_ROWS = 10_000
#: Most patterns that one batch is searched for.
_MOST_PATTERNS = 8
#: How many suspects may turn out to be fine: for each confirmed culprit, and in any case.
_FINE_FOR_EACH, _FINE_IN_ANY_CASE = 4, 64
#: Values with more brackets may be nested so deeply that inferring their types is too expensive.
_MOST_BRACKETS = 100
#: With more unexpected members than this, each value is judged.
_MANY_NAMES = 16
#: How many values are parsed to find the names of unexpected members, how many such members they may have, and how many nulls
#: the columns of all members may have if it isn't known which values have such members.
_FEW_VALUES, _MOST_MEMBERS, _MOST_NULLS = 32, 2000, 4_000_000

#: Stands for the pattern of values whose opening and closing braces don't balance.
_BRACES = ""
#: The pattern that matches all values.
_ALL = "."
_TWO_DOCUMENTS = r"\}\s*\{"
_NO_NUMBER = "NaN|Infinity"
_CHANGED = re.compile(r"Column\((?P<path>.*)\) changed from \w+ to (?P<kind>\w+) in row")
_TWICE = re.compile(r"Column\((?P<path>.*)\) was specified twice in row")
#: A pattern that a value probably matches, by the parser's message about the value.
_MALFORMED = {
    "Missing a name for object member": r",\s*[,}]",
    "Invalid encoding in string": r"(?s)[\x00-\x1f].",  # the newline after each value doesn't count
}
_DECODER = json.JSONDecoder()
_BEGINNINGS = {"number": r"[-\d]", "string": '"', "boolean": "[tf]", "object": r"\{", "array": r"\["}

_Int64s = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]


class RefusalHistory:
    """Counts why values of recent batches were refused.

    Tasks on several threads may share a history: sets are replaced, not changed.
    """

    def __init__(self) -> None:
        self._found: collections.Counter[str] = collections.Counter()
        self._rows = 0
        self._culprits = self._rows_lately = 0.0

    def rows_of_each(self, culprits: int, rows: int) -> float:
        """Return the average number of recent values per value that the parser refused.

        Args:
            culprits: the number of values that the parser has refused since the last batch.
            rows: the number of values since the last batch.
        """
        return (_NO_CULPRIT_ROWS + self._rows_lately + rows) / (self._culprits + culprits + 1)

    def frequent(self) -> list[str]:
        """Return the patterns worth searching each batch for, before it is parsed."""
        most = self._found.most_common()[: _MOST_PATTERNS - 1]  # sorted in one step, whatever other threads add
        return [pattern for pattern, count in most if count * _FREQUENT > self._rows]

    def add(self, found: Mapping[str, int], culprits: int, rows: int) -> None:
        """Count the values of a batch that match some patterns. Older counts weigh less.

        Args:
            found: the number of values that each pattern has matched.
            culprits: the number of values that the parser has refused, with or without a known pattern.
            rows: the number of values of the batch.
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
        """Forget all patterns."""
        self._found.clear()


class Suspects:
    """The values of one batch that may be at fault."""

    def __init__(self, text: pa.BinaryArray, columns: Columns, history: RefusalHistory) -> None:
        """Start with the values that look like refused values of earlier batches.

        Args:
            text: the values.
            columns: the columns to convert to.
            history: of earlier batches; `finish` adds this batch.
        """
        self._history = history
        self._text = text
        self._columns = columns
        self._found: collections.Counter[str] = collections.Counter()
        self._tried: dict[str, _Bools] = {}
        self._guilty: list[_Int64s] = []
        self._confirmed = self._fine = self._malformed = 0
        self._patterns = {*history.frequent()}
        flags = np.zeros(len(text), np.bool_)
        known = self._patterns - {_BRACES}
        if known:
            flags = self._matches(text, "|".join(f"(?:{pattern})" for pattern in known))
        if _BRACES in self._patterns:
            flags = flags | self._matches(text, _BRACES)
        self._flags: _Bools | None = flags

    def flagged(self, places: _Int64s) -> _Int64s:
        """Return the indices of places whose values look like values that were refused before."""
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
        """Whether the parser has named the value at fault."""
        return refusal.row is not None and refusal.row < len(objects)

    def named(self, refusal: ValuesRefused, objects: Objects, places: _Int64s) -> ValuesRefused:
        """Return the refusal with the row at fault, if the parser can be made to name the row.

        The parser doesn't name the row of a member that is not in the schema, unless it infers columns for such members.

        Args:
            refusal: the parser's refusal of the values.
            objects: the values.
            places: the places of the values.
        """
        self._tried = {}
        if len(places) == 1:
            return ValuesRefused(str(refusal), 0)
        if not self._columns.ignores_unknown:
            return self._named_by_members(refusal, objects, places)
        return ValuesRefused(str(refusal))

    def _named_by_members(self, refusal: ValuesRefused, objects: Objects, places: _Int64s) -> ValuesRefused:
        """Find the row like `named`, if a member that is not in the schema may be the reason.

        Only a few values are parsed with additional columns, because each value takes memory for each of these columns.
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
        """Return the indices of `places` whose values are worth judging alone. Called after `named` found no row."""
        if not any(found.any() for found in self._tried.values()):
            chosen = self._text.take(pa.array(places))
            for pattern in (_BRACES, _TWO_DOCUMENTS, _NO_NUMBER, _no_integer(self._columns.parsed)):
                self._tried[pattern] = self._matches(chosen, pattern)
            some = {pattern: found for pattern, found in self._tried.items() if 0 < found.mean() <= _FEW_SHARE}
            self._tried = some or self._tried
        return np.flatnonzero(np.logical_or.reduce([*self._tried.values()]))

    def learn(self, message: str, start: int) -> None:
        """Learn from a rightly refused value, and flag similar values from the place `start` on.

        Args:
            message: the parser's message about the value.
            start: a place.
        """
        pattern = _pattern_of(message)
        if pattern is None:
            self._malformed += "in row" in message
            return
        self._found[pattern] += 1
        if self._found[pattern] * (len(self._text) - start) > _WORTH_IT_NAMED * start:
            self._flag(pattern, start)

    def confirm(self, places: _Int64s, are_culprits: _Bools, start: int) -> None:
        """Learn from the outcome of suspects, and flag values that look like the culprits from the place `start` on."""
        tried, self._tried = self._tried, {}
        culprits = int(are_culprits.sum())
        self._confirmed += culprits
        self._fine += len(places) - culprits
        if self._fine > _FINE_IN_ANY_CASE + _FINE_FOR_EACH * self._confirmed:
            self._flags = None
            self._patterns = {*map(str, range(_MOST_PATTERNS))}  # full, so no pattern is added
            self._history.clear()
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
        """Add the reasons of this batch, and the number of values that the parser refused, to the history."""
        if self._guilty and self._flags is not None:
            self._count(self._patterns, np.concatenate(self._guilty))
        self._history.add(self._found, culprits, len(self._text))

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
        with contextlib.suppress(*ARROW_DATA_ERRORS):  # names that are not valid in a pattern
            found = pc.match_substring_regex(text, pattern)
        matches: _Bools = found.to_numpy(zero_copy_only=False)
        return matches


def _count(text: pa.BinaryArray, character: str) -> _Int64s:
    """Count a character in each value."""
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
    """Return a pattern that finds values which the parser refuses with this message; None if there isn't one."""
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
    """Return a pattern that finds members of integer columns whose value isn't an integer."""
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
    """Yield the names of all fields, at any depth."""
    for field in fields:
        yield field.name
        type_: Any = field.type
        while pa.types.is_list(type_):
            type_ = type_.value_type
        if pa.types.is_struct(type_):
            yield from _names(type_)


def _names_beyond(found: pa.Schema | pa.StructType, known: pa.Schema | pa.StructType) -> Iterator[str]:
    """Yield the names of the fields, at any depth, that are in `found` but not in `known`."""
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
