"""HttpApp: answers HTTP requests with JSON documents and with metrics. Subclasses say which documents there are."""

from __future__ import annotations

import abc
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from kafka2parquet.http.connect_rest import not_allowed
from kafka2parquet.http.health import Verdict
from kafka2parquet.http.metrics_page import MetricsPage
from kafka2parquet.http.responses import ConnectError, HttpError, Response

_LOG = logging.getLogger(__name__)
_METHODS = "HEAD, GET, OPTIONS"


class HttpApp(abc.ABC):
    """Answers HTTP requests. Nothing can be changed through it. All methods may be called on any thread."""

    def __init__(self, metrics: MetricsPage, hide: Callable[[str], str]) -> None:
        """Set up the answers.

        Args:
            metrics: the page at `/metrics`.
            hide: hides secrets in a text that people will read.
        """
        self._metrics = metrics
        self._hide = hide

    @abc.abstractmethod
    def _document(self, path: Sequence[str], query: Mapping[str, Sequence[str]]) -> Callable[[], Any] | None:
        """Return a function that makes the JSON value of a path, or raises an `HttpError`; None for an unknown path."""

    def respond(self, method: str, path: str, query: str = "", accept: str = "") -> Response:
        """Answer a request. Errors are answers, too; nothing is raised.

        Args:
            method: the request's method.
            path: the path without the query, percent-decoded; below the place where the app is mounted.
            query: the part of the URL after `?`.
            accept: the `Accept` header, from which the format of metrics follows.
        """
        try:
            response = self._response(method, path, query, accept)
        except HttpError as error:
            response = self.error(error)
        except Exception:
            _LOG.exception("%s %s can't be answered", method, path)
            response = self.error(ConnectError(500))
        return response.without_body() if method == "HEAD" else response

    def _response(self, method: str, path: str, query: str, accept: str) -> Response:
        parts = path.removeprefix("/").removesuffix("/").split("/")
        document = self._document(parts, parse_qs(query))
        if document is None and parts != ["metrics"]:
            raise ConnectError(404)
        if method == "OPTIONS":
            return Response.of(_METHODS.encode(), "text/plain", headers={"Allow": _METHODS})
        if method not in ("GET", "HEAD"):
            raise not_allowed()
        if document is None:
            return self._metrics.respond(accept)
        return Response.of_json(self._hidden(document()))

    def error(self, error: HttpError) -> Response:
        """Return the response that reports an error."""
        return Response.of_json(self._hidden(error.document), status=error.code, headers=error.headers)

    def _hidden(self, value: Any) -> Any:
        """Return a JSON value with secrets hidden in all its texts."""
        if isinstance(value, str):
            return self._hide(value)
        if isinstance(value, Mapping):
            return {key: self._hidden(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._hidden(each) for each in value]
        return value


def judged(question: str, verdict: Verdict) -> dict[str, Any]:
    """Return the document of a question about health.

    Raises:
        HttpError: the answer is no; with the code 503.
    """
    document = {question: bool(verdict), "problems": list(verdict.problems)}
    if not verdict:
        raise HttpError(503, document)
    return document
