"""The six laws: what each says about a trial, and where it is broken."""

from __future__ import annotations

import collections
import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from kafka2parquet.errors import Kafka2ParquetError
from kafka2parquet.events import IntentCommitted, OffsetCommitted
from kafka2parquet.parquet.footer import Role
from kafka2parquet.testing import MemoryRecord
from tests.laws.files import PublishedFile, UnreadableError, faults, published
from tests.laws.setups import Setup
from tests.laws.trial import TOPIC, Run, Trial, World
from tests.laws.values import differences


@attrs.frozen
class Breach:
    """A broken law.

    Attributes:
        law: its number.
        kind: names what is wrong, so that breaches of one cause are reported once.
        detail: what was seen.
    """

    law: int
    kind: str
    detail: str = ""


class Delivered:
    """A trial that has run once to its end, with all rejects tolerated."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.world = World(trial.setup)
        self.run = self.world.run(trial.batches())

    @functools.cached_property
    def files(self) -> list[PublishedFile]:
        """All files that the run published."""
        return published(self.world.storage)

    def files_of(self, role: Role) -> list[PublishedFile]:
        """Returns the files with the role."""
        return [file for file in self.files if file.footer.role == role]

    @functools.cached_property
    def rows(self) -> dict[int, tuple[PublishedFile, Mapping[str, Any]]]:
        """The row and the file of each record; empty if rows don't have offsets."""
        if not self.trial.setup.has_offsets:
            return {}
        pairs = [(file, *pair) for file in self.files_of("values") for pair in zip(file.offsets, file.rows, strict=False)]
        return {offset: (file, row) for file, offset, row in pairs}


Law = Callable[[Delivered], Iterator[Breach]]


# ---- 1


def no_record_ends_the_task(delivered: Delivered) -> Iterator[Breach]:
    """With rejects tolerated, no step raises, and each record is either a row, a reject, or left out by the settings."""
    run, setup = delivered.run, delivered.trial.setup
    if run.error is not None:
        yield Breach(1, run.failure, str(run.error))
        return
    rejected = collections.Counter(reject.offset for reject in run.rejects)
    if max(rejected.values(), default=1) > 1:
        yield Breach(1, "a record is rejected twice", str(rejected))
    for reject in run.rejects:
        record = delivered.trial.records[reject.offset]
        if (reject.value, reject.key) != (record.value, record.key):
            yield Breach(5, "a reject with another value or key than was sent", f"offset {reject.offset}")
    kept = _offsets(delivered.files_of("rejects"))
    if kept != (rejected if setup.quarantine else collections.Counter()):
        yield Breach(1, "the quarantine has other rejects than were reported", f"{kept} of {rejected}")
    if collections.Counter(run.letters) != (rejected if setup.letters else collections.Counter()):
        yield Breach(1, "other dead letters than rejects", f"{run.letters} of {rejected}")
    yield from _accounted(delivered, rejected)


def _offsets(files: Sequence[PublishedFile]) -> collections.Counter[int]:
    """Counts how often each offset is in files."""
    return collections.Counter(offset for file in files for offset in file.offsets)


def _accounted(delivered: Delivered, rejected: collections.Counter[int]) -> Iterator[Breach]:
    """Checks that each record is accounted for once."""
    setup, records = delivered.trial.setup, delivered.trial.records
    optional = {offset for offset, record in enumerate(records) if may_be_left_out(setup, record)}
    rows = sum(file.footer.file_rows for file in delivered.files_of("values"))
    if not setup.has_offsets:
        if not len(records) - len(optional - rejected.keys()) <= rows + len(rejected) <= len(records):
            yield Breach(1, "records are missing or doubled", f"{rows} rows and {len(rejected)} rejects of {len(records)}")
        return
    found = rejected + _offsets(delivered.files_of("values"))
    doubled = sorted(offset for offset, count in found.items() if count > 1)
    missing = sorted(set(range(len(records))) - found.keys() - optional)
    if doubled:
        yield Breach(1, "records are doubled", f"offsets {doubled}")
    if missing:
        yield Breach(1, "records are neither rows nor rejects", f"offsets {missing}")
    if found.keys() - set(range(len(records))):
        yield Breach(1, "rows with offsets that no record has", str(found))


