"""What happens to an object that exists, and which request header keeps a store from replacing it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from kafka2parquet.connect.parts import files_and_rotation
from kafka2parquet.connect.parts.storage import make_storage
from kafka2parquet.errors import Kafka2ParquetError, StorageUnavailableError
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.storage.base import AlreadyExists
from kafka2parquet.storage.fsspec_storage import FsspecStorage
from tests.acceptance.cases import CaseFolder
from tests.acceptance.outcome import CaseError
from tests.acceptance.sink import Sink
from tests.support.http_proxy import HttpProxy, Request

_PART_BYTES = 5 << 20
#: A file of two parts, so that it goes up as a multipart upload.
_FILE = StagedFile(bytes(_PART_BYTES + 1), _PART_BYTES + 1, 1, {})
_ACCESS = {"aws.access.key.id": "KEY", "aws.secret.access.key": "secret", "s3.part.size": str(_PART_BYTES)}
#: The format of keys and headers has nothing to do with it.
_IN_PARQUET = dict.fromkeys(
    ("keys.format.class", "headers.format.class"), "io.confluent.connect.s3.format.parquet.ParquetFormat"
)
#: Storages of the whole run: s3fs closes its connections badly when it is collected on a thread with another event loop.
_KEPT: list[FsspecStorage] = []
_NOBODY = "http://127.0.0.1:9"
_CODES = {403: "AccessDenied", 404: "NoSuchKey", 409: "ConditionalRequestConflict", 412: "PreconditionFailed"}


def conditional_writes_enabled(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Tries out whether an existing object at a key is left alone."""
    changes = {**_IN_PARQUET, **given["config"], "flush.size": "1"}
    config = folder.config(changes)
    key = files_and_rotation.make_naming(config).key("test-topic", 12, "partition=12", 0)
    sink = Sink(folder, changes, existing={key: {"rows": 1, "offsets": [0]}})
    record = {"partition": 12, "offset": 0, "timestamp": 0, "key": "k", "key_schema": "string", "headers": [["h", "v"]]}
    sink.put([{**record, "value": {"field": "A"}, "value_schema": "field-string"}])
    return {"value": not sink.changed_existing() and sink.error is not None}


def classify_complete_response(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Classifies the answer to CompleteMultipartUpload, and the request that follows.

    Raises:
        CaseError: it fails, or sees that the object exists: also as `file_exists`.
    """
    complete, head = given["complete"], given.get("head")
    with _store(complete, head) as store:
        storage = _storage(folder, _ACCESS, store.url)
        try:
            outcome = storage.publish("key", _FILE)
        except StorageUnavailableError as error:
            raise CaseError("RetriableException", str(error), also="IOException") from None
        except Kafka2ParquetError as error:
            raise CaseError("ConnectException", str(error)) from None
    if isinstance(outcome, AlreadyExists):
        raise CaseError("FileExistsException", "an object stands there", value="file_exists")
    return {"value": "committed"}


def complete_request_headers(given: Mapping[str, Any], folder: CaseFolder) -> dict[str, Any]:
    """Returns the condition in the headers of CompleteMultipartUpload."""
    with _store({"status": 200}, None) as store:
        _storage(folder, {**given.get("config", {}), **_ACCESS}, store.url).publish("key", _FILE)
        sent = next(request for request in store.requests if _completes(request)).headers
    headers = {"If-None-Match": sent["if-none-match"]} if "if-none-match" in sent else {}
    return {"value": headers, "headers": headers}


def _storage(folder: CaseFolder, changes: Mapping[str, str | None], url: str) -> FsspecStorage:
    _KEPT.append(make_storage(folder.config(changes), url))
    return _KEPT[-1]


@contextlib.contextmanager
def _store(complete: Mapping[str, Any], head: Mapping[str, Any] | None) -> Iterator[HttpProxy]:
    """Makes a store that accepts parts, and scripts the answers to the end of an upload and to requests for the object."""
    with HttpProxy(_NOBODY) as store:
        names = "<Bucket>b</Bucket><Key>key</Key>"
        upload = f"<InitiateMultipartUploadResult>{names}<UploadId>u</UploadId></InitiateMultipartUploadResult>"
        store.answer(upload.encode(), when=lambda r: r.method == "POST" and r.query == "uploads")
        _plan(
            store, complete, f"<CompleteMultipartUploadResult>{names}<ETag>e</ETag></CompleteMultipartUploadResult>", _completes
        )
        if head is not None:
            _plan(store, head, "not a Parquet file", lambda r: r.method in ("GET", "HEAD"))
        store.answer(headers={"ETag": '"e"'})
        yield store


def _completes(request: Request) -> bool:
    return request.method == "POST" and request.query != "uploads"


def _plan(store: HttpProxy, described: Mapping[str, Any], body: str, when: Any) -> None:
    status = described["status"]
    code = described.get("body_error") or (_CODES.get(status, "InternalError") if status >= 300 else None)
    if code is not None:
        body = f"<Error><Code>{code}</Code><Message>as the case says</Message></Error>"
    store.fail(status, times=1 << 30, when=when, body=body.encode())
