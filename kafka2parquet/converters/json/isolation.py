"""Isolates the bad values of a refused batch of JSON, while all others are parsed together, about once.

Kernels find the values that can't be objects. The rest is parsed in short stretches. The parser stops at the first value that
it refuses and names its row. That value is judged alone, and parsing goes on after it. At the end of a stretch, all of its
values that were not refused are parsed together. Values that look like earlier culprits are judged first (`suspects.py`).

The columns of a batch may grow with each of its records. So a value is judged as if all values before it were fine, and the
judgement counts only once these values have been parsed. If they can't be parsed after all, because they fail in a way for
which the parser names no row, everything about the stretch is discarded, and the stretch is bisected until only a few values
are left to resolve one by one. A value that makes the columns grow ends its stretch.

Numbers that the parser accepts too easily are checked for many stretches at once, because a check costs more than parsing a
few values. If the check fails, these stretches are parsed again, and their numbers are checked stretch by stretch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.converters.json.columns import Columns, Judgement
from kafka2parquet.converters.json.lines import content_of, in_braces
from kafka2parquet.converters.json.parse_batch import Objects, ValuesRefused
from kafka2parquet.converters.json.suspects import RefusalHistory, Suspects
from kafka2parquet.rows import concatenated
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS, chosen_views, invalid_utf8

#: Shortest and longest stretch. The values of a stretch before its last culprit are parsed twice, and each stretch has fixed
#: costs, which equal the costs of parsing `_STRETCH_COST_ROWS` values.
_FEWEST_ROWS, _MOST_ROWS = 512, 8192
_STRETCH_COST_ROWS = 800
#: At most one block of the parser, because the parser counts rows from the start of the block.
_STRETCH_BYTES = 1 << 20
#: Longest refused run that is split at the row where the parser stopped; longer runs are halved.
_HINTED_ROWS = 1024

_Int64s = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]


@attrs.frozen(eq=False)
class Piece:
    """The rows of some values.

    Attributes:
        table: the rows.
        rescued: for each row, the parts that were taken out of the record, as JSON; None if no record has any.
    """

    table: pa.Table
    rescued: Sequence[str | None] | None = None


@attrs.frozen(eq=False)
class _Unchecked:
    """A piece whose numbers are not yet checked."""

    lines: Callable[[], pa.BinaryArray]
    piece: Piece


class _NumbersRefused(Exception):  # noqa: N818  # an answer, not a fault
    """The check of the numbers of some stretches has failed."""


@attrs.define(eq=False)
class _Stretch:
    """Values that are parsed together, identified by their places among the sound values.

    Attributes:
        places: the places of all values of the stretch.
        rest: the places that the parser still has to pass, preceded by those that it has passed since `rest` was set.
        objects: the values of `rest`.
        passed: how many places of `rest` the parser has passed, including refused values.
        clean: runs of places that the parser passed before it stopped at a refused value.
        judged: the outcome of each refused value, by its place.
    """

    places: _Int64s
    rest: _Int64s
    objects: Objects
    passed: int = 0
    clean: list[_Int64s] = attrs.Factory(list)
    judged: dict[int, Judgement] = attrs.Factory(dict)

    @property
    def left(self) -> _Int64s:
        """The places that the parser has not passed yet."""
        return self.rest[self.passed :]


class Isolation:
    """Converts values that were refused together.

    Attributes:
        pieces: the rows, in the order of the values.
        refused: why, by the index of the value.
    """

    def __init__(
        self, values: pa.Array, offsets: pa.Array, columns: Columns, objects: Objects | None, history: RefusalHistory
    ) -> None:
        """Convert the values.

        Args:
            values: binary_view without nulls, at least one.
            offsets: the offsets of their records.
            columns: the columns to convert to.
            objects: the values, if all of them are sound; otherwise None.
            history: why values of earlier batches were refused.
        """
        self.pieces: list[Piece] = []
        self.refused: dict[int, str] = {}
        self._values = values
        self._offsets = offsets
        self._columns = columns
        self._culprits = 0
        self._rows = np.arange(len(values))
        if objects is None:
            try:
                sound = _are_sound(values)
            except ARROW_DATA_ERRORS:  # more bytes than an array can hold
                self._bisect(self._rows)
                return
            for row in np.flatnonzero(~sound).tolist():
                self.refused[row] = columns.why_unsound(values[row].as_py())
            self._rows = np.flatnonzero(sound)
            if not len(self._rows):
                return
            objects = Objects.of_valid_utf8(self._taken(self._rows))
        if columns.resolves_runs:
            self._bisect(self._rows)
            return
        self._objects = objects
        self._suspects = Suspects(objects.lines, columns, history)
        self._is_careful = False
        self._unchecked: list[_Unchecked] = []
        self._checked_until = 0
        self._judged_unchecked: dict[int, Judgement] = {}
        while self._checked_until < len(objects):
            start = self._checked_until
            try:
                while start < len(objects):
                    rows_of_each = history.rows_of_each(self._culprits, start)
                    rows = min(max(round((2 * _STRETCH_COST_ROWS * rows_of_each) ** 0.5), _FEWEST_ROWS), _MOST_ROWS)
                    stop = objects.end_of_part(start, rows, _STRETCH_BYTES)
                    places = np.arange(start, stop)
                    while len(places):
                        places = self._convert(places)
                    start = stop
                self._check(start)
            except _NumbersRefused:
                self._unchecked, self._judged_unchecked, self._is_careful = [], {}, True
        self._suspects.finish(self._culprits)

    @property
    def found_any(self) -> bool:
        """Whether any value could not be parsed with the others."""
        return bool(self.refused) or self._culprits > 0

    # ---- one stretch

    def _convert(self, places: _Int64s) -> _Int64s:
        """Convert values from the first one on; return the places that are left."""
        stretch = _Stretch(places, places, self._objects.chosen(places))
        left = self._judge_suspects(stretch, self._suspects.flagged(places))
        while left is None:
            left = self._parse_on(stretch)
        return left

    def _parse_on(self, stretch: _Stretch) -> _Int64s | None:
        """Parse the rest of the stretch. If the parser stops, judge the value where it stopped.

        Returns:
            The places to start the next stretch with, or None if this stretch has to be parsed on.
        """
        if stretch.passed == len(stretch.rest):
            return self._end(stretch)
        objects = stretch.objects.part(stretch.passed, len(stretch.rest)) if stretch.passed else stretch.objects
        try:
            tail = self._parse(objects)
        except ValuesRefused as exc:
            refusal = exc if self._suspects.is_named(exc, objects) else self._suspects.named(exc, objects, stretch.left)
            if refusal.row is not None:
                return self._judge_named(stretch, refusal.row, str(refusal))
            self._culprits += 1
            return self._judge_found(stretch)
        return self._end(stretch, tail)

    def _judge_named(self, stretch: _Stretch, index: int, message: str) -> _Int64s | None:
        """Judge the value at which the parser says that it stopped, and go on after it."""
        self._culprits += 1
        left = stretch.left
        judgement = self._judge(left[index], is_refused=True)
        if judgement is None and index:  # the parser's count is one ahead after a value that holds more than its object
            index -= 1
            judgement = self._judge(left[index], is_refused=False)
        if judgement is None:
            return self._judge_found(stretch)
        stretch.clean.append(left[:index])
        if judgement.is_deferred:
            return self._resolve_run(stretch, left[index:])
        stretch.passed += index + 1
        stretch.judged[int(left[index])] = judgement
        self._suspects.learn(message, int(stretch.places[-1]) + 1)
        return None

    def _judge_found(self, stretch: _Stretch) -> _Int64s | None:
        """Judge the values that patterns find, if the parser did not name the value at which it stopped."""
        count = len(stretch.left)
        left = self._judge_suspects(stretch, self._suspects.found(stretch.left))
        return left if left is not None or len(stretch.left) < count else self._give_up(stretch)

    def _judge_suspects(self, stretch: _Stretch, suspected: _Int64s) -> _Int64s | None:
        """Judge the suspected values, given as indices of `stretch.left`."""
        if not len(suspected):
            return None
        left = stretch.left
        is_fine = np.ones(len(left), np.bool_)
        for index in suspected.tolist():
            judgement = self._judge(left[index], is_refused=False)
            if judgement is None:
                continue
            if judgement.is_deferred:
                stretch.clean.append(left[:index][is_fine[:index]])
                return self._resolve_run(stretch, left[index:])
            stretch.judged[int(left[index])] = judgement
            is_fine[index] = False
        self._suspects.confirm(left[suspected], ~is_fine[suspected], int(stretch.places[-1]) + 1)
        if not is_fine.all():
            stretch.rest, stretch.passed = left[is_fine], 0
            if len(stretch.rest):
                stretch.objects = self._objects.chosen(stretch.rest)
        return None

    def _judge(self, place: int, *, is_refused: bool) -> Judgement | None:
        return self._columns.judge(self._values[int(self._rows[place])].as_py(), is_refused=is_refused)

    # ---- its end

    def _end(self, stretch: _Stretch, tail: pa.Table | None = None) -> _Int64s:
        """End a stretch of which everything is parsed or judged."""
        if tail is not None and any(place > stretch.left[0] and it.text is not None for place, it in stretch.judged.items()):
            tail = None  # rows of judged values belong between the rows of the tail
            stretch.clean.append(stretch.left)
        is_news = tail is not None and self._is_careful and bool(stretch.judged) and self._columns.has_news(tail)
        if is_news or not self._commit(stretch):
            return self._give_up(stretch)
        if tail is not None:
            self._keep(self._chosen(stretch.left), Piece(tail))
        return stretch.places[:0]

    def _resolve_run(self, stretch: _Stretch, places: _Int64s) -> _Int64s:
        """Resolve a run of values from the first place on. Returns the other places, plus the judged places after the first."""
        behind = [place for place in stretch.judged if place > places[0]]
        for place in behind:
            del stretch.judged[place]
        places = np.sort(np.concatenate([places, np.array(behind, np.int64)]))
        if not self._commit(stretch):
            return self._give_up(stretch)
        self._check(int(places[0]))
        run_rows = self._columns.run_length
        self._resolve(self._rows[places[:run_rows]])
        self._checked_until = int(places[run_rows] if run_rows < len(places) else stretch.places[-1] + 1)
        return places[run_rows:]

    def _give_up(self, stretch: _Stretch) -> _Int64s:
        """Discard everything about a stretch, and bisect it."""
        self._culprits += 1
        self._check(int(stretch.places[0]))
        self._bisect(self._rows[stretch.places])
        self._checked_until = int(stretch.places[-1]) + 1
        return stretch.places[:0]

    def _commit(self, stretch: _Stretch) -> bool:
        """Parse the values that the parser has passed, and the kept parts of the others; return False if that is refused."""
        changed = {place: judgement for place, judgement in stretch.judged.items() if judgement.text is not None}
        kept = np.sort(np.concatenate([*stretch.clean, np.array([*changed], np.int64)]))
        if len(kept):
            try:
                lines, piece = self._parsed(kept, changed)
            except ValuesRefused:
                return False
            if self._is_careful and stretch.judged and self._columns.has_news(piece.table):  # judged without the news
                return False
            self._keep(lines, piece)
        self._judged_unchecked |= stretch.judged
        return True

    def _parse(self, objects: Objects) -> pa.Table:
        return self._columns.parse(objects) if self._is_careful else self._columns.read(objects)

    def _chosen(self, places: _Int64s) -> Callable[[], pa.BinaryArray]:
        return lambda: self._objects.chosen(places).lines

    def _keep(self, lines: Callable[[], pa.BinaryArray], piece: Piece) -> None:
        if self._is_careful:
            self._append(piece)
        else:
            self._unchecked.append(_Unchecked(lines, piece))

    def _check(self, place: int) -> None:
        """Check all numbers that are not yet checked. All of them are in values before that place.

        Raises:
            _NumbersRefused: the check has failed.
        """
        unchecked = self._unchecked
        if unchecked:
            table = concatenated([found.piece.table for found in unchecked])
            try:
                self._columns.check(table, lambda: pa.concat_arrays([found.lines() for found in unchecked]))
            except ValuesRefused:
                raise _NumbersRefused from None
            if self._judged_unchecked and self._columns.has_news(table):  # judged without the news
                raise _NumbersRefused
            self._columns.absorb(table)
            if any(found.piece.rescued is not None for found in unchecked):
                self.pieces += [found.piece for found in unchecked]
            else:
                self.pieces.append(Piece(table))
        for judged, judgement in self._judged_unchecked.items():
            if judgement.reason is not None:
                self.refused[int(self._rows[judged])] = judgement.reason
        self._unchecked, self._judged_unchecked, self._checked_until = [], {}, place

    def _parsed(self, places: _Int64s, changed: dict[int, Judgement]) -> tuple[Callable[[], pa.BinaryArray], Piece]:
        if not changed:
            return self._chosen(places), Piece(self._parse(self._objects.chosen(places)))
        judgements = [changed.get(place) for place in places.tolist()]
        originals = self._taken(self._rows[places]).to_pylist()
        texts = [
            original if judgement is None else judgement.text for original, judgement in zip(originals, judgements, strict=True)
        ]
        rescued = [None if judgement is None else judgement.rescued for judgement in judgements]
        objects = Objects.of(pa.array(texts, pa.binary()))
        return lambda: objects.lines, Piece(self._parse(objects), rescued)

    # ---- where the parser names no row

    def _bisect(self, rows: _Int64s) -> None:
        """Bisect a run of values until each refused part is at most `Columns.run_length` long, and resolve these parts."""
        runs = [(0, len(rows))] if len(rows) else []
        while runs:
            start, length = runs.pop()
            chosen = rows[start : start + length]
            try:
                table = self._columns.parse(self._taken(chosen))
            except ValuesRefused as exc:
                if length > self._columns.run_length:
                    at = _split_at(length, exc.row, self._columns.run_length)
                    runs += [(start + at, length - at), (start, at)]
                else:
                    self._resolve(chosen)
            else:
                self._append(Piece(table))

    def _append(self, piece: Piece) -> None:
        self._columns.absorb(piece.table)
        self.pieces.append(piece)

    def _resolve(self, rows: _Int64s) -> None:
        """Resolve a few values one by one."""
        resolved = self._columns.resolve(self._taken(rows).to_pylist(), self._offsets.take(pa.array(rows)).to_pylist())
        self.refused |= {int(rows[index]): reason for index, reason in resolved.refused.items()}
        start = 0
        for table in resolved.tables:
            self.pieces.append(Piece(table, resolved.rescued[start : start + table.num_rows]))
            start += table.num_rows

    def _taken(self, rows: _Int64s) -> pa.Array:
        if rows[-1] - rows[0] == len(rows) - 1:
            return self._values.slice(int(rows[0]), len(rows))
        return chosen_views(self._values, rows)


def _are_sound(values: pa.Array) -> _Bools:
    """Whether each value (binary_view) can be part of `Objects`: in braces, valid UTF-8, and without a NUL byte."""
    text, sound = in_braces(values.cast(pa.binary()))
    sound[invalid_utf8(text)] = False
    offsets, characters = content_of(text)
    nuls = offsets[0] + np.flatnonzero(characters[offsets[0] : offsets[-1]] == 0)
    sound[np.searchsorted(offsets, nuls, "right") - 1] = False
    return sound


def _split_at(length: int, row: int | None, run_length: int) -> int:
    """Pick the split point of a refused run: just before the suspected value, but at least `run_length` values long.

    Long runs are halved, because the rest of a run is parsed again.
    """
    if row is None or length > _HINTED_ROWS or row >= length:
        return length // 2
    return max(row, run_length)
