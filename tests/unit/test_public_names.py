"""The names that users import: what is public, where, and that the documentation has all of it."""

from __future__ import annotations

import collections
import importlib
import inspect
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest

import kafka2parquet
from kafka2parquet import errors

ROOT = Path(__file__).parents[2]
API_PAGE = ROOT / "docs" / "api.md"

#: The packages and modules with public names, besides the root.
PUBLIC = tuple(
    importlib.import_module(f"kafka2parquet.{name}")
    for name in (
        "clock",
        "connect",
        "consumers",
        "converters",
        "dead_letters",
        "errors",
        "events",
        "partitioners",
        "records",
        "rotation",
        "rows",
        "schema",
        "storage",
        "testing",
        "testing.contracts",
        "transforms",
        "transforms.kafka_connect",
    )
)
EVERY = [pytest.param(module, id=module.__name__) for module in (kafka2parquet, *PUBLIC)]

IMPORT = re.compile(r"^ *from (kafka2parquet[\w.]*) import (?:\(([^)]*)\)|(.*))", re.MULTILINE)

#: Classes that users pass on, or make by a function or by `from_config`, without naming the types that they are made of.
OPAQUE = {"ConnectConfig", "JavaInsertField", "ObjectNaming", "TaskPlan", "WorkerConfig"}


def _names(module: ModuleType) -> list[str]:
    return list(module.__all__)


def _documented() -> Iterator[str]:
    """Returns the full name of everything on the API page; for a module, the names in the module."""
    for kind, name in re.findall(r"^\.\. auto(\w+):: (\S+)$", API_PAGE.read_text(encoding="utf-8"), re.MULTILINE):
        if kind == "module":
            yield from (f"{name}.{each}" for each in _names(importlib.import_module(name)))
        else:
            yield name


def test_the_root_has_few_names() -> None:
    """The root has at most 40 names, so that the parts of a task can be read at a glance."""
    assert len(kafka2parquet.__all__) <= 40


@pytest.mark.parametrize("module", EVERY)
def test_names_are_sorted_and_importable(module: ModuleType) -> None:
    """Each `__all__` is sorted, names nothing twice, and names only what the module has."""
    assert sorted(set(_names(module))) == _names(module)
    assert [] == [name for name in _names(module) if not hasattr(module, name)]


def test_each_name_is_public_at_one_place() -> None:
    """A name is public in only one package; the root may export the same object, too."""
    places = collections.defaultdict(list)
    for module in PUBLIC:
        for name in _names(module):
            places[name].append(module)
    assert {} == {name: modules for name, modules in places.items() if len(modules) > 1}
    of_root = {name: getattr(kafka2parquet, name) for name in _names(kafka2parquet)}
    assert [] == [name for name, value in of_root.items() for module in places[name] if getattr(module, name) is not value]


def test_public_names_are_documented() -> None:
    """The API page has each public name once, a name of the root under the root (but errors), and nothing else."""
    of_root = set(_names(kafka2parquet)) - {"__version__", *errors.__all__}
    expected = {f"kafka2parquet.{name}" for name in of_root}
    expected |= {f"{module.__name__}.{name}" for module in PUBLIC for name in _names(module) if name not in of_root}
    documented = collections.Counter(_documented())
    assert [] == sorted(expected - documented.keys())
    assert [] == sorted(documented.keys() - expected)
    assert [] == [name for name, count in documented.items() if count > 1]


def _sources() -> Iterator[tuple[str, str]]:
    """Returns the Python code that users read: blocks of the documentation, and whole examples."""
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")):
        yield page.name, "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
    for example in (ROOT / "examples").glob("*.py"):
        yield example.name, example.read_text(encoding="utf-8")
    for module in (ROOT / "kafka2parquet").rglob("*.py"):
        docstrings = re.findall(r'"""(.*?)"""', module.read_text(encoding="utf-8"), re.DOTALL)
        yield module.name, "\n".join(docstrings)


def test_documentation_imports_public_names_only() -> None:
    """No documentation page, example or docstring imports from a module that isn't public, or a name that isn't."""
    public = {module.__name__: set(_names(module)) for module in (kafka2parquet, *PUBLIC)}
    found = 0
    for where, source in _sources():
        for module, several, few in re.findall(
            r"^ *from (kafka2parquet[\w.]*) import (?:\(([^)]*)\)|(.*))", source, re.MULTILINE
        ):
            names = {name.strip() for name in (several or few).split(",")} - {""}
            submodules = {name for name in names if f"{module}.{name}" in public}
            assert names - submodules <= public.get(module, set()), f"{where} imports {names} from {module}"
            found += 1
    assert found > 15


def _own_classes(annotation: Any) -> Iterator[type]:
    """Returns the classes of this package in an annotation, at any depth."""
    if inspect.isclass(annotation) and annotation.__module__.partition(".")[0] == "kafka2parquet":
        yield annotation
    for inner in typing.get_args(annotation):
        yield from _own_classes(inner)


def _functions_of(of: type) -> Iterator[Any]:
    """Returns what a user calls or implements: the constructor, and abstract or protocol methods."""
    is_protocol = getattr(of, "_is_protocol", False)
    if not is_protocol and not attrs.has(of) and inspect.isfunction(vars(of).get("__init__")):
        yield inspect.unwrap(vars(of)["__init__"])
    for member in vars(of).values():
        function = member.fget if isinstance(member, property) else member
        is_to_write = is_protocol or getattr(function, "__isabstractmethod__", False)
        if inspect.isfunction(function) and is_to_write:
            yield function


def _annotations_of(of: type) -> Iterator[Any]:
    """Returns the types that a user of a class, or the author of a subclass, meets."""
    if attrs.has(of):
        yield from (field.type for field in attrs.fields(attrs.resolve_types(of)) if not field.name.startswith("_"))
    for function in _functions_of(of):
        yield from typing.get_type_hints(function).values()


@pytest.mark.parametrize("module", EVERY)
def test_what_parts_of_a_user_touch_is_public(module: ModuleType) -> None:
    """Classes that constructors accept, that methods to implement get or return, and that values hold, are public."""
    public = {id(getattr(each, name)) for each in (kafka2parquet, *PUBLIC) for name in _names(each)}
    hidden = {
        f"{name}: {each.__name__}"
        for name in _names(module)
        if inspect.isclass(getattr(module, name)) and name not in OPAQUE
        for annotation in _annotations_of(getattr(module, name))
        for each in _own_classes(annotation)
        if id(each) not in public
    }
    assert set() == hidden


def test_clients_of_stores_are_imported_late() -> None:
    """Importing the package doesn't import s3fs, gcsfs or botocore, which take a second each and are rarely needed."""
    code = "import sys, kafka2parquet; print([name for name in ('s3fs', 'gcsfs', 'botocore') if name in sys.modules])"
    finished = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == finished.stdout.strip()


def test_import_warns_of_nothing() -> None:
    """The package can be imported by applications whose tests turn warnings into errors."""
    code = "import kafka2parquet, kafka2parquet.testing"
    finished = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (0, "") == (finished.returncode, finished.stderr)