def may_be_left_out(setup: Setup, record: MemoryRecord) -> bool:
    """Returns whether the settings allow a record to be neither a row nor a reject."""
    if setup.leaves_out:
        return True
    return setup.tombstones in ("ignore", "write") and (record.value is None or _has_null_payload(record.value))


def _has_null_payload(value: bytes) -> bool:
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return False
    return document is None or (isinstance(document, dict) and document.get("payload", 0) is None)


def an_error_names_its_record(delivered: Delivered) -> Iterator[Breach]:
    """With rejects not tolerated, the error names topic, partition and offset, and no manual step is needed."""
    trial, world = delivered.trial, World(delivered.trial.setup)
    first = world.run(trial.batches(), tolerant=False)
    yield from refused_before_the_intent(first)
    if first.error is None:
        return
    yield from _named(first)
    again = world.run(tolerant=False)
    yield from refused_before_the_intent(again)
    if not trial.setup.learns and _place(again.error) != _place(first.error):
        yield Breach(6, "a restart ends elsewhere", f"{_place(again.error)} instead of {_place(first.error)}")
    last = world.run()
    if last.error is not None:
        yield Breach(2, f"after an error: {last.failure}", str(last.error))


def _place(error: BaseException | None) -> tuple[str, int]:
    return type(error).__name__, getattr(error, "offset", -1)


def _named(run: Run) -> Iterator[Breach]:
    error = run.error
    if not isinstance(error, Kafka2ParquetError):
        yield Breach(1, f"not tolerated: {run.failure}", str(error))
    elif f"{TOPIC}-0" not in str(error) or f"offset {getattr(error, 'offset', None)}" not in str(error):
        yield Breach(1, f"names no record: {run.failure}", str(error))


# ---- 2


def a_skipped_record_is_not_an_obstacle(delivered: Delivered) -> Iterator[Breach]:
    """A new task continues with good records, and a rewind writes nothing twice."""
    world, count = delivered.world, len(delivered.trial.records)
    good = _good(delivered)
    run = world.run([good])
    if run.error is not None:
        yield Breach(2, f"a restart: {run.failure}", str(run.error))
        return
    before = {key: stored.content for key, stored in world.storage.objects.items()}
    world.rewind()
    run = world.run()
    if run.error is not None:
        yield Breach(2, f"a rewind: {run.failure}", str(run.error))
        return
    after = {key: stored.content for key, stored in world.storage.objects.items()}
    if after != before and not delivered.trial.setup.learns:
        yield Breach(2, "a rewind writes other files", f"{sorted(after.keys() ^ before.keys())} of {count + len(good)} records")
    if not delivered.trial.setup.has_offsets:
        return
    offsets = _offsets([file for file in published(world.storage) if file.footer.role == "values"])
    if max(offsets.values(), default=1) > 1:
        yield Breach(2, "a rewind doubles records", str(offsets))


def _good(delivered: Delivered) -> Sequence[MemoryRecord]:
    """Returns records that were rows, or the first records if there aren't any rows."""
    rejected = {reject.offset for reject in delivered.run.rejects}
    records = delivered.trial.records
    return [record for offset, record in enumerate(records) if offset not in rejected][:3] or list(records[:1])


# ---- 3


def batches_do_not_matter(delivered: Delivered) -> Iterator[Breach]:
    """The outcome of a record is the same however the records were polled."""
    setup = delivered.trial.setup
    if setup.format == "json-string" and (setup.transforms or setup.partitioner != "default"):
        return  # a column that has become text by then means something else to them, as docs/schemas.md says
    unknown = ("no reject", "") if not setup.has_offsets else ("nothing", "")
    for polls in ((), (1,) * len(delivered.trial.records)):
        other = Delivered(attrs.evolve(delivered.trial, polls=polls))
        if other.run.error is not None:
            yield Breach(1, other.run.failure, str(other.run.error))
            continue
        ours, theirs = _outcomes(delivered), _outcomes(other)
        learned = _refused_for_learned_types(delivered) | _refused_for_learned_types(other)
        for offset in sorted((ours.keys() | theirs.keys()) - learned):
            mine, its = ours.get(offset, unknown), theirs.get(offset, unknown)
            if mine != its and not (setup.format == "json-string" and mine[0] == its[0] == "row"):
                kind = f"{setup.format}: {mine[0]} or {its[0]}"
                yield Breach(3, kind, f"offset {offset}: {mine} or {its}")
                break


