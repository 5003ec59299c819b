"""The command `kafka2parquet check`: describes configurations, or lists their problems. Nothing is connected."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from kafka2parquet.cli.configuration import load, problems_text
from kafka2parquet.cli.options import add_configuration
from kafka2parquet.cli.terminal import tell
from kafka2parquet.connect.build import secrets_of_texts
from kafka2parquet.connect.describe import Description, describe
from kafka2parquet.connect.forms.properties import source_name
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem
from kafka2parquet.util.display import counted, printable

EXIT_GOOD = 0
EXIT_NOT_GOOD = 1


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_configuration(command, several=True)
    command.add_argument("--strict", action="store_true", help="warnings are errors: the exit code is 1")
    command.add_argument("--json", action="store_true", help="print everything as JSON, with a list of files")


@attrs.frozen
class Checked:
    """The result for one file.

    Attributes:
        file: the path as it was given; `-` is standard input.
        description: what the configuration will do; None if it can't work.
        error: why the configuration can't work; None if it can.
    """

    file: str
    description: Description | None = None
    error: ConfigurationError | None = None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why the configuration can't work."""
        return () if self.error is None else self.error.details

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Probable mistakes."""
        return () if self.description is None else self.description.warnings


def run(options: argparse.Namespace) -> int:
    """Check the files, print what was found, the worst first, and return the exit code."""
    files = list(dict.fromkeys(_files(options.config)))
    checked = [_check(file, options) for file in files]
    if options.json:
        tell(json.dumps(_to_json(checked, strict=options.strict), indent=1))
    elif len(checked) == 1:
        _print_whole(checked[0])
    else:
        _print_summary(checked)
    if options.strict and not options.json and any(each.warnings for each in checked):
        tell("--strict: warnings are errors.", to=sys.stderr)
    return EXIT_GOOD if all(_is_good(each, strict=options.strict) for each in checked) else EXIT_NOT_GOOD


def _files(given: Sequence[str]) -> Iterator[str]:
    """Yield the given files, and for each pattern the files that match it, sorted."""
    for name in given:
        if not any(sign in name for sign in "*?[") or Path(name).exists():
            yield name
            continue
        root = Path(Path(name).anchor)
        found = sorted(str(path) for path in root.glob(name.removeprefix(root.anchor)) if path.is_file())
        yield from found or (name,)  # reading it fails, so that a check of nothing doesn't pass


def _check(file: str, options: argparse.Namespace) -> Checked:
    try:
        config, worker = load(file, options, missing_allowed=True)
        try:
            return Checked(file, description=describe(config, worker))
        except ConfigurationError as error:
            hide = secrets_of_texts(config, worker).hide
            raise ConfigurationError([problem.hidden_by(hide) for problem in error.details]) from error
    except ConfigurationError as error:
        return Checked(file, error=error)


def _is_good(checked: Checked, *, strict: bool) -> bool:
    return checked.error is None and not (strict and checked.warnings)


def _print_whole(checked: Checked) -> None:
    if checked.error is not None:
        tell(problems_text(checked.file, checked.error), to=sys.stderr)
    elif checked.description is not None:
        tell(checked.description.text)


def _print_summary(checked: Sequence[Checked]) -> None:
    """Print a line that counts, then problems, then warnings, then a line for each good file."""
    bad = [each for each in checked if each.error is not None]
    doubtful = [each for each in checked if each.warnings]
    good = len(checked) - len(bad) - len(doubtful)
    tell(f"{counted(len(checked), 'file')}: {len(bad)} can't work, {len(doubtful)} with warnings, {good} good.")
    for each in bad:
        if each.error is not None:
            tell("\n" + problems_text(each.file, each.error))
    for each in doubtful:
        tell(f"\n{source_name(each.file)} has warnings:")
        for warning in each.warnings:
            tell(f"  - {printable(str(warning))}")
    if good:
        tell("")
    for each in checked:
        if each.description is not None and not each.warnings:
            tell(f"{source_name(each.file)}: {each.description.name}, from Kafka to {each.description.url}")


def _to_json(checked: Sequence[Checked], *, strict: bool) -> dict[str, object]:
    return {
        "version": 1,
        "good": all(_is_good(each, strict=strict) for each in checked),
        "files": [_file_to_json(each, strict=strict) for each in checked],
    }


def _file_to_json(checked: Checked, *, strict: bool) -> dict[str, object]:
    description = checked.description
    return {
        "file": checked.file,
        "good": _is_good(checked, strict=strict),
        "name": description.name if description else None,
        "group_id": description.group_id if description else None,
        "url": description.url if description else None,
        "problems": [_problem_to_json(problem) for problem in checked.problems],
        "warnings": [_problem_to_json(problem) for problem in checked.warnings],
        "notes": [_problem_to_json(problem) for problem in (description.notes if description else ())],
        "description": description.text if description else None,
    }


def _problem_to_json(problem: Problem) -> dict[str, object]:
    return {"kind": problem.kind.value, "properties": list(problem.properties), "text": str(problem)}
