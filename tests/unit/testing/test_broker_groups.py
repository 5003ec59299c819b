"""The state machine of the classic group protocol, with numbers as its clock."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode
from kafka2parquet.testing.broker.groups import Group, GroupState, JoinRequest, JoinResult, SyncResult

SESSION_S = 10.0
REBALANCE_S = 60.0
RANGE = (("range", b"topics"),)


def request(
    member_id: str = "",
    *,
    instance_id: str | None = None,
    protocols: tuple[tuple[str, bytes], ...] = RANGE,
    may_skip_assignment: bool = True,
) -> JoinRequest:
    return JoinRequest(
        member_id, instance_id, "client", SESSION_S, REBALANCE_S, "consumer", protocols, True, may_skip_assignment
    )


class Scene:
    """A group, and the responses that its members got."""

    def __init__(self, initial_rebalance_delay_s: float = 0.0) -> None:
        self.group = Group("group", initial_rebalance_delay_s=initial_rebalance_delay_s)
        self.joined: list[JoinResult] = []
        self.synced: list[SyncResult] = []

    def join(self, join_request: JoinRequest, now: float = 0.0) -> None:
        self.group.join(join_request, now, self.joined.append)

    def new_id(self, now: float = 0.0) -> str:
        self.join(request(), now)
        return self.joined.pop().member_id

    def sync(self, member_id: str, assignments: dict[str, bytes] | None = None, now: float = 0.0) -> None:
        self.group.sync(member_id, None, self.group.generation, assignments or {}, now, self.synced.append)

    def stable(self, members: int, now: float = 0.0) -> list[str]:
        """Bring a group with `members` members into the state STABLE. The first member leads."""
        ids = [self.new_id(now) for _ in range(members)]
        for member_id in ids:
            self.join(request(member_id), now)
        while self.group.state is not GroupState.COMPLETING_REBALANCE:
            for member_id in ids:  # members that joined too early have to rejoin
                member = self.group.members.get(member_id)
                if member is not None and member.pending_join is None:
                    self.join(request(member_id), now)
        for member_id in reversed(ids):
            self.sync(member_id, {each: each.encode() for each in ids}, now)
        self.joined.clear()
        self.synced.clear()
        return ids


def code_of(action: Callable[[], object]) -> int:
    with pytest.raises(BrokerError) as caught:
        action()
    return caught.value.code


def test_a_new_member_joins_with_the_id_that_it_gets() -> None:
    """A new member first gets an id, and joins with it: a lost response leaves no ghost member behind."""
    scene = Scene()
    scene.join(request())

    (refused,) = scene.joined
    assert (ErrorCode.MEMBER_ID_REQUIRED, {}) == (refused.error, scene.group.members)
    assert refused.member_id.startswith("client-")


def test_an_old_client_joins_without_an_id() -> None:
    """Clients before JoinGroup version 4 join without an id, because they don't know the handshake."""
    scene = Scene()
    scene.join(JoinRequest("", None, "client", SESSION_S, REBALANCE_S, "consumer", RANGE, needs_known_id=False))

    assert [0] == [result.error for result in scene.joined]


def test_first_generation_waits_for_the_initial_delay() -> None:
    """Members that start together join the first generation together."""
    scene = Scene(initial_rebalance_delay_s=3.0)
    ids = [scene.new_id(), scene.new_id()]
    for member_id in ids:
        scene.join(request(member_id))
    scene.group.expire(2.9)
    before = list(scene.joined)
    scene.group.expire(3.0)

    assert [] == before
    assert [(0, 1), (0, 1)] == [(result.error, result.generation) for result in scene.joined]


def test_only_the_leader_gets_the_members() -> None:
    """Only the leader's response lists the members, because the leader computes the assignment."""
    scene = Scene(initial_rebalance_delay_s=3.0)
    ids = [scene.new_id(), scene.new_id()]
    for member_id in ids:
        scene.join(request(member_id))
    scene.group.expire(3.0)

    assert [ids, []] == [[member.member_id for member in result.members] for result in scene.joined]
    assert [ids[0]] * 2 == [result.leader_id for result in scene.joined]


def test_followers_wait_for_the_leader_s_assignment() -> None:
    """Each member gets its assignment after the leader's sync; an empty one if the leader left it out."""
    scene = Scene(initial_rebalance_delay_s=3.0)
    leader, follower = scene.new_id(), scene.new_id()
    for member_id in (leader, follower):
        scene.join(request(member_id))
    scene.group.expire(3.0)
    scene.sync(follower)
    before = list(scene.synced)
    scene.sync(leader, {leader: b"a"})

    assert [] == before
    assert [SyncResult(0, b"a"), SyncResult(0, b"")] == sorted(scene.synced, key=lambda each: -len(each.assignment))
    assert GroupState.STABLE is scene.group.state


