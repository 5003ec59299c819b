"""ASGI: a StatusApp or a FollowerApp to mount in FastAPI, Starlette or any other ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from kafka2parquet.http.app import StatusApp
from kafka2parquet.http.follower_app import FollowerApp
from kafka2parquet.util.arguments import checked

Message = MutableMapping[str, Any]
AsgiApp = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


@checked
def make_asgi_app(app: StatusApp | FollowerApp) -> AsgiApp:
    """Make an ASGI application that answers requests about a sink, or about followers, below the place where it is mounted.

    It needs asyncio, and answers on a thread of the event loop's default executor: a large status takes a tenth of a second.
    """

    async def application(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            path = _below(scope.get("root_path", ""), scope["path"])
            query = scope.get("query_string", b"").decode("latin-1")
            accept = ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"accept")
            loop = asyncio.get_running_loop()
            response = await loop.run_in_executor(None, app.respond, scope["method"], path, query, accept)
            headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            await send({"type": "http.response.body", "body": response.body})
        else:
            raise ValueError(f"A status is answered over HTTP, and not over {scope['type']}.")

    return application


def _below(root: str, path: str) -> str:
    """Return a path without the place where the application is mounted, which some frameworks remove and others don't."""
    return path.removeprefix(root) if path == root or path.startswith(f"{root}/") else path


async def _live(receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
    """Answer a server that runs the application by itself; there is nothing to start or to end."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
