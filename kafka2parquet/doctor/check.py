"""Check, Cause and Finding: what the doctor looks for, and what it has found."""

from __future__ import annotations

import enum
import string
from collections.abc import Mapping

import attrs

from kafka2parquet.util.secrets import Secrets

#: The page that explains all checks, with the ids of checks as anchors.
PAGE = "docs/doctor.md"


class Level(enum.Enum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


def _has_no_other_fields(instance: Cause, _: object, template: str) -> None:
    unknown = {name for _, name, _, _ in string.Formatter().parse(template) if name} - set(instance.fields)
    if unknown:
        raise ValueError(f"{instance.id}: the text has fields {sorted(unknown)}, which the cause doesn't declare")


@attrs.frozen
class Cause:
    """Something that a check can find, and its cure.

    Attributes:
        id: stable id, unique within its check, such as `unknown-ca`.
        fields: names of the values in the texts, each with an example for the documentation.
        text: one or more sentences with fields in braces.
        cure: what to do, as one or more sentences; fields in braces.
        level: how serious it is.
        paste: commands or properties to paste, one on each line; fields in braces.
    """

    id: str
    fields: Mapping[str, str] = attrs.field(repr=False)
    text: str = attrs.field(validator=_has_no_other_fields)
    cure: str = attrs.field(validator=_has_no_other_fields)
    level: Level = Level.FAILED
    paste: str = attrs.field(default="", kw_only=True, validator=_has_no_other_fields)


@attrs.frozen
class Finding:
    """The outcome of a check for one subject.

    Attributes:
        check: the check.
        level: how the check ended.
        subject: what was examined, such as a server or a topic; "" if there is only one.
        cause: id of the cause; "" if nothing is wrong.
        text: what was found, as one or more sentences, or a few words if nothing is wrong.
        cure: what to do; "" if nothing is wrong.
        paste: commands or properties to paste, one on each line; "" if there are none.
    """

    check: Check
    level: Level
    subject: str = ""
    cause: str = ""
    text: str = ""
    cure: str = ""
    paste: str = ""

    def hidden(self, secrets: Secrets) -> Finding:
        """Return the finding without secrets in its texts. Ids stay as they are."""
        return attrs.evolve(
            self,
            subject=secrets.hide(self.subject),
            text=secrets.hide(self.text),
            cure=secrets.hide(self.cure),
            paste=secrets.hide(self.paste),
        )

    @property
    def page(self) -> str:
        """Where the documentation explains the check."""
        return f"{PAGE}#{self.check.id}"


def _are_unique(instance: Check, _: object, causes: tuple[Cause, ...]) -> None:
    ids = [cause.id for cause in causes]
    if len(ids) != len(set(ids)):
        raise ValueError(f"{instance.id} has two causes with one id: {ids}")


@attrs.frozen
class Check:
    """One thing that the doctor looks at.

    Attributes:
        id: stable id, such as `kafka-tls`.
        title: a few words for the line on the terminal.
        what: what is checked and why that matters, as sentences for the documentation.
        causes: everything that the check can find.
    """

    id: str
    title: str
    what: str = attrs.field(repr=False)
    causes: tuple[Cause, ...] = attrs.field(repr=False, validator=_are_unique)

    def ok(self, subject: str = "", text: str = "") -> Finding:
        """Return the finding that nothing is wrong."""
        return Finding(self, Level.OK, subject, text=text)

    def skipped(self, text: str, subject: str = "") -> Finding:
        """Return the finding that the check was not possible, with the reason."""
        return Finding(self, Level.SKIPPED, subject, text=text)

    def not_possible(self, reason: str, subject: str = "") -> Finding:
        """Return the finding that the check was tried and gave no answer, so that the outcome is unknown."""
        return Finding(self, Level.WARNING, subject, text=f"This could not be checked: {reason.rstrip('.')}.")

    def refused(self, reason: str) -> Finding:
        """Return the finding of an error that none of the causes describes, such as wrong settings."""
        return Finding(self, Level.FAILED, text=reason)

    def found(self, cause_id: str, subject: str = "", **values: object) -> Finding:
        """Return the finding of a cause of this check, with the values of its fields.

        Raises:
            KeyError: the check doesn't have such a cause, or a field has no value.
        """
        cause = {cause.id: cause for cause in self.causes}[cause_id]
        shown = {name: values[name] for name in cause.fields}
        text, cure, paste = (template.format(**shown) for template in (cause.text, cause.cure, cause.paste))
        return Finding(self, cause.level, subject, cause_id, text, cure, paste)


class NotPossibleError(Exception):
    """A step can't go on, for instance because a server gives no answer; the text says why."""


@attrs.frozen
class Group:
    """Checks with a heading.

    Attributes:
        title: the heading.
        checks: in the order in which they run.
    """

    title: str
    checks: tuple[Check, ...]
