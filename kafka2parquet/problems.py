"""Problem: one finding about a configuration, with the properties that it is about."""

from __future__ import annotations

import enum
from collections.abc import Callable

import attrs


class ProblemKind(enum.Enum):
    """How serious a problem is, and whether Kafka Connect has it too.

    INVALID and UNSUPPORTED keep a configuration from running: Connect refuses the first kind too, and accepts the second.
    WARNING is a probable mistake, or a setting that makes other files than Connect makes. NOTE is a setting that has no
    effect, or that works differently in Connect.
    """

    INVALID = "invalid"
    UNSUPPORTED = "unsupported"
    WARNING = "warning"
    NOTE = "note"

    @property
    def is_fatal(self) -> bool:
        """Whether such a problem keeps a configuration from running."""
        return self in (ProblemKind.INVALID, ProblemKind.UNSUPPORTED)


def _names(given: str | tuple[str, ...]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else given


@attrs.frozen
class Problem:
    """One finding about a configuration.

    As text, a problem is one or more sentences, which name the first property.

    Attributes:
        properties: names of the properties concerned; a single name may be given as a text.
        message: what is wrong; the broken rule in Kafka's own words where Kafka has the rule.
        advice: what to do.
        kind: how serious the problem is.
    """

    properties: tuple[str, ...] = attrs.field(converter=_names)
    message: str
    advice: str = ""
    kind: ProblemKind = ProblemKind.INVALID

    def __str__(self) -> str:
        message = self._named_message
        end = "" if message.endswith(("?", "!")) else "."
        return f"{message.rstrip('.')}{end}{' ' + self.advice if self.advice else ''}"

    @property
    def _named_message(self) -> str:
        """The message, after the names of the properties unless it has the first one."""
        named = not self.properties or self.properties[0] in self.message
        return self.message if named else f"{', '.join(self.properties)}: {self.message}"

    def within(self, place: str) -> Problem:
        """The same problem with `place` and a colon before the message. `place` says where or when the problem occurs."""
        return attrs.evolve(self, message=f"{place}: {self._named_message}")

    def under(self, prefix: str) -> Problem:
        """The same problem with `prefix` before the names of its properties, in the texts too."""
        message, advice = self.message, self.advice
        for name in self.properties:
            message = message.replace(name, f"{prefix}{name}", 1)
            if "." in name:  # others may be ordinary words
                advice = advice.replace(name, f"{prefix}{name}", 1)
        names = tuple(f"{prefix}{name}" for name in self.properties)
        return attrs.evolve(self, properties=names, message=message, advice=advice)

    def hidden_by(self, hide: Callable[[str], str]) -> Problem:
        """The same problem with secrets hidden in its texts."""
        return attrs.evolve(self, message=hide(self.message), advice=hide(self.advice))


def warning(properties: str | tuple[str, ...], message: str, advice: str = "") -> Problem:
    """Make a problem of the kind WARNING."""
    return Problem(properties, message, advice, ProblemKind.WARNING)


def note(properties: str | tuple[str, ...], message: str) -> Problem:
    """Make a problem of the kind NOTE."""
    return Problem(properties, message, kind=ProblemKind.NOTE)


def unsupported(properties: str | tuple[str, ...], message: str, advice: str = "") -> Problem:
    """Make a problem of the kind UNSUPPORTED."""
    return Problem(properties, message, advice, ProblemKind.UNSUPPORTED)
