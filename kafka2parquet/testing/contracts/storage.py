"""What the delivery engine relies on in a storage, as tests for pytest.

Subclass `StorageContract` in a test module and define two fixtures:

    class TestMyStorage(StorageContract):
        @pytest.fixture
        def storage(self): ...       # Storage: an empty one

        @pytest.fixture
        def read_object(self): ...   # Callable[[str], bytes | None]: the object at a key, read by another route

For a storage with tags, define a third fixture, `read_tags`: a `Callable[[str], Mapping[str, str]]`.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kafka2parquet.errors import ConfigurationError, StorageUnavailableError, UsageError
from kafka2parquet.object_names import why_no_object
from kafka2parquet.parquet.staged import StagedFile
from kafka2parquet.storage.base import AlreadyExists, Published, Storage

_KEY = "topics/orders/year=2026/month=05/orders+0+0000000000.zstd.parquet"
_ODD_KEYS = (
    "a b/c d.parquet",
    "plus+plus/x=y+z.parquet",
    "percent%20/100%.parquet",
    "ünï/中文/🙂.parquet",
    "signs/!'()*;:@&$,[]~#?.parquet",
    "dt=2026-01-01 00%3A00%3A00/_hidden-looking/.x.parquet",
    '"quoted"/<a>{0}|^`\\.parquet',
)
#: Each of these keys works in some store, and fails or does damage in another.
_IMPOSSIBLE_KEYS = (
    "",
    "/a",
    "a/",
    "a//b",
    "c=http://x/y",
    "a/x\ny/b",
    "a/x\ry/b",
    "a/x\x01\x1b[2J/b",
    "a/x\x7f/b",
    "a/x\x85/b",
    "a/x\uffff/b",
    "/".join(["y" * 200] * 6),
)
#: File systems can't have such names; object stores have no limit between two slashes.
_LONG_NAMES = (f"a/{'y' * 256}/b", f"a/{'ü' * 128}/b")
#: Such keys lead to another object, or can't be sent.
_CLIMBING_KEYS = ("..", "a/../b", "a/../../../b", "a/./b", "./a", "a/..", "a/x\0y/b", "a/x\ud800/b")
ReadObject = Callable[[str], "bytes | None"]
ReadTags = Callable[[str], Mapping[str, str]]


def staged_parquet(metadata: Mapping[str, str], rows: int = 1, folder: Path | None = None) -> StagedFile:
    """Return a staged Parquet file with one column of numbers, in memory or in `folder`."""
    schema = pa.schema([("number", pa.int64())])
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema) as writer:
        writer.write_table(pa.table({"number": range(rows)}, schema=schema))
        writer.add_key_value_metadata(dict(metadata))
    content = sink.getvalue().to_pybytes()
    if folder is None:
        return StagedFile(content, len(content), rows, metadata)
    path = folder / "staged.parquet"
    path.write_bytes(content)
    return StagedFile(path, len(content), rows, metadata)


class StorageContract:
    """Checks that every `Storage` has to pass.

    A subclass defines two fixtures: `storage`, an empty storage; and `read_object`, a function that reads the object at a key
    by another route and returns its bytes, or None. For a storage with tags, the fixture `read_tags` returns a function that
    reads the tags of the object at a key.
    """

    @pytest.fixture
    def read_tags(self) -> ReadTags | None:
        """Return a function that reads an object's tags by another route; None for a storage without tags."""
        return None

    def test_publishes_a_file_from_memory(self, storage: Storage, read_object: ReadObject) -> None:
        """The object has exactly the bytes of the staged file."""
        file = staged_parquet({"who": "a"})

        assert Published() == storage.publish(_KEY, file)
        assert file.content == read_object(_KEY)

    def test_publishes_a_file_from_disk(self, storage: Storage, read_object: ReadObject, tmp_path: Path) -> None:
        """The object has exactly the bytes of the staged file, which stays where it is."""
        file = staged_parquet({"who": "a"}, rows=1000, folder=tmp_path)

        assert Published() == storage.publish(_KEY, file)
        assert isinstance(file.content, Path)
        assert file.content.read_bytes() == read_object(_KEY)

    def test_never_replaces_an_object(self, storage: Storage, read_object: ReadObject) -> None:
        """The second file for a key changes nothing, and its publisher gets what the first file's footer says."""
        first = staged_parquet({"who": "first"})
        storage.publish(_KEY, first)

        assert AlreadyExists({"who": "first"}) == storage.publish(_KEY, staged_parquet({"who": "second"}))
        assert first.content == read_object(_KEY)

    def test_reports_an_object_that_is_not_a_parquet_file(self, storage: Storage) -> None:
        """An object without a footer has no metadata: `publish` returns None for it, and `read_metadata` returns {}."""
        storage.publish(_KEY, StagedFile(b"no Parquet, PAR1", 16, 0, {}))

        assert AlreadyExists(None) == storage.publish(_KEY, staged_parquet({"who": "second"}))
        assert {} == storage.read_metadata(_KEY)

    def test_an_empty_object_has_no_metadata(self, storage: Storage) -> None:
        """An object without bytes is not a Parquet file."""
        storage.publish(_KEY, StagedFile(b"", 0, 0, {}))

        assert {} == storage.read_metadata(_KEY)

    def test_one_of_many_racing_publishers_wins(self, storage: Storage, read_object: ReadObject) -> None:
        """Exactly one publisher succeeds, all others get the metadata of its file, and the file is complete."""
        files = {f"writer {number}": staged_parquet({"who": f"writer {number}"}, rows=20_000) for number in range(8)}
        start = threading.Barrier(len(files))

        def publish(file: StagedFile) -> Published | AlreadyExists:
            start.wait()
            while True:  # a store may ask a publisher to retry
                try:
                    return storage.publish(_KEY, file)
                except StorageUnavailableError:
                    continue

        with ThreadPoolExecutor(len(files)) as pool:
            outcomes = dict(zip(files, pool.map(publish, files.values()), strict=True))

        winners = [name for name, outcome in outcomes.items() if outcome == Published()]
        assert 1 == len(winners)
        assert [AlreadyExists({"who": winners[0]})] * 7 == [o for o in outcomes.values() if o != Published()]
        assert files[winners[0]].content == read_object(_KEY)

    def test_nothing_is_visible_when_the_staged_file_can_not_be_read(self, storage: Storage, tmp_path: Path) -> None:
        """A failed attempt leaves nothing behind, and the next one succeeds."""
        gone = StagedFile(tmp_path / "gone.parquet", 10, 1, {})
        error: Exception | None = None
        try:
            storage.publish(_KEY, gone)
        except Exception as raised:
            error = raised

        assert error is not None
        assert [] == list(storage.list(""))
        assert Published() == storage.publish(_KEY, staged_parquet({}))

    def test_reads_the_metadata_of_a_footer(self, storage: Storage) -> None:
        """`read_metadata` returns all metadata that the writer put into the footer, of any length, and nothing else."""
        metadata = {"short": "ü", "long": "x" * 200_000, "empty": ""}
        storage.publish(_KEY, staged_parquet(metadata))

        assert metadata == storage.read_metadata(_KEY)

    def test_creates_a_small_object_once(self, storage: Storage, read_object: ReadObject) -> None:
        """The second object for a key changes nothing, and `create` returns False for it."""
        content = '{"zwölf": 12}'.encode()

        assert (True, False) == (storage.create("t/small-1.json", content), storage.create("t/small-1.json", b"other"))
        assert (content, content) == (read_object("t/small-1.json"), storage.read("t/small-1.json"))

    def test_creates_a_small_object_only_where_no_file_is(self, storage: Storage, read_object: ReadObject) -> None:
        """Small objects and files share one space of keys: `create` never replaces a file."""
        file = staged_parquet({"who": "first"})
        storage.publish(_KEY, file)

        assert storage.create(_KEY, b"other") is False
        assert file.content == read_object(_KEY) == storage.read(_KEY)

    def test_one_of_many_racing_creators_wins(self, storage: Storage) -> None:
        """Exactly one writer succeeds, and everybody reads the content that this writer wrote."""
        contents = [f"writer {number}".encode() * 100 for number in range(8)]
        start = threading.Barrier(len(contents))

        def create(content: bytes) -> bool:
            start.wait()
            while True:  # a store may ask a writer to retry
                try:
                    return storage.create("t/raced.json", content)
                except StorageUnavailableError:
                    continue

        with ThreadPoolExecutor(len(contents)) as pool:
            outcomes = list(pool.map(create, contents))

        assert 1 == outcomes.count(True)
        assert contents[outcomes.index(True)] == storage.read("t/raced.json")

    def test_reads_nothing_where_no_object_is(self, storage: Storage) -> None:
        """`read` returns None if the object does not exist, and b"" for an object without bytes."""
        storage.create("t/empty.json", b"")

        assert (None, b"") == (storage.read("t/nothing.json"), storage.read("t/empty.json"))

    def test_reads_what_was_created_just_now(self, storage: Storage) -> None:
        """Reads are not cached: an object is visible at once, even if the last read found none."""
        before = storage.read("t/new.json")
        storage.create("t/new.json", b"{}")

        assert (None, b"{}") == (before, storage.read("t/new.json"))

    def test_has_no_metadata_where_no_object_is(self, storage: Storage) -> None:
        """`read_metadata` returns None if the object does not exist."""
        assert storage.read_metadata("nothing/here.parquet") is None

    def test_lists_keys_by_prefix(self, storage: Storage) -> None:
        """A prefix is the start of a key, not a folder."""
        for key in ("t/a/1", "t/a/2/3", "t/ab/4", "t/b", "u/a"):
            storage.publish(key, staged_parquet({}))

        assert ["t/a/1", "t/a/2/3", "t/ab/4"] == sorted(storage.list("t/a"))
        assert ["t/a/1", "t/a/2/3"] == sorted(storage.list("t/a/"))
        assert ["t/b"] == sorted(storage.list("t/b"))
        assert ["t/a/1", "t/a/2/3", "t/ab/4", "t/b", "u/a"] == sorted(storage.list(""))
        assert [] == sorted(storage.list("nothing/"))

    def test_lists_what_was_published_just_now(self, storage: Storage) -> None:
        """Listings are not cached."""
        before = sorted(storage.list("t/"))
        storage.publish("t/a", staged_parquet({}))

        assert ([], ["t/a"]) == (before, sorted(storage.list("t/")))

    def test_sizes_of_listed_keys(self, storage: Storage) -> None:
        """`list_sizes` returns the keys that `list` returns, with the size of each object; a storage may do without it."""
        list_sizes = getattr(storage, "list_sizes", None)
        if list_sizes is None:
            pytest.skip("the storage has no list_sizes")
        files = {"t/a": staged_parquet({}), "t/b/c": staged_parquet({"key": "value" * 100})}
        for key, file in files.items():
            storage.publish(key, file)
        storage.publish("u", staged_parquet({}))

        assert {key: file.size_bytes for key, file in files.items()} == dict(list_sizes("t/"))
        assert [] == list(list_sizes("nothing/"))

    def test_when_an_object_was_written(self, storage: Storage) -> None:
        """`written_at` returns the moment of the creation, with a time zone; a storage may do without it, or not know."""
        written_at = getattr(storage, "written_at", None)
        if written_at is None:
            pytest.skip("the storage has no written_at")
        before = datetime.datetime.now(datetime.timezone.utc)
        storage.publish("t/a", staged_parquet({}))
        storage.create("t/ab", b"x")
        found = [written_at(key) for key in ("t/a", "t/ab")]
        storage.publish("t/a", staged_parquet({"key": "later"}))

        assert written_at("t") is written_at("nothing") is None
        assert found == [written_at(key) for key in ("t/a", "t/ab")]
        assert all(moment is None or abs(moment - before) < datetime.timedelta(minutes=2) for moment in found)

    def test_whole_objects(self, storage: Storage) -> None:
        """`open` reads an object from anywhere, and `read_tail` its end; a storage may do without them."""
        read_tail, open_object = getattr(storage, "read_tail", None), getattr(storage, "open", None)
        if read_tail is None or open_object is None:
            pytest.skip("the storage has no read_tail or no open")
        content = bytes(range(256)) * 100
        storage.publish("t/a b=c", StagedFile(content, len(content), 0, {}))

        assert (content[-10:], content, None) == (
            read_tail("t/a b=c", 10),
            read_tail("t/a b=c", 1 << 20),
            read_tail("nothing", 10),
        )
        with open_object("t/a b=c") as file:
            assert len(content) == file.seek(0, 2)
            file.seek(1000)
            assert content[1000:1100] == file.read(100)
            file.seek(0)
            assert content == file.read()
        with pytest.raises(StorageUnavailableError), open_object("nothing") as file:
            file.read()

    def test_deletes(self, storage: Storage, read_object: ReadObject) -> None:
        """`delete` removes one object, and may be repeated; a storage may do without it."""
        delete = getattr(storage, "delete", None)
        if delete is None:
            pytest.skip("the storage has no delete")
        for key in ("t/a", "t/ab"):
            storage.publish(key, staged_parquet({}))
        delete("t/a")
        delete("t/a")
        delete("nothing")

        assert ["t/ab"] == list(storage.list("t/"))
        assert storage.create("t/a", b"x")
        assert b"x" == read_object("t/a")

    def test_lists_more_than_one_page(self, storage: Storage) -> None:
        """A listing is complete, although object stores return at most a thousand keys per request."""
        keys = [f"many/{number:04}" for number in range(1005)]
        file = StagedFile(b"x", 1, 0, {})
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: storage.publish(key, file), keys))

        assert keys == sorted(storage.list("many/"))

    def test_keys_may_have_any_characters(self, storage: Storage, read_object: ReadObject) -> None:
        """Spaces, `=`, `+`, `%`, punctuation and letters of all languages are kept unchanged."""
        for key in _ODD_KEYS:
            storage.publish(key, staged_parquet({"key": key}))

        assert sorted(_ODD_KEYS) == sorted(storage.list(""))
        assert [{"key": key} for key in _ODD_KEYS] == [storage.read_metadata(key) for key in _ODD_KEYS]
        assert [True] * len(_ODD_KEYS) == [(read_object(key) or b"").startswith(b"PAR1") for key in _ODD_KEYS]

    @pytest.mark.parametrize("key", [*_IMPOSSIBLE_KEYS, *_CLIMBING_KEYS])
    def test_refuses_keys_that_some_store_can_not_have(self, storage: Storage, key: str) -> None:
        """The error comes before anything is sent, and names the key without its control characters."""
        for make in (lambda: storage.publish(key, staged_parquet({})), lambda: storage.create(key, b"{}")):
            with pytest.raises(ConfigurationError) as raised:
                make()
            assert str(raised.value).isprintable()
            assert repr(key)[1:30] in str(raised.value)

        assert [] == list(storage.list(""))

    @pytest.mark.parametrize("key", _LONG_NAMES)
    def test_long_names_are_kept_or_refused_as_the_storage_says(self, storage: Storage, key: str) -> None:
        """A long name is either stored or refused, as `why_no_object` announces before a record joins a flush."""
        if why_no_object(storage)(key) is None:
            storage.publish(key, staged_parquet({}))
            assert [key] == list(storage.list(""))
        else:
            with pytest.raises(ConfigurationError):
                storage.publish(key, staged_parquet({}))
            assert [] == list(storage.list(""))

    @pytest.mark.parametrize("key", _CLIMBING_KEYS)
    def test_never_looks_outside_of_its_folder(self, storage: Storage, key: str) -> None:
        """Keys with `..` and the like are refused: a store that resolves them would find another object."""
        for look in (
            lambda: storage.read(key),
            lambda: storage.read_metadata(key),
            lambda: storage.tag(key, {"a": "b"}),
            lambda: list(storage.list(f"{key}/")),
        ):
            with pytest.raises(ConfigurationError, match="No object can have the key"):
                look()

    def test_keys_may_be_long(self, storage: Storage, read_object: ReadObject) -> None:
        """A key may have up to 255 bytes between two slashes."""
        key = f"{'ü' * 127}/{'y' * 255}/{'z' * 200}.parquet"
        storage.publish(key, staged_parquet({"key": "long"}))

        assert ([key], {"key": "long"}) == (list(storage.list("")), storage.read_metadata(key))

    def test_tags_an_object(self, storage: Storage, read_object: ReadObject, read_tags: ReadTags | None) -> None:
        """Later tags replace earlier ones and leave the object unchanged; a storage without tags raises UsageError."""
        file = staged_parquet({"who": "a"})
        storage.publish(_KEY, file)
        for end_offset in ("7", "8"):
            tags = {"startOffset": "0", "endOffset": end_offset, "team": "data lake/1:+-=._:@"}
            if read_tags is None:
                with pytest.raises(UsageError, match="tags"):
                    storage.tag(_KEY, tags)
            else:
                storage.tag(_KEY, tags)
                assert tags == read_tags(_KEY)

        assert (file.content, {"who": "a"}) == (read_object(_KEY), storage.read_metadata(_KEY))

    def test_tags_only_objects_that_exist(self, storage: Storage) -> None:
        """Tagging a key without an object is an error."""
        with pytest.raises(UsageError, match=r"nothing/here\.parquet"):
            storage.tag("nothing/here.parquet", {"a": "b"})

        assert [] == list(storage.list(""))

    def test_the_probe_leaves_nothing_behind(self, storage: Storage) -> None:
        """The probe passes every time, and removes the objects that it made."""
        storage.probe("_kafka2parquet/probe/")
        storage.probe("_kafka2parquet/probe/")

        assert [] == list(storage.list(""))

    def test_has_a_url(self, storage: Storage) -> None:
        """The URL names the storage in messages."""
        assert "://" in storage.url or storage.url.startswith("/")
