"""TransformProperties: reads the properties of a transform in a Kafka Connect configuration."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TypeVar

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem

_Made = TypeVar("_Made")


def made_of(of: type[_Made], properties: Mapping[str, str]) -> _Made:
    """Create an object with properties as keyword arguments, as texts, with `_` for each `.` in a name.

    Raises:
        ConfigurationError: the constructor doesn't have such arguments, or lacks others.
    """
    arguments = {name.replace(".", "_"): text for name, text in properties.items()}
    try:
        inspect.signature(of).bind(**arguments)
    except TypeError as error:
        raise ConfigurationError(f"{of.__name__} can't be created from these properties: {error}") from error
    return of(**arguments)


class TransformProperties:
    """The given properties of a transform. Unknown names are refused."""

    def __init__(self, given: Mapping[str, str], who: str, *known: str) -> None:
        """Take the properties.

        Args:
            given: the properties without their prefix.
            who: name of the transform, for messages.
            known: names of all properties of the transform.

        Raises:
            ConfigurationError: a name is unknown.
        """
        unknown = sorted(set(given) - set(known))
        if unknown:
            has = f"which has {', '.join(known)}"
            raise ConfigurationError([Problem(name, f"{name} is not a property of {who}, {has}.") for name in unknown])
        self._given = given
        self._who = who

    def text(self, name: str) -> str | None:
        """Return the value of a property; None if it isn't set."""
        return self._given.get(name)

    def required(self, name: str) -> str:
        """Return the value of a required property.

        Raises:
            ConfigurationError: the property isn't set.
        """
        text = self._given.get(name)
        if not text:
            raise ConfigurationError(f"{self._who} needs {name}.")
        return text

    def items(self, name: str) -> list[str]:
        """Return the values of a required property with a comma-separated list.

        Raises:
            ConfigurationError: the property isn't set.
        """
        return [item.strip() for item in self.required(name).split(",") if item.strip()]

    def pairs(self, name: str) -> dict[str, str]:
        """Return the values of a required property with a comma-separated list of `left:right`.

        Raises:
            ConfigurationError: the property isn't set, or a value has another form.
        """
        pairs = {}
        for item in self.items(name):
            left, colon, right = (part.strip() for part in item.partition(":"))
            if not (left and colon and right):
                raise ConfigurationError(Problem(name, f"{name}: {item!r} isn't of the form left:right."))
            pairs[left] = right
        return pairs

    def flag(self, name: str, *, default: bool) -> bool:
        """Return the value of a boolean property.

        Raises:
            ConfigurationError: the value is neither `true` nor `false`.
        """
        text = self._given.get(name, str(default)).lower()
        if text not in ("true", "false"):
            raise ConfigurationError(Problem(name, f"{name}: {text!r} is neither true nor false."))
        return text == "true"
