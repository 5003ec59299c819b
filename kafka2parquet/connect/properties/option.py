"""Option: the definition of one property. Texts become values by the rules of Kafka's `ConfigDef`."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping

import attrs

from kafka2parquet.schema.field_paths import is_path
from kafka2parquet.util.secrets import HIDDEN, has_plain_end, is_number_or_flag, is_secret_name, without_credentials

Value = str | int | float | bool | tuple[str, ...] | None
Validator = Callable[[Value], None]
"""Checks a value; raises `ValueError` with the rule that the value breaks."""


class ValueType(enum.Enum):
    """The types of Kafka's `ConfigDef`."""

    STRING = "string"
    INT = "int"
    SHORT = "short"
    LONG = "long"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    LIST = "list"
    CLASS = "class"
    PASSWORD = "password"  # noqa: S105  # the name of a type


class Effect(enum.Enum):
    """Whether a property has an effect in this library."""

    USED = "used"
    IGNORED = "no effect"
    UNSUPPORTED = "not supported"


_INTEGER_BITS = {ValueType.SHORT: 16, ValueType.INT: 32, ValueType.LONG: 64}
_INTEGER = re.compile(r"[+-]?[0-9]+")


@attrs.frozen
class Option:
    """The definition of one property, or of all properties with a prefix.

    Attributes:
        name: name of the property; a name that ends in `.*` stands for all properties with that prefix.
        type: type of the value.
        default: value of a property that isn't set.
        doc: meaning of the property, in one sentence.
        required: whether the property has to be set.
        validator: checks the parsed value.
        choices: recommended values; `validator` decides whether other values are refused.
        effect: whether the property has an effect.
        note: for `USED`, what the property maps to, unless its name says so; for `IGNORED`, why the property has no effect;
            for `UNSUPPORTED`, what to use instead.
        accepted: values that have a meaning and are not recommended.
        otherwise: the meaning of a value outside `choices`, if Connect doesn't refuse such values.
        refused: values that Connect supports and this library refuses, each with what to use instead.
        read_as: classes that are read as another class, by their names without package; what such a class adds has its own
            properties.
    """

    name: str
    type: ValueType
    default: Value
    doc: str
    required: bool = attrs.field(default=False, kw_only=True)
    validator: Validator | None = attrs.field(default=None, kw_only=True, eq=False)
    choices: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    effect: Effect = attrs.field(default=Effect.USED, kw_only=True)
    note: str = attrs.field(default="", kw_only=True)
    accepted: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    otherwise: Value = attrs.field(default=None, kw_only=True)
    refused: Mapping[str, str] = attrs.field(factory=dict, kw_only=True, eq=False)
    read_as: Mapping[str, str] = attrs.field(factory=dict, kw_only=True, eq=False)

    @property
    def is_prefix(self) -> bool:
        """Whether the option stands for all properties with a prefix."""
        return self.name.endswith(".*")

    def covers(self, name: str) -> bool:
        """Return whether the option defines the property `name`."""
        return name.startswith(self.name[:-1]) if self.is_prefix else name == self.name

    def parse(self, name: str, text: str) -> Value:
        """Parse and check the text of the property `name`.

        Raises:
            ValueError: the text is invalid; in Kafka's wording, with property, value and the broken rule.
        """
        try:
            value = parse_value(self.type, text)
            if self.validator is not None:
                self.validator(value)
        except ValueError as error:
            raise ValueError(invalid_value(name, self.shown(name, text), str(error))) from None
        return self.read_as.get(simple_name(text), value)

    def is_secret(self, name: str) -> bool:
        """Return whether the value of the property `name` is secret, by the option's type or by the property's name."""
        return is_secret_name(name) or (self.type is ValueType.PASSWORD and not has_plain_end(name))

    def is_public(self, name: str) -> bool:
        """Return whether the value of the property `name` may be shown.

        That excludes secrets, and refused properties with a free name, unless the name says that the value is not a secret.
        """
        is_free = self.effect is Effect.UNSUPPORTED and self.is_prefix
        return not self.is_secret(name) and (not is_free or has_plain_end(name))

    def shown(self, name: str, text: str) -> str:
        """Return the value of the property `name` with secrets hidden, for texts that people read."""
        if self.is_public(name) or (not self.is_secret(name) and is_number_or_flag(text)):
            return without_credentials(text)
        return HIDDEN if text else text


def invalid_value(name: str, text: str, rule: str) -> str:
    """Return Kafka's wording for a value that breaks a rule."""
    return f"Invalid value {text} for configuration {name}: {rule}"


def missing_value(name: str) -> str:
    """Return Kafka's wording for a required property that isn't set."""
    return f'Missing required configuration "{name}" which has no default value.'


def capitalized(text: str) -> str:
    """Return a text with its first letter in upper case, and all others unchanged."""
    return text[:1].upper() + text[1:]


def parse_value(value_type: ValueType, text: str) -> Value:
    """Parse a trimmed text, as `ConfigDef.parseType` of Apache Kafka does.

    Raises:
        ValueError: the text is not of that type.
    """
    if value_type is ValueType.BOOLEAN:
        if text.lower() not in ("true", "false"):
            raise ValueError("Expected value to be either true or false")
        return text.lower() == "true"
    if value_type in _INTEGER_BITS:
        bound = 1 << (_INTEGER_BITS[value_type] - 1)
        if not _INTEGER.fullmatch(text) or not -bound <= int(text) < bound:
            raise ValueError(f"Not a number of type {value_type.name}")
        return int(text)
    if value_type is ValueType.DOUBLE:
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"Not a number of type {value_type.name}") from None
    if value_type is ValueType.LIST:
        return tuple(part.strip() for part in text.split(",")) if text else ()
    return text


def at_least(minimum: float) -> Validator:
    """Make a validator for numbers of at least `minimum`."""

    def check(value: Value) -> None:
        if isinstance(value, int | float) and not value >= minimum:
            raise ValueError(f"Value must be at least {minimum}")

    return check


def between(minimum: float, maximum: float) -> Validator:
    """Make a validator for numbers in [minimum, maximum]."""

    def check(value: Value) -> None:
        at_least(minimum)(value)
        if isinstance(value, int | float) and not value <= maximum:
            raise ValueError(f"Value must be no more than {maximum}")

    return check


def one_of(*choices: str, ignore_case: bool = False) -> Validator:
    """Make a validator for texts that are one of `choices`."""

    def check(value: Value) -> None:
        if ignore_case:
            if str(value).lower() not in [choice.lower() for choice in choices]:
                raise ValueError(f"String must be one of (case insensitive): {', '.join(choices)}")
        elif value not in choices:
            raise ValueError(f"String must be one of: {', '.join(choices)}")

    return check


def field_paths(value: Value) -> None:
    """Check that each part of dotted paths has a name."""
    if isinstance(value, tuple) and not all(map(is_path, value)):
        raise ValueError("Field name cannot contain an empty or whitespace-only path segment")


def simple_name(class_name: str) -> str:
    """Return the last part of a Java or Python class name."""
    return re.split(r"[.:]", class_name)[-1]
