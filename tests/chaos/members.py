"""The members of the group, as processes that can be killed, frozen, woken and replaced."""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import attrs

from tests.chaos.member import ROTATIONS

ROOT = Path(__file__).parents[2]
_STOP_LIMIT_S = 60.0
#: In order; killed; or asked to stop while it was still starting.
_GOOD_ENDS = (0, -signal.SIGKILL, -signal.SIGTERM)


@attrs.define(eq=False)
class Member:
    """One member in its own process."""

    process: subprocess.Popen[str]
    log: Path
    reader: threading.Thread
    frozen: bool = False

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """Kills the process with SIGKILL."""
        self.process.kill()
        self.wait()

    def wait(self, limit_s: float | None = None) -> int:
        """Waits until the process has ended and all of its output is read, and returns its exit code."""
        code = self.process.wait(limit_s)
        self.reader.join()
        return code

    def freeze(self) -> None:
        """Freezes the process with SIGSTOP, which the process doesn't notice."""
        os.kill(self.process.pid, signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """Continues the process with SIGCONT, where it was frozen."""
        os.kill(self.process.pid, signal.SIGCONT)
        self.frozen = False


class Members:
    """All processes so far. A member that ends by itself without a planned death is an error."""

    def __init__(self, settings: dict[str, Any], rng: random.Random, folder: Path) -> None:
        self._settings = settings
        self.topic: str = settings["topic"]
        self.group: str = settings["group"]
        self._rng = rng
        self._folder = folder
        self._numbers = itertools.count(1)
        self._wanted = 0
        self.alive: list[Member] = []
        self.points: collections.Counter[str] = collections.Counter()
        """How often each named point was passed, by all members."""
        self.reports: list[dict[str, int]] = []
        """Partition, offset and position of each truncation that a member has reported."""

    def keep(self, count: int) -> None:
        """Starts or stops members until there are `count`; the oldest ones stop in order."""
        self._wanted = count
        while len(self.alive) > count:
            self.stop(self.alive[0])
        self.replace_dead()

    def start(self, **settings: Any) -> Member:
        """Starts another member with its own rotation policy."""
        number = next(self._numbers)
        arguments = {"rotation": self._rng.choice(ROTATIONS), **self._settings, **settings}
        log = self._folder / f"member-{number}.log"
        with log.open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-X", "faulthandler", "-m", "tests.chaos.member", json.dumps(arguments)],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=ROOT,
            )
        reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        member = Member(process, log, reader)
        reader.start()
        self.alive.append(member)
        return member

    def replace_dead(self) -> None:
        """Starts as many members as are missing.

        Raises:
            RuntimeError: one has ended by an error.
        """
        for member in list(self.alive):
            if not member.is_alive:
                self.alive.remove(member)
                if member.wait() not in _GOOD_ENDS:
                    raise RuntimeError(f"a member has failed:\n{member.log.read_text()[-3000:]}")
        while len(self.alive) < self._wanted:
            self.start()

    def any(self) -> Member:
        """Returns one live member."""
        self.replace_dead()
        return self._rng.choice(self.alive)

    def stop(self, member: Member) -> None:
        """Sends SIGTERM, and waits until the member has flushed and left."""
        member.process.terminate()
        try:
            code = member.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired as error:
            member.process.send_signal(signal.SIGABRT)  # faulthandler writes what each thread is doing
            member.process.wait()
            raise RuntimeError(f"a member does not stop:\n{member.log.read_text()[-9000:]}") from error
        if code not in _GOOD_ENDS:
            raise RuntimeError(f"a member has failed while it stopped:\n{member.log.read_text()[-3000:]}")
        if member in self.alive:
            self.alive.remove(member)

    def stop_all(self) -> None:
        """Stops all members at once, in order."""
        for member in self.alive:
            member.process.terminate()
        for member in list(self.alive):
            self.stop(member)

    def kill_all(self) -> None:
        """Kills all remaining members."""
        for member in self.alive:
            with contextlib.suppress(ProcessLookupError):
                member.kill()
        self.alive.clear()

    def last_words(self) -> str:
        """Returns the ends of the logs of live members."""
        return "\n".join(f"{member.log.name}: {member.log.read_text()[-1500:]}" for member in self.alive)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                if line.startswith("{"):
                    self.reports.append(json.loads(line))
                else:
                    self.points[line.strip()] += 1
