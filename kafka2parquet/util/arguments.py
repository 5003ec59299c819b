"""Checks the arguments of public constructors against the annotations of their parameters.

`checked` decorates a class or a function. The annotations of the parameters decide which values are accepted. `Annotated` adds
limits, mostly by the names below (`Count`, `Name`, `Duration`). A value of another type is converted if its meaning is clear: a
numpy integer becomes an int, and a single name becomes a sequence of one name.
"""

from __future__ import annotations

import datetime
import enum
import functools
import inspect
import sys
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import attrs

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.util.argument_types import AtLeast, AtMost, Check, NotEmpty, OneOf, Secret, WrongValueError, check_of

__all__ = [
    "Count",
    "Duration",
    "Name",
    "Names",
    "NotEmpty",
    "OneOf",
    "PositiveSeconds",
    "Seconds",
    "SecretSettings",
    "SecretText",
    "SecretTexts",
    "Share",
    "WholeNumber",
    "checked",
]

_Checked = TypeVar("_Checked", bound=Callable[..., Any])

_GIVEN = "_given_arguments"
_MAX_SHOWN_CHARACTERS = 200

Count = Annotated[int, AtLeast(1)]
"""A whole number, 1 or more."""

WholeNumber = Annotated[int, AtLeast(0)]
"""A whole number, 0 or more."""

Seconds = Annotated[float, AtLeast(0)]
"""A number of seconds, 0 or more."""

PositiveSeconds = Annotated[float, AtLeast(0, excluded=True)]
"""A number of seconds, more than 0."""

Share = Annotated[float, AtLeast(0), AtMost(1)]
"""A share, from 0 to 1."""

Duration = Annotated[datetime.timedelta, AtLeast(datetime.timedelta(), excluded=True)]
"""A positive duration."""

Name = Annotated[str, NotEmpty()]
"""A text that is not blank."""

Names = Annotated[Sequence[Name], NotEmpty()]
"""One or more names; a single text counts as a sequence of one name."""

SecretSettings = Annotated[Mapping[str, Any], Secret()]
"""Settings by name, which `repr` doesn't show."""

SecretText = Annotated[str, Secret()]
"""A text that `repr` doesn't show."""

SecretTexts = Annotated[Mapping[str, str], Secret()]
"""Texts by name, which `repr` doesn't show."""


def checked(target: _Checked) -> _Checked:
    """Check the arguments of a class's constructor or of a function at each call.

    A class without a `__repr__` gets one that shows the arguments of its constructor, without secrets and defaults.

    Raises (at each call):
        ConfigurationError: arguments are wrong. The message names all of them.
    """
    if not isinstance(target, type):
        return typing.cast(_Checked, _checked_function(target))
    of: Any = target
    if of.__repr__ is object.__repr__:
        of.__repr__ = _repr
    if "__init__" in vars(of):
        of.__init__ = _checked_constructor(of)
    return target


@attrs.frozen(eq=False)
class _Parameters:
    """The parameters of a function with their checks.

    Attributes:
        positional: names of the parameters for positional arguments, in order.
        collecting: name of the parameter for all other positional arguments, such as `*policies`; None if there isn't one.
        checks: checks by name of the parameter.
        defaults: defaults by name of the parameter.
    """

    positional: tuple[str, ...]
    collecting: str | None
    checks: Mapping[str, Check]
    defaults: Mapping[str, Any]

    @classmethod
    def of(cls, function: Callable[..., Any], module: str, *, is_method: bool) -> _Parameters:
        """Read the annotations of a function; names in them are looked up in `module`."""
        hints = typing.get_type_hints(function, vars(sys.modules[module]), include_extras=True)
        found = list(inspect.signature(function).parameters.values())[is_method:]
        return cls(
            tuple(each.name for each in found if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD),
            next((each.name for each in found if each.kind is inspect.Parameter.VAR_POSITIONAL), None),
            {
                each.name: check_of(hints[each.name])
                for each in found
                if each.name in hints and each.kind is not inspect.Parameter.VAR_KEYWORD
            },
            {each.name: each.default for each in found},
        )

    def convert(self, caller: str, places: tuple[Any, ...], names: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Check and convert the positional and the keyword arguments of a call.

        Python itself refuses unknown arguments later.

        Raises:
            ConfigurationError: arguments are wrong.
        """
        problems: list[str] = []

        def accepted(name: str, value: Any) -> Any:
            check = self.checks.get(name)
            try:
                return value if check is None else check.convert(value)
            except WrongValueError as wrong:
                problems.append(f"{caller}: {name}{wrong.sentence}")

        converted = list(map(accepted, self.positional, places))
        others = places[len(converted) :]
        if others and self.collecting is not None and self.collecting in self.checks:
            try:
                others = self.checks[self.collecting].each(others)
            except WrongValueError as wrong:
                problems.append(f"{caller}: {self.collecting}{wrong.sentence}")
        by_name = {name: accepted(name, value) for name, value in names.items()}
        if problems:
            raise ConfigurationError(problems)
        return [*converted, *others], by_name

    def shown(self, places: Sequence[Any], names: Mapping[str, Any]) -> Iterator[str]:
        """Yield the arguments that are not defaults, as in a call of the constructor."""
        yield from map(repr, places[len(self.positional) :])
        for name, value in (*zip(self.positional, places, strict=False), *names.items()):
            if name not in self.checks or self.checks[name].is_secret:
                yield f"{name}=..."
                continue
            default = self.defaults[name]
            if value is not default and not (isinstance(value, _PLAIN) and value == default):
                text = repr(value)
                yield f"{name}={text if len(text) <= _MAX_SHOWN_CHARACTERS else text[:_MAX_SHOWN_CHARACTERS] + '…'}"


#: Types whose values can be compared with a default.
_PLAIN = (str, int, float, tuple, datetime.timedelta, enum.Enum)


def _checked_function(function: Callable[..., Any]) -> Callable[..., Any]:
    parameters = functools.cache(lambda: _Parameters.of(function, function.__module__, is_method=False))

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        places, names = parameters().convert(function.__name__, args, kwargs)
        return function(*places, **names)

    return call


def _checked_constructor(of: type) -> Callable[..., None]:
    constructor: Callable[..., None] = vars(of)["__init__"]
    parameters = functools.cache(lambda: _Parameters.of(constructor, of.__module__, is_method=True))
    has_own_repr = attrs.has(of)

    @functools.wraps(constructor)
    def construct(self: object, /, *args: Any, **kwargs: Any) -> None:
        places, names = parameters().convert(type(self).__name__, args, kwargs)
        if not has_own_repr and _GIVEN not in vars(self):
            vars(self)[_GIVEN] = functools.partial(parameters().shown, places, names)
        constructor(self, *places, **names)

    return construct


def _repr(self: object) -> str:
    given = vars(self).get(_GIVEN)
    return f"{type(self).__name__}({', '.join(given()) if given is not None else ''})"
