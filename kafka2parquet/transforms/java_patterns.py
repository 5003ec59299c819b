"""Compiles Java's regular expressions and replacement texts for Python."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem

_NAMED_GROUP = re.compile(r"\(\?<(?=[a-zA-Z])")
_NAME = re.compile(r"\{([a-zA-Z][a-zA-Z0-9]*)\}")


def compiled(pattern: str, property_name: str) -> re.Pattern[str]:
    """Compile one of Java's regular expressions. Its classes of letters, digits and spaces are limited to ASCII, as in Java.

    Args:
        pattern: a pattern of `java.util.regex.Pattern`.
        property_name: name of the property, for the error.

    Raises:
        ConfigurationError: Python doesn't support the pattern, or would interpret it differently.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Python warns about nested character sets, which only Java supports
            return re.compile(_NAMED_GROUP.sub("(?P<", pattern), re.ASCII)
    except (re.error, FutureWarning, OverflowError, RecursionError) as error:
        message = f"{property_name}: {pattern!r} is not a regular expression that Python reads as Java does: {error}."
        raise ConfigurationError(Problem(property_name, message)) from error


def replacement(text: str, pattern: re.Pattern[str], property_name: str) -> Callable[[re.Match[str]], str]:
    """Compile one of Java's replacement texts (`$1`, `${name}`, backslash escapes) to a function of a match.

    Args:
        text: a replacement for `Matcher.replaceFirst`.
        pattern: the pattern with the groups that the text names.
        property_name: name of the property, for the error.

    Raises:
        ConfigurationError: Java would refuse the text.
    """
    parts: list[str | int] = []
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character == "\\":
            if position == len(text):
                raise _unreadable(property_name, text, "a character has to follow the backslash at the end")
            parts.append(text[position])
            position += 1
        elif character == "$":
            group, position = _group(text, position, pattern, property_name)
            parts.append(group)
        else:
            parts.append(character)
    return lambda match: "".join(part if isinstance(part, str) else match[part] or "" for part in parts)


def _group(text: str, position: int, pattern: re.Pattern[str], property_name: str) -> tuple[int, int]:
    """Return the number of the group after a `$`, and the position after the group."""
    if name := _NAME.match(text, position):
        if name[1] not in pattern.groupindex:
            raise _unreadable(property_name, text, f"the regular expression doesn't have a group {{{name[1]}}}")
        return pattern.groupindex[name[1]], name.end()
    digits = re.compile("[0-9]+").match(text, position)
    if digits is None:
        raise _unreadable(property_name, text, "a $ has to be followed by a group; \\$ stands for the character itself")
    number, end = int(digits[0][0]), position + 1
    if number > pattern.groups:
        raise _unreadable(property_name, text, f"the regular expression doesn't have a group {number}")
    for digit in digits[0][1:]:
        if number * 10 + int(digit) > pattern.groups:
            break
        number, end = number * 10 + int(digit), end + 1
    return number, end


def _unreadable(property_name: str, text: str, why: str) -> ConfigurationError:
    return ConfigurationError(Problem(property_name, f"{property_name}: {text!r} can't be read as Java reads it: {why}."))
