"""Writes the page `docs/doctor.md` from the table of checks."""

from __future__ import annotations

from collections.abc import Iterator

from kafka2parquet.doctor.check import Cause, Check, Level
from kafka2parquet.doctor.table import GROUPS

_INTRODUCTION = """# Doctor

`kafka2parquet doctor sink.json` examines everything that a sink needs before it runs: the way to Kafka, the topics, the
consumer group, the store, the staging disk, the schema registry, and the versions of the libraries. It takes the options of
`run`, and prints one line for each check:

- `√`: nothing is wrong;
- `‼`: a warning: the sink runs, and something may go wrong later, or couldn't be examined;
- `×`: the sink will not work, with the cause and a cure to paste;
- `-`: not checked, because another check has failed.

The exit code is 0 if the sink can run, warnings included, and 1 if a check has failed. `--json` prints everything for
programs: each finding has the id of its check, the id of the cause, and the text and the cure that people see. `--rights`
prints the least rights that this sink needs (Kafka ACLs, and an IAM policy or a role for GCS) without connecting, and those of
`kafka2parquet compact` with its files.
`kafka2parquet run --doctor` examines first, and doesn't start if a check has failed.

The doctor changes nothing, with one exception: it creates one probe object below `<topics.dir>/_kafka2parquet/`, as each
start of the sink does, and deletes it again if it may. In a local folder, that folder stays. In a new cluster, Kafka itself
creates the topic `__consumer_offsets` when a group is looked up for the first time.

This page lists all checks, and all causes that each check can find, with examples in the place of names and numbers. It is
generated from the checks themselves.
"""

_LEVELS = {Level.FAILED: "×", Level.WARNING: "‼"}


def doctor_markdown() -> str:
    """Return the content of `docs/doctor.md`."""
    parts = [_INTRODUCTION]
    for group in GROUPS:
        parts.append(f"## {group.title}\n")
        parts += (line for check in group.checks for line in _check(check))
    return "\n".join(parts).rstrip() + "\n"


def _check(check: Check) -> Iterator[str]:
    yield f"({check.id})=\n"
    yield f"### `{check.id}`: {check.title}\n"
    yield f"{check.what}\n"
    yield from (_cause(cause) for cause in check.causes)


def _cause(cause: Cause) -> str:
    text, cure, paste = (template.format(**cause.fields) for template in (cause.text, cause.cure, cause.paste))
    block = "".join(f"  {line}\n" for line in ("", "```text", *paste.splitlines(), "```")) if paste else ""
    return f"{_LEVELS[cause.level]} `{cause.id}`: {_escaped(text)}\n: {_escaped(cure)}\n{block}".replace("\n  \n", "\n\n")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("<", "\\<").replace("*", "\\*").replace("|", "\\|").replace("$", "\\$")
