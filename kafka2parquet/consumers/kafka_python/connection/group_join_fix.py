"""Works around lost group joins in kafka-python 3.0.x.

Two things go wrong in kafka-python's coordinator if a poll times out during a join. First, a join that finishes outside of
`poll` is discarded and started again. That begins a new generation for the whole group, possibly endlessly. Second, after a
change of metadata the coordinator may forget that the result of a join was not yet read. It then waits forever, with heartbeats
switched off. This module wraps three methods of the coordinator object: an unread result is returned instead of joining again,
and the coordinator needs a join until the result was read.

Can go once kafka-python keeps the result of a join that finishes between two polls. tests/integration/test_rebalance.py shows
whether it does.
"""

from __future__ import annotations

import logging
from typing import Any

_LOG = logging.getLogger(__name__)
_WRAPPED = ("_do_join_and_sync_async", "_on_join_complete_async", "_on_join_prepare_async")


def repair_join(consumer: Any) -> bool:
    """Patch a new `KafkaConsumer`. Returns False and logs a warning if its internals are not as expected."""
    coordinator = consumer._coordinator
    if not all(hasattr(coordinator, name) for name in (*_WRAPPED, "_generation", "rebalance_in_progress", "request_rejoin")):
        _LOG.warning("This version of kafka-python is unknown: a group join may get lost and be repeated.")
        return False
    join, complete, prepare = (getattr(coordinator, name) for name in _WRAPPED)
    unread: list[tuple[Any, Any]] = []  # at most one pair of generation and assignment

    async def do_join() -> Any:
        if unread:
            generation, result = unread.pop()
            if generation == coordinator._generation and coordinator.rebalance_in_progress():
                unread.append((generation, result))
                return result
        result = await join()
        unread[:] = [(coordinator._generation, result)]
        return result

    async def on_prepare(*arguments: Any, **keywords: Any) -> Any:
        coordinator.request_rejoin()
        return await prepare(*arguments, **keywords)

    async def on_complete(*arguments: Any, **keywords: Any) -> Any:
        unread.clear()
        return await complete(*arguments, **keywords)

    for name, wrapper in zip(_WRAPPED, (do_join, on_complete, on_prepare), strict=True):
        setattr(coordinator, name, wrapper)
    return True
