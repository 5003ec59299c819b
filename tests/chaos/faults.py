"""The faults, each under a name, in random order."""

from __future__ import annotations

import collections
import random
import time
from collections.abc import Callable

from tests.chaos.brokers import BrokerFaults
from tests.chaos.load import Load
from tests.chaos.member import POINTS
from tests.chaos.members import Members
from tests.chaos.offsets import GroupOffsets
from tests.chaos.truncation import Truncations
from tests.stack.kafka_cluster import KafkaCluster
from tests.stack.kafka_fault_proxy import Action
from tests.stack.s3 import S3
from tests.support.http_proxy import HttpProxy, Request
from tests.support.kafka_admin import add_partitions

#: How long a member is frozen at most: a successor has taken over and written by then.
_FROZEN_LIMIT_S = 30.0
_MOST_PARTITIONS = 6
_FILES_OF_SUCCESSOR = 4
TRUNCATED_WHILE_READ = "log truncated while it is read"


#: What the names of all topics of the suite begin with.
TOPICS = "chaos"


def is_upload(request: Request, topic: str = TOPICS) -> bool:
    """Returns whether a request would make an object of a topic: rows, rejects, or a version of its schema."""
    is_object = f"/topics/{topic}" in request.path or f"/topics/_kafka2parquet/{topic}" in request.path
    return request.method == "PUT" and is_object and request.query != "tagging"


