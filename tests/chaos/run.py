"""`python -m tests.chaos.run --minutes N`: members on three brokers and an S3 server while everything breaks; then the count.

Groups run one after the other, each with its own setup, and beside each a group whose topic is truncated. Writes
build/chaos.json and prints it as a table. Exit code 1 when anything is lost, repeated, misplaced or left behind.
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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from tests.chaos.brokers import SETTINGS
from tests.chaos.faults import TOPICS, Faults, is_upload
from tests.chaos.load import Load
from tests.chaos.log import log_ends
from tests.chaos.member import POINTS
from tests.chaos.members import Members
from tests.chaos.setups import SETUPS, TRUNCATED, Setup
from tests.chaos.truncated_rows import Truncated
from tests.chaos.truncation import REPLICAS as TRUNCATED_REPLICAS
from tests.chaos.truncation import create_truncated_topic
from tests.chaos.verify import Verdict, verify
from tests.stack.kafka_cluster import kafka_cluster
from tests.stack.s3 import s3
from tests.support.http_proxy import HttpProxy
from tests.support.kafka_admin import committed_offsets, create_replicated_topic
from tests.support.kafka_clients import unique

#: Each broker leads at first, and has all partitions.
REPLICAS = ((1, 2, 3), (2, 3, 1), (3, 1, 2), (1, 3, 2))
#: How much of the time each group gets.
SHARES = {"quarantine": 0.6, "dead letters": 0.4}
RESULT = Path("build/chaos.json")
_LIMIT_S = 120.0


@attrs.frozen
class Result:
    """The actions and the outcome of a run."""

    seconds: float
    faults: collections.Counter[str]
    points: collections.Counter[str]
    recovery_s: dict[str, float]
    verdict: Verdict
    truncated: Verdict

    @property
    def is_exact(self) -> bool:
        """Whether both groups have delivered exactly once."""
        return self.verdict.is_exact and self.truncated.is_exact

    def plus(self, other: Result) -> Result:
        """Adds the result of another group."""
        kinds = {**self.recovery_s, **other.recovery_s}
        return Result(
            self.seconds + other.seconds,
            self.faults + other.faults,
            self.points + other.points,
            {kind: max(self.recovery_s.get(kind, 0.0), other.recovery_s.get(kind, 0.0)) for kind in kinds},
            self.verdict.plus(other.verdict),
            self.truncated.plus(other.truncated),
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the form that is written to build/chaos.json."""
        return {
            "seconds": round(self.seconds),
            "faults": self.faults,
            "points": self.points,
            "recovery_s": self.recovery_s,
            **attrs.asdict(self.verdict),
            "truncated": attrs.asdict(self.truncated),
        }


@attrs.define
class Group:
    """The members, the topic that they drain, and the producer that fills it."""

    setup: Setup
    members: Members
    load: Load
    dead_letters: str

    def committed(self, bootstrap: str) -> dict[int, int]:
        """Returns committed offsets by partition."""
        return committed_offsets(bootstrap, self.members.group, self.members.topic)

    def progress(self, bootstrap: str) -> int:
        """Returns how much is committed."""
        return sum(self.committed(bootstrap).values())


def chaos(seconds: float, seed: int, setup: Setup, *, until_all_points: bool = False) -> Result:
    """Breaks things for a number of seconds, then lets the groups settle, and counts.

    Args:
        seconds: how long to break things.
        setup: what all members of the group have in common.
        seed: which faults come in which order.
        until_all_points: go on until each named point of the protocol was passed.
    """
    rng = random.Random(seed)
    with (
        kafka_cluster(proxied=True, settings=SETTINGS) as cluster,
        s3() as store,
        HttpProxy(store.url) as proxy,
        tempfile.TemporaryDirectory() as folder,
    ):
        bucket = unique("chaos")
        store.create_bucket(bucket)
        settings = {
            "bootstrap": cluster.bootstrap,
            "bucket": bucket,
            "s3": proxy.url,
            "key": store.key,
            "secret": store.secret,
        }
        ordinary = make_group(cluster.direct, setup, settings, rng, Path(folder))
        truncated = make_group(cluster.direct, TRUNCATED, settings, rng, Path(folder))
        groups = (ordinary, truncated)
        faults = Faults(cluster, store, proxy, ordinary.members, ordinary.load, truncated.members, rng)
        try:
            for group in groups:
                group.load.start()
                group.members.keep(2)
            wait_for_commits(cluster.direct, groups, (0, 0), "the start")
            recovery_s = break_things(faults, cluster.direct, groups, seconds, until_all_points)
            wait(lambda: is_regrown(cluster.direct, truncated), "a log as long as it was once read", groups)
            counts = {group.setup.name: group.load.stop() for group in groups}
            settle(cluster.direct, groups)
        finally:
            for group in groups:
                group.members.kill_all()
        verdicts = [
            verify(
                store,
                bucket,
                cluster.direct,
                group.members.topic,
                group.dead_letters,
                group.setup,
                counts[group.setup.name],
                [request for request in proxy.requests if is_upload(request, group.members.topic)],
                Truncated(group.load.acknowledged, group.members.reports) if group.setup.truncated else None,
            )
            for group in groups
        ]
        worst = {kind: round(max(times), 1) for kind, times in recovery_s.items()}
        return Result(faults.seconds, faults.counts, ordinary.members.points, worst, *verdicts)


