"""What all members of a group have in common: where bad records, tombstones, keys and headers go, and who knows the schema."""

from __future__ import annotations

import attrs

from tests.chaos.records import BAD, Kind, kind_of


@attrs.frozen
class Setup:
    """A group's configuration. Each member draws its rotation policy by chance.

    Attributes:
        name: for people.
        quarantine: whether rejects are written to files; dead letters are sent in any case.
        views: whether keys and headers have separate files; tombstones are then written there. Otherwise keys are a column,
            and tombstones are rejects.
        contract: whether the schema is learned and kept in the store; else it is given.
        tags: whether objects are tagged.
        truncated: whether the log of its topic is truncated now and then; then all records are good ones, and it goes on.
    """

    name: str
    quarantine: bool
    views: bool
    contract: bool
    tags: bool
    truncated: bool = False

    @property
    def rejected(self) -> frozenset[Kind]:
        """The kinds of records that become rejects."""
        needs_views = {Kind.NO_KEY, Kind.NO_HEADERS}
        return frozenset(BAD) if self.views else frozenset(BAD) - needs_views | {Kind.TOMBSTONE}

    @property
    def written(self) -> frozenset[Kind]:
        """The kinds of records that become rows."""
        return frozenset(Kind) - self.rejected - {Kind.TOMBSTONE}

    def kind_of(self, index: int) -> Kind:
        """Returns the kind of the record with the number."""
        return Kind.GOOD if self.truncated else kind_of(index)


#: Of the group that runs beside each of the others.
TRUNCATED = Setup("truncated", quarantine=False, views=False, contract=False, tags=False, truncated=True)
SETUPS = {
    setup.name: setup
    for setup in (
        Setup("quarantine", quarantine=True, views=True, contract=True, tags=False),
        Setup("dead letters", quarantine=False, views=False, contract=False, tags=True),
    )
}