class Faults:
    """Everything that can be broken; `one` breaks something and repairs it."""

    def __init__(
        self,
        cluster: KafkaCluster,
        store: S3,
        proxy: HttpProxy,
        members: Members,
        load: Load,
        truncated: Members,
        rng: random.Random,
    ) -> None:
        """Selects and counts faults.

        Args:
            cluster: with a proxy for each broker.
            store: where files go.
            proxy: of the store.
            members: meet all kinds of faults.
            load: what they read.
            truncated: the members that read the truncated topic; they meet the faults of servers, and some of members.
            rng: chooses.
        """
        self._cluster = cluster
        self._store = store
        self._proxy = proxy
        self.members = members
        self._load = load
        self._truncated = truncated
        self._rng = rng
        self.counts: collections.Counter[str] = collections.Counter()
        self.seconds = 0.0
        self._offsets = GroupOffsets(cluster.direct, members.group, members.topic, rng)
        brokers = BrokerFaults(cluster, rng)
        truncations = Truncations(cluster, brokers, truncated, rng)
        #: How often each comes in a round, its name, and what it does.
        self._kinds: list[tuple[int, str, Callable[[], None]]] = [
            (3, "member killed", self._kill),
            *((1, f"member dies at point {point}", self._at(point)) for point in POINTS),
            (2, "members killed when an object has just appeared", self._kill_at_object),
            (3, "member frozen until a successor has written, then woken", self._freeze),
            (1, "member frozen for a moment", self._freeze_shortly),
            (1, "member stopped in order", self._stop),
            (1, "third member joins", lambda: self.members.keep(3)),
            (1, "back to two members", lambda: self.members.keep(2)),
            (1, "all members killed", self._kill_all),
            (2, "upload cut off", lambda: self._proxy.cut_off(when=is_upload, times=3)),
            (2, "answer to an upload lost", lambda: self._proxy.lose_answer(when=is_upload, times=2)),
            (1, "uploads answered with 503", lambda: self._proxy.fail(503, when=is_upload, times=10)),
            (1, "uploads answered with 500", lambda: self._proxy.fail(500, when=is_upload, times=5)),
            (1, "uploads delayed past their time limit", lambda: self._proxy.delay(12.0, when=is_upload, times=2)),
            (1, "store down", self._store_outage),
            (2, "answer to a commit lost", self._commit(Action.LOSE_RESPONSE)),
            (2, "commit lost", self._commit(Action.RESET_BEFORE)),
            (1, "answer to a commit cut", self._commit(Action.CUT_RESPONSE)),
            (1, "commit delayed past its time limit", self._commit(Action.DELAY_REQUEST, delay_s=13.0)),
            (1, "fetch cut", lambda: self._broken("Fetch", Action.CUT_RESPONSE, 3)),
            (1, "heartbeat lost", lambda: self._broken("Heartbeat", Action.RESET_BEFORE, 3)),
            (1, "dead letter lost", lambda: self._broken("Produce", Action.RESET_BEFORE, 2)),
            (1, "answer to a dead letter lost", lambda: self._broken("Produce", Action.LOSE_RESPONSE, 2)),
            (1, "dead letters delayed past their time limit", lambda: self._broken("Produce", Action.DELAY_REQUEST, 1, 6.0)),
            (1, "join lost", self._join),
            (1, "broker unreachable", brokers.cut_off_one),
            (1, "all brokers unreachable", brokers.cut_off_all),
            (1, "broker killed and started again", brokers.kill),
            (1, "broker stopped and started again", brokers.stop),
            (1, "broker frozen, then woken", brokers.freeze),
            (1, TRUNCATED_WHILE_READ, truncations.while_read),
            (1, "log truncated while all its members are dead", truncations.while_nobody_reads),
            (1, "log truncated after a death in the middle of a flush", truncations.in_a_flush),
            (1, "log truncated while a member is frozen", truncations.while_a_member_is_frozen),
            (1, "partitions added", self._add_partitions),
            (2, "offsets set back to an older commit of ours", self._offsets_back_to_ours),
            (2, "offsets set back by an operator", self._offsets_back),
        ]
        self._round: list[tuple[str, Callable[[], None]]] = []

    def one(self, *, quick: bool = False) -> str:
        """Causes one fault and returns its name.

        Args:
            quick: one truncation, and then only those that come most often, which are also the ones that take least time.
        """
        if not self._round:
            self._round = [(kind, fault) for times, kind, fault in self._kinds for _ in range(times) if times > 1 or not quick]
            self._rng.shuffle(self._round)
            if quick and not self.counts:
                self._round.append(next((kind, fault) for _, kind, fault in self._kinds if kind == TRUNCATED_WHILE_READ))
        kind, fault = self._round.pop()
        self._offsets.remember(len(self._load.counts))
        fault()
        self.counts[kind] += 1
        return kind

    # ---- members

    def _kill(self) -> None:
        self._any_members().any().kill()

    def _kill_all(self) -> None:
        for member in list(self.members.alive):
            member.kill()

    def _at(self, point: str) -> Callable[[], None]:
        def die() -> None:
            self.members.any().kill()
            self.members.replace_dead()
            doomed = self.members.start(die_at=point, die_after=self._rng.randint(1, 3))
            self._until(lambda: not doomed.is_alive, 12.0)
            if doomed.is_alive:  # some points come only by chance
                doomed.kill()

        return die

    def _kill_at_object(self) -> None:
        killed: list[bool] = []

        def kill() -> None:
            self._kill_all()
            killed.append(True)

        self._proxy.lose_answer(when=lambda request: is_upload(request, self.members.topic), then=kill)
        self._until(lambda: bool(killed), 20.0)

    def _freeze(self) -> None:
        member = self.members.any()
        member.freeze()
        successor = self.members.start()
        uploads = self._uploads()

        def has_written() -> bool:
            return self._uploads() >= uploads + _FILES_OF_SUCCESSOR

        time.sleep(7.0)  # the session has to expire
        self._until(has_written, _FROZEN_LIMIT_S)
        member.thaw()
        time.sleep(2.0)
        if successor.is_alive:
            self.members.keep(2)

    def _uploads(self) -> int:
        return sum(is_upload(request, self.members.topic) for request in list(self._proxy.requests))

    def _freeze_shortly(self) -> None:
        member = self._any_members().any()
        member.freeze()
        time.sleep(self._rng.uniform(0.5, 4.0))
        member.thaw()

    def _stop(self) -> None:
        members = self._any_members()
        members.stop(members.any())

    def _any_members(self) -> Members:
        return self._rng.choice((self.members, self._truncated))

    # ---- store

    def _store_outage(self) -> None:
        self._store.kill()
        time.sleep(self._rng.choice((5.0, 20.0, 60.0)))
        self._store.start()

    # ---- Kafka

    def _broken(self, api: str, action: Action, times: int = 1, delay_s: float = 0.0, limit_s: float = 15.0) -> None:
        fault = self._cluster.fault(api, action, times=times, delay_s=delay_s)
        self._until(lambda: fault.hits > 0, limit_s)
        self._cluster.clear()

    def _commit(self, action: Action, delay_s: float = 0.0) -> Callable[[], None]:
        return lambda: self._broken("OffsetCommit", action, self._rng.randint(1, 2), delay_s, 30.0)

    def _join(self) -> None:
        self.members.any().kill()
        self.members.replace_dead()
        self._broken("JoinGroup", Action.LOSE_RESPONSE, 2)

    def _add_partitions(self) -> None:
        partitions = len(self._load.counts)
        if partitions < _MOST_PARTITIONS:
            add_partitions(self._cluster.direct, self.members.topic, partitions + 1)
            self._load.grow(partitions + 1)

    # ---- offsets

    def _offsets_back_to_ours(self) -> None:
        self.members.stop_all()
        self._offsets.back_to_an_older_commit()

    def _offsets_back(self) -> None:
        self.members.stop_all()
        self._offsets.back_to_any_offset()

    def _until(self, condition: Callable[[], bool], limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.05)
