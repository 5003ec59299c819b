"""The names that users import: what is public, where, and that the documentation has all of it."""

from __future__ import annotations

import ast
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
        "audit",
        "bounded",
        "clock",
        "compaction",
        "completeness",
        "connect",
        "consumers",
        "converters",
        "dead_letters",
        "errors",
        "events",
        "http",
        "metrics.opentelemetry",
        "metrics.prometheus",
        "partitioners",
        "records",
        "rotation",
        "rows",
        "schema",
        "status",
        "storage",
        "tables",
        "testing",
        "testing.contracts",
        "transforms",
        "transforms.kafka_connect",
        "units",
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


#: Modules that take long to import; each is needed only once a task is built or a command runs.
HEAVY = ("kafka", "fsspec", "s3fs", "gcsfs", "botocore", "pyarrow", "numpy", "asyncio")


def _last_line(code: str) -> Any:
    """Returns the Python value that a new process prints last."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return ast.literal_eval(finished.stdout.splitlines()[-1])


def _heavy_after(code: str) -> set[str]:
    """Returns which of the heavy modules are imported in a new process that has run some code."""
    return set(_last_line(f"import sys\n{code}\nprint([name for name in {HEAVY} if name in sys.modules])"))


def test_names_of_the_root_are_imported_late() -> None:
    """Importing the package imports nothing that takes long: not Kafka's client, no store, and not pyarrow."""
    assert set() == _heavy_after("import kafka2parquet; kafka2parquet.__version__")


def test_clients_of_stores_are_imported_late() -> None:
    """Using all names of the package doesn't import s3fs, gcsfs or botocore, which take a second each and are rarely needed."""
    heavy = _heavy_after("from kafka2parquet import *")
    assert "kafka" in heavy
    assert set() == {"s3fs", "gcsfs", "botocore"} & heavy


def test_type_checkers_see_what_runs() -> None:
    """The imports that type checkers read take each public name from the module that it is imported from at run time."""
    tree = ast.parse(Path(str(kafka2parquet.__file__)).read_text(encoding="utf-8"))
    for_checkers = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in for_checkers.body if isinstance(node, ast.ImportFrom)]
    found = {alias.name: f"{node.module}" for node in imports for alias in node.names}
    assert {name: f"kafka2parquet.{module}" for name, module in kafka2parquet._MODULES.items()} == found
    assert set(kafka2parquet.__all__) == {*found, "__version__"}


def test_public_modules_are_attributes_of_the_root() -> None:
    """`import kafka2parquet` is enough to use a public package or module; a name that doesn't exist is an AttributeError."""
    names = sorted(module.__name__.removeprefix("kafka2parquet.") for module in PUBLIC if module.__name__.count(".") == 1)
    assert names == sorted(kafka2parquet._PUBLIC_MODULES)
    found = _last_line(f"import kafka2parquet; print([getattr(kafka2parquet, name).__name__ for name in {names}])")
    assert [f"kafka2parquet.{name}" for name in names] == found
    assert {*names, *kafka2parquet.__all__} <= set(dir(kafka2parquet))
    with pytest.raises(AttributeError, match="module 'kafka2parquet' has no attribute 'SinkTsk'"):
        kafka2parquet.SinkTsk  # noqa: B018


@pytest.mark.parametrize(
    "code",
    [
        "from kafka2parquet import *",
        "import kafka2parquet.consumers",
        "import kafka2parquet.dead_letters",
        "import kafka2parquet.testing",
    ],
)
def test_import_warns_of_nothing(code: str) -> None:
    """Each part of the package that needs Kafka's client can be imported where warnings are errors, whichever comes first."""
    command = [sys.executable, "-W", "error", "-c", code]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (0, "") == (finished.returncode, finished.stderr)
