"""`python -m tests.acceptance FOLDER`: runs all cases of a folder and prints what came of them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.acceptance.cases import CaseFolder
from tests.acceptance.report import print_report
from tests.acceptance.run import judge

_OWN = Path(__file__).parent / "cases"


def main() -> int:
    """Runs the cases and returns 1 if any case failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=_OWN, help="folder of JSON files; by default the ones here")
    folder = CaseFolder(parser.parse_args().folder)
    return print_report([(case, judge(case, folder)) for case in folder.cases()])


if __name__ == "__main__":
    sys.exit(main())
