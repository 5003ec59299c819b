"""Option: what is known of one property, and how its text becomes a value as Kafka's `ConfigDef` reads it."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping

import attrs

from kafka2parquet.schema.field_paths import is_path
from kafka2parquet.util.secrets import HIDDEN, has_plain_end, is_number_or_flag, is_secret_name, without_credentials

Value = str | int | float | bool | tuple[str, ...] | None
Validator = Callable[[Value], None]
"""Raises `ValueError` with the rule that the value breaks."""


class ValueType(enum.Enum):
    """Types of Kafka's `ConfigDef`."""

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
    """What this library makes of a property."""

    USED = "used"
    IGNORED = "no effect"
    UNSUPPORTED = "not supported"


_INTEGER_BITS = {ValueType.SHORT: 16, ValueType.INT: 32, ValueType.LONG: 64}
_INTEGER = re.compile(r"[+-]?[0-9]+")


@attrs.frozen
class Option:
    """One property.

    Attributes:
        name: its name; ending in `.*` it stands for all properties that begin so.
        type: of its value.
        default: its value where it isn't set.
        doc: what it says, in one sentence.
        required: whether it has to be set.
        validator: checks the parsed value.
        choices: values to recommend; `validator` says whether others are refused.
        effect: what this library makes of it.
        note: for `USED`, what it maps to where that isn't plain from its name; for `IGNORED`, why it has no effect; for
            `UNSUPPORTED`, what to use instead.
        accepted: values that mean something and are not recommended.
        otherwise: what a value outside `choices` means, where Connect doesn't refuse it.
        refused: values that Connect knows and this library doesn't, each with what to use instead.
        read_as: classes that are read as another one, by their names without package; what they add to it are properties of
            their own.
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
        """Whether it stands for all properties of a prefix."""
        return self.name.endswith(".*")

    def covers(self, name: str) -> bool:
        """Whether the property `name` is this one, or has its prefix."""
        return name.startswith(self.name[:-1]) if self.is_prefix else name == self.name

    def parse(self, name: str, text: str) -> Value:
        """The value of `text` for the property `name`.

        Raises:
            ValueError: with Kafka's wording: property, value, and the rule that is broken.
        """
        try:
            value = parse_value(self.type, text)
            if self.validator is not None:
                self.validator(value)
        except ValueError as error:
            raise ValueError(invalid_value(name, self.shown(name, text), str(error))) from None
        return self.read_as.get(simple_name(text), value)

    def is_secret(self, name: str) -> bool:
        """Whether the value of the property `name` is secret: by its type, or by its name where others set it too."""
        return is_secret_name(name) or (self.type is ValueType.PASSWORD and not has_plain_end(name))

    def is_public(self, name: str) -> bool:
        """Whether the value of the property `name` may be shown to people: secrets and values of refused properties are not."""
        return not self.is_secret(name) and self.effect is not Effect.UNSUPPORTED

    def shown(self, name: str, text: str) -> str:
        """The value of the property `name` as it may be shown to people."""
        if self.is_public(name) or (not self.is_secret(name) and is_number_or_flag(text)):
            return without_credentials(text)
        return HIDDEN if text else text


def invalid_value(name: str, text: str, rule: str) -> str:
    """Kafka's wording for a value that breaks a rule."""
    return f"Invalid value {text} for configuration {name}: {rule}"


def missing_value(name: str) -> str:
    """Kafka's wording for a property that has to be set, and isn't."""
    return f'Missing required configuration "{name}" which has no default value.'


def capitalized(text: str) -> str:
    """A note as a sentence begins; its other letters stay."""
    return text[:1].upper() + text[1:]


def parse_value(value_type: ValueType, text: str) -> Value:
    """The value of a trimmed text (`ConfigDef.parseType` of Apache Kafka).

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
    """The number must be `minimum` or more."""

    def check(value: Value) -> None:
        if isinstance(value, int | float) and not value >= minimum:
            raise ValueError(f"Value must be at least {minimum}")

    return check


def between(minimum: float, maximum: float) -> Validator:
    """The number must lie in [minimum, maximum]."""

    def check(value: Value) -> None:
        at_least(minimum)(value)
        if isinstance(value, int | float) and not value <= maximum:
            raise ValueError(f"Value must be no more than {maximum}")

    return check


def one_of(*choices: str, ignore_case: bool = False) -> Validator:
    """The text must be one of `choices`."""

    def check(value: Value) -> None:
        if ignore_case:
            if str(value).lower() not in [choice.lower() for choice in choices]:
                raise ValueError(f"String must be one of (case insensitive): {', '.join(choices)}")
        elif value not in choices:
            raise ValueError(f"String must be one of: {', '.join(choices)}")

    return check


def field_paths(value: Value) -> None:
    """The dotted paths must have a name in each part."""
    if isinstance(value, tuple) and not all(map(is_path, value)):
        raise ValueError("Field name cannot contain an empty or whitespace-only path segment")


def simple_name(class_name: str) -> str:
    """The last part of a Java or Python class name."""
    return re.split(r"[.:]", class_name)[-1]
