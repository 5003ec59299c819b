"""Answers to HTTP requests, and errors in the form of Kafka Connect's REST API."""

from __future__ import annotations

import http
import json
from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class Response:
    """An answer to an HTTP request.

    Attributes:
        status: the HTTP status code.
        headers: the headers by name, with `Content-Type` and `Content-Length`.
        body: the content; empty for a HEAD request, whose `Content-Length` is the one that GET would have.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, body: bytes, content_type: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """Make a response with the headers that describe its body."""
        described = {"Content-Type": content_type, "Content-Length": str(len(body)), "Cache-Control": "no-store"}
        return cls(status, {**described, **(headers or {})}, body)

    @classmethod
    def of_json(cls, value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """Make a response of a value that `json.dumps` takes."""
        return cls.of(json.dumps(value, separators=(",", ":")).encode(), "application/json", status=status, headers=headers)

    def without_body(self) -> Response:
        """Return the same response as a HEAD request gets it."""
        return attrs.evolve(self, body=b"")


class HttpError(Exception):
    """An answer with another status code than 200."""

    def __init__(self, code: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        """Describe the answer.

        Args:
            code: the HTTP status code.
            document: the JSON value to send.
            headers: headers besides those that describe the body.
        """
        super().__init__(code)
        self.code = code
        self.document = document
        self.headers = headers or {}


class ConnectError(HttpError):
    """An error as Kafka Connect reports it: `{"error_code": …, "message": …}`."""

    def __init__(self, code: int, message: str = "", headers: Mapping[str, str] | None = None) -> None:
        """Describe the error.

        Args:
            code: the HTTP status code.
            message: what went wrong; by default Connect's text for the status code.
            headers: headers besides those that describe the body.
        """
        text = message or f"HTTP {code} {http.HTTPStatus(code).phrase}"
        super().__init__(code, {"error_code": code, "message": text}, headers)
