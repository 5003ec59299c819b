"""WSGI: a StatusApp or a FollowerApp to mount in Django, Flask or any other WSGI application."""

from __future__ import annotations

import http
from collections.abc import Callable, Iterable
from typing import Any

from kafka2parquet.http.app import StatusApp
from kafka2parquet.http.follower_app import FollowerApp
from kafka2parquet.util.arguments import checked

Environment = dict[str, Any]
WsgiApp = Callable[[Environment, Callable[..., Any]], Iterable[bytes]]


@checked
def make_wsgi_app(app: StatusApp | FollowerApp) -> WsgiApp:
    """Make a WSGI application that answers requests about a sink, or about followers, below the place where it is mounted."""

    def application(environ: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")  # PEP 3333: bytes as Latin-1
        response = app.respond(environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), environ.get("HTTP_ACCEPT", ""))
        start_response(f"{response.status} {http.HTTPStatus(response.status).phrase}", list(response.headers.items()))
        return [response.body]

    return application
