"""Startup: checks before the first poll that the store and the dead letters of a task are usable."""

from __future__ import annotations

import functools
import logging

from kafka2parquet.dead_letters.base import DeadLetterFuture
from kafka2parquet.delivery.calls import StorageCall
from kafka2parquet.delivery.context import TaskParts
from kafka2parquet.errors import GuaranteeError, UsageError
from kafka2parquet.util.secrets import without_credentials
from kafka2parquet.util.user_parts import BrokenPartError

_LOG = logging.getLogger(__name__)


class Startup:
    """Probes the store and prepares the dead-letter queue, once for each task. Belongs to the thread that drives the task."""

    def __init__(self, parts: TaskParts) -> None:
        self._parts = parts
        self._probe: StorageCall[None] | None = None
        self._letters_prepared: DeadLetterFuture | None = None
        self._is_done = False

    def done(self) -> bool:
        """Whether both checks have passed. The first call starts the probe. Never blocks.

        Raises:
            GuaranteeError: the store lacks something that exactly-once delivery needs, and the settings ask for it.
            UsageError: the storage is broken.
            Kafka2ParquetError: the store or the broker of the dead letters refuses us.
        """
        if not self._is_done:
            self._is_done = self._store_probed() and self._dead_letters_prepared()
            if self._is_done:
                guarantee = self._parts.delivery.guarantee.replace("_", "-")
                _LOG.info("Delivery to %s: %s", without_credentials(self._parts.storage.url), guarantee)
        return self._is_done

    def _store_probed(self) -> bool:
        storage = self._parts.storage
        if self._probe is None:
            self._probe = self._parts.calls.start(
                functools.partial(storage.probe, self._parts.naming.own_prefix()),
                lambda error, attempt, pause_s: _LOG.warning(
                    "%s can't be reached (attempt %d, next in %.1f s): %s",
                    without_credentials(storage.url),
                    attempt,
                    pause_s,
                    error,
                ),
            )
        try:
            return self._probe.done()
        except GuaranteeError:
            if self._parts.delivery.guarantee == "exactly_once":
                raise
            return True
        except BrokenPartError as broken:
            raise UsageError(f"{storage.url} can't be used: {broken}. Nothing was read yet.") from broken.error

    def _dead_letters_prepared(self) -> bool:
        queue = self._parts.rejects.dead_letters
        if queue is None:
            return True
        if self._letters_prepared is None:
            self._letters_prepared = queue.prepare()
        return self._letters_prepared.done()
