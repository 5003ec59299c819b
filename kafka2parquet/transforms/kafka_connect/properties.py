"""JavaProperties: reads the properties of Kafka's transforms by the rules of its ConfigDef."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem


class JavaProperties:
    """The given properties of a transform. Unknown names are ignored, as in Kafka."""

    def __init__(self, given: Mapping[str, str], who: str) -> None:
        """Take the properties.

        Args:
            given: the properties without their prefix. Blanks around a value are ignored.
            who: name of the transform, for messages.
        """
        self._given = {name: text.strip() for name, text in given.items()}
        self._who = who

    def text(self, name: str) -> str | None:
        """Return the value of a property; None if it isn't set."""
        return self._given.get(name)

    def required(self, name: str) -> str:
        """Return the value of a required property, which may be empty.

        Raises:
            ConfigurationError: the property isn't set.
        """
        text = self._given.get(name)
        if text is None:
            raise ConfigurationError(f"{self._who} needs {name}.")
        return text

    def items(self, name: str, *others: str) -> list[str]:
        """Return the non-empty values of a comma-separated list; [] if it isn't set.

        Args:
            name: name of the property.
            others: older names, which count if `name` isn't set.
        """
        text = next((self._given[key] for key in (name, *others) if key in self._given), "")
        return [item for item in (part.strip() for part in text.split(",")) if item]

    def pairs(self, name: str) -> list[tuple[str, str]]:
        """Return the values of a comma-separated list of `left:right`. Blanks around the colon are significant.

        Raises:
            ConfigurationError: a value has another form.
        """
        pairs = []
        for item in self.items(name):
            left, colon, right = item.partition(":")
            if not colon or not right or ":" in right:
                raise ConfigurationError(Problem(name, f"{name}: {item!r} isn't of the form left:right."))
            pairs.append((left, right))
        return pairs

    def flag(self, name: str, *, default: bool) -> bool:
        """Return the value of a boolean property, in upper or lower case.

        Raises:
            ConfigurationError: the value is neither `true` nor `false`.
        """
        text = self._given.get(name, str(default)).lower()
        if text not in ("true", "false"):
            raise ConfigurationError(Problem(name, f"{name}: {self._given[name]!r} is neither true nor false."))
        return text == "true"

    def one_of(self, name: str, values: Sequence[str], default: str | None = None) -> str:
        """Return the value of a property with a fixed set of values.

        Raises:
            ConfigurationError: the value is not in the set, or a property without a default isn't set.
        """
        text = self.required(name) if default is None else self._given.get(name, default)
        if text not in values:
            raise ConfigurationError(Problem(name, f"{name}: {text!r} is not one of {', '.join(values)}."))
        return text

    @property
    def nulls_are_defaults(self) -> bool:
        """Return `replace.null.with.default`, which is true by default."""
        return self.flag("replace.null.with.default", default=True)
