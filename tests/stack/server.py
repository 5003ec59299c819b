"""A server as a child process: started, waited for, killed; and killed too when this process dies, however it does."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

HOST = "127.0.0.1"
_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 30.0

#: Reads process groups from its standard input ("-" before one that is gone), and kills what is left at its end.
_REAPER = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    group = int(line)
    groups.add(group) if group > 0 else groups.discard(-group)
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


class Reaper:
    """A child process that outlives this one for as long as it takes to kill its other children."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def tell(self, group: int) -> None:
        """Note a process group, or with a minus that it is gone."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _REAPER], stdin=subprocess.PIPE, text=True, start_new_session=True
            )
        assert self._process.stdin is not None
        self._process.stdin.write(f"{group}\n")
        self._process.stdin.flush()


_reaper = Reaper()
#: Not seeded by anyone, or the test processes that run side by side would choose the same ports.
_random = random.SystemRandom()
#: Ports that this process has chosen: a server may bind its port seconds later.
_chosen: set[int] = set()


class Server:
    """A server process in its own process group, with its output in a file (an unread pipe would stop it)."""

    def __init__(
        self,
        command: Sequence[object],
        is_ready: Callable[[], bool],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = [str(part) for part in command]
        self._is_ready = is_ready
        self._log = log
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start it, and don't wait: for servers that start side by side."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self._environment,
                start_new_session=True,
            )
        _reaper.tell(self._process.pid)

    def wait_until_ready(self) -> None:
        """Wait until it answers."""
        assert self._process is not None
        deadline = time.monotonic() + _START_LIMIT_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self._command[0]} did not start:\n{self._log.read_text()[-3000:]}")
            time.sleep(0.03)

    @property
    def pid(self) -> int:
        """Its process; 0 while it doesn't run."""
        return 0 if self._process is None else self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def wait(self, limit_s: float) -> int:
        """Wait until it has ended by itself or for a signal, and return its exit code."""
        assert self._process is not None
        return self._process.wait(limit_s)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self.signal(signal.SIGKILL)
            self._process.wait()
            _reaper.tell(-self._process.pid)
            self._process = None

    def stop(self) -> None:
        """End it in order, or at once where that takes too long."""
        if self._process is not None:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_LIMIT_S)
            self.kill()


def free_port() -> int:
    """A port that nobody listens on, below those that outgoing connections are given; another one at each call."""
    for _ in range(200):
        port = _random.randrange(20_000, 32_000)
        if port in _chosen:
            continue
        with socket.socket() as candidate, contextlib.suppress(OSError):
            candidate.bind((HOST, port))
            _chosen.add(port)
            return port
    raise RuntimeError("no free port")


def http_answers(url: str, *codes: int) -> Callable[[], bool]:
    """Whether the URL answers with one of the codes."""

    def is_ready() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return answer.status in codes
        except urllib.error.HTTPError as error:
            return error.code in codes
        except OSError:
            return False

    return is_ready


def kafka_answers(port: int, limit_s: float = 2.0) -> bool:
    """Whether a broker answers ApiVersions, version 0: a port that listens isn't a broker yet."""
    try:
        with socket.create_connection((HOST, port), limit_s) as connection:
            connection.sendall(b"\0\0\0\x0a\0\x12\0\0\0\0\0\x07\xff\xff")
            return connection.recv(8)[4:8] == b"\0\0\0\x07"
    except OSError:
        return False
