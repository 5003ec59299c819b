"""The classic consumer group protocol: one group's state machine, without network or clock.

A group is always in one of four states:

    EMPTY                   no members; offsets may be committed without membership
      │ first member joins
      ▼
    PREPARING_REBALANCE ◄──────────────┐  waits until all members have (re)joined, or the deadline drops the missing ones;
      │ everybody has joined           │  heartbeats return REBALANCE_IN_PROGRESS, so that members rejoin
      ▼                                │
    COMPLETING_REBALANCE ──────────────┤  a new generation has started: the leader knows the members and computes the
      │ leader's SyncGroup             │  assignment; the others' SyncGroup requests wait for it
      ▼                                │
    STABLE ────────────────────────────┘  until a member joins, leaves, times out or changes its subscription

The response to a join or sync may come much later than the request, so both take a callback, which is called exactly once.
Time is passed in as `now`, in seconds of any monotonic clock; `expire(now)` applies the timeouts that have passed. The rules
are those of Apache Kafka's group coordinator for the classic protocol, with static membership (KIP-345) and the member id
handshake (KIP-394).
"""

from __future__ import annotations

import enum
import uuid
from collections.abc import Callable, Mapping, Sequence

import attrs

from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode


class GroupState(enum.Enum):
    """The states of a group, with the names that DescribeGroups uses."""

    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"


@attrs.frozen
class JoinRequest:
    """The content of a JoinGroup request.

    Attributes:
        member_id: the member's id; "" for a member without an id.
        instance_id: static member id, None for a dynamic member.
        client_id: the client's name for itself.
        session_timeout_s: the member is dropped after this time without a request.
        rebalance_timeout_s: how long a rebalance waits for the member to rejoin.
        protocol_type: "consumer" for consumers.
        protocols: assignment strategies, best first, each with its metadata.
        needs_known_id: a new dynamic member has to ask for an id first, and rejoin with it (JoinGroup v4 and later).
        may_skip_assignment: the leader understands responses that ask it not to assign (JoinGroup v9 and later).
    """

    member_id: str
    instance_id: str | None
    client_id: str
    session_timeout_s: float
    rebalance_timeout_s: float
    protocol_type: str
    protocols: tuple[tuple[str, bytes], ...]
    needs_known_id: bool = True
    may_skip_assignment: bool = True


@attrs.frozen
class JoinedMember:
    """The description of a member that the leader gets."""

    member_id: str
    instance_id: str | None
    metadata: bytes


@attrs.frozen
class JoinResult:
    """The response to a join. Only the leader's response lists the members."""

    error: int
    member_id: str
    generation: int = -1
    protocol_type: str | None = None
    protocol_name: str | None = None
    leader_id: str = ""
    skip_assignment: bool = False
    members: tuple[JoinedMember, ...] = ()


@attrs.frozen
class SyncResult:
    """The response to a sync: the member's assignment."""

    error: int
    assignment: bytes = b""


@attrs.define(eq=False)
class Member:
    """A member of a group. Only its `Group` changes it."""

    member_id: str
    request: JoinRequest
    last_seen: float
    assignment: bytes = b""
    pending_join: Callable[[JoinResult], None] | None = None
    pending_sync: Callable[[SyncResult], None] | None = None

    @property
    def instance_id(self) -> str | None:
        """The static member id; None for a dynamic member."""
        return self.request.instance_id

    def metadata_for(self, protocol_name: str | None) -> bytes:
        """Return the metadata that the member sent for an assignment strategy."""
        return dict(self.request.protocols).get(protocol_name or "", b"")

    def as_seen_by_leader(self, protocol_name: str | None) -> JoinedMember:
        """Return the description that the leader needs to compute an assignment with a strategy."""
        return JoinedMember(self.member_id, self.instance_id, self.metadata_for(protocol_name))

    def answer_join(self, result: JoinResult) -> None:
        """Respond to the waiting join, if any."""
        if self.pending_join is not None:
            callback, self.pending_join = self.pending_join, None
            callback(result)

    def answer_sync(self, result: SyncResult) -> None:
        """Respond to the waiting sync, if any."""
        if self.pending_sync is not None:
            callback, self.pending_sync = self.pending_sync, None
            callback(result)


