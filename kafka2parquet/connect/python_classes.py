"""Imports Python classes and functions that a configuration names as `package.module:Class`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any, cast

from kafka2parquet.errors import ConfigurationError, Kafka2ParquetError
from kafka2parquet.events import Hook


def is_python_path(class_name: str) -> bool:
    """Return whether a class name is a Python class rather than a Java class."""
    return ":" in class_name


def load_class(path: str, base: type) -> type:
    """Import the class at `package.module:Class`, which has to derive from `base`.

    Raises:
        ValueError: the module or class is missing, or the class is of another kind; the message says which.
    """
    found = _load(path)
    if not isinstance(found, type) or not issubclass(found, base):
        raise ValueError(f"{path} is not a subclass of {base.__name__}")
    return found


def make_part(path: str, base: type, properties: Mapping[str, str]) -> Any:
    """Make an object of the class at `package.module:Class`, for a task.

    The constructor gets all properties, unless the class inherits its `__init__` from this library.

    Raises:
        ConfigurationError: the constructor raised an error.
        ValueError: the class is missing.
    """
    found = load_class(path, base)
    owner = next(each for each in found.__mro__ if "__init__" in vars(each))
    is_own = owner is not object and owner.__module__.partition(".")[0] != __name__.partition(".")[0]
    return _made(path, found, *((properties,) if is_own else ()))


def find_hook(path: str) -> Hook | type:
    """Import the hook that `package.module:name` names: a function, or a class whose objects can be called.

    Raises:
        ValueError: the name is missing, or can't be called with an event.
    """
    found = _load(path)
    if not isinstance(found, type):
        if not callable(found):
            raise ValueError(f"{path} can't be called with an event: its type is {type(found).__name__}")
        return cast(Hook, found)
    if not any("__call__" in vars(each) for each in found.__mro__):
        raise ValueError(f"{path} is a class whose objects can't be called with an event; give it a method __call__")
    return found


def make_hook(path: str) -> Hook:
    """Return the hook at `package.module:name`; for a class, a new object of the class.

    Raises:
        ConfigurationError: the constructor of the class raised an error.
        ValueError: the name is missing, or can't be called with an event.
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
    except Exception as error:  # importing a module may raise anything
        kind = "" if isinstance(error, ImportError | AttributeError | ValueError) else f"{type(error).__name__}: "
        raise ValueError(f"{path} can't be imported: {kind}{error}") from error


def _find_current_folder() -> None:
    """Make modules in the current folder importable, after all installed modules, for the command line."""
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
