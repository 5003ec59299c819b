"""Looks up variables in values, as Kafka does: `${file:/run/secrets/aws.properties:key}` and `${env:NAME}`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import attrs

from kafka2parquet.connect.forms.properties import Properties, parse_java_properties, read_text
from kafka2parquet.connect.properties.option import simple_name
from kafka2parquet.problems import Problem, note

#: A variable, as Kafka's ConfigTransformer finds it: provider, perhaps a path, key.
_VARIABLE = re.compile(r"\$\{(?P<provider>[^}]*?):(?:(?P<path>[^}]*?):)?(?P<key>[^}]*?)\}")
_FILE, _DIRECTORY, _ENVIRONMENT = "FileConfigProvider", "DirectoryConfigProvider", "EnvVarConfigProvider"
_KNOWN = (_FILE, _DIRECTORY, _ENVIRONMENT)


class _UnknownProvider(Exception):  # noqa: N818  # an answer, not a fault
    """The variable names a provider that isn't known."""


@attrs.frozen
class ConfigProviders:
    """The providers that look up variables in configurations.

    Attributes:
        classes: simple names of the providers' Java classes, by the names that variables use.
    """

    classes: Mapping[str, str] = attrs.field(
        default={"file": _FILE, "dir": _DIRECTORY, "directory": _DIRECTORY, "env": _ENVIRONMENT}
    )

    @classmethod
    def of_worker(cls, given: Mapping[str, str]) -> ConfigProviders:
        """Return the providers in a worker's `config.providers`, and Apache Kafka's providers under their usual names."""
        names = [name.strip() for name in given.get("config.providers", "").split(",") if name.strip()]
        own = {name: simple_name(given.get(f"config.providers.{name}.class", "")) for name in names}
        return cls({**cls().classes, **own})

    def resolve(self, properties: Properties, *, missing_allowed: bool = False) -> Properties:
        """Replace the variables in properties with their values.

        Each file is read once per call. As in Kafka, variables inside of values are not looked up.

        Args:
            properties: properties with variables.
            missing_allowed: whether a variable that can't be looked up is only a note, and not a problem. Set it if the
                configuration is only checked.
                The variable itself stays in the text.
        """
        lookup = _Lookup(self.classes, missing_allowed)
        values = {name: _VARIABLE.sub(lambda found, name=name: lookup.value(name, found), text).strip()  # type: ignore[misc]
                  for name, text in properties.values.items()}  # fmt: skip
        return attrs.evolve(
            properties,
            values=values,
            findings=(*properties.findings, *lookup.findings),
            unread=(*properties.unread, *lookup.unread),
            missing=(*properties.missing, *lookup.missing),
            looked_up=(*properties.looked_up, *lookup.found),
        )


class _Lookup:
    """Looks up the variables of one configuration, and collects findings."""

    def __init__(self, classes: Mapping[str, str], missing_allowed: bool) -> None:
        self._classes = classes
        self._missing_allowed = missing_allowed
        self._files: dict[str, Mapping[str, str]] = {}
        self.findings: list[Problem] = []
        self.unread: list[str] = []
        self.missing: list[str] = []
        self.found: list[tuple[str, str, str]] = []

    def value(self, name: str, variable: re.Match[str]) -> str:
        """Return the value of a variable in the property `name`. Without a value, report it and return the variable."""
        try:
            value = self._found(variable["provider"], variable["path"] or "", variable["key"])
            self.found.append((name, variable[0], value))
            return value
        except _UnknownProvider as error:
            self._no_value(name, f"{variable[0]}: {error}", may_be_missing=False)
        except OSError as error:
            self._no_value(name, f"{variable[0]} can't be read: {error.strerror}")
        except UnicodeDecodeError:
            self._no_value(name, f"{variable[0]} can't be read: the file is not UTF-8", may_be_missing=False)
        except LookupError as error:
            self._no_value(name, f"{variable[0]}: {error.args[0]}")
        return variable[0]

    def _no_value(self, name: str, why: str, *, may_be_missing: bool = True) -> None:
        if may_be_missing and self._missing_allowed:
            self.missing.append(name)
            text = f"{name}: {why}. `run` needs it; settings that depend on its value aren't checked here"
            self.findings.append(note(name, text))
        else:
            self.unread.append(name)
            self.findings.append(Problem(name, f"{name}: {why}"))

    def _found(self, provider: str, path: str, key: str) -> str:
        kind = self._classes.get(provider)
        if kind not in _KNOWN:
            known = ", ".join(name for name, of_name in self._classes.items() if of_name in _KNOWN)
            what = f"{kind} is a Java class" if kind else f"the configuration provider {provider} does not exist"
            raise _UnknownProvider(
                f"{what}; the known providers are {known}. Put the value into a file or an environment variable, and refer to"
                " that"
            )
        if kind == _ENVIRONMENT:
            if key not in os.environ:
                raise LookupError("this environment variable is not set")
            return os.environ[key]
        if kind == _DIRECTORY:
            return read_text(Path(path) / key)
        if path not in self._files:
            self._files[path] = parse_java_properties(read_text(path))
        if key not in self._files[path]:
            raise LookupError("the file has no such property")
        return self._files[path][key]
