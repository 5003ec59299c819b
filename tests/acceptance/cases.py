"""Reads a folder of cases: `base.json`, `schemas.json`, and one file of cases for each section."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from kafka2parquet.connect.config import ConnectConfig
from kafka2parquet.connect.load import Validation, validate
from kafka2parquet.converters.json_with_schema.values import schema_from_json
from kafka2parquet.schema.connect_schema import ConnectSchema
from tests.acceptance.outcome import CaseError, NotApplicableError

#: Files that hold no cases.
_COMMON = ("base.json", "schemas.json")
_OWN_FOLDER = Path(__file__).parent / "cases"


@attrs.frozen(eq=False)
class Case:
    """One acceptance case.

    Attributes:
        file: name of its file, without extension.
        data: as it is written there.
    """

    file: str
    data: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The name of the case."""
        return str(self.data["id"])

    @property
    def is_upstream_bug(self) -> bool:
        """Whether `sensible` is required instead of `expected`."""
        return self.data.get("kind") == "upstream_bug"

    @property
    def required(self) -> Mapping[str, Any]:
        """The required outcome."""
        found: Mapping[str, Any] = self.data["sensible" if self.is_upstream_bug else "expected"]
        return found


@attrs.frozen(eq=False)
class CaseFolder:
    """All cases of a folder, and their base configuration."""

    path: Path

    @functools.cached_property
    def base(self) -> Mapping[str, Any]:
        """The base configuration, and the harness's own settings."""
        found: Mapping[str, Any] = self._common("base.json")
        return found

    @functools.cached_property
    def _schemas(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._common("schemas.json")["schemas"]
        return found

    def _common(self, name: str) -> Any:
        """Returns a file for all cases: the folder's own, or otherwise the one beside the cases here."""
        path = self.path / name
        return json.loads((path if path.exists() else _OWN_FOLDER / name).read_text(encoding="utf-8"))

    @property
    def files(self) -> list[Path]:
        """The files that hold cases."""
        return sorted(path for path in self.path.glob("*.json") if path.name not in _COMMON)

    def cases(self) -> list[Case]:
        """Returns all cases, ordered by file and by place in each file."""
        return [
            Case(path.stem, data)
            for path in self.files
            for data in json.loads(path.read_text(encoding="utf-8")).get("cases", ())
        ]

    def schema_json(self, name: str | None) -> Any:
        """Returns a schema as in an envelope; None for the schema None."""
        return None if name is None else self._schemas[name]["connect"]

    @functools.cache  # noqa: B019  # folders live as long as the run, and equal names must give the same object
    def schema(self, name: str | None) -> ConnectSchema | None:
        """Returns a schema by name; None for the schema None."""
        return None if name is None else schema_from_json(self.schema_json(name))

    def texts(self, *changes: Mapping[str, str | None]) -> dict[str, str]:
        """Returns the base configuration with changes; None removes a property."""
        merged: dict[str, str | None] = {**self.base["config"], **self.base["supporting_config"]}
        for change in changes:
            merged |= change
        return {name: text.strip() for name, text in merged.items() if text is not None}

    def validate(self, *changes: Mapping[str, str | None]) -> Validation:
        """Validates the base configuration with changes."""
        return validate(self.texts(*changes))

    def config(self, *changes: Mapping[str, str | None]) -> ConnectConfig:
        """Returns the base configuration with changes.

        Raises:
            CaseError: it is wrong.
            NotApplicableError: Kafka Connect would take it, the library doesn't.
        """
        return checked(self.validate(*changes))


def checked(validation: Validation) -> ConnectConfig:
    """Returns the configuration, if it can run.

    Raises:
        CaseError: it is wrong.
        NotApplicableError: Kafka Connect would take it, the library doesn't.
    """
    if not validation.problems:
        return validation.config
    if validation.is_valid:
        raise NotApplicableError(f"{validation.problems[0].message} here")
    raise CaseError("ConfigException", " ".join(problem.message for problem in validation.problems))
