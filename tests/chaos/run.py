"""`python -m tests.chaos.run --minutes N`: members on Apache Kafka and an S3 server while everything breaks; then the count.

One group after the other, each with a setup of its own. Writes build/chaos.json and prints it as a table. Exit code 1 when
anything is lost, repeated, misplaced or left behind.
"""

from __future__ import annotations

import argparse
import collections
import functools
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from tests.chaos.faults import Faults, is_upload
from tests.chaos.load import Load
from tests.chaos.log import log_ends
from tests.chaos.member import POINTS
from tests.chaos.members import Members
from tests.chaos.setups import SETUPS, Setup
from tests.chaos.verify import Verdict, verify
from tests.stack.kafka import Kafka, kafka
from tests.stack.s3 import s3
from tests.support.http_proxy import HttpProxy
from tests.support.kafka_admin import committed_offsets, create_topic
from tests.support.kafka_clients import unique

PARTITIONS = 4
#: How much of the time each group gets.
SHARES = {"quarantine": 0.6, "dead letters": 0.4}
RESULT = Path("build/chaos.json")
_SETTLE_LIMIT_S = 120.0
_RECOVERY_LIMIT_S = 120.0


@attrs.frozen
class Result:
    """What a run has done, and what came of it."""

    seconds: float
    faults: collections.Counter[str]
    points: collections.Counter[str]
    recovery_s: dict[str, float]
    verdict: Verdict

    def plus(self, other: Result) -> Result:
        """Of two groups."""
        kinds = {**self.recovery_s, **other.recovery_s}
        return Result(
            self.seconds + other.seconds,
            self.faults + other.faults,
            self.points + other.points,
            {kind: max(self.recovery_s.get(kind, 0.0), other.recovery_s.get(kind, 0.0)) for kind in kinds},
            self.verdict.plus(other.verdict),
        )

    def to_json(self) -> dict[str, Any]:
        """As it is written to build/chaos.json."""
        return {
            "seconds": round(self.seconds),
            "faults": self.faults,
            "points": self.points,
            "recovery_s": self.recovery_s,
            **attrs.asdict(self.verdict),
        }


def chaos(seconds: float, seed: int, setup: Setup, *, until_all_points: bool = False) -> Result:
    """Break things for so many seconds, then let the group settle and count.

    Args:
        seconds: how long to break things.
        setup: what all members of the group have in common.
        seed: which faults come in which order.
        until_all_points: go on until each named point of the protocol was passed.
    """
    rng = random.Random(seed)
    with (
        kafka(proxied=True) as broker,
        s3() as store,
        HttpProxy(store.url) as proxy,
        tempfile.TemporaryDirectory() as folder,
    ):
        bucket, topic, group, dead_letters = (unique(name) for name in ("chaos", "chaos", "group", "dead"))
        store.create_bucket(bucket)
        create_topic(broker.direct, topic, PARTITIONS)
        settings = {
            "bootstrap": broker.bootstrap,
            "group": group,
            "topic": topic,
            "dead_letters": dead_letters,
            "setup": setup.name,
            "bucket": bucket,
            "s3": proxy.url,
            "key": store.key,
            "secret": store.secret,
        }
        members = Members(settings, rng, Path(folder))
        load = Load(broker.direct, topic, PARTITIONS)
        faults = Faults(broker, store, proxy, members, load, rng)
        try:
            load.start()
            members.keep(2)
            wait(lambda: progress(broker, group, topic) > 0, _RECOVERY_LIMIT_S, "the first commit", members)
            recovery_s = break_things(faults, seconds, until_all_points, lambda: progress(broker, group, topic))
            counts = load.stop()
            settle(broker, members, group, topic)
        finally:
            members.kill_all()
        uploads = [request for request in proxy.requests if is_upload(request)]
        verdict = verify(store, bucket, broker.direct, topic, dead_letters, setup, counts, uploads)
        worst = {kind: round(max(times), 1) for kind, times in recovery_s.items()}
        return Result(faults.seconds, faults.counts, members.points, worst, verdict)


def break_things(
    faults: Faults, seconds: float, until_all_points: bool, progress_of: Callable[[], int]
) -> dict[str, list[float]]:
    """One fault after the other; how long the group took to commit again after each, by kind."""
    recovery_s: dict[str, list[float]] = collections.defaultdict(list)
    began = time.monotonic()
    while time.monotonic() - began < seconds or (until_all_points and not set(POINTS) <= set(faults.members.points)):
        kind = faults.one(quick=until_all_points)
        after, before = time.monotonic(), progress_of()
        wait(lambda before=before: progress_of() > before, _RECOVERY_LIMIT_S, f"a commit after {kind}", faults.members)
        recovery_s[kind].append(time.monotonic() - after)
        print(f"{after - began:7.1f} s  {kind}: commits again after {recovery_s[kind][-1]:.1f} s", flush=True)
    faults.seconds = time.monotonic() - began
    return recovery_s


def settle(broker: Kafka, members: Members, group: str, topic: str) -> None:
    """Without faults: until everything is committed; then all members stop in order."""
    members.keep(2)
    ends = log_ends(broker.direct, topic)
    committed: dict[int, int] = {}
    while committed != ends:
        before = sum(committed.values())
        wait(
            lambda before=before: progress(broker, group, topic) != before,
            _SETTLE_LIMIT_S,
            f"a commit on the way from {committed} to {ends}",
            members,
        )
        committed = committed_offsets(broker.direct, group, topic)
    members.stop_all()


def progress(broker: Kafka, group: str, topic: str) -> int:
    """How much is committed."""
    return sum(committed_offsets(broker.direct, group, topic).values())


def wait(condition: Callable[[], bool], limit_s: float, what: str, members: Members) -> None:
    """Wait for it, with members that have died replaced."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {limit_s:.0f} s: {what}\n{members.last_words()}")
        members.replace_dead()
        time.sleep(0.2)


def show(result: Result) -> None:
    """As a table."""
    print(f"\n{sum(result.faults.values())} faults of {len(result.faults)} kinds in {result.seconds / 60:.0f} minutes\n")
    for kind, count in sorted(result.faults.items()):
        print(f"  {count:5}  {kind:48} commits again after at most {result.recovery_s.get(kind, 0):5.1f} s")
    print("\nnamed points passed: " + ", ".join(f"{point} {result.points.get(point, 0)}" for point in POINTS) + "\n")


def show_counts(result: Result) -> None:
    """What was counted."""
    for name, value in attrs.asdict(result.verdict).items():
        print(f"  {name:20} {value:>12,}")


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    results = {name: chaos(options.minutes * 60 * SHARES[name], options.seed, setup) for name, setup in SETUPS.items()}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({name: result.to_json() for name, result in results.items()}, indent=1) + "\n")
    for name, result in results.items():
        print(f"\n{name}: {'exact' if result.verdict.is_exact else 'NOT EXACT'}")
        show_counts(result)
    show(functools.reduce(Result.plus, results.values()))
    return 0 if all(result.verdict.is_exact for result in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
