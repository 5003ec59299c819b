"""Classes and hooks that a configuration names as `package.module:name`, from the current folder as well."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from kafka2parquet import build_task, load_connect_config
from kafka2parquet.bounded import drain
from kafka2parquet.connect.worker import WorkerConfig
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.partitioners import PerRecordPartitioner
from kafka2parquet.testing import InlineExecutor, MemoryConsumer, MemoryKafka, MemoryRecord, MemoryStorage
from tests.support.sink_properties import json_sink

ROOT = Path(__file__).parents[3]
MODULE = """
from kafka2parquet.converters import PerRecordConverter
from kafka2parquet.partitioners import PerRecordPartitioner
from kafka2parquet.rotation import PerRecordRotation

EVENTS = []
LATER = None

def remember(event):
    EVENTS.append(type(event).__name__)

class Counter:
    made = []

    def __init__(self):
        self.events = 0
        self.made.append(self)

    def __call__(self, event):
        self.events += 1

class Wrong:
    pass

class Breaking:
    def __init__(self):
        raise KeyError("no settings")

    def __call__(self, event):
        pass

class Upper(PerRecordPartitioner):
    fingerprint = "upper"

    def encode(self, row):
        return row.values["text"].upper()

class Prefixed(Upper):
    def __init__(self, properties):
        self.prefix = properties["my.prefix"]

    def encode(self, row):
        return self.prefix + row.values["text"]

class EndsBefore(PerRecordRotation):
    reason = "word"

    def __init__(self, properties):
        self.word = properties["my.word"]

    def should_rotate(self, stats, row):
        return row.values["text"] == self.word

class Texts(PerRecordConverter):
    def decode(self, value):
        return {"text": value.decode()}
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Makes a module in the current folder with a name that no other test uses."""
    name = f"module_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    yield name
    sys.modules.pop(name, None)


def run(values: Sequence[bytes] = (b"fr",), **changes: str) -> MemoryStorage:
    """Writes records with these properties."""
    kafka, storage = MemoryKafka(), MemoryStorage()
    kafka.create_topic("events")
    kafka.append("events", 0, [*map(MemoryRecord, values)])
    config = load_connect_config(json_sink({name.replace("_", "."): text for name, text in changes.items()}))
    consumer = MemoryConsumer(kafka, group_id="group", topics="events")
    drain(build_task(config, WorkerConfig(), consumer=consumer, storage=storage, executor=InlineExecutor()))
    return storage


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        call()
    return str(caught.value)


def test_hooks_are_called_with_events(module: str) -> None:
    """A hook may be a function, or a class with one object for each task."""
    run(value_converter=f"{module}:Texts", kafka2parquet_hooks=f"{module}:remember,{module}:Counter")
    run(value_converter=f"{module}:Texts", kafka2parquet_hooks=f"{module}:Counter")
    loaded = sys.modules[module]
    assert "FilePublished" in loaded.EVENTS
    assert 2 == len(loaded.Counter.made)
    assert len(loaded.EVENTS) == loaded.Counter.made[0].events


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nothing", "can't be imported: module"),
        ("LATER", "can't be called with an event: its type is NoneType"),
        ("Wrong", "is a class whose objects can't be called with an event; give it a method __call__"),
        ("", "does not have the form package.module:name"),
    ],
)
def test_wrong_hooks_are_found_before_anything_runs(module: str, name: str, problem: str) -> None:
    """The check of the configuration finds wrong hooks, with advice."""
    text = refusal(lambda: run(kafka2parquet_hooks=f"{module}:{name}"))
    assert text.startswith(f"Invalid value {module}:{name} for configuration kafka2parquet.hooks: {module}:{name} {problem}")


def test_constructor_that_fails_is_named(module: str) -> None:
    """The problem names the constructor and its exception."""
    assert f"{module}:Breaking: Breaking() raised KeyError: 'no settings'" == refusal(
        lambda: run(value_converter=f"{module}:Texts", kafka2parquet_hooks=f"{module}:Breaking")
    )


def test_module_with_a_mistake_is_named(module: str) -> None:
    """The problem names the module, whatever fails during its import."""
    Path("broken_module_of_a_test.py").write_text("1 / 0")
    assert "broken_module_of_a_test:x can't be imported: ZeroDivisionError: division by zero" in refusal(
        lambda: run(kafka2parquet_hooks="broken_module_of_a_test:x")
    )


@pytest.mark.parametrize(("partitioner", "folder"), [("Upper", "FR"), ("Prefixed", "country=fr")])
def test_properties_are_for_classes_that_take_them(module: str, partitioner: str, folder: str) -> None:
    """A class that inherits its `__init__`, such as the simplest PerRecordPartitioner, gets no properties."""
    storage = run(
        value_converter=f"{module}:Texts",
        partitioner_class=f"{module}:{partitioner}",
        my_prefix="country=",
    )
    assert [f"topics/events/{folder}"] == [key.rpartition("/")[0] for key in storage.published]
    assert "" not in sys.path
    assert issubclass(getattr(sys.modules[module], partitioner), PerRecordPartitioner)


@pytest.mark.parametrize(
    ("flush_size", "ended"), [("100", [(3, "word"), (2, "range")]), ("2", [(2, "rows"), (1, "word"), (2, "rows")])]
)
def test_rotation_policy_is_beside_the_other_settings(module: str, flush_size: str, ended: list[tuple[int, str]]) -> None:
    """A rotation policy that the configuration names ends files, and so do the other settings, whichever comes first."""
    storage = run(
        [b"a", b"b", b"c", b"end", b"d"],
        value_converter=f"{module}:Texts",
        kafka2parquet_rotation_policy=f"{module}:EndsBefore",
        my_word="end",
        flush_size=flush_size,
    )
    footers = [FlushFooter.from_metadata(storage.read_metadata(key)) for key in sorted(storage.published)]
    assert ended == [(footer.file_rows, footer.reason) for footer in footers if footer is not None]


def test_wrong_rotation_policies_are_found_before_anything_runs(module: str) -> None:
    """The check of the configuration finds a class that is not a rotation policy."""
    text = refusal(lambda: run(kafka2parquet_rotation_policy=f"{module}:Upper"))
    assert f"{module}:Upper is not a subclass of RotationPolicy" in text


def test_command_line_finds_the_current_folder(module: str, tmp_path: Path) -> None:
    """Modules in the current folder are found by the console script and by `python -m kafka2parquet`."""
    Path("sink.json").write_text(json.dumps(json_sink({"kafka2parquet.hooks": f"{module}:remember"})))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    script = "import sys; sys.path.remove(''); from kafka2parquet.cli.main import main; sys.exit(main())"
    for start in (["-c", script], ["-m", "kafka2parquet"]):
        command = [sys.executable, *start, "check", "sink.json", "--bootstrap-server", "localhost:9092"]
        finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert 0 == finished.returncode, finished.stdout + finished.stderr
