"""fake-gcs-server: an emulator of Google Cloud Storage, in memory."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.stack import install
from tests.stack.server import HOST, Server, free_port, http_answers


class Gcs:
    """A running emulator; `url` is its endpoint."""

    def __init__(self, url: str) -> None:
        self.url = url


@contextlib.contextmanager
def gcs() -> Iterator[Gcs]:
    """Start an emulator without buckets; kills it at the end.

    Raises:
        NotInstalledError: Go is missing.
    """
    binary = install.go_binary("fake-gcs-server")
    with tempfile.TemporaryDirectory(prefix="gcs-") as name:
        port = free_port()
        url = f"http://{HOST}:{port}"
        command = [binary, "-scheme", "http", "-host", HOST, "-port", port, "-backend", "memory", "-log-level", "error"]
        server = Server(
            [*command, "-external-url", url, "-public-host", f"{HOST}:{port}", "-filesystem-root", name],
            http_answers(f"{url}/storage/v1/b?project=test", 200),
            Path(name) / "log",
        )
        try:
            server.start()
            yield Gcs(url)
        finally:
            server.kill()