class Group:
    """The membership of one consumer group. Not thread-safe: only the broker's event loop may use it."""

    def __init__(self, group_id: str, *, initial_rebalance_delay_s: float = 0.0) -> None:
        self.group_id = group_id
        self.state = GroupState.EMPTY
        self.generation = 0
        self.leader_id: str | None = None
        self.protocol_type: str | None = None
        self.protocol_name: str | None = None
        self.members: dict[str, Member] = {}
        self._initial_rebalance_delay_s = initial_rebalance_delay_s
        self._awaited_ids: dict[str, float] = {}  # ids whose owners have not joined yet, with the time at which each id expires
        self._join_not_before = 0.0
        self._join_deadline = 0.0
        self._sync_deadline = 0.0

    # Requests of members

    def join(self, request: JoinRequest, now: float, callback: Callable[[JoinResult], None]) -> None:
        """Handle a join or rejoin. The callback gets the response when the group has decided; this includes refusals."""
        try:
            self._check_protocols(request)
            if request.member_id:
                self._join_with_id(request, now, callback)
            else:
                self._join_without_id(request, now, callback)
        except BrokerError as error:
            callback(JoinResult(error.code, request.member_id))

    def sync(
        self,
        member_id: str,
        instance_id: str | None,
        generation: int,
        assignments: Mapping[str, bytes],
        now: float,
        callback: Callable[[SyncResult], None],
    ) -> None:
        """Handle a sync: members ask for their assignment, the leader sends all assignments. The callback gets the response."""
        try:
            member = self._member(member_id, instance_id, generation, now)
        except BrokerError as error:
            callback(SyncResult(error.code))
            return
        if self.state is GroupState.PREPARING_REBALANCE:
            callback(SyncResult(ErrorCode.REBALANCE_IN_PROGRESS))
        elif self.state is GroupState.STABLE:
            callback(SyncResult(ErrorCode.NONE, member.assignment))
        else:
            member.answer_sync(SyncResult(ErrorCode.REBALANCE_IN_PROGRESS))  # superseded by this request
            member.pending_sync = callback
            if member_id == self.leader_id:
                self._assign(assignments)

    def heartbeat(self, member_id: str, instance_id: str | None, generation: int, now: float) -> None:
        """Handle a heartbeat.

        Raises:
            BrokerError: the sender has left the group, or has to rejoin.
        """
        self._member(member_id, instance_id, generation, now)
        if self.state is GroupState.PREPARING_REBALANCE:
            raise BrokerError(ErrorCode.REBALANCE_IN_PROGRESS)

    def leave(self, member_id: str, instance_id: str | None, now: float) -> None:
        """Remove a member that leaves. A static member may be named by its instance id alone.

        Raises:
            BrokerError: the member doesn't exist.
        """
        if self._awaited_ids.pop(member_id, None) is not None:
            self._complete_join_if_all_joined(now)
            return
        if member_id == "" and instance_id is not None:
            member = self._static_member(instance_id)
            if member is None:
                raise BrokerError(ErrorCode.UNKNOWN_MEMBER_ID)
        else:
            member = self._member(member_id, instance_id, None, now)
        self._remove(member, now)

    def check_commit(self, member_id: str, instance_id: str | None, generation: int, now: float) -> None:
        """Check whether a member may commit offsets now. A commit counts as a heartbeat.

        Raises:
            BrokerError: the member may not commit, or not in the current state of the group.
        """
        if generation < 0 and self.state is GroupState.EMPTY:
            return  # a consumer without a group membership, or an administrator's tool
        self._member(member_id, instance_id, generation, now)
        if self.state is GroupState.COMPLETING_REBALANCE:
            raise BrokerError(ErrorCode.REBALANCE_IN_PROGRESS)

    # Timeouts and administration

    def expire(self, now: float) -> None:
        """Drop members whose session has timed out, and end waits whose deadline has passed."""
        self._awaited_ids = {member_id: until for member_id, until in self._awaited_ids.items() if now < until}
        for member in list(self.members.values()):
            is_waiting = member.pending_join is not None or member.pending_sync is not None
            if not is_waiting and now - member.last_seen > member.request.session_timeout_s:
                self._remove(member, now)
        if self.state is GroupState.COMPLETING_REBALANCE and now >= self._sync_deadline:
            for member in [each for each in self.members.values() if each.pending_sync is None]:
                self._remove(member, now)
        self._complete_join_if_all_joined(now)
        if self.state is GroupState.PREPARING_REBALANCE and now >= self._join_deadline:
            self._complete_join(now)

    def evict_all(self, now: float) -> None:
        """Remove all members, as if their sessions had timed out."""
        for member in list(self.members.values()):
            self._remove(member, now)

    # Joining

    def _join_without_id(self, request: JoinRequest, now: float, callback: Callable[[JoinResult], None]) -> None:
        member_id = f"{request.instance_id or request.client_id}-{uuid.uuid4()}"
        known = None if request.instance_id is None else self._static_member(request.instance_id)
        if known is not None:
            self._replace_static_member(known, member_id, request, now, callback)
        elif request.instance_id is None and request.needs_known_id:
            self._awaited_ids[member_id] = now + request.session_timeout_s
            callback(JoinResult(ErrorCode.MEMBER_ID_REQUIRED, member_id))
        else:
            self._add(member_id, request, now, callback)

    def _join_with_id(self, request: JoinRequest, now: float, callback: Callable[[JoinResult], None]) -> None:
        if self._awaited_ids.pop(request.member_id, None) is not None:
            self._add(request.member_id, request, now, callback)
            return
        member = self._member(request.member_id, request.instance_id, None, now)
        is_unchanged = member.request.protocols == request.protocols
        if self.state is GroupState.COMPLETING_REBALANCE and is_unchanged:
            callback(self._joined(member))  # the response was lost
        elif self.state is GroupState.STABLE and is_unchanged and member.member_id != self.leader_id:
            callback(self._joined(member))
        else:
            member.answer_join(JoinResult(ErrorCode.REBALANCE_IN_PROGRESS, member.member_id))  # superseded by this request
            member.request = request
            self._wait_for_others(member, now, callback)

    def _add(self, member_id: str, request: JoinRequest, now: float, callback: Callable[[JoinResult], None]) -> None:
        if not self.members:
            self.protocol_type = request.protocol_type
        member = self.members[member_id] = Member(member_id, request, now)
        self._wait_for_others(member, now, callback)

    def _replace_static_member(
        self, old: Member, member_id: str, request: JoinRequest, now: float, callback: Callable[[JoinResult], None]
    ) -> None:
        """Give a returning static member a new id. The group doesn't rebalance for this."""
        old.answer_join(JoinResult(ErrorCode.FENCED_INSTANCE_ID, old.member_id))
        old.answer_sync(SyncResult(ErrorCode.FENCED_INSTANCE_ID))
        del self.members[old.member_id]
        member = self.members[member_id] = Member(member_id, request, now, old.assignment)
        if self.leader_id == old.member_id:
            self.leader_id = member_id
        if self.state is GroupState.STABLE and old.request.protocols == request.protocols:
            result = self._joined(member, skip_assignment=True)
            if self.leader_id == member_id and not request.may_skip_assignment:
                # as leader it would assign again and change the other assignments, so name its old id as the leader
                result = attrs.evolve(result, leader_id=old.member_id, skip_assignment=False, members=())
            callback(result)
        else:
            self._wait_for_others(member, now, callback)

    def _wait_for_others(self, member: Member, now: float, callback: Callable[[JoinResult], None]) -> None:
        member.last_seen = now
        member.pending_join = callback
        self._prepare_rebalance(now)
        self._complete_join_if_all_joined(now)

    # Rebalancing

    def _prepare_rebalance(self, now: float) -> None:
        if self.state is GroupState.PREPARING_REBALANCE:
            return
        for member in self.members.values():
            member.answer_sync(SyncResult(ErrorCode.REBALANCE_IN_PROGRESS))
        if self.state is GroupState.EMPTY:  # members that start together get time to join together
            self._join_not_before = self._join_deadline = now + self._initial_rebalance_delay_s
        else:
            self._join_not_before = now
            self._join_deadline = now + self._rebalance_timeout_s()
        self.state = GroupState.PREPARING_REBALANCE

    def _complete_join_if_all_joined(self, now: float) -> None:
        if (
            self.state is GroupState.PREPARING_REBALANCE
            and now >= self._join_not_before
            and not self._awaited_ids
            and all(member.pending_join is not None for member in self.members.values())
        ):
            self._complete_join(now)

    def _complete_join(self, now: float) -> None:
        """Start a new generation with all members that have joined, and with static members that may still return."""
        for member in list(self.members.values()):
            if member.pending_join is None and member.instance_id is None:
                del self.members[member.member_id]
        joined = [member for member in self.members.values() if member.pending_join is not None]
        if self.members and not joined:
            self._join_deadline = now + self._rebalance_timeout_s()
            return
        self.generation += 1
        if not self.members:
            self.state, self.leader_id, self.protocol_name = GroupState.EMPTY, None, None
            return
        if self.leader_id not in [member.member_id for member in joined]:
            self.leader_id = joined[0].member_id
        self.protocol_name = self._elect_protocol()
        self.state = GroupState.COMPLETING_REBALANCE
        self._sync_deadline = now + self._rebalance_timeout_s()
        for member in joined:
            member.last_seen = now
            member.answer_join(self._joined(member))

    def _assign(self, assignments: Mapping[str, bytes]) -> None:
        self.state = GroupState.STABLE
        for member in self.members.values():
            member.assignment = assignments.get(member.member_id, b"")
            member.answer_sync(SyncResult(ErrorCode.NONE, member.assignment))

    def _remove(self, member: Member, now: float) -> None:
        del self.members[member.member_id]
        member.answer_join(JoinResult(ErrorCode.UNKNOWN_MEMBER_ID, member.member_id))
        member.answer_sync(SyncResult(ErrorCode.UNKNOWN_MEMBER_ID))
        self._prepare_rebalance(now)
        self._complete_join_if_all_joined(now)

    # Lookups

    def _member(self, member_id: str, instance_id: str | None, generation: int | None, now: float) -> Member:
        """Return a member and restart its session timeout; refuse replaced static members, and other generations if given."""
        member = self.members.get(member_id)
        if instance_id is not None and (static := self._static_member(instance_id)) is not None and static is not member:
            raise BrokerError(ErrorCode.FENCED_INSTANCE_ID)
        if member is None:
            raise BrokerError(ErrorCode.UNKNOWN_MEMBER_ID)
        if generation is not None and generation != self.generation:
            raise BrokerError(ErrorCode.ILLEGAL_GENERATION)
        member.last_seen = now
        return member

    def _static_member(self, instance_id: str) -> Member | None:
        return next((member for member in self.members.values() if member.instance_id == instance_id), None)

    def _rebalance_timeout_s(self) -> float:
        return max((member.request.rebalance_timeout_s for member in self.members.values()), default=0.0)

    def _check_protocols(self, request: JoinRequest) -> None:
        others = [member for member in self.members.values() if member.member_id != request.member_id]
        supported = _common_protocols([request, *(member.request for member in others)])
        if not supported or (others and request.protocol_type != self.protocol_type):
            raise BrokerError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)

    def _elect_protocol(self) -> str:
        """Choose the strategy with most votes. Each member votes for the first of its strategies that all members know."""
        requests = [member.request for member in self.members.values()]
        common = _common_protocols(requests)
        votes = [next(name for name, _ in request.protocols if name in common) for request in requests]
        return max(votes, key=votes.count)

    def _joined(self, member: Member, *, skip_assignment: bool = False) -> JoinResult:
        is_leader = member.member_id == self.leader_id
        members = list(self.members.values()) if is_leader else []
        return JoinResult(
            ErrorCode.NONE,
            member.member_id,
            self.generation,
            self.protocol_type,
            self.protocol_name,
            self.leader_id or "",
            skip_assignment and is_leader,
            tuple(JoinedMember(each.member_id, each.instance_id, each.metadata_for(self.protocol_name)) for each in members),
        )


def _common_protocols(requests: Sequence[JoinRequest]) -> set[str]:
    return set.intersection(*({name for name, _ in request.protocols} for request in requests))
