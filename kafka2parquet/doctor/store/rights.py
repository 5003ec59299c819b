"""Steps that try each right with one probe object, and see that no object is ever replaced.

The probe is the one of each start (`kafka2parquet.storage.probe`). Here it runs on a store that notes the outcome of each call.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs

from kafka2parquet.connect.parts.records import make_tags
from kafka2parquet.doctor.check import Cause, Check, Finding, Level
from kafka2parquet.doctor.facts import Facts
from kafka2parquet.errors import GuaranteeError, Kafka2ParquetError, StoragePermissionError
from kafka2parquet.storage.probe import probe_store
from kafka2parquet.storage.store import Store

T = TypeVar("T")

_LEAST = "kafka2parquet doctor <configuration> --rights"
_URL = {"url": "s3://lake"}
_REPLACED = {"reason": "s3://lake: the store lets a second write replace the first one"}


def _right(check_id: str, title: str, what: str, right: str, missing: str, *, level: Level = Level.FAILED) -> Check:
    """Return the check of one right, which S3 calls `right`."""
    refused = {**_URL, "reason": f"AccessDenied (403): Access Denied. Missing right: {right}"}
    broken = {**_URL, "reason": "InternalError (500): We encountered an internal error"}
    cure = f"Grant {missing}. The command prints the least policy that has all rights."
    cause = Cause("missing", refused, "A right is missing at {url}: {reason}.", cure, level, paste=_LEAST)
    failed = Cause("failed", broken, "{url}: {reason}.", "Look at the store's own message; the sink would try again.", level)
    return Check(check_id, title, what, (cause, failed))


LIST = _right(
    "store-list",
    "Right to list",
    "Lists the sink's own folder. The sink lists a topic's folder if it has to find its position from the published files.",
    "s3:ListBucket",
    "s3:ListBucket on the bucket (GCS: storage.objects.list)",
)
PUT = _right(
    "store-put",
    "Right to create",
    "Creates the probe object.",
    "s3:PutObject",
    "s3:PutObject on the objects (GCS: storage.objects.create), and kms:GenerateDataKey on the key, if the bucket is encrypted"
    " with one",
)
PARTS = _right(
    "store-multipart",
    "Right to upload in parts",
    "Uploads the probe object a second time in parts, as large files are, which has to be refused at the end.",
    "s3:AbortMultipartUpload",
    "s3:PutObject and s3:AbortMultipartUpload on the objects, and kms:Decrypt on the key, if the bucket is encrypted with one",
)
GET = _right(
    "store-get",
    "Right to read",
    "Reads the end of the probe object back, as the sink reads footers.",
    "s3:GetObject",
    "s3:GetObject on the objects (GCS: storage.objects.get), and kms:Decrypt on the key, if the bucket is encrypted with one",
)
TAG = _right(
    "store-tag",
    "Right to tag",
    "Tags the probe object, if `s3.object.tagging` is on.",
    "s3:PutObjectTagging",
    "s3:PutObjectTagging on the objects, or remove s3.object.tagging",
)
DELETE = _right(
    "store-delete",
    "Right to delete the probe",
    "Deletes the probe object. The sink deletes nothing else, and works without this right: each start then leaves a probe of"
    " some bytes behind.",
    "s3:DeleteObject",
    "s3:DeleteObject on <topics.dir>/_kafka2parquet/probe-* (GCS: storage.objects.delete), or let a lifecycle rule remove such"
    " objects",
    level=Level.WARNING,
)
CREATE_ONLY = Check(
    "store-create-only",
    "Creates only",
    "Lets two writers race for the probe object and late writers follow. Exactly-once delivery needs a store that lets only the"
    " first one win (`If-None-Match`, `ifGenerationMatch`, hard links).",
    (
        Cause(
            "replaces",
            _REPLACED,
            "{reason}.",
            "Use a store with conditional writes, or a newer version of this one. To do without exactly-once delivery:",
            paste="kafka2parquet.delivery=at_least_once",
        ),
    ),
)
RIGHTS_CHECKS = (LIST, PUT, PARTS, GET, TAG, DELETE, CREATE_ONLY)


class WatchedStore:
    """A store that passes all calls on and notes which of them work.

    Attributes:
        outcomes: error of each kind of call that was made, by `create`, `parts`, `get`, `tag` or `delete`; None for a call
            that works.
    """

    def __init__(self, store: Store, tags: Mapping[str, str] | None) -> None:
        self.outcomes: dict[str, Kafka2ParquetError | None] = {}
        self._store = store
        self._tags = tags

    @property
    def filesystem(self) -> Any:
        """See `Store.filesystem`."""
        return self._store.filesystem

    @property
    def prefix_bytes(self) -> int:
        """See `Store.prefix_bytes`."""
        return self._store.prefix_bytes

    @property
    def most_segment_bytes(self) -> int | None:
        """See `Store.most_segment_bytes`."""
        return self._store.most_segment_bytes

    def create(self, key: str, content: Path | bytes, *, in_parts: bool = False) -> bool:
        """See `Store.create`."""
        name = "parts" if in_parts else "create"
        try:
            created = self._store.create(key, content, in_parts=in_parts)
        except Kafka2ParquetError as error:
            self.outcomes.setdefault(name, error)
            raise
        self.outcomes[name] = None
        return created

    def read_tail(self, key: str, length: int) -> bytes | None:
        """See `Store.read_tail`."""
        return self._noted("get", lambda: self._store.read_tail(key, length))

    def tag(self, key: str, tags: Mapping[str, str]) -> None:
        """See `Store.tag`."""
        self._noted("tag", lambda: self._store.tag(key, tags))

    def list(self, prefix: str) -> Iterator[str]:
        """See `Store.list`."""
        return self._store.list(prefix)

    def list_sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """See `Store.list_sizes`."""
        return self._store.list_sizes(prefix)

    def written_at(self, key: str) -> datetime.datetime | None:
        """See `Store.written_at`."""
        return self._store.written_at(key)

    def delete(self, key: str) -> None:
        """See `Store.delete`. Tags the object before, and reads it where the probe has not got that far."""
        if self.outcomes.get("create", _NOT_CREATED) is None:
            if "get" not in self.outcomes:
                with contextlib.suppress(Kafka2ParquetError):  # it is noted
                    self.read_tail(key, 1)
            if self._tags is not None:
                with contextlib.suppress(Kafka2ParquetError):
                    self.tag(key, self._tags)
        self._noted("delete", lambda: self._store.delete(key))

    def _noted(self, name: str, call: Callable[[], T]) -> T:
        try:
            result = call()
        except Kafka2ParquetError as error:
            self.outcomes[name] = error
            raise
        self.outcomes[name] = None
        return result


_NOT_CREATED = GuaranteeError("the object was not created")


def try_rights(facts: Facts) -> Iterator[Finding]:
    """List, then run the probe, and report the outcome of each kind of call."""
    url, prefix = facts.storage.url, facts.naming.own_prefix()
    try:
        next(iter(facts.storage.store.list(prefix)), None)
        yield LIST.ok()
    except Kafka2ParquetError as error:
        yield _found(LIST, url, error)
    tags = make_tags(facts.config)
    watched = WatchedStore(facts.storage.store, None if tags is None else {**tags.extra, "probe": "true"})
    replaced: Kafka2ParquetError | None = None
    try:
        probe_store(watched, url, prefix)
    except GuaranteeError as error:
        replaced = error
    except Kafka2ParquetError as error:
        if not any(watched.outcomes.values()):
            yield CREATE_ONLY.not_possible(str(error))
    for check, name in ((PUT, "create"), (PARTS, "parts"), (GET, "get"), (TAG, "tag"), (DELETE, "delete")):
        if name in watched.outcomes:
            outcome = watched.outcomes[name]
            yield check.ok() if outcome is None else _found(check, url, outcome)
        elif name != "tag":
            yield check.skipped(f"it needs: {PUT.title}")
    if replaced is not None:
        finding = CREATE_ONLY.found("replaces", reason=_brief(replaced))
        is_needed = facts.config.text("kafka2parquet.delivery") == "exactly_once"
        yield finding if is_needed else attrs.evolve(finding, level=Level.WARNING)
    elif any(watched.outcomes.get(name, _NOT_CREATED) is not None for name in ("create", "parts", "get")):
        yield CREATE_ONLY.skipped("it needs the rights to create and to read")
    else:
        yield CREATE_ONLY.ok()


def _found(check: Check, url: str, error: Kafka2ParquetError) -> Finding:
    cause = "missing" if isinstance(error, StoragePermissionError) else "failed"
    return check.found(cause, url=url, reason=_brief(error))


def _brief(error: Kafka2ParquetError) -> str:
    return str(error).rstrip(".")