def test_a_joining_member_calls_the_others_back() -> None:
    """Heartbeats ask the other members to rejoin, and the new generation starts when all have rejoined."""
    scene = Scene()
    (member,) = scene.stable(1)
    newcomer = scene.new_id()
    scene.join(request(newcomer))
    called_back = code_of(lambda: scene.group.heartbeat(member, None, 1, 0.0))
    waiting = len(scene.joined)
    scene.join(request(member))

    assert (ErrorCode.REBALANCE_IN_PROGRESS, 0) == (called_back, waiting)
    assert [2, 2] == [result.generation for result in scene.joined]


def test_members_that_do_not_come_back_are_dropped() -> None:
    """A rebalance drops members that don't rejoin within their rebalance timeout."""
    scene = Scene()
    stays, dropped = scene.stable(2)
    scene.join(request(stays), now=1.0)
    for now in (5.0, 10.0, 50.0):  # the member sends heartbeats, but does not rejoin
        code_of(functools.partial(scene.group.heartbeat, dropped, None, scene.group.generation, now))
    scene.group.expire(51.0)
    before = list(scene.joined)
    code_of(lambda: scene.group.heartbeat(dropped, None, scene.group.generation, 59.0))
    scene.group.expire(1.0 + REBALANCE_S)

    assert [] == before
    assert [0] == [result.error for result in scene.joined]
    assert [stays] == list(scene.group.members)


def test_members_that_do_not_fetch_their_assignment_are_dropped() -> None:
    """A member that joins without syncing doesn't block the others forever."""
    scene = Scene()
    (leader,) = scene.stable(1)
    scene.join(request(leader))
    for now in range(1, 60, 5):
        scene.group.heartbeat(leader, None, scene.group.generation, float(now))
        scene.group.expire(float(now))
    members = list(scene.group.members)
    scene.group.expire(REBALANCE_S)

    assert [leader] == members
    assert {} == scene.group.members


def test_members_that_wait_for_the_leader_are_not_dropped_with_it() -> None:
    """If the leader doesn't send assignments in time, the rebalance starts over with the waiting members only."""
    scene = Scene(initial_rebalance_delay_s=1.0)
    leader, follower = scene.new_id(), scene.new_id()
    for member_id in (leader, follower):
        scene.join(request(member_id))
    scene.group.expire(1.0)
    scene.sync(follower, now=1.0)
    for now in range(1, 61, 5):
        scene.group.heartbeat(leader, None, scene.group.generation, float(now))
        scene.group.expire(float(now))
    scene.group.expire(1.0 + REBALANCE_S)

    assert [follower] == list(scene.group.members)
    assert [SyncResult(ErrorCode.REBALANCE_IN_PROGRESS)] == scene.synced


def test_silent_members_are_dropped() -> None:
    """A member without heartbeats is dropped after its session timeout, and the others rebalance."""
    scene = Scene()
    silent, alive = scene.stable(2)
    scene.group.heartbeat(alive, None, scene.group.generation, SESSION_S)
    scene.group.expire(SESSION_S + 1)

    assert [alive] == list(scene.group.members)
    assert GroupState.PREPARING_REBALANCE is scene.group.state
    assert silent not in scene.group.members


def test_leaving_begins_a_rebalance() -> None:
    """A member that leaves starts a rebalance. A group without members is empty, and its generation keeps counting."""
    scene = Scene()
    first, second = scene.stable(2)
    generation = scene.group.generation
    scene.group.leave(first, None, 0.0)
    state = scene.group.state
    scene.group.leave(second, None, 0.0)

    assert GroupState.PREPARING_REBALANCE is state
    assert (GroupState.EMPTY, generation + 1) == (scene.group.state, scene.group.generation)


def test_a_member_may_leave_before_it_has_joined() -> None:
    """An id that leaves before it has joined is unknown afterwards, so no rebalance waits for it."""
    scene = Scene()
    member_id = scene.new_id()
    scene.group.leave(member_id, None, 0.0)
    scene.join(request(member_id))

    assert [ErrorCode.UNKNOWN_MEMBER_ID] == [result.error for result in scene.joined]


def test_awaited_members_hold_a_rebalance_up_until_they_expire() -> None:
    """A rebalance waits for the owner of a new id until the id expires."""
    scene = Scene()
    (member,) = scene.stable(1)
    scene.new_id()
    scene.join(request(member))
    before = list(scene.joined)
    scene.group.expire(SESSION_S)

    assert [] == before
    assert [2] == [result.generation for result in scene.joined]


@pytest.mark.parametrize(
    ("member", "generation", "code"),
    [("nobody", 1, ErrorCode.UNKNOWN_MEMBER_ID), (None, 7, ErrorCode.ILLEGAL_GENERATION)],
    ids=["stranger", "other generation"],
)
def test_others_are_fenced(member: str | None, generation: int, code: ErrorCode) -> None:
    """Heartbeats, commits and syncs need the id of a member and the current generation."""
    scene = Scene()
    (known,) = scene.stable(1)
    member_id = member or known
    scene.group.sync(member_id, None, generation, {}, 0.0, scene.synced.append)

    assert [code] * 3 == [
        code_of(lambda: scene.group.heartbeat(member_id, None, generation, 0.0)),
        code_of(lambda: scene.group.check_commit(member_id, None, generation, 0.0)),
        scene.synced[0].error,
    ]


