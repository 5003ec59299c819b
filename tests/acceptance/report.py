"""Prints what came of cases: each failed one, counts by file and by reason, and one line with all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.acceptance.cases import Case
from tests.acceptance.outcome import Result, Verdict

_LONGEST = 2000


def print_report(results: Sequence[tuple[Case, Result]]) -> int:
    """Prints the report and returns the exit code: 1 if any case failed."""
    for case, result in results:
        if result.verdict is Verdict.FAILED:
            print(f"FAILED {case.file} {case.id}: {case.data['title']}")
            for detail in result.details or (result.reason,):
                text = detail if len(detail) <= _LONGEST else f"{detail[:_LONGEST]}…"
                print("  " + text.replace("\n", "\n  "))
    _print_by_file(results)
    _print_by_reason(results)
    counts = Counter(result.verdict for _, result in results)
    print(f"acceptance: {', '.join(f'{counts[verdict]} {verdict.value}' for verdict in Verdict)}")
    return 1 if counts[Verdict.FAILED] else 0


def _print_by_file(results: Sequence[tuple[Case, Result]]) -> None:
    files = list(dict.fromkeys(case.file for case, _ in results))
    width = max(map(len, files), default=0)
    print()
    print(" " * width + "".join(f"{verdict.value:>20}" for verdict in Verdict))
    for file in files:
        counts = Counter(result.verdict for case, result in results if case.file == file)
        print(f"{file:{width}}" + "".join(f"{counts[verdict]:>20}" for verdict in Verdict))


def _print_by_reason(results: Sequence[tuple[Case, Result]]) -> None:
    for verdict in (Verdict.DIFFERS, Verdict.NOT_APPLICABLE, Verdict.FAILED):
        reasons = Counter(result.reason for _, result in results if result.verdict is verdict)
        if reasons:
            print(f"\n{verdict.value}:")
        for reason, count in reasons.most_common():
            ids = ", ".join(case.id for case, result in results if result.verdict is verdict and result.reason == reason)
            print(f"  {count:4} {reason} ({ids if len(ids) <= 60 else ids[:57] + '...'})")
    print()
