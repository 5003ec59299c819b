"""What can become of a case, besides values that are compared."""

from __future__ import annotations

import enum

import attrs


class CaseError(Exception):
    """The library refused the request of the case.

    Attributes:
        class_name: class of the exception that Kafka Connect has for it, without package.
        message: what it says.
        also: another class that stands for it as well.
        value: the result that means the same, where a case may ask for one instead of an error.
    """

    def __init__(self, class_name: str, message: str, *, also: str = "", value: str | None = None) -> None:
        self.class_name = class_name
        self.message = message
        self.also = also
        self.value = value
        super().__init__(f"{class_name}: {message}")


class NotApplicableError(Exception):
    """The library reports that it lacks the subject of the case."""


class Verdict(enum.Enum):
    """The verdict on a case."""

    PASSED = "passed"
    DIFFERS = "differs on purpose"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


@attrs.frozen
class Result:
    """The verdict on a case, with the reason.

    Attributes:
        verdict: the outcome.
        reason: of what isn't simply passed, in one line.
        details: of a failed case, expected and seen.
    """

    verdict: Verdict
    reason: str = ""
    details: tuple[str, ...] = ()
