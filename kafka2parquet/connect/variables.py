"""Looks up variables in values, as Kafka does: `${file:/run/secrets/aws.properties:key}` and `${env:NAME}`."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from kafka2parquet.connect.forms.container import CONTAINER
from kafka2parquet.connect.forms.properties import Properties, parse_java_properties, read_text
from kafka2parquet.connect.properties.option import simple_name
from kafka2parquet.errors import ConfigurationError, collecting
from kafka2parquet.problems import Problem, note
from kafka2parquet.transforms.java_patterns import compiled

#: A variable, as Kafka's ConfigTransformer finds it: provider, perhaps a path, key.
_VARIABLE = re.compile(r"\$\{(?P<provider>[^}]*?):(?:(?P<path>[^}]*?):)?(?P<key>[^}]*?)\}")
_FILE, _DIRECTORY, _ENVIRONMENT = "FileConfigProvider", "DirectoryConfigProvider", "EnvVarConfigProvider"
_ALLOWED_PATHS, _ALLOWLIST_PATTERN = "allowed.paths", "allowlist.pattern"
#: The providers that are known here, each with the parameter that restricts it.
_RESTRICTED_BY = {_FILE: _ALLOWED_PATHS, _DIRECTORY: _ALLOWED_PATHS, _ENVIRONMENT: _ALLOWLIST_PATTERN}
_RESTRICTION = re.compile(r"config\.providers\.(?P<provider>.+)\.param\.(?:allowed\.paths|allowlist\.pattern)")
_LEAST_SIMILARITY = 0.7
#: Provider and path of a variable of Strimzi's providers: a usual name, then a namespace and a name.
_OF_KUBERNETES = re.compile(r"(?:secrets?|config-?maps?|kube\w*|k8s\w*):[a-z0-9.-]+/[a-z0-9.-]+", re.IGNORECASE)
_IN_KUBERNETES = (
    "Mount the secret or config map into the container, and refer to its key as ${dir:PATH_OF_THE_MOUNT:KEY}, or set an"
    " environment variable from it, and refer to that as ${env:NAME}."
)
_ELSEWHERE = "Put the value into a file or an environment variable, and refer to that."


class _RefusedError(Exception):
    """A variable that can't be looked up on any machine, with advice."""

    def __init__(self, why: str, advice: str = "") -> None:
        super().__init__(why)
        self.advice = advice


@attrs.frozen
class ConfigProviders:
    """The providers that look up variables in configurations.

    Attributes:
        classes: simple names of the providers' Java classes, by the names that variables use.
        allowed_paths: absolute paths of the files and folders that a provider may read, by the provider's name; a provider
            without an entry may read all.
        allowlist_patterns: patterns of the names of the environment variables that a provider may read, by the provider's
            name. A pattern has to match a whole name. A provider without a pattern may read all.
    """

    classes: Mapping[str, str] = attrs.field(
        default={"file": _FILE, "dir": _DIRECTORY, "directory": _DIRECTORY, "env": _ENVIRONMENT}
    )
    allowed_paths: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    allowlist_patterns: Mapping[str, re.Pattern[str]] = attrs.field(factory=dict)

    @classmethod
    def of_worker(cls, given: Mapping[str, str]) -> ConfigProviders:
        """Return the providers in a worker's `config.providers`, with their restrictions.

        Apache Kafka's providers are known under their usual names too, unless the worker restricts a provider: under another
        name, a restricted provider could read everything.

        Raises:
            ConfigurationError: a restriction can't be read, or would have no effect; all problems.
        """
        names = [name.strip() for name in given.get("config.providers", "").split(",") if name.strip()]
        own = {name: simple_name(given.get(_property(name, "class"), "")) for name in names}
        paths: dict[str, tuple[str, ...]] = {}
        patterns: dict[str, re.Pattern[str]] = {}
        problems = [*_restrictions_of_nothing(names, given)]
        for name, kind in own.items():
            problems += _misspelled_restrictions(name, kind, given)
            restriction = _property(name, f"param.{_RESTRICTED_BY.get(kind)}")
            with collecting(problems):
                if restriction in given and kind == _ENVIRONMENT:
                    patterns[name] = compiled(given[restriction], restriction)
                elif given.get(restriction):
                    paths[name] = _absolute_paths(restriction, given[restriction])
        if problems:
            raise ConfigurationError(problems)
        is_restricted = any(map(_RESTRICTION.fullmatch, given))
        return cls(own if is_restricted else {**cls().classes, **own}, paths, patterns)

    def with_container(self) -> ConfigProviders:
        """Return these providers and the one of a container's environment, for the properties of a worker.

        Docker Compose and Kubernetes look up that environment before a worker starts, so a worker's restrictions don't apply.
        """
        return attrs.evolve(self, classes={CONTAINER: _ENVIRONMENT, **self.classes})

    def resolve(self, properties: Properties, *, missing_allowed: bool = False) -> Properties:
        """Replace the variables in properties with their values.

        Each file is read once per call. As in Kafka, variables inside of values are not looked up.

        Args:
            properties: properties with variables.
            missing_allowed: whether a variable that can't be looked up is only a note, and not a problem. Set it if the
                configuration is only checked.
                The variable itself stays in the text.
        """
        lookup = _Lookup(self, missing_allowed)
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


def _property(provider: str, end: str) -> str:
    return f"config.providers.{provider}.{end}"