def make_group(bootstrap: str, setup: Setup, settings: Mapping[str, str], rng: random.Random, folder: Path) -> Group:
    """Makes a topic with its producer and members; nothing is started.

    Args:
        bootstrap: past all proxies.
        setup: of the group.
        settings: that all members have alike.
        rng: draws what they don't.
        folder: for their logs.
    """
    topic = unique(f"{TOPICS}-truncated" if setup.truncated else TOPICS)
    if setup.truncated:
        create_truncated_topic(bootstrap, topic)
    else:
        create_replicated_topic(bootstrap, topic, REPLICAS)
    group, dead_letters = unique("group"), unique("dead")
    own = {"setup": setup.name, "group": group, "topic": topic, "dead_letters": dead_letters}
    members = Members({**settings, **own}, rng, folder)
    partitions = len(TRUNCATED_REPLICAS if setup.truncated else REPLICAS)
    return Group(setup, members, Load(bootstrap, topic, partitions, setup), dead_letters)


def break_things(
    faults: Faults, bootstrap: str, groups: Sequence[Group], seconds: float, until_all_points: bool
) -> dict[str, list[float]]:
    """Causes one fault after the other, and returns how long the groups took to commit again, by kind."""
    recovery_s: dict[str, list[float]] = collections.defaultdict(list)
    began = time.monotonic()
    while time.monotonic() - began < seconds or (until_all_points and not set(POINTS) <= set(faults.members.points)):
        kind = faults.one(quick=until_all_points)
        after, before = time.monotonic(), [group.progress(bootstrap) for group in groups]
        wait_for_commits(bootstrap, groups, before, kind)
        recovery_s[kind].append(time.monotonic() - after)
        print(f"{after - began:7.1f} s  {kind}: commits again after {recovery_s[kind][-1]:.1f} s", flush=True)
    faults.seconds = time.monotonic() - began
    return recovery_s


def is_regrown(bootstrap: str, truncated: Group) -> bool:
    """Returns whether each partition's log ends behind everything that was read of it before a truncation."""
    read = truncated.committed(bootstrap)
    for report in truncated.members.reports:
        read[report["partition"]] = max(read.get(report["partition"], 0), report["position"])
    ends = log_ends(bootstrap, truncated.members.topic)
    return all(ends[partition] >= position for partition, position in read.items())


def settle(bootstrap: str, groups: Sequence[Group]) -> None:
    """Waits without faults until everything is committed, and then stops all members in order."""
    for group in groups:
        group.members.keep(2)
        ends = log_ends(bootstrap, group.members.topic)
        while (committed := group.committed(bootstrap)) != ends:
            wait(
                lambda group=group, committed=committed: group.committed(bootstrap) != committed,
                f"a commit of {group.setup.name} on the way from {committed} to {ends}",
                groups,
            )
    for group in groups:
        group.members.stop_all()


def wait_for_commits(bootstrap: str, groups: Sequence[Group], before: Sequence[int], what: str) -> None:
    """Waits until each group has committed more than before."""
    for group, progress in zip(groups, before, strict=True):
        wait(
            lambda group=group, progress=progress: group.progress(bootstrap) > progress,
            f"a commit of {group.setup.name} after {what}",
            groups,
        )


def wait(condition: Callable[..., bool], what: str, groups: Sequence[Group]) -> None:
    """Waits for a condition, a function without required arguments, and replaces members that have died."""
    deadline = time.monotonic() + _LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            last_words = "\n".join(group.members.last_words() for group in groups)
            raise TimeoutError(f"not within {_LIMIT_S:.0f} s: {what}\n{last_words}")
        for group in groups:
            group.members.replace_dead()
        time.sleep(0.2)


def show(result: Result) -> None:
    """Prints the result as a table."""
    print(f"\n{sum(result.faults.values())} faults of {len(result.faults)} kinds in {result.seconds / 60:.0f} minutes\n")
    for kind, count in sorted(result.faults.items()):
        print(f"  {count:5}  {kind:48} commits again after at most {result.recovery_s.get(kind, 0):5.1f} s")
    print("\nnamed points passed: " + ", ".join(f"{point} {result.points.get(point, 0)}" for point in POINTS) + "\n")


def show_counts(verdict: Verdict) -> None:
    """Prints the counts."""
    for name, value in attrs.asdict(verdict).items():
        print(f"  {name:20} {value:>12,}")


def main() -> int:
    """Runs from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    results = {name: chaos(options.minutes * 60 * SHARES[name], options.seed, setup) for name, setup in SETUPS.items()}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({name: result.to_json() for name, result in results.items()}, indent=1) + "\n")
    for name, result in results.items():
        for title, verdict in ((name, result.verdict), (f"truncated, beside {name}", result.truncated)):
            print(f"\n{title}: {'exact' if verdict.is_exact else 'NOT EXACT'}")
            show_counts(verdict)
    show(functools.reduce(Result.plus, results.values()))
    return 0 if all(result.is_exact for result in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
