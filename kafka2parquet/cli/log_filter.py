"""Log filters of the command line: messages that the Kafka client repeats are logged only once in a while."""

from __future__ import annotations

import logging
import re
import threading

_LOG = logging.getLogger(__name__)
_MOST_TEXTS = 1000
_NUMBER = re.compile(r"0x[\da-f]+|\d+(?:\.\d+)?")

#: The logger whose lines at level INFO report new connections.
CONNECTIONS = "kafka.net.connection"
_CONNECTED = "%s: Connected"
#: Lines of the Kafka client that are caused by an unreachable broker.
_LOST = re.compile(
    r"KafkaConnectionError|socket disconnected|closing socket|No node available|NodeNotReady|Bootstrap \S+ not ready"
    r"|Unable to bootstrap"
)
_REASON = re.compile(r"KafkaConnectionError: (?P<reason>[^()]*)")
#: Lines that mean nothing to users: how the client ends, that a busy machine has delayed the client by a tenth of a second, and
#: that the leader of a group looks at a topic before the client knows its partitions, which happens at each start.
_NOISE = ("NetworkSelector closed!", "It is blocking the event loop", "No partition metadata for topic")
_LONGEST_PAUSE_S = 600.0


class WithoutRepeats(logging.Filter):
    """Lets repeated lines of a library pass only once in a while.

    kafka-python logs a topic that doesn't exist every 100 ms, for as long as it is missing. Texts that differ only in
    numbers, such as the length of a pause, count as the same text.
    """

    def __init__(self, logger: str, pause_s: float = 60.0) -> None:
        """Make a filter for a handler.

        Args:
            logger: name of the library's logger; lines of other loggers pass.
            pause_s: time during which a text isn't repeated, in seconds.
        """
        super().__init__()
        self._logger = logging.Filter(logger)
        self._pause_s = pause_s
        self._logged: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is logged; the same text from another thread counts as a repetition."""
        if not self._logger.filter(record):
            return True
        text, now = _NUMBER.sub("#", record.getMessage()), record.created
        if now < self._logged.get(text, float("-inf")) + self._pause_s:
            return False
        if len(self._logged) >= _MOST_TEXTS:
            self._logged.clear()
        self._logged[text] = now
        return True


class BrokerOutages(logging.Filter):
    """Replaces kafka-python's many lines about an unreachable broker with one line, and logs when a broker is reached again.

    While the outage lasts, the line is repeated with growing pauses. The logger `CONNECTIONS` has to log at level INFO.
    """

    def __init__(self, pause_s: float = 60.0) -> None:
        """Make a filter for a handler.

        Args:
            pause_s: pause after the first line, in seconds; each further pause is twice as long, up to ten minutes. After ten
                minutes without a failure, the next failure counts as the first one.
        """
        super().__init__()
        self._first_pause_s = self._pause_s = pause_s
        self._lock = threading.Lock()
        self._since_s: float | None = None
        self._said_at_s = self._failed_at_s = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is logged unchanged."""
        if not record.name.startswith("kafka."):
            return True
        text = record.getMessage()
        if record.name == CONNECTIONS and record.levelno <= logging.INFO:
            if record.msg == _CONNECTED:
                self._connected(record.created)
            return False
        if _LOST.search(text):
            self._lost(text, record.created)
            return False
        return not any(noise in text for noise in _NOISE)

    def _lost(self, text: str, now_s: float) -> None:
        with self._lock:
            if now_s >= self._failed_at_s + _LONGEST_PAUSE_S:
                self._pause_s, self._said_at_s = self._first_pause_s, float("-inf")
            self._failed_at_s = now_s
            if now_s < self._said_at_s + self._pause_s:
                return
            if self._said_at_s > float("-inf"):
                self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
            self._said_at_s = now_s
            self._since_s = now_s if self._since_s is None else self._since_s
            lasting_s = now_s - self._since_s
        found = _REASON.search(text)
        _LOG.warning(
            "A Kafka broker can't be reached%s%s. The client retries with growing pauses; nothing is lost.",
            f" for {lasting_s:.0f} s now" if lasting_s else "",
            f" ({found['reason'].strip()})" if found else "",
        )

    def _connected(self, now_s: float) -> None:
        with self._lock:
            since_s, self._since_s = self._since_s, None
        if since_s is not None:
            _LOG.info("A Kafka broker is reached again, after %.0f s.", now_s - since_s)
