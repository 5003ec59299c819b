"""Checks and converts values by the annotation of a parameter, and describes wrong values in errors."""

from __future__ import annotations

import collections.abc
import datetime
import difflib
import enum
import math
import numbers
import operator
import types
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Annotated, Any, Literal, Protocol, Union, get_args, get_origin

import attrs
import numpy as np

_MAX_SHOWN_CHARACTERS = 60


class WrongValueError(Exception):
    """A parameter doesn't accept a value.

    Attributes:
        expected: what the parameter accepts, in words.
        sentence: the error text after the parameter's name: ` has to be ..., not ....`
    """

    def __init__(self, expected: str, shown: str, hint: str = "", *, path: str = "") -> None:
        self.expected, self.shown, self.path, self.hint = expected, shown, path, hint
        self.sentence = f"{path} has to be {expected}, not {shown}.{' ' + hint if hint else ''}"
        super().__init__(self.sentence)

    def inside(self, path: str) -> WrongValueError:
        """Return the error for the same value inside a sequence or a mapping, at `path`."""
        return type(self)(self.expected, self.shown, path=path + self.path, hint=self.hint)


class UnmetLimitError(WrongValueError):
    """The value has the right type but violates a limit."""


class Limit(Protocol):
    """A limit that `Annotated` adds to a type. Limits with `shows_value` are only for texts that are never secret."""

    def unmet(self, value: Any) -> str | None:
        """Return what the value has to be, or None if it satisfies the limit."""


@attrs.frozen
class AtLeast:
    """A minimum for a number or duration."""

    least: Any
    excluded: bool = False

    def unmet(self, value: Any) -> str | None:
        """Return what the value has to be, or None if it satisfies the limit."""
        if value > self.least or (value == self.least and not self.excluded):
            return None
        return "positive" if self.excluded else f"{self.least} or more"


@attrs.frozen
class AtMost:
    """A maximum for a number."""

    most: float

    def unmet(self, value: Any) -> str | None:
        """Return what the value has to be, or None if it satisfies the limit."""
        return None if value <= self.most else f"{self.most} or less"


@attrs.frozen
class NotEmpty:
    """A text must not be blank, and a sequence must not be empty."""

    def unmet(self, value: Any) -> str | None:
        """Return what the value has to be, or None if it satisfies the limit."""
        if isinstance(value, str):
            return None if value.strip() else "a text that isn't blank"
        return None if value else "one or more"


@attrs.frozen
class OneOf:
    """A text must be one of some words."""

    known: Sequence[str]
    shows_value = True

    def unmet(self, value: Any) -> str | None:
        """Return what the value has to be, or None if it satisfies the limit."""
        return None if value in self.known else words(self.known)


@attrs.frozen
class Secret:
    """The value is secret, so errors never show it."""

    def unmet(self, value: Any) -> str | None:
        """Accept any value."""
        return None


@attrs.frozen(eq=False)
class Check:
    """The check of a parameter's values.

    Attributes:
        expected: accepted values, in words.
        several: the plural of `expected`, for the elements of a sequence.
        convert: returns the value in the constructor's type, or raises `WrongValueError`.
        is_secret: whether errors must not show the value.
    """

    expected: str
    several: str
    convert: Callable[[Any], Any]
    is_secret: bool = False

    def each(self, values: Iterable[Any]) -> tuple[Any, ...]:
        """Check and convert the elements of a sequence."""
        return tuple(self._at(f"[{place}]", value) for place, value in enumerate(values))

    def entries(self, values: Mapping[Any, Any], of_keys: Check) -> dict[Any, Any]:
        """Check and convert the entries of a mapping."""
        converted = {}
        for key, value in values.items():
            try:
                name = of_keys.convert(key)
            except WrongValueError as wrong:
                raise wrong.inside(": a key") from None
            converted[name] = self._at(f"[{name!r}]", value)
        return converted

    def _at(self, path: str, value: Any) -> Any:
        try:
            return self.convert(value)
        except WrongValueError as wrong:
            raise wrong.inside(path) from None


