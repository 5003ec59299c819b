"""The order in which several workers run the test files: files that wait for servers lie between files that compute."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import PurePath

#: Their tests start servers, or processes, and wait for them.
_WAITING = ("tests/integration/", "tests/stack/", "tests/examples/", "tests/memory/", "tests/docs/test_sessions")
#: Files that take a minute or more. One that came last would keep one worker busy while the others have nothing to do.
SLOW = (
    "tests/unit/task/test_sink_task_interrupts.py",
    "tests/unit/test_types_of_public_names.py",
    "tests/model/test_delivery_model.py",
    "tests/model/test_mutants.py",
    "tests/laws/test_laws.py",
)
#: Where the last waiting file is, as a share of all files. After it, short files fill the workers evenly.
_WAITING_SHARE = Fraction(4, 5)


def spread(files: Sequence[PurePath]) -> Sequence[PurePath]:
    """Returns the files, relative to the repository, in the order in which workers take them."""
    waiting = [file for file in files if file.as_posix().startswith(_WAITING)]
    computing = sorted((file for file in files if file not in set(waiting)), key=lambda file: file.as_posix() not in SLOW)
    places = {file: _WAITING_SHARE * Fraction(index, len(waiting)) for index, file in enumerate(waiting)}
    places |= {file: Fraction(index, len(computing)) for index, file in enumerate(computing)}
    return sorted(files, key=lambda file: (places[file], file in computing))
