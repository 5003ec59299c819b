"""`python -m tests.laws.fuzz --minutes 10`: trials of mutated records for that time; exit code 1 if a law is broken.

Trials run in separate processes, a few hundred in each, because native code may take its process with it: then the trial
that it died of is the finding. The same seed and the same number of trials make the same trials.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import logging
import math
import multiprocessing
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection

import attrs
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.laws.formats import FORMATS
from tests.laws.laws import LAWS, Breach, Delivered, Law, breaches
from tests.laws.minimal import minimal
from tests.laws.trial import Trial, trials

TRIALS_IN_A_ROUND = 250
#: A trial that takes longer hangs; most take a tenth of a second.
MOST_SECONDS = 120.0


@attrs.define
class Counts:
    """Counts of trials, records and outcomes, by the format of the values."""

    trials: collections.Counter[str] = attrs.Factory(collections.Counter)
    records: collections.Counter[str] = attrs.Factory(collections.Counter)
    rows: collections.Counter[str] = attrs.Factory(collections.Counter)
    rejects: collections.Counter[tuple[str, str]] = attrs.Factory(collections.Counter)
    caught: collections.Counter[str] = attrs.Factory(collections.Counter)

    def add(self, other: Counts) -> None:
        """Adds other counts."""
        for name in attrs.fields_dict(Counts):
            getattr(self, name).update(getattr(other, name))

    def count(self, delivered: Delivered) -> None:
        """Counts a trial."""
        name = delivered.trial.setup.format
        self.trials[name] += 1
        self.records[name] += len(delivered.trial.records)
        self.rejects.update((name, reject.stage.value) for reject in delivered.run.rejects)
        self.caught.update(delivered.run.caught)
        if delivered.run.error is None:
            self.rows[name] += sum(file.footer.file_rows for file in delivered.files_of("values"))

    def __str__(self) -> str:
        lines = [f"{'converter':18}{'trials':>8}{'records':>9}{'rows':>9}  rejects"]
        for name in sorted(self.trials):
            stages = {stage: count for (one, stage), count in sorted(self.rejects.items()) if one == name}
            received = f"{sum(stages.values())} ({', '.join(f'{stage} {count}' for stage, count in stages.items())})"
            lines.append(f"{name:18}{self.trials[name]:8}{self.records[name]:9}{self.rows[name]:9}  {received}")
        lines += [f"net caught: {kind}, {count} times" for kind, count in self.caught.most_common()]
        return "\n".join(lines)


@attrs.frozen
class Finding:
    """A broken law, and the smallest trial that breaks it."""

    breach: Breach
    trial: Trial
    round: int

    def __str__(self) -> str:
        lines = [
            f"LAW {self.breach.law}: {self.breach.kind} (round {self.round})",
            f"    {self.breach.detail[:600]}",
            "    PYTHONPATH=. python - <<'END'",
            "from tests.laws.replay import *",
            f"replay({self.trial!r})",
            "END",
        ]
        return "\n".join(lines)


Send = Callable[[Trial | Finding | Counts], None]


@attrs.frozen
class Plan:
    """The settings of a fuzz run.

    Attributes:
        seed: of all trials.
        formats: of the values.
        seconds: how long it goes on; None for no limit.
        most_trials: how many it runs; None for no limit.
    """

    seed: int
    formats: tuple[str, ...] = tuple(sorted(FORMATS))
    seconds: float | None = None
    most_trials: int | None = None

    def size(self, round_: int) -> int:
        """Returns the number of trials of a round, or 0 if enough have run."""
        left = TRIALS_IN_A_ROUND if self.most_trials is None else self.most_trials - round_ * TRIALS_IN_A_ROUND
        return max(0, min(TRIALS_IN_A_ROUND, left))


def run_round(send: Send, plan: Plan, number: int, kinds: frozenset[tuple[int, str]]) -> None:
    """Runs the trials of a round, and sends each trial before it runs, findings of new kinds, and the counts."""
    logger = logging.getLogger("kafka2parquet")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    counts, found = Counts(), set(kinds)

    @seed(random.Random(f"{plan.seed}:{number}").getrandbits(64))
    @settings(
        max_examples=plan.size(number),
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(trials(st.sampled_from(plan.formats)))
    def run(trial: Trial) -> None:
        send(trial)
        delivered = Delivered(trial)
        for law, breach in ((each, breach) for each in LAWS.values() for breach in breaches(delivered, [each])):
            if (breach.law, breach.kind) not in found:
                found.add((breach.law, breach.kind))
                send(Finding(*_minimal(law, breach, trial, send), number))
        counts.count(delivered)

    run()
    send(counts)


def _minimal(law: Law, breach: Breach, trial: Trial, send: Send) -> tuple[Breach, Trial]:
    def same(candidate: Trial) -> Breach | None:
        send(candidate)
        found = breaches(Delivered(candidate), [law])
        return next((one for one in found if (one.law, one.kind) == (breach.law, breach.kind)), None)

    smallest = minimal(trial, lambda candidate: same(candidate) is not None)
    return same(smallest) or breach, smallest


def _run_child(connection: Connection, *arguments: object) -> None:
    run_round(connection.send, *arguments)  # type: ignore[arg-type]  # they are those of `fuzz`


def _say(text: str) -> None:
    """Prints immediately, because a run may last for hours."""
    print(text, flush=True)


def fuzz(plan: Plan, say: Callable[[str], None] = _say) -> int:
    """Runs rounds until the time is over or the trials are done.

    Returns:
        How many kinds of breaches were found.
    """
    counts, kinds = Counts(), set[tuple[int, str]]()
    ends_at = math.inf if plan.seconds is None else time.monotonic() + plan.seconds
    say(f"seed {plan.seed}")
    for number in itertools.count():
        if not plan.size(number) or time.monotonic() >= ends_at:
            break
        for found in _round(plan, number, kinds):
            if isinstance(found, Counts):
                counts.add(found)
                continue
            kinds.add((found.breach.law, found.breach.kind))
            say(str(found))
    say(str(counts))
    say(f"{sum(counts.trials.values())} trials, {sum(counts.records.values())} records; {len(kinds)} kinds of breaches")
    return len(kinds)


def _round(plan: Plan, number: int, kinds: set[tuple[int, str]]) -> Iterator[Finding | Counts]:
    """Runs a round in a separate process, which may crash or hang in a trial, and yields the findings."""
    context = multiprocessing.get_context("spawn")
    ours, its = context.Pipe(duplex=False)
    process = context.Process(target=_run_child, args=(its, plan, number, frozenset(kinds)))
    process.start()
    its.close()
    trial: Trial | None = None
    try:
        while ours.poll(MOST_SECONDS):
            received = ours.recv()
            if isinstance(received, Trial):
                trial = received
            else:
                yield received
        process.kill()
        died = "a trial hangs"
    except EOFError:
        process.join()
        died = f"the process ends with {process.exitcode}" if process.exitcode else ""
    finally:
        process.join()
        ours.close()
    if died and trial is not None:
        yield Finding(Breach(1, died), trial, number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzzes as the command line says."""
    parser = argparse.ArgumentParser(description="Mutated records through whole sinks in memory")
    parser.add_argument("--minutes", type=float, help="how long; without it, a number of trials")
    parser.add_argument("--trials", type=int, default=None, help="how many at most")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--formats", nargs="+", choices=sorted(FORMATS), default=sorted(FORMATS))
    chosen = parser.parse_args(arguments)
    if chosen.minutes is None and chosen.trials is None:
        parser.error("say --minutes or --trials")
    plan = Plan(
        seed=chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(1 << 32),
        formats=tuple(chosen.formats),
        seconds=None if chosen.minutes is None else 60 * chosen.minutes,
        most_trials=chosen.trials,
    )
    return 1 if fuzz(plan) else 0


if __name__ == "__main__":
    sys.exit(main())
