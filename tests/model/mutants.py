"""Safeguards of the delivery, each switched off by a change of one place in the source."""

from __future__ import annotations

import attrs


@attrs.frozen
class Mutant:
    """A change that makes the delivery unsafe.

    Attributes:
        file: path under the repository.
        original: text that stands there exactly once.
        replacement: what takes its place.
        scenarios: of the model, in which the loss or the repetition shows; or tests that fail, where the model needs too
            long to come by it.
    """

    file: str
    original: str
    replacement: str
    scenarios: tuple[str, ...]


PUBLISHING = "kafka2parquet/delivery/deliver.py"
RECOVERY = "kafka2parquet/delivery/recovery.py"
PARTITION = "kafka2parquet/delivery/partition.py"
INTAKE = "kafka2parquet/delivery/input.py"
CONTEXT = "kafka2parquet/delivery/context.py"
FOOTER = "kafka2parquet/parquet/footer.py"
TASK = "kafka2parquet/task/sink_task.py"
WORLD = "tests/model/world.py"

MUTANTS = {
    "anchor of the first record": Mutant(
        "kafka2parquet/delivery/flush/open_flush.py",
        "        flush.reorder(sorted(flush.files, key=lambda file: file.first_offset))",
        "        flush.reorder([file for file in flush.files if file.encoded_partition is not None])",
        ("tests/unit/delivery/test_rejects.py", "-k", "longer_flush"),
    ),
    "records behind the end of a range": Mutant(
        INTAKE,
        "(batch if end is None else batch.before(end)).split",
        "batch.split",
        ("tests/unit/delivery/test_bounds.py", "-k", "exactly_at_the_end"),
    ),
    "files behind a range are discovered later": Mutant(
        RECOVERY,
        "return self._knows_all and all(",
        "return all(",
        ("tests/unit/delivery/test_bounds.py", "-k", "knows_the_files_ahead"),
    ),
    "another group's files before a range": Mutant(
        CONTEXT,
        "            return committed is None or committed.offset >= start",
        "            return True",
        ("tests/unit/delivery/test_bounds.py", "-k", "files_before_the_start"),
    ),
    "lost records at the end of a range": Mutant(
        INTAKE,
        "                self._batches.append(_LostRecords(error.missing_end))",
        "                pass",
        ("tests/unit/delivery/test_bounds.py", "-k", "lost_records"),
    ),
    "create-only": Mutant(WORLD, "        if key in world.objects:", "        if False:", ("zombies and late commits",)),
    "intent": Mutant(
        PUBLISHING,
        "        yield from context.commits.commit(flush.start, intent, flush.start_epoch)",
        "        pass",
        ("redeployments and zombies",),
    ),
    "anchor first": Mutant(
        PUBLISHING,
        "    found = yield from _published(context, anchor, _publish(context, anchor))",
        "    for early in siblings:\n"
        "        yield from _published(context, early, _publish(context, early))\n"
        "    found = yield from _published(context, anchor, _publish(context, anchor))",
        ("zombies, late commits and resets", "redeployments and zombies"),
    ),
    "publish before commit": Mutant(
        PUBLISHING,
        "    calls = [_publish(context, sibling) for sibling in siblings]",
        "    yield from context.commit_end(flush.start, flush.end, flush.rows, flush.leader_epoch, trusted=True)\n"
        "    calls = [_publish(context, sibling) for sibling in siblings]",
        ("crashes",),
    ),
    "adoption": Mutant(
        PUBLISHING,
        "        footer = context.own_footer(file.key, outcome.metadata)",
        "        pass",
        ("zombies and late commits",),
    ),
    "one flush in delivery": Mutant(
        PARTITION,
        "            beginning = yield from deliver(self.context, flush, self._plan, self._recovery)",
        "            delivery = deliver(self.context, flush, self._plan, self._recovery)\n"
        "            for _ in range(3):\n"
        "                next(delivery, None)\n"
        "                yield\n"
        "            beginning = None",
        ("crashes",),
    ),
    "discovery": Mutant(
        RECOVERY,
        "            yield from self._discover(position)\n        return (yield from self.next_start(position, leader_epoch",
        "            pass\n        return (yield from self.next_start(position, leader_epoch",
        ("resets", "redeployments"),
    ),
    "keep discovering until all is behind": Mutant(
        RECOVERY,
        "        return self._knows_all and all(flush.footer.start < offset for flush in self._published)",
        "        return True",
        ("tests/unit/delivery/test_recovery_table.py",),
    ),
    "never cross a published flush": Mutant(
        RECOVERY,
        "            limit = min((flush.footer.start for flush in self._published), default=None)",
        "            limit = None",
        ("tests/unit/delivery/test_recovery_table.py",),
    ),
    "missing siblings": Mutant(
        RECOVERY,
        "                missing = yield from missing_siblings(context, anchor.footer, self._flush_of)",
        "                missing = frozenset()",
        ("crashes",),
    ),
    "dead letters before the intent": Mutant(
        PUBLISHING, "        yield from until(sending)\n", "        pass\n", ("crashes", "zombies")
    ),
    "what was rejected is rejected again": Mutant(
        INTAKE, "        converted = self._without_unpartitioned(converted, flush)\n", "", ("crashes",)
    ),
    "assignment token": Mutant(
        WORLD,
        "        mine = world.owner is self and assignment == self.assignment",
        "        mine = True",
        ("redeployments and zombies",),
    ),
    "read-back of unknown commits": Mutant(
        WORLD,
        "        world.committed = CommittedOffset(offset, metadata, leader_epoch)",
        "        if self.rng.random() < 0.7:\n            world.committed = CommittedOffset(offset, metadata, leader_epoch)",
        ("redeployments", "zombies", "crashes"),
    ),
    "leader epoch at the start": Mutant(
        INTAKE,
        "        self._context.task.consumer.start(self._context.assigned.assignment, offset, leader_epoch)",
        "        self._context.task.consumer.start(self._context.assigned.assignment, offset, -1)",
        ("truncations", "truncations and zombies"),
    ),
    "leader epoch of what is committed": Mutant(
        CONTEXT,
        "        self._consumer.commit(self._assignment, *self._under_way, leader_epoch)",
        "        self._consumer.commit(self._assignment, *self._under_way, -1)",
        ("truncations", "truncations and zombies"),
    ),
    "leader epoch of what is published": Mutant(
        PUBLISHING,
        "    if not -1 < published.leader_epoch < flush.leader_epoch:",
        "    if True:",
        ("truncations", "truncations and zombies"),
    ),
    "a failed step is the end of its task": Mutant(
        TASK,
        "            self._partitions.drop_all()\n            raise\n        self._failed = False",
        "            self._failed = False\n            raise\n        self._failed = False",
        ("interrupts",),
    ),
    "one call at a time": Mutant(
        TASK,
        "        if not self._under_way.acquire(blocking=False):",
        "        if self._under_way.acquire(blocking=False) is None:",
        ("tests/unit/task/test_sink_task_interrupts.py", "-k", "second_thread"),
    ),
    "a flush that contradicts itself": Mutant(
        PUBLISHING,
        "    if why_not is None:",
        "    if True:",
        ("tests/unit/task/test_sink_task_interrupts.py", "-k", "contradicts"),
    ),
    "ranges in footers": Mutant(
        FOOTER, "        if self.end <= self.start:", "        if False:", ("tests/unit/parquet/test_footer.py",)
    ),
    "ends that the log does not have": Mutant(
        RECOVERY,
        "        while flush.footer.end > context.log_end():",
        "        while False:",
        ("tests/unit/delivery/test_damaged_footers.py",),
    ),
    "the sum of the metadata": Mutant(
        "kafka2parquet/delivery/commit_metadata.py",
        '    if _summed(fields[:-1]) != " ".join(fields):',
        "    if False:",
        ("garbage",),
    ),
    "clocks that are set": Mutant(
        "kafka2parquet/clock.py",
        "        return self.wall if abs(jump) < _LEAST_JUMP else self.wall + jump",
        "        return self.wall",
        ("tests/unit/delivery/test_clock_jumps.py",),
    ),
    "another group": Mutant(
        CONTEXT,
        "        if footer is None or self.task.delivery.take_over or",
        "        if True or",
        ("tests/unit/delivery/test_conflicting_sinks.py",),
    ),
    "another place": Mutant(
        RECOVERY,
        "        if found is not None and context.identity.writes_elsewhere(found.identity) and not",
        "        if False and not",
        ("tests/unit/delivery/test_conflicting_sinks.py",),
    ),
}
