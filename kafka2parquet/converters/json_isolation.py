"""Which values a batch of JSON is refused for: the others are parsed together, about once.

Values that can't be objects are found by kernels. What is left is parsed in short stretches. The parser stops at the first
value that it refuses and says which one that is, so the stretch is parsed on behind that value, while the value is judged by
itself. Once the end is reached, all values before it that were not refused are parsed together. Values that look like those
that were refused before are judged first (`json_suspects`).

The columns of a batch may grow with each of its records. So a value is judged as if all values before it were fine, and the
judgement counts only once these have been parsed. Where they can't be parsed after all, because they fail in a way that the
parser has no row for, everything about that stretch is forgotten, and it is halved until the values to blame are few. A value
that makes the columns grow ends its stretch.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kafka2parquet.arrays import ARROW_DATA_ERRORS, invalid_utf8
from kafka2parquet.converters.json_columns import Objects, ValuesRefused, in_braces
from kafka2parquet.converters.json_growing import Columns, Judgement
from kafka2parquet.converters.json_lines import content_of
from kafka2parquet.converters.json_record import RecordRefused, load_object
from kafka2parquet.converters.json_suspects import Records, Suspects

#: Shortest and longest stretch. Each value of a stretch before its last culprit is looked at twice, and each stretch has a
#: fixed cost.
_FEWEST_ROWS, _MOST_ROWS = 512, 8192
#: Less than a block of the parser, whose rows are counted from the block's first one.
_STRETCH_BYTES = 1 << 20
#: Refused runs of up to this many values are split where the parser says that it stopped.
_HINTED_ROWS = 1024

_Int64s = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]


@attrs.frozen(eq=False)
class Piece:
    """Rows of some values.

    Attributes:
        table: the rows.
        rescued: for each of them what was taken out of the record, as JSON; None where nothing was taken out of any.
    """

    table: pa.Table
    rescued: Sequence[str | None] | None = None


@attrs.define(eq=False)
class _Stretch:
    """Values that are parsed together, by their places among the sound ones.

    Attributes:
        places: all of them.
        left: those that the parser has not yet passed.
        clean: those that it has passed on its way to one that it refused.
        judged: what becomes of those that it refused.
    """

    places: _Int64s
    left: _Int64s
    clean: _Int64s
    judged: dict[int, Judgement] = attrs.Factory(dict)


class Isolation:
    """Converts values that were refused together.

    Attributes:
        pieces: the rows, in the order of the values.
        refused: why, by the index of the value.
    """

    def __init__(
        self, values: pa.Array, offsets: pa.Array, columns: Columns, objects: Objects | None, records: Records
    ) -> None:
        """Convert them.

        Args:
            values: binary_view without nulls, at least one.
            offsets: of their records.
            columns: what they are converted to.
            objects: the values, where all of them are sound.
            records: what values of batches before were refused for.
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
                text, sound = _sound(values)
            except ARROW_DATA_ERRORS:  # more bytes than one array can have
                self._halve(self._rows)
                return
            self._refuse(np.flatnonzero(~sound))
            self._rows = np.flatnonzero(sound)
            if not len(self._rows):
                return
            objects = Objects.joined(text.take(pa.array(self._rows)) if len(self._rows) < len(text) else text)
        if columns.settles_runs:
            self._halve(self._rows)
            return
        self._objects = objects
        self._suspects = Suspects(objects.lines, columns, records)
        start, rows = 0, _MOST_ROWS // 4
        while start < len(objects):
            stop = objects.end_of_part(start, rows, _STRETCH_BYTES)
            places = np.arange(start, stop)
            while len(places):
                places = self._convert(places)
            start = stop
            rows = min(max(stop // (2 * self._culprits + 1), _FEWEST_ROWS), _MOST_ROWS)
        self._suspects.finish()

    @property
    def found_any(self) -> bool:
        """Whether any of the values did not go through with the others."""
        return bool(self.refused) or self._culprits > 0

    def _refuse(self, rows: _Int64s) -> None:
        """Say why values are refused that are no objects."""
        for row in rows.tolist():
            try:
                load_object(self._values[row].as_py())
            except RecordRefused as exc:
                self.refused[row] = str(exc)
            else:
                raise RuntimeError("an object in strict JSON that isn't in braces, or isn't UTF-8")

    # ---- one stretch

    def _convert(self, places: _Int64s) -> _Int64s:
        """Convert values from the first one on; returns those that are left."""
        stretch = _Stretch(places, places, places[:0])
        left = self._judge_suspects(stretch, self._suspects.flagged(places))
        while left is None:
            left = self._parse_on(stretch)
        return left

    def _parse_on(self, stretch: _Stretch) -> _Int64s | None:
        """Parse what is left of the stretch; where the parser stops, judge what it stopped at. None where something is left."""
        if not len(stretch.left):
            return self._end(stretch)
        objects = self._objects.chosen(stretch.left)
        try:
            tail = self._columns.parse(objects)
        except ValuesRefused as exc:
            refusal = self._suspects.named(exc, objects, stretch.left)
            if refusal.row is not None:
                return self._judge_named(stretch, refusal.row, str(refusal))
            self._culprits += 1
            found = self._suspects.found(stretch.left)
            left = self._judge_suspects(stretch, found)
            return left if left is not None or len(stretch.left) < len(objects) else self._give_up(stretch)
        return self._end(stretch, tail)

    def _judge_named(self, stretch: _Stretch, index: int, message: str) -> _Int64s | None:
        """Judge the value of which the parser says that it stopped there, and go on behind it."""
        self._culprits += 1
        judgement = self._judge(stretch.left[index], is_refused=True)
        if judgement is None and index:  # it counts on behind a value that holds more than its object
            index -= 1
            judgement = self._judge(stretch.left[index], is_refused=False)
        if judgement is None:
            return self._give_up(stretch)
        place = int(stretch.left[index])
        stretch.clean = np.concatenate([stretch.clean, stretch.left[:index]])
        if judgement.is_alone:
            return self._settle_run(stretch, stretch.left[index:])
        stretch.left = stretch.left[index + 1 :]
        stretch.judged[place] = judgement
        self._suspects.learn(message, int(stretch.places[-1]) + 1)
        return None

    def _judge_suspects(self, stretch: _Stretch, suspected: _Int64s) -> _Int64s | None:
        """Judge values at some indices of what is left."""
        is_fine = np.ones(len(stretch.left), np.bool_)
        for index in suspected.tolist():
            judgement = self._judge(stretch.left[index], is_refused=False)
            if judgement is None:
                continue
            if judgement.is_alone:
                stretch.clean = np.concatenate([stretch.clean, stretch.left[:index][is_fine[:index]]])
                return self._settle_run(stretch, stretch.left[index:])
            stretch.judged[int(stretch.left[index])] = judgement
            is_fine[index] = False
        if len(suspected):
            self._suspects.confirm(stretch.left[suspected], ~is_fine[suspected], int(stretch.places[-1]) + 1)
            stretch.left = stretch.left[is_fine]
        return None

    def _judge(self, place: int, *, is_refused: bool) -> Judgement | None:
        return self._columns.judge(self._values[int(self._rows[place])].as_py(), is_refused=is_refused)

    # ---- its end

    def _end(self, stretch: _Stretch, tail: pa.Table | None = None) -> _Int64s:
        """Everything is parsed, or judged."""
        if tail is not None and any(place > stretch.left[0] and it.text is not None for place, it in stretch.judged.items()):
            stretch.clean, tail = np.concatenate([stretch.clean, stretch.left]), None  # rows between those of the tail
        has_news = tail is not None and bool(stretch.judged) and self._columns.has_news(tail)
        if has_news or not self._commit(stretch):
            return self._give_up(stretch)
        if tail is not None:
            self._append(Piece(tail))
        return stretch.places[:0]

    def _settle_run(self, stretch: _Stretch, places: _Int64s) -> _Int64s:
        """Settle the first of these values, with some behind it. Returns the rest, with all that were judged behind it."""
        behind = [place for place in stretch.judged if place > places[0]]
        for place in behind:
            del stretch.judged[place]
        places = np.sort(np.concatenate([places, np.array(behind, np.int64)]))
        if not self._commit(stretch):
            return self._give_up(stretch)
        run_rows = self._columns.run_length
        self._settle(self._rows[places[:run_rows]])
        return places[run_rows:]

    def _give_up(self, stretch: _Stretch) -> _Int64s:
        self._culprits += 1
        self._halve(self._rows[stretch.places])
        return stretch.places[:0]

    def _commit(self, stretch: _Stretch) -> bool:
        """Parse the values that the parser has passed, and what is kept of the others; False where that is refused."""
        changed = {place: judgement for place, judgement in stretch.judged.items() if judgement.text is not None}
        kept = np.sort(np.concatenate([stretch.clean, np.array([*changed], np.int64)]))
        if len(kept):
            try:
                piece = self._parsed(kept, changed)
            except ValuesRefused:
                return False
            if stretch.judged and self._columns.has_news(piece.table):  # some were judged without it
                return False
            self._append(piece)
        for place, judgement in stretch.judged.items():
            if judgement.reason is not None:
                self.refused[int(self._rows[place])] = judgement.reason
        return True

    def _parsed(self, places: _Int64s, changed: dict[int, Judgement]) -> Piece:
        if not changed:
            return Piece(self._columns.parse(self._objects.chosen(places)))
        judgements = [changed.get(place) for place in places.tolist()]
        originals = self._taken(self._rows[places]).to_pylist()
        texts = [
            original if judgement is None else judgement.text for original, judgement in zip(originals, judgements, strict=True)
        ]
        rescued = [None if judgement is None else judgement.rescued for judgement in judgements]
        return Piece(self._columns.parse(pa.array(texts, pa.binary())), rescued)

    # ---- where the parser has no row

    def _halve(self, rows: _Int64s) -> None:
        """Halve a run of values until those that are refused are few, and settle these."""
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
                    self._settle(chosen)
            else:
                self._append(Piece(table))

    def _append(self, piece: Piece) -> None:
        self._columns.take_in(piece.table)
        self.pieces.append(piece)

    def _settle(self, rows: _Int64s) -> None:
        """Look at a few values one by one."""
        settled = self._columns.settle(self._taken(rows).to_pylist(), self._offsets.take(pa.array(rows)).to_pylist())
        self.refused |= {int(rows[index]): reason for index, reason in settled.refused.items()}
        start = 0
        for table in settled.tables:
            self.pieces.append(Piece(table, settled.rescued[start : start + table.num_rows]))
            start += table.num_rows

    def _taken(self, rows: _Int64s) -> pa.Array:
        if rows[-1] - rows[0] == len(rows) - 1:
            return self._values.slice(int(rows[0]), len(rows))
        return self._values.cast(pa.large_binary()).take(pa.array(rows)).cast(pa.binary_view())


def _sound(values: pa.Array) -> tuple[pa.BinaryArray, _Bools]:
    """The values (binary_view) as `Objects.joined` wants them, and which of them may be joined."""
    text, sound = in_braces(values.cast(pa.binary()))
    sound[invalid_utf8(text)] = False
    offsets, characters = content_of(text)
    nuls = offsets[0] + np.flatnonzero(characters[offsets[0] : offsets[-1]] == 0)
    sound[np.searchsorted(offsets, nuls, "right") - 1] = False
    return text, sound


def _split_at(length: int, row: int | None, run_length: int) -> int:
    """Where to split values that were refused: before the one that is probably to blame, or behind the run that it is in.

    Long runs are halved, because the rest of each is parsed anew.
    """
    if row is None or length > _HINTED_ROWS or row >= length:
        return length // 2
    return max(row, run_length)
