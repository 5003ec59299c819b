"""Constructors of options, each named after the type of the property: `long("rotate.interval.ms", -1, "…")`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

import attrs

from kafka2parquet.connect.properties.option import Effect, Option, Validator, Value, ValueType, one_of

T = TypeVar("T", bound=Value)


@attrs.frozen
class Typed(Generic[T]):
    """A constructor of options of one type.

    Attributes:
        type: type of the property's value.
    """

    type: ValueType

    def __call__(
        self,
        name: str,
        default: T | None,
        doc: str,
        *,
        required: bool = False,
        validator: Validator | None = None,
        choices: tuple[str, ...] = (),
        note: str = "",
        no_effect: str = "",
        unsupported: str = "",
        accepted: tuple[str, ...] = (),
        otherwise: Value = None,
        refused: Mapping[str, str] | None = None,
        read_as: Mapping[str, str] | None = None,
    ) -> Option:
        """Make an option.

        Args:
            name: see `Option`, like all arguments that are not listed here.
            default: see `Option`.
            doc: see `Option`.
            required: see `Option`.
            validator: see `Option`.
            choices: see `Option`.
            note: what a property with an effect maps to, unless its name says so.
            no_effect: why the property is accepted without effect; "" if it has an effect.
            unsupported: what to use instead of a property that is refused if it is set to another value than its default;
                "" if the property is supported.
            accepted: see `Option`.
            otherwise: see `Option`.
            refused: see `Option`.
            read_as: see `Option`.
        """
        effect = Effect.IGNORED if no_effect else Effect.UNSUPPORTED if unsupported else Effect.USED
        return Option(
            name,
            self.type,
            default,
            doc,
            required=required,
            validator=validator,
            choices=choices,
            effect=effect,
            note=no_effect or unsupported or note,
            accepted=accepted,
            otherwise=otherwise,
            refused=refused or {},
            read_as=read_as or {},
        )


string = Typed[str](ValueType.STRING)
integer = Typed[int](ValueType.INT)
short = Typed[int](ValueType.SHORT)
long = Typed[int](ValueType.LONG)
double = Typed[float](ValueType.DOUBLE)
boolean = Typed[bool](ValueType.BOOLEAN)
string_list = Typed[tuple[str, ...]](ValueType.LIST)
class_name = Typed[str](ValueType.CLASS)
password = Typed[str](ValueType.PASSWORD)


def choice(
    name: str, default: str, doc: str, choices: tuple[str, ...], *, ignore_case: bool = False, note: str = "",
    refused: Mapping[str, str] | None = None,
) -> Option:  # fmt: skip
    """Make the option of a text that has to be one of `choices`.

    Args:
        name: see `Option`.
        default: see `Option`.
        doc: see `Option`.
        choices: the texts that are valid.
        ignore_case: whether upper and lower case make no difference.
        note: see `Option`.
        refused: see `Option`.
    """
    validator = one_of(*choices, ignore_case=ignore_case)
    return string(name, default, doc, validator=validator, choices=choices, note=note, refused=refused)