def check_of(annotation: Any) -> Check:
    """Return the check for an annotation. For an unknown annotation the check accepts everything."""
    origin: Any = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Annotated:
        return _limited(check_of(arguments[0]), arguments[1:])
    if origin in (Union, types.UnionType):
        return _any_of([check_of(each) for each in arguments])
    if origin is Literal:
        return _word(arguments)
    if origin in (collections.abc.Sequence, tuple, frozenset) and (origin is not tuple or arguments[1:] == (...,)):
        return _sequence(check_of(arguments[0]), frozenset if origin is frozenset else tuple)
    if origin is collections.abc.Mapping:
        return _mapping(check_of(arguments[0]), check_of(arguments[1]))
    if isinstance(origin, type) and origin is not collections.abc.Callable:
        return _instance(origin)
    if origin is collections.abc.Callable:
        return _simple("a function", "functions", lambda value: callable(value) and not isinstance(value, type))
    return _PLAIN[annotation] if annotation in _PLAIN else _instance(annotation)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most similar to `word`, ignoring case and separators; None if none is similar."""
    by_letters = {_letters(each): each for each in known}
    return next((by_letters[found] for found in difflib.get_close_matches(_letters(word), by_letters, n=1)), None)


def words(known: Sequence[str]) -> str:
    """Join words to a readable list: `'a', 'b' or 'c'`."""
    shown = [repr(word) for word in known]
    return " or ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _letters(word: str) -> str:
    return "".join(character for character in word.lower() if character.isalnum())


def _shown(value: object) -> str:
    """Describe a wrong value. Doesn't show the content of a text or a structure, because it may be a secret."""
    if value is None or isinstance(value, bool | np.bool_ | numbers.Number | datetime.timedelta):
        return str(value)[:_MAX_SHOWN_CHARACTERS]
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, str | bytes | list | tuple | dict) and not value:
        return f"an empty {type(value).__name__}"
    return _a(type(value).__name__)


def _quoted(word: str) -> str:
    return repr(word if len(word) <= _MAX_SHOWN_CHARACTERS else word[:_MAX_SHOWN_CHARACTERS] + "…")


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    meant = nearest(word, known)
    return f"Did you mean {meant!r}?" if meant is not None else ""


def _a(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in set('aeio') else 'a'} {noun}"


# ---- checks of single types


def _simple(expected: str, several: str, accepts: Callable[[Any], bool], convert: Callable[[Any], Any] = lambda _: _) -> Check:
    def check(value: Any) -> Any:
        if not accepts(value):
            raise WrongValueError(expected, _shown(value))
        return convert(value)

    return Check(expected, several, check)


def _is_whole(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool | np.bool_)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_) and math.isfinite(value)


def _duration(value: Any) -> datetime.timedelta:
    if isinstance(value, datetime.timedelta):
        return value
    hint = f"Seconds are datetime.timedelta(seconds={_shown(value)})." if _is_number(value) else ""
    raise WrongValueError("a datetime.timedelta", _shown(value), hint=hint)


_PLAIN: Mapping[Any, Check] = {
    Any: _simple("anything", "anything", lambda _: True),
    object: _simple("anything", "anything", lambda _: True),
    type(None): _simple("None", "None", lambda value: value is None),
    bool: _simple("True or False", "booleans", lambda value: isinstance(value, bool | np.bool_), bool),
    int: _simple("a whole number", "whole numbers", _is_whole, operator.index),
    float: _simple("a finite number", "finite numbers", _is_number, float),
    str: _simple("a str", "texts", lambda value: isinstance(value, str)),
    bytes: _simple("bytes", "bytes", lambda value: isinstance(value, bytes | bytearray | memoryview), bytes),
    datetime.timedelta: Check("a datetime.timedelta", "durations", _duration),
}


def _instance(of: Any) -> Check:
    """Return the check for instances of a class, or for objects with the members of a protocol."""
    if not isinstance(of, type):
        return _PLAIN[Any]
    expected, several = _a(of.__name__), f"instances of {of.__name__}"
    members = _members(of) if getattr(of, "_is_protocol", False) else None

    def lacking(value: Any) -> Sequence[str]:
        return [member for member in members or () if not hasattr(value, member)]

    def check(value: Any) -> Any:
        if isinstance(value, type):
            fits = issubclass(value, of) if members is None else not lacking(value)
            hint = f"Give an instance: {value.__name__}(...)." if fits else ""
        elif members is not None:
            missing = lacking(value)
            if not missing:
                return value
            hint = f"It lacks {', '.join(missing)}."
        elif isinstance(value, of):
            return value
        else:
            hint = _member_meant(of, value)
        raise WrongValueError(expected, _shown(value), hint)

    return Check(expected, several, check)


