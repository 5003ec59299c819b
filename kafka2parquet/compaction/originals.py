"""Reads the sink's files of a topic that are in no plan yet."""

from __future__ import annotations

import concurrent.futures
import functools
from collections.abc import Collection, Mapping

import attrs
import pyarrow as pa
import pyarrow.parquet as pq

from kafka2parquet.audit.history import OtherFile
from kafka2parquet.compaction.storage import MergeStorage
from kafka2parquet.merged.covered import CoveredFile
from kafka2parquet.merged.footer import METADATA_KEY as MERGED_KEY
from kafka2parquet.object_names import ObjectName, ObjectNaming
from kafka2parquet.parquet.footer import METADATA_KEY, FlushFooter
from kafka2parquet.storage.footer_metadata import read_footer
from kafka2parquet.util.arrays import ARROW_DATA_ERRORS
from kafka2parquet.util.display import counted

_THREADS = 16


@attrs.frozen(eq=False)
class Original:
    """A file of a sink.

    Attributes:
        file: what its footer says.
        footer: its footer.
        name: the parts of its key.
        schema: its Arrow schema, without the metadata about the flush.
    """

    file: CoveredFile
    footer: FlushFooter = attrs.field(repr=False)
    name: ObjectName
    schema: pa.Schema = attrs.field(repr=False)


@attrs.define(eq=False)
class OriginalFolder:
    """The files of a topic in a folder.

    Attributes:
        encoded_partition: the folder's name below the topic's folder.
        new: the files that are in no plan.
        others: what is known of files that another tool wrote, by key.
        problem: why the folder's files can't be merged; None if they can.
    """

    encoded_partition: str
    new: list[Original] = attrs.Factory(list)
    others: dict[str, OtherFile] = attrs.Factory(dict)
    problem: str | None = None

    def problem_of_others(self) -> str | None:
        """Return which file another tool wrote; None if there is none."""
        return next((f"{key} was not written by kafka2parquet." for key in self.others), None)


def read_originals(
    storage: MergeStorage, naming: ObjectNaming, topic: str, planned: Collection[str], files: Mapping[str, int]
) -> Mapping[str, OriginalFolder]:
    """Read the footers of the topic's files that are in no plan, by folder. Blocks: a request or two for each file.

    Args:
        storage: where the files are.
        naming: names of the files.
        topic: the topic.
        planned: keys of the files that are in a plan.
        files: sizes in bytes of all objects under the topic's prefix, by key.

    Raises:
        StorageUnavailableError: the store doesn't answer.
        AccessError: the store refuses access.
    """
    folders: dict[str, OriginalFolder] = {}
    new: list[tuple[str, ObjectName]] = []
    others: dict[str, str] = {}
    for key in sorted(files):
        name = naming.parse(key)
        if name is None or name.encoded_partition is None:
            continue
        if name.topic != topic:
            others[key.rpartition(naming.directory_delimiter)[0]] = key
        elif key not in planned:
            new.append((key, name))
    with concurrent.futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="kafka2parquet-compact") as pool:
        read = pool.map(lambda found: _read(storage, found[0], found[1], files[found[0]]), new)
        for (key, name), original in zip(new, read, strict=True):
            encoded_partition = name.encoded_partition or ""
            folder = folders.setdefault(encoded_partition, OriginalFolder(encoded_partition))
            other = others.get(key.rpartition(naming.directory_delimiter)[0])
            if other is not None:
                folder.problem = f"the folder also has {other}, of another topic. Give each topic a folder."
            elif isinstance(original, str):
                folder.problem = original
            elif isinstance(original, OtherFile):
                folder.others[key] = original
            elif original is not None:
                folder.new.append(original)
    for folder in folders.values():
        folder.problem = folder.problem or _other_topic_or_name(folder.new)
    return folders


def _read(storage: MergeStorage, key: str, name: ObjectName, size_bytes: int) -> Original | OtherFile | str | None:
    """Read a file's footer; None if the file doesn't exist any more, and a text if it can't be used."""
    content = read_footer(functools.partial(storage.read_tail, key))
    if content is None:
        return None
    try:
        parquet = pq.read_metadata(pa.BufferReader(content)) if content else None
        schema = None if parquet is None else parquet.schema.to_arrow_schema()
    except (*ARROW_DATA_ERRORS, OSError) as error:
        return f"{key} can't be read: {error}."
    text = None if parquet is None else (parquet.metadata or {}).get(METADATA_KEY.encode())
    try:
        footer = None if text is None else FlushFooter.from_metadata({METADATA_KEY: text.decode(errors="replace")})
    except ValueError as error:
        return f"the footer of {key} can't be read: {error}."
    if schema is None or parquet is None:
        return f"{key} was not written by kafka2parquet."
    if footer is None:
        return OtherFile(name.partition, name.first_offset, parquet.num_rows)
    if footer.file_rows != parquet.num_rows:
        return f"{key} has {counted(parquet.num_rows, 'row')}, but its footer says {footer.file_rows}."
    if footer.role == "rejects":
        return f"{key} has rejected records, which belong into another folder."
    return Original(CoveredFile.of(key, size_bytes, footer), footer, name, clean(schema))


def clean(schema: pa.Schema) -> pa.Schema:
    """Return a schema without the metadata about flushes and merges, which some versions of Arrow add to it."""
    ours = (METADATA_KEY.encode(), MERGED_KEY.encode())
    left = {name: text for name, text in (schema.metadata or {}).items() if name not in ours}
    return schema.with_metadata(left or None)


def _other_topic_or_name(originals: Collection[Original]) -> str | None:
    """Return which file is not what its name says; None if all are."""
    for original in originals:
        footer, name = original.footer, original.name
        if (footer.topic, footer.partition) != (name.topic, name.partition):
            return f"{original.file.key} belongs to {footer.topic}-{footer.partition}."
        if footer.role != (name.view or "values"):
            return f"{original.file.key} holds {footer.role}, which its name doesn't say."
        if footer.first_offset >= 0 and footer.first_offset != name.first_offset:
            return f"{original.file.key} begins with offset {footer.first_offset}, which its name doesn't say."
    return None
