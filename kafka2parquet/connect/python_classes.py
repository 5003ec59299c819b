"""Python classes and functions that a configuration names as `package.module:Class`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any, cast

from kafka2parquet.errors import ConfigurationError, Kafka2ParquetError
from kafka2parquet.events import Hook


def is_python_path(class_name: str) -> bool:
    """Whether the name is the name of a Python class, and not of a Java class."""
    return ":" in class_name


def load_class(path: str, base: type) -> type:
    """Import the class at `package.module:Class`; it has to derive from `base`.

    Raises:
        ValueError: there is no such module or class, or it is of another kind; the message says which.
    """
    found = _load(path)
    if not isinstance(found, type) or not issubclass(found, base):
        raise ValueError(f"{path} is not a subclass of {base.__name__}")
    return found


def make_part(path: str, base: type, properties: Mapping[str, str]) -> Any:
    """Make an object of the class at `package.module:Class`, as a part of a task.

    The class gets all properties, unless its only `__init__` methods are this library's.

    Raises:
        ConfigurationError: its constructor raised something.
        ValueError: there is no such class.
    """
    found = load_class(path, base)
    owner = next(each for each in found.__mro__ if "__init__" in vars(each))
    is_own = owner is not object and owner.__module__.partition(".")[0] != __name__.partition(".")[0]
    return _made(path, found, *((properties,) if is_own else ()))


def find_hook(path: str) -> Hook | type:
    """Import the hook that `package.module:name` names: a function, or a class whose objects can be called.

    Raises:
        ValueError: there is nothing of that name, or it can't be called with an event.
    """
    found = _load(path)
    if not isinstance(found, type):
        if not callable(found):
            raise ValueError(f"{path} can't be called with an event: it is of the type {type(found).__name__}")
        return cast(Hook, found)
    if not any("__call__" in vars(each) for each in found.__mro__):
        raise ValueError(f"{path} is a class whose objects can't be called with an event; give it a method __call__")
    return found


def make_hook(path: str) -> Hook:
    """The hook at `package.module:name`; of a class, a new object.

    Raises:
        ConfigurationError: the constructor of the class raised something.
        ValueError: as `find_hook`.
    """
    found = find_hook(path)
    return cast(Hook, _made(path, found)) if isinstance(found, type) else found


def _load(path: str) -> object:
    module_name, colon, name = path.partition(":")
    if not colon or not name:
        raise ValueError(f"{path} does not have the form package.module:name")
    _find_current_folder()
    try:
        return getattr(importlib.import_module(module_name), name)
    except Exception as error:  # whatever the module does when it is imported
        kind = "" if isinstance(error, ImportError | AttributeError | ValueError) else f"{type(error).__name__}: "
        raise ValueError(f"{path} can't be imported: {kind}{error}") from error


def _find_current_folder() -> None:
    """Let modules of the current folder be found, after all installed modules; the command line needs this."""
    folder = os.getcwd()  # noqa: PTH109  # as sys.path has it
    if folder not in sys.path and "" not in sys.path:
        sys.path.append(folder)
        importlib.invalidate_caches()


def _made(path: str, of: type, *arguments: object) -> object:
    try:
        return of(*arguments)
    except Kafka2ParquetError:
        raise
    except Exception as error:
        raise ConfigurationError(f"{path}: {of.__name__}() raised {type(error).__name__}: {error}") from error