def test_commits_without_membership_need_an_empty_group() -> None:
    """Tools may set offsets only while the group has no members."""
    scene = Scene()
    scene.group.check_commit("", None, -1, 0.0)
    scene.stable(1)

    assert ErrorCode.UNKNOWN_MEMBER_ID == code_of(lambda: scene.group.check_commit("", None, -1, 0.0))


def test_commits_are_taken_while_members_are_called_back_but_not_between_generations() -> None:
    """Members may commit until they have given up their partitions, but not between two generations."""
    scene = Scene()
    (member,) = scene.stable(1)
    newcomer = scene.new_id()
    scene.join(request(newcomer))
    scene.group.check_commit(member, None, 1, 0.0)
    scene.join(request(member))

    assert ErrorCode.REBALANCE_IN_PROGRESS == code_of(lambda: scene.group.check_commit(member, None, 2, 0.0))


def test_a_repeated_join_gets_the_same_response() -> None:
    """A follower that repeats its join gets the same response, without a rebalance; a leader starts a rebalance."""
    scene = Scene()
    leader, follower = scene.stable(2)
    generation = scene.group.generation
    scene.join(request(follower))
    scene.join(request(leader))

    assert [generation] == [result.generation for result in scene.joined]
    assert GroupState.PREPARING_REBALANCE is scene.group.state


def test_a_changed_subscription_begins_a_rebalance() -> None:
    """A member that changes its subscription starts a rebalance, because the assignment has to be computed again."""
    scene = Scene()
    _, follower = scene.stable(2)
    scene.join(request(follower, protocols=(("range", b"other topics"),)))

    assert GroupState.PREPARING_REBALANCE is scene.group.state


def test_elects_a_strategy_that_all_know() -> None:
    """Of the strategies that all members know, the group chooses the one that most members prefer."""
    scene = Scene(initial_rebalance_delay_s=1.0)
    for names in (("new", "range", "sticky"), ("sticky", "range"), ("sticky", "range")):
        scene.join(request(scene.new_id(), protocols=tuple((name, b"") for name in names)))
    scene.group.expire(1.0)

    assert {"sticky"} == {result.protocol_name for result in scene.joined}


def test_refuses_members_without_a_common_strategy() -> None:
    """A member is refused if it has no strategy in common with the others."""
    scene = Scene()
    scene.stable(1)
    scene.join(request(protocols=(("other", b""),)))

    assert [ErrorCode.INCONSISTENT_GROUP_PROTOCOL] == [result.error for result in scene.joined]


@pytest.mark.parametrize("may_skip_assignment", [True, False])
def test_a_static_member_comes_back_without_rebalance(may_skip_assignment: bool) -> None:
    """A static member returns with a new id and its old assignment; a returning leader doesn't assign again."""
    scene = Scene()
    scene.join(request(instance_id="one"))
    old_id = scene.joined.pop().member_id
    scene.sync(old_id, {old_id: b"mine"})
    scene.synced.clear()
    scene.join(request(instance_id="one", may_skip_assignment=may_skip_assignment))
    (back,) = scene.joined
    scene.sync(back.member_id)

    assert (0, 1) == (back.error, back.generation)
    assert (may_skip_assignment, may_skip_assignment) == (back.skip_assignment, back.leader_id == back.member_id)
    assert [SyncResult(0, b"mine")] == scene.synced


def test_the_replaced_static_member_is_fenced() -> None:
    """The old id of a static member that has returned with a new id is fenced."""
    scene = Scene()
    scene.join(request(instance_id="one"))
    old_id = scene.joined.pop().member_id
    scene.sync(old_id)
    scene.join(request(instance_id="one"))

    assert ErrorCode.FENCED_INSTANCE_ID == code_of(lambda: scene.group.heartbeat(old_id, "one", 1, 0.0))


def test_a_static_member_can_be_removed_by_its_instance_id() -> None:
    """An administrator can remove a static member by its instance id alone."""
    scene = Scene()
    scene.join(request(instance_id="one"))
    scene.group.leave("", "one", 0.0)

    assert {} == scene.group.members
    assert ErrorCode.UNKNOWN_MEMBER_ID == code_of(lambda: scene.group.leave("", "one", 0.0))


def test_evicted_members_hear_it_whatever_they_wait_for() -> None:
    """Eviction ends waiting joins and syncs with an error, so no member waits forever."""
    scene = Scene(initial_rebalance_delay_s=3.0)
    scene.join(request(scene.new_id()))
    scene.group.evict_all(0.0)

    assert [ErrorCode.UNKNOWN_MEMBER_ID] == [result.error for result in scene.joined]
    assert {} == scene.group.members
