"""WithoutRepeats: keeps a log readable in which one library says the same ten times a second."""

from __future__ import annotations

import logging

_MOST_TEXTS = 1000


class WithoutRepeats(logging.Filter):
    """Lets a library's line through once in a while, and not each time.

    kafka-python logs a topic that doesn't exist every 100 ms, for as long as it is missing.
    """

    def __init__(self, logger: str, pause_s: float = 60.0) -> None:
        """For a handler.

        Args:
            logger: name of the library's logger; lines of others, and of those below them, are let through.
            pause_s: how long a text isn't repeated, in seconds.
        """
        super().__init__()
        self._logger = logging.Filter(logger)
        self._pause_s = pause_s
        self._logged: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is logged; the text of one thread is another one's too."""
        if not self._logger.filter(record):
            return True
        text, now = record.getMessage(), record.created
        if now < self._logged.get(text, float("-inf")) + self._pause_s:
            return False
        if len(self._logged) >= _MOST_TEXTS:
            self._logged.clear()
        self._logged[text] = now
        return True
