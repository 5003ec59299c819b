"""Checks of the versions of Python and of the libraries."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterator

from kafka2parquet.doctor.check import Cause, Check, Finding, Level
from kafka2parquet.doctor.facts import Facts

_LIBRARY = {"library": "s3fs", "installed": "2027.1.0", "tested": "2026.11.0", "wanted": ">=2026.9"}

LIBRARIES = Check(
    "library-versions",
    "Libraries",
    "Compares the installed versions with those that this version of kafka2parquet requires, and with the newest that its tests"
    " have passed with.",
    (
        Cause(
            "missing",
            _LIBRARY,
            "{library} is not installed.",
            "Install it.",
            paste="pip install '{library}{wanted}'",
        ),
        Cause(
            "not-allowed",
            _LIBRARY,
            "{library} {installed} is installed, and kafka2parquet requires {library}{wanted}.",
            "Install a version that is allowed.",
            paste="pip install '{library}{wanted}'",
        ),
        Cause(
            "newer-than-tested",
            _LIBRARY,
            "{library} {installed} is newer than {tested}, the newest version that this kafka2parquet was tested with.",
            "If something behaves oddly, install the tested version.",
            Level.WARNING,
            paste="pip install '{library}=={tested}'",
        ),
    ),
)

#: The newest versions that the tests have passed with.
TESTED = {
    "aiobotocore": "3.10.0",
    "attrs": "26.1.0",
    "fsspec": "2026.9.0",
    "gcsfs": "2026.10.1",
    "kafka-python": "3.0.12",
    "numpy": "2.4.6",
    "pyarrow": "26.0.1",
    "s3fs": "2026.9.0",
}
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*\(?(?P<bounds>[^;)]*)\)?\s*(?:;(?P<marker>.*))?")
_BOUND = re.compile(r"(?P<sign>>=|<=|==|<|>)\s*(?P<version>[\d.]+)")


def compare_versions(facts: Facts) -> Iterator[Finding]:
    """Compare the installed versions."""
    required = requirements()
    fine = [f"Python {sys.version_info.major}.{sys.version_info.minor}"]
    for library in sorted({*TESTED, *required}):
        bounds = required.get(library, "")
        finding = _compare(library, bounds)
        if finding is not None:
            yield finding
        else:
            fine.append(f"{library} {importlib.metadata.version(library)}")
    yield LIBRARIES.ok(text=", ".join(fine))


def _compare(library: str, bounds: str) -> Finding | None:
    tested = TESTED.get(library, "")
    values = {"library": library, "tested": tested, "wanted": bounds, "installed": ""}
    try:
        installed = values["installed"] = importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return LIBRARIES.found("missing", library, **values) if bounds else None
    if not allows(bounds, installed):
        return LIBRARIES.found("not-allowed", library, **values)
    if tested and numbers(installed)[:2] > numbers(tested)[:2]:
        return LIBRARIES.found("newer-than-tested", library, **values)
    return None


def requirements() -> dict[str, str]:
    """Return the bounds of each library that this package requires without an extra, as `>=2,<3`; {} if it isn't installed."""
    try:
        lines = importlib.metadata.requires("kafka2parquet") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    found = (match for line in lines if (match := _REQUIREMENT.match(line)) is not None)
    return {match["name"].lower(): match["bounds"].replace(" ", "") for match in found if not match["marker"]}


def allows(bounds: str, version: str) -> bool:
    """Return whether bounds such as `>=2,<3` allow a version."""
    have = numbers(version)
    for bound in _BOUND.finditer(bounds):
        limit = numbers(bound["version"])
        length = max(len(have), len(limit))
        ours, theirs = (part + (0,) * (length - len(part)) for part in (have, limit))
        holds = {
            ">=": ours >= theirs,
            "<=": ours <= theirs,
            "==": ours == theirs,
            "<": ours < theirs,
            ">": ours > theirs,
        }[bound["sign"]]
        if not holds:
            return False
    return True


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers at the start of a version, without suffixes such as `rc1`."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found is not None else ()
