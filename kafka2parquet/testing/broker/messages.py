"""Which requests the broker speaks, in which versions, and how they are read and written.

The message classes are kafka-python's: they are made from Kafka's own message definitions and work in both directions.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
from kafka.protocol import admin, consumer, metadata, producer

from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode

_API_AND_VERSION = struct.Struct(">hhi")  # api key, version, correlation id: the beginning of every request


@attrs.frozen
class Api:
    """One kind of request.

    Attributes:
        name: as in Kafka's protocol documentation, without "Request".
        request: kafka-python's class for the request.
        response: kafka-python's class for the response.
        max_version: highest version spoken; the lowest is 0.
    """

    name: str
    request: Any
    response: Any
    max_version: int

    @property
    def key(self) -> int:
        """Number of the request on the wire."""
        return int(self.request.API_KEY)


def _api(module: Any, name: str, max_version: int) -> Api:
    return Api(name, getattr(module, f"{name}Request"), getattr(module, f"{name}Response"), max_version)


# Below the versions that name topics by id only, and below those of the newer group and transaction protocols
# (KIP-848, KIP-890): clients negotiate down to these.
APIS: dict[str, Api] = {
    api.name: api
    for api in (
        _api(metadata, "ApiVersions", 4),
        _api(metadata, "FindCoordinator", 4),
        _api(metadata, "Metadata", 12),
        _api(admin, "DescribeCluster", 1),
        _api(admin, "DescribeConfigs", 4),
        _api(admin, "CreateTopics", 7),
        _api(admin, "CreatePartitions", 3),
        _api(admin, "DeleteTopics", 6),
        _api(admin, "DeleteRecords", 2),
        _api(producer, "Produce", 9),
        _api(consumer, "Fetch", 12),
        _api(consumer, "ListOffsets", 8),
        _api(consumer, "OffsetForLeaderEpoch", 4),
        _api(consumer, "JoinGroup", 9),
        _api(consumer, "SyncGroup", 5),
        _api(consumer, "Heartbeat", 4),
        _api(consumer, "LeaveGroup", 5),
        _api(consumer, "OffsetCommit", 8),
        _api(consumer, "OffsetFetch", 8),
        _api(consumer, "OffsetDelete", 0),
        _api(admin, "DescribeGroups", 5),
        _api(admin, "ListGroups", 5),
        _api(admin, "DeleteGroups", 2),
        _api(producer, "InitProducerId", 4),
        _api(producer, "AddPartitionsToTxn", 3),
        _api(producer, "AddOffsetsToTxn", 3),
        _api(producer, "TxnOffsetCommit", 3),
        _api(producer, "EndTxn", 3),
    )
}
_APIS_BY_KEY = {api.key: api for api in APIS.values()}


@attrs.frozen
class Call:
    """One request, decoded.

    Attributes:
        api: its kind.
        version: its version.
        correlation_id: what the response has to repeat.
        client_id: what the client calls itself.
        request: the message. Fields that its version lacks have their defaults.
        injected_error: error code that a test wants as the answer, 0 for none.
    """

    api: Api
    version: int
    correlation_id: int
    client_id: str
    request: Any
    injected_error: int = 0

    def check(self) -> None:
        """Raise the injected error as a BrokerError, if there is one. Handlers call it before they change anything."""
        if self.injected_error:
            raise BrokerError(self.injected_error)

    def attempt(self, action: Callable[[], object]) -> int:
        """Do it, unless an error was injected, and return the error code: 0 when it went well."""
        try:
            self.check()
            action()
        except BrokerError as error:
            return error.code
        return ErrorCode.NONE

    def response(self, **fields: Any) -> Any:
        """A response to this request; fields that its version lacks are left out on the wire."""
        return self.api.response(**fields)


Handler = Callable[[Call], Awaitable[Any]]
"""Answers a call with a response message, or with None if the client expects no answer."""


class UnsupportedVersionError(Exception):
    """The client speaks a version that the broker doesn't.

    Attributes:
        api: the request's kind, None if the broker doesn't know it.
        correlation_id: what a response would have to repeat.
    """

    def __init__(self, api: Api | None, correlation_id: int) -> None:
        self.api = api
        self.correlation_id = correlation_id
        super().__init__()


def decode_request(frame: bytes) -> Call:
    """Decode a request with its header, without the length before it.

    Raises:
        UnsupportedVersionError: the broker doesn't speak this request or version.
    """
    key, version, correlation_id = _API_AND_VERSION.unpack_from(frame)
    api = _APIS_BY_KEY.get(key)
    if api is None or not 0 <= version <= api.max_version:
        raise UnsupportedVersionError(api, correlation_id)
    request = api.request.decode(frame, version=version, header=True)
    return Call(api, version, correlation_id, request.header.client_id or "", request)


def encode_response(response: Any, version: int, correlation_id: int) -> bytes | bytearray:
    """Encode a response with its header and the length before it."""
    response.API_VERSION = version
    response.with_header(correlation_id=correlation_id)
    encoded: bytes | bytearray = response.encode(header=True, framed=True)
    return encoded
