"""Repairs the lost group join of kafka-python 3.0.x.

Two things go wrong in its coordinator when a poll ends while a join is under way, as any bounded poll may. A join that finishes
outside of `poll` is thrown away and begun again, which starts a new generation for the whole group, with bad luck endlessly.
And after a change of metadata the coordinator believes that no join is needed before the result of the last join was taken, and
then waits without end, with heartbeats switched off. Three methods of the coordinator object are wrapped: an unread result is
handed out instead of joining again, and a join stays needed until its result was taken.
"""

from __future__ import annotations

import logging
from typing import Any

_LOG = logging.getLogger(__name__)
_WRAPPED = ("_do_join_and_sync_async", "_on_join_complete_async", "_on_join_prepare_async")


def repair_join(consumer: Any) -> bool:
    """Repair a new `KafkaConsumer`. False, with a warning, where its internals aren't as expected."""
    coordinator = consumer._coordinator
    if not all(hasattr(coordinator, name) for name in (*_WRAPPED, "_generation", "rebalance_in_progress", "request_rejoin")):
        _LOG.warning("this version of kafka-python is not known: a group join may get lost, and be repeated")
        return False
    join, complete, prepare = (getattr(coordinator, name) for name in _WRAPPED)
    unread: list[tuple[Any, Any]] = []  # of generation and assignment, at most one

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