def _restrictions_of_nothing(providers: list[str], given: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a problem for each restriction of a provider that the worker doesn't have. Without providers, nothing is read."""
    for name in given:
        restriction = _RESTRICTION.fullmatch(name)
        if providers and restriction is not None and restriction["provider"] not in providers:
            yield Problem(name, f"{name} restricts nothing", f"config.providers has only {', '.join(providers)}.")


def _misspelled_restrictions(provider: str, kind: str, given: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a problem for each property that resembles the restriction of a provider. Kafka ignores such a property."""
    right = _RESTRICTED_BY.get(kind)
    if right is None:
        return
    for name in given:
        end = name.removeprefix(_property(provider, ""))
        if end == name or end == f"param.{right}":
            continue
        if difflib.get_close_matches(end.lower().removeprefix("param."), _RESTRICTED_BY.values(), 1, _LEAST_SIMILARITY):
            advice = f"{kind} is restricted by {_property(provider, f'param.{right}')}."
            yield Problem(name, f"{name} restricts nothing", advice)


def _absolute_paths(restriction: str, text: str) -> tuple[str, ...]:
    paths = tuple(os.path.normpath(path) for path in map(str.strip, text.rstrip(", ").split(",")))
    for path in paths:
        if not Path(path).is_absolute():
            raise ConfigurationError(Problem(restriction, f"{restriction}={text}: Path {path} is not absolute"))
    return paths


class _Lookup:
    """Looks up the variables of one configuration, and collects findings."""

    def __init__(self, providers: ConfigProviders, missing_allowed: bool) -> None:
        self._providers = providers
        self._missing_allowed = missing_allowed
        self._files: dict[Path, Mapping[str, str]] = {}
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
        except _RefusedError as error:
            self._refuse(name, f"{variable[0]}: {error}", error.advice)
        except OSError as error:
            self._miss(name, f"{variable[0]} can't be read: {error.strerror}")
        except UnicodeDecodeError:
            self._refuse(name, f"{variable[0]} can't be read: the file is not UTF-8")
        except LookupError as error:
            self._miss(name, f"{variable[0]}: {error.args[0]}")
        return variable[0]

    def _miss(self, name: str, why: str) -> None:
        if self._missing_allowed:
            self.missing.append(name)
            text = f"{name}: {why}. `run` needs it; settings that depend on its value aren't checked here"
            self.findings.append(note(name, text))
        else:
            self._refuse(name, why)

    def _refuse(self, name: str, why: str, advice: str = "") -> None:
        self.unread.append(name)
        self.findings.append(Problem(name, f"{name}: {why}", advice))

    def _found(self, provider: str, path: str, key: str) -> str:
        kind = self._providers.classes.get(provider)
        if kind == _ENVIRONMENT:
            return self._of_environment(provider, path, key)
        if kind == _DIRECTORY:
            if key in ("", ".", "..") or Path(key).name != key:
                raise _RefusedError(f"the key has to be the name of a file in the folder {path}")
            return read_text(self._readable(provider, str(Path(path) / key)))
        if kind == _FILE:
            readable = self._readable(provider, path)
            if readable not in self._files:
                self._files[readable] = parse_java_properties(read_text(readable))
            if key not in self._files[readable]:
                raise LookupError("the file has no such property")
            return self._files[readable][key]
        raise self._unknown(provider, kind, path)

    def _of_environment(self, provider: str, path: str, key: str) -> str:
        if path:
            raise _RefusedError(f"Path is not supported for EnvVarConfigProvider, invalid value '{path}'")
        pattern = self._providers.allowlist_patterns.get(provider)
        if pattern is not None and not pattern.fullmatch(key):
            restriction = _property(provider, f"param.{_ALLOWLIST_PATTERN}")
            raise _RefusedError(
                f"the worker's properties don't allow this environment variable: its name doesn't match"
                f" {restriction}={pattern.pattern}"
            )
        if key not in os.environ:
            raise LookupError("this environment variable is not set")
        return os.environ[key]

    def _readable(self, provider: str, path: str) -> Path:
        """Return the path to read. Where paths are restricted, it is the real path, so that links don't lead elsewhere."""
        if "\0" in path:
            raise _RefusedError("the path has a null character")
        allowed = self._providers.allowed_paths.get(provider)
        if allowed is None:
            return Path(path)
        real = Path(os.path.realpath(os.path.normpath(path)))
        is_absolute = Path(path).is_absolute()
        if is_absolute and any(real.is_relative_to(os.path.realpath(each)) for each in allowed):
            return real
        leads = f", which leads to {real}" if is_absolute and str(real) != path else ""
        raise _RefusedError(
            f"the worker's properties don't allow the path {path}{leads}: it is not in"
            f" {_property(provider, f'param.{_ALLOWED_PATHS}')}={','.join(allowed)}"
        )

    def _unknown(self, provider: str, kind: str | None, path: str) -> _RefusedError:
        classes = self._providers.classes
        known = ", ".join(name for name, of_name in classes.items() if of_name in _RESTRICTED_BY and name != CONTAINER)
        what = f"{kind} is a Java class" if kind else f"the worker's config.providers has no provider {provider}"
        is_kubernetes = "Kubernetes" in kind if kind else _OF_KUBERNETES.fullmatch(f"{provider}:{path}") is not None
        if is_kubernetes and not kind:
            what += " (in Strimzi, it usually reads a secret or a config map of Kubernetes)"
        if not known:
            found = "none of its providers is known here"
        elif self._providers.allowed_paths or self._providers.allowlist_patterns:
            found = f"as the worker restricts a provider, only {known} can be used"
        else:
            found = f"the known providers are {known}"
        return _RefusedError(f"{what}; {found}", _IN_KUBERNETES if is_kubernetes else _ELSEWHERE)
