"""Partition assignors: checks that kafka-python supports the configured group protocol and assignors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from kafka2parquet.errors import ConfigurationError

_STRATEGY = "partition_assignment_strategy"
_BUILT_IN = (RangePartitionAssignor, RoundRobinPartitionAssignor, StickyPartitionAssignor, CooperativeStickyAssignor)
_BY_NAME: Mapping[str, type] = {assignor.name: assignor for assignor in _BUILT_IN}


def group_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return client settings with the names of assignors replaced by kafka-python's classes.

    Args:
        settings: settings of a kafka-python consumer. Assignors are given as classes, or by the names that the members of a
            group exchange, such as `range` or `cooperative-sticky`.

    Raises:
        ConfigurationError: the group protocol is not the classic one, or kafka-python can't offer the assignors.
    """
    given = dict(settings)
    if str(given.pop("group_protocol", None) or "classic").lower() != "classic":
        raise ConfigurationError(
            f"group_protocol={settings['group_protocol']} is not supported: kafka-python speaks the classic group protocol"
            " only, not that of KIP-848. Remove the setting. For small rebalances set partition_assignment_strategy to"
            " cooperative-sticky."
        )
    if given.pop("group_remote_assignor", None):
        raise ConfigurationError(
            "group_remote_assignor is not supported: brokers assign partitions under the group protocol of KIP-848 only, which"
            " kafka-python does not speak. Remove the setting, or set partition_assignment_strategy."
        )
    if _STRATEGY in given:
        asked = given[_STRATEGY]
        given[_STRATEGY] = [_assignor(one) for one in ([asked] if isinstance(asked, str | type) else asked)]
        _check_together(given[_STRATEGY])
    return given


def _assignor(asked: Any) -> Any:
    if isinstance(asked, str):
        if asked not in _BY_NAME:
            raise ConfigurationError(f"kafka-python has no partition assignor {asked!r}. There are {', '.join(_BY_NAME)}.")
        return _BY_NAME[asked]
    if isinstance(asked, AbstractPartitionAssignor) or (
        isinstance(asked, type) and issubclass(asked, AbstractPartitionAssignor)
    ):
        return asked
    raise ConfigurationError(
        f"{_STRATEGY} has {asked!r}, which is not a partition assignor of kafka-python. Name some of {', '.join(_BY_NAME)}."
    )


def _check_together(assignors: list[Any]) -> None:
    if not assignors:
        raise ConfigurationError(f"{_STRATEGY} is empty. Name some of {', '.join(_BY_NAME)}, or remove the setting.")
    names = [assignor.name for assignor in assignors]
    if CooperativeStickyAssignor.name in names and set(names) != {CooperativeStickyAssignor.name}:
        raise ConfigurationError(
            f"The assignors {', '.join(names)} can't be offered together: kafka-python joins a group either with"
            " cooperative-sticky alone or without it. Name an assignor that all members of the group offer."
        )
