"""Checks what public constructors are given against the annotations of their parameters.

`checked` decorates a class or a function. The annotations of its parameters say which values are accepted; limits are added to
them with `Annotated`, most of them by the names below (`Count`, `Name`, `Duration`). A value of another type that can only mean
one thing is converted: an integer of numpy becomes an int, a single name where names are meant becomes a sequence of one.
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

from kafka2parquet.argument_types import AtLeast, AtMost, Check, NotEmpty, OneOf, Secret, WrongValueError, check_of
from kafka2parquet.errors import ConfigurationError

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
"""A part of a whole, from 0 to 1."""

Duration = Annotated[datetime.timedelta, AtLeast(datetime.timedelta(), excluded=True)]
"""A positive duration."""

Name = Annotated[str, NotEmpty()]
"""A text that isn't empty."""

Names = Annotated[Sequence[Name], NotEmpty()]
"""One name or more; a text stands for a sequence of one."""

SecretSettings = Annotated[Mapping[str, Any], Secret()]
"""Settings by name, of which `repr` shows nothing."""

SecretText = Annotated[str, Secret()]
"""A text that `repr` doesn't show."""

SecretTexts = Annotated[Mapping[str, str], Secret()]
"""Texts by name, of which `repr` shows nothing."""


def checked(target: _Checked) -> _Checked:
    """Check the arguments of a class's constructor, or of a function, each time it is called.

    A class without a `__repr__` gets one that shows what its constructor was given, but for secrets and defaults.

    Raises (when it is called):
        ConfigurationError: arguments are wrong; all of them are named.
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
    """The parameters of a function, and what is accepted for each."""

    signature: inspect.Signature
    checks: Mapping[str, Check]

    @classmethod
    def of(cls, function: Callable[..., Any], module: str) -> _Parameters:
        """Look at the annotations, whose names are those of a module."""
        hints = typing.get_type_hints(function, vars(sys.modules[module]), include_extras=True)
        hints.pop("return", None)
        return cls(inspect.signature(function), {name: check_of(hint) for name, hint in hints.items()})

    def convert(self, name: str, bound: inspect.BoundArguments) -> None:
        """Check and convert the arguments of a call of that name.

        Raises:
            ConfigurationError: some are wrong.
        """
        problems = []
        for parameter, value in bound.arguments.items():
            check = self.checks.get(parameter)
            if check is None:
                continue
            try:
                if self.signature.parameters[parameter].kind is inspect.Parameter.VAR_POSITIONAL:
                    bound.arguments[parameter] = check.each(value)
                elif self.signature.parameters[parameter].kind is not inspect.Parameter.VAR_KEYWORD:
                    bound.arguments[parameter] = check.convert(value)
            except WrongValueError as wrong:
                problems.append(f"{name}: {parameter}{wrong.sentence}")
        if problems:
            raise ConfigurationError(problems)

    def shown(self, arguments: Mapping[str, Any]) -> Iterator[str]:
        """The arguments that aren't defaults, as a constructor is called."""
        for name, value in arguments.items():
            parameter = self.signature.parameters[name]
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                yield from map(repr, value)
            elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
                yield from (f"{each}=..." for each in value)
            elif name in self.checks and self.checks[name].is_secret:
                yield f"{name}=..."
            elif value is not parameter.default and not (isinstance(value, _PLAIN) and value == parameter.default):
                text = repr(value)
                yield f"{name}={text if len(text) <= _MAX_SHOWN_CHARACTERS else text[:_MAX_SHOWN_CHARACTERS] + '…'}"


_PLAIN = (str, int, float, tuple, datetime.timedelta, enum.Enum)


def _checked_function(function: Callable[..., Any]) -> Callable[..., Any]:
    parameters = functools.cache(lambda: _Parameters.of(function, function.__module__))

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        bound = parameters().signature.bind(*args, **kwargs)
        parameters().convert(function.__name__, bound)
        return function(*bound.args, **bound.kwargs)

    return call


def _checked_constructor(of: type) -> Callable[..., None]:
    constructor: Callable[..., None] = vars(of)["__init__"]
    parameters = functools.cache(lambda: _Parameters.of(constructor, of.__module__))

    @functools.wraps(constructor)
    def construct(self: object, /, *args: Any, **kwargs: Any) -> None:
        try:
            bound = parameters().signature.bind(self, *args, **kwargs)
        except TypeError:
            return constructor(self, *args, **kwargs)  # which says it as Python does
        parameters().convert(type(self).__name__, bound)
        if not attrs.has(of) and _GIVEN not in vars(self):
            given = dict(list(bound.arguments.items())[1:])
            vars(self)[_GIVEN] = functools.partial(parameters().shown, given)
        return constructor(*bound.args, **bound.kwargs)

    return construct


def _repr(self: object) -> str:
    given = vars(self).get(_GIVEN)
    return f"{type(self).__name__}({', '.join(given()) if given is not None else ''})"