def _refused_for_learned_types(delivered: Delivered) -> set[int]:
    """Returns the offsets that are refused because of what columns have learned from other records, before a transform."""
    if not delivered.trial.setup.learns:
        return set()
    reasons = ("two types meet in one column", "which can't be hashed", "only in upper and lower case")
    return {reject.offset for reject in delivered.run.rejects if any(text in reject.reason for text in reasons)}


def _outcomes(delivered: Delivered) -> dict[int, tuple[str, Any]]:
    """Returns by offset a row with its folder and content, or a reject with its stage."""
    outcomes: dict[int, tuple[str, Any]] = {
        reject.offset: (f"a reject at {reject.stage.value}", "") for reject in delivered.run.rejects
    }
    for offset, (file, row) in delivered.rows.items():
        outcomes[offset] = ("row", (file.folder, repr(_something(row))))
    return outcomes


def _something(value: Any) -> Any:
    """Removes nulls, which later learned schemas add; numbers of columns that became double are floats."""
    if isinstance(value, dict):
        found = {name: _something(value[name]) for name in sorted(value)}
        return {name: item for name, item in found.items() if item not in (None, {}, [])}
    if isinstance(value, list):
        return [_something(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and float(value) == value:
        return float(value)
    return value


# ---- 4


def files_are_read_back(delivered: Delivered) -> Iterator[Breach]:
    """All readers read each file, with exactly its rows."""
    for fault in faults(delivered.files):
        yield Breach(4, fault)


# ---- 5


def no_value_is_changed(delivered: Delivered) -> Iterator[Breach]:
    """Values are read back as they were sent."""
    setup = delivered.trial.setup
    if not setup.has_offsets:
        return
    for offset, (_, row) in delivered.rows.items():
        record = delivered.trial.records[offset]
        if setup.metadata[-1] == "headers" and setup.key == "bytes" and row["_kafka_key"] != record.key:
            yield Breach(5, "another key than was sent", f"offset {offset}: {row['_kafka_key']!r} of {record.key!r}")
        if record.value is None or setup.transforms or setup.projects:
            continue
        try:
            sent = setup.values.read(record.value)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            if setup.values.strict:
                yield Breach(5, f"{setup.format}: a row of what is not a value", f"{record.value!r}: {error}")
            continue
        added = {f"_kafka_{name}" for name in setup.metadata}
        columns = {name: value for name, value in row.items() if name not in added}
        for difference in differences(sent, columns, only_columns=setup.values.only_columns):
            yield Breach(5, f"{setup.format}: {difference.kind}", f"offset {offset}, {difference}")


# ---- 6


def refused_before_the_intent(run: Run) -> Iterator[Breach]:
    """A task that ends with an error leaves no intent of a flush that the error is about."""
    if run.error is None:
        return
    intents = [event for event in run.events if isinstance(event, IntentCommitted | OffsetCommitted)]
    if intents and isinstance(intents[-1], IntentCommitted):
        start, end = intents[-1].start, intents[-1].end
        yield Breach(6, f"after the intent: {run.failure}", f"[{start}, {end}): {run.error}")


LAWS: Mapping[str, Law] = {
    law.__name__: law
    for law in (
        no_record_ends_the_task,
        an_error_names_its_record,
        batches_do_not_matter,
        files_are_read_back,
        no_value_is_changed,
        a_skipped_record_is_not_an_obstacle,  # the last one, because it goes on in the world of the trial
    )
}


def breaches(delivered: Delivered, laws: Iterable[Law] = tuple(LAWS.values())) -> Iterator[Breach]:
    """Returns the broken laws of a trial. A task that doesn't reach its end breaks only the first and the sixth."""
    yield from refused_before_the_intent(delivered.run)
    for law in laws:
        try:
            if delivered.run.error is None or law in (no_record_ends_the_task, an_error_names_its_record):
                yield from law(delivered)
        except UnreadableError as error:
            yield Breach(4, str(error))
