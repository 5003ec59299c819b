"""Hooks: calls the functions that users give a task, and survives what they raise."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from kafka2parquet.events import Event, Hook
from kafka2parquet.util.user_parts import name_of_part

_LOG = logging.getLogger(__name__)


class Hooks:
    """Calls each hook of a task with each event, in order, on the thread that drives the task.

    An exception of a hook is logged, and the task goes on: the other hooks get the event, and no record is lost or repeated.
    The first exception of each kind is logged with its traceback. `MemoryError`, and anything that isn't an `Exception`, such
    as `KeyboardInterrupt`, end the step.
    """

    def __init__(self, hooks: Sequence[Hook]) -> None:
        self._hooks = tuple(hooks)
        self._seen: set[tuple[Hook, type[Exception]]] = set()
        self.are_called = False
        """Whether a hook is running."""

    def add(self, hooks: Sequence[Hook]) -> None:
        """Add hooks, which are called after the others."""
        self._hooks = (*self._hooks, *hooks)

    def call(self, event: Event) -> None:
        """Call all hooks with an event."""
        if not self._hooks:
            return
        try:
            self.are_called = True
            for hook in self._hooks:
                self._call(hook, event)
        finally:
            self.are_called = False

    def _call(self, hook: Hook, event: Event) -> None:
        try:
            hook(event)
        except MemoryError:
            raise
        except Exception as error:
            is_new = (hook, type(error)) not in self._seen
            self._seen.add((hook, type(error)))
            _LOG.error(
                "%s: the hook %s raised %s for %s: %s. The task goes on.",
                event.topic_partition,
                name_of_part(hook),
                type(error).__name__,
                type(event).__name__,
                error,
                exc_info=is_new,
            )