def _member_meant(of: type, value: object) -> str:
    """Return a hint at the enum's member whose name or value is similar to a text."""
    if not issubclass(of, enum.Enum) or not isinstance(value, str):
        return ""
    meant = nearest(value, list(of.__members__))
    return f"Did you mean {of.__name__}.{meant}?" if meant is not None else ""


def _members(protocol: type) -> Sequence[str]:
    """Return the methods and attributes that a protocol requires."""
    classes = [each for each in protocol.__mro__ if getattr(each, "_is_protocol", False) and each is not Protocol]
    named = {name for each in classes for name in (*vars(each), *vars(each).get("__annotations__", ()))}
    return sorted(name for name in named if not name.startswith("_"))


def _word(known: Sequence[Any]) -> Check:
    expected = words(known)

    def check(value: Any) -> Any:
        if isinstance(value, str) and value in known:
            return str(value)
        if not isinstance(value, str):
            raise WrongValueError(expected, _shown(value))
        raise WrongValueError(expected, _quoted(value), _did_you_mean(value, known))

    return Check(expected, expected, check)


# ---- checks of checks


def _limited(of: Check, limits: Sequence[Limit]) -> Check:
    def check(value: Any) -> Any:
        converted = of.convert(value)
        for limit in limits:
            wanted = limit.unmet(converted)
            if wanted is not None:
                raise UnmetLimitError(wanted, *_shown_with_hint(value, limit))
        return converted

    return Check(of.expected, of.several, check, is_secret=any(isinstance(limit, Secret) for limit in limits))


def _shown_with_hint(value: object, limit: Limit) -> tuple[str, str]:
    if isinstance(value, str) and value and hasattr(limit, "shows_value"):
        return _quoted(value), _did_you_mean(value, limit.known) if isinstance(limit, OneOf) else ""
    if isinstance(value, str) and value:
        return ("this one" if value.strip() else "only blanks"), ""
    return ("these bytes" if isinstance(value, bytes) else _shown(value)), ""


def _any_of(checks: Sequence[Check]) -> Check:
    values = [check for check in checks if check is not _PLAIN[type(None)]]
    is_optional = len(values) < len(checks)
    expected = " or ".join(check.expected for check in values)

    def check_all(value: Any) -> Any:
        if value is None and is_optional:
            return None
        failures = []
        for each in values:
            try:
                return each.convert(value)
            except WrongValueError as wrong:
                failures.append(wrong)
        nearest = max(failures, key=lambda wrong: (isinstance(wrong, UnmetLimitError), bool(wrong.path), bool(wrong.hint)))
        tells_all = len(failures) == 1 or nearest.path or isinstance(nearest, UnmetLimitError)
        raise nearest if tells_all else WrongValueError(expected, nearest.shown, nearest.hint)

    is_secret = any(check.is_secret for check in checks)
    return Check(expected, " or ".join(check.several for check in values), check_all, is_secret)


def _sequence(of: Check, make: Callable[[tuple[Any, ...]], Any]) -> Check:
    expected = f"a sequence of {of.several}"

    def check(value: Any) -> Any:
        is_single = isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable)
        if not is_single and (make is frozenset or not isinstance(value, Set)):
            return make(of.each(value))
        try:
            return make((of.convert(value),))
        except WrongValueError as wrong:
            is_text = isinstance(value, str) and of.several == "texts"
            raise wrong if is_text else WrongValueError(expected, _shown(value)) from None

    return Check(expected, f"sequences of {of.several}", check)


def _mapping(of_keys: Check, of_values: Check) -> Check:
    expected = f"a mapping of {of_keys.several}" + ("" if of_values.several == "anything" else f" to {of_values.several}")

    def check(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise WrongValueError(expected, _shown(value))
        return of_values.entries(value, of_keys)

    return Check(expected, "mappings", check)
