"""The requests that the broker supports, with their versions; decodes requests and encodes responses.

The message classes are kafka-python's, which are generated from Kafka's message definitions and can both encode and decode.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
from kafka.protocol import admin, consumer, metadata, producer

from kafka2parquet.testing.broker.error_codes import BrokerError, ErrorCode

_API_AND_VERSION = struct.Struct(">hhi")  # api key, version, correlation id: the start of every request


@attrs.frozen
class Api:
    """One kind of request.

    Attributes:
        name: the name in Kafka's protocol documentation, without "Request".
        request: kafka-python's class for the request.
        response: kafka-python's class for the response.
        max_version: highest supported version; the lowest is 0.
    """

    name: str
    request: Any
    response: Any
    max_version: int

    @property
    def key(self) -> int:
        """The api key: the number of the request on the wire."""
        return int(self.request.API_KEY)


def _api(module: Any, name: str, max_version: int) -> Api:
    return Api(name, getattr(module, f"{name}Request"), getattr(module, f"{name}Response"), max_version)


# These versions are below those that name topics by id only, and below the newer group and transaction protocols
# (KIP-848, KIP-890). Clients negotiate down to these versions.
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
    """A decoded request.

    Attributes:
        api: the kind of request.
        version: the version of the request.
        correlation_id: number that the response has to repeat.
        client_id: the client's name for itself.
        request: the message. Fields that the version lacks have their defaults.
        injected_error: error code that a test has planned for the response; 0 for none.
    """

    api: Api
    version: int
    correlation_id: int
    client_id: str
    request: Any
    injected_error: int = 0

    def check(self) -> None:
        """Raise the injected error as a BrokerError, if any. Handlers call this method before they change anything."""
        if self.injected_error:
            raise BrokerError(self.injected_error)

    def attempt(self, action: Callable[[], object]) -> int:
        """Run `action`, unless an error was injected, and return the error code: 0 for success."""
        try:
            self.check()
            action()
        except BrokerError as error:
            return error.code
        return ErrorCode.NONE

    def response(self, **fields: Any) -> Any:
        """Return a response to this request. Fields that the version lacks are omitted on the wire."""
        return self.api.response(**fields)


Handler = Callable[[Call], Awaitable[Any]]
"""Answers a call with a response message, or with None if the client expects no answer."""


class UnsupportedVersionError(Exception):
    """Reports a request or a version that the broker doesn't support.

    Attributes:
        api: the kind of request; None if the broker doesn't know it.
        correlation_id: number that a response has to repeat.
    """

    def __init__(self, api: Api | None, correlation_id: int) -> None:
        self.api = api
        self.correlation_id = correlation_id
        super().__init__()


def decode_request(frame: bytes) -> Call:
    """Decode a request with its header, but without the length prefix.

    Raises:
        UnsupportedVersionError: the broker doesn't support the request or its version.
    """
    key, version, correlation_id = _API_AND_VERSION.unpack_from(frame)
    api = _APIS_BY_KEY.get(key)
    if api is None or not 0 <= version <= api.max_version:
        raise UnsupportedVersionError(api, correlation_id)
    request = api.request.decode(frame, version=version, header=True)
    return Call(api, version, correlation_id, request.header.client_id or "", request)


def encode_response(response: Any, version: int, correlation_id: int) -> bytes | bytearray:
    """Encode a response with its header and the length prefix."""
    response.API_VERSION = version
    response.with_header(correlation_id=correlation_id)
    encoded: bytes | bytearray = response.encode(header=True, framed=True)
    return encoded
