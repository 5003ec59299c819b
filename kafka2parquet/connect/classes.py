"""Python classes that a configuration names as `package.module:Class`."""

from __future__ import annotations

import importlib


def is_python_path(class_name: str) -> bool:
    """Whether the name is that of a Python class, and not of a Java class."""
    return ":" in class_name


def load_class(path: str, base: type) -> type:
    """Import the class at `package.module:Class`; it has to derive from `base`.

    Raises:
        ValueError: there is no such module or class, or it is of another kind; the text says which.
    """
    module_name, _, class_name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} can't be imported: {error}") from error
    if not isinstance(found, type) or not issubclass(found, base):
        raise ValueError(f"{path} is not a subclass of {base.__name__}")
    return found
