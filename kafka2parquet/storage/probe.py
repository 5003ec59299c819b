"""Probes whether a store creates objects atomically, without replacing existing ones."""

from __future__ import annotations

import contextlib
import uuid
from concurrent.futures import ThreadPoolExecutor

from kafka2parquet.errors import GuaranteeError, StoragePermissionError, StorageUnavailableError
from kafka2parquet.storage.store import Store


def probe_store(store: Store, url: str, prefix: str) -> None:
    """Let two writers race for one key, let late writers follow, and check that the winner's content stays.

    The object is named `<prefix>probe-<random>`. It is left behind if the right to delete is missing; a lifecycle rule on the
    prefix may remove such objects.

    Raises:
        GuaranteeError: a later write replaced an earlier one, or the store confirmed the creation to both racing writers.
        StorageUnavailableError: the outcome is unclear; another attempt makes sense.
    """
    key = f"{prefix}probe-{uuid.uuid4().hex}"
    try:
        winner = _race(store, url, key)
        for in_parts in (False, True):
            if store.create(key, b"a late writer", in_parts=in_parts):
                raise _overwrites(url)
        if store.read_tail(key, 1024) != winner:
            raise _overwrites(url)
    finally:
        with contextlib.suppress(StoragePermissionError, StorageUnavailableError):
            store.delete(key)


def _race(store: Store, url: str, key: str) -> bytes:
    """Let two writers create the same object at once. Returns the winner's content."""
    contents = (b"one of two writers", b"the other of two writers")
    with ThreadPoolExecutor(len(contents), "kafka2parquet-probe") as pool:
        attempts = [pool.submit(store.create, key, content) for content in contents]
    errors = [error for attempt in attempts if (error := attempt.exception()) is not None]
    winners = [
        content for content, attempt in zip(contents, attempts, strict=True) if attempt.exception() is None and attempt.result()
    ]
    for error in errors:
        # The store may ask a loser to try again later instead of saying that it lost.
        if not winners or not isinstance(error, StorageUnavailableError):
            raise error
    if len(winners) > 1:
        raise _overwrites(url)
    if not winners:  # the answer to the winner was lost, and its second attempt found the object of the first
        raise StorageUnavailableError(f"{url}: the store confirmed the object to neither of two racing writers.")
    return winners[0]


def _overwrites(url: str) -> GuaranteeError:
    return GuaranteeError(
        f"{url}: the store lets a second write replace the first one, so two owners of a partition could replace each other's"
        " files. Use a store with conditional writes, or ask for at-least-once delivery."
    )
