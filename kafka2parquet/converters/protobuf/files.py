"""Compiles the files of a Protobuf schema from the registry to descriptors, with protoc."""

from __future__ import annotations

import base64
import binascii
import contextlib
import errno
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import attrs
import grpc_tools
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message import DecodeError

from kafka2parquet.converters.registry.base import RegisteredSchema
from kafka2parquet.errors import StorageUnavailableError
from kafka2parquet.schema.refused import SchemaRefused

_ROOT = "kafka2parquet/root.proto"
_COMPILE_SECONDS = 60
#: The system's errors for impossible file names, and for a name that would have to be both a file and a folder.
_IMPOSSIBLE_NAMES = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EINVAL, errno.EILSEQ)
#: Replaces an explicit `option map_entry = true`, which protoc rejects.
_MARK = "kafka2parquet_map_entry"
_LOG_LINE = re.compile(r"WARNING: All log messages|[IW][0-9]{4} ")
_MAP_ENTRY = re.compile(r"\boption\s+map_entry\s*=\s*true\s*;")
#: Files that Confluent's serializers expect to exist. google/protobuf comes with protoc, google/type with
#: googleapis-common-protos.
_KNOWN = {
    "confluent/meta.proto": """
        syntax = "proto3";
        package confluent;
        import "google/protobuf/descriptor.proto";
        message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
        extend google.protobuf.FileOptions { Meta file_meta = 1088; }
        extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
        extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
        extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
        extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }
    """,
    "confluent/type/decimal.proto": """
        syntax = "proto3";
        package confluent.type;
        message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }
    """,
}


@attrs.frozen(eq=False)
class ProtobufFile:
    """A compiled file with all files that it imports.

    Attributes:
        files: the descriptors of all files, each after the files that it imports.
        descriptor: the descriptor of the file itself.
        synthetic: the full names of the messages that protoc generated for the file's `map<...>` fields.
    """

    files: Sequence[Any]
    descriptor: Any
    synthetic: frozenset[str] = frozenset()

    def message(self, indexes: Sequence[int]) -> Any:
        """Return the message that the indexes in front of a value denote.

        The first index denotes a top-level message, the second a message nested in it, and so on. The messages generated for
        `map<...>` fields don't count, because Confluent's parser doesn't count them.

        Raises:
            SchemaRefused: the schema has no such message.
        """
        nested = list(self.descriptor.message_types_by_name.values())
        message = None
        for index in indexes:
            counted = [candidate for candidate in nested if candidate.full_name not in self.synthetic]
            if not 0 <= index < len(counted):
                raise SchemaRefused(f"the schema has no message with the indexes {list(indexes)}")
            message = counted[index]
            nested = list(message.nested_types)
        if message is None:
            raise SchemaRefused("the indexes of the message are empty")
        return message


def compile_file(schema: RegisteredSchema) -> ProtobufFile:
    """Compile a schema with its references, in a separate process. Blocks for about 0.1 s.

    Raises:
        SchemaRefused: protoc doesn't accept the schema.
        StorageUnavailableError: the folder for temporary files can't be written now.
    """
    texts: dict[str, str] = dict(_KNOWN)
    described: dict[str, Any] = {}
    for name, text in _all_texts(_ROOT, schema, set()):
        descriptor = _described(text)
        if descriptor is None:
            texts[name] = text
        else:
            descriptor.name = name
            described[name] = descriptor
    files = _compiled(texts, described)
    synthetic: set[str] = set()
    for file in files:
        inside = f"{file.package}." if file.package else ""
        for message in file.message_type:
            found = _restore_map_entries(message, inside)
            synthetic.update(found if file.name == _ROOT and _ROOT not in described else ())
    pool = descriptor_pool.DescriptorPool()
    try:
        for file in files:
            pool.AddSerializedFile(file.SerializeToString())
        return ProtobufFile(files, pool.FindFileByName(_ROOT), frozenset(synthetic))
    except (TypeError, KeyError) as exc:
        raise SchemaRefused(f"its files don't fit together: {exc}") from None


def _all_texts(name: str, schema: RegisteredSchema, seen: set[tuple[str, int]]) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of the schema and of all schemas that it refers to, each once."""
    seen.add((name, id(schema)))
    yield name, schema.text
    for imported, reference in schema.references:
        path = PurePosixPath(imported)
        if path.is_absolute() or ".." in path.parts or not imported:
            raise SchemaRefused(f"the reference {imported!r} is not the path of a file")
        if (imported, id(reference)) not in seen:
            yield from _all_texts(imported, reference, seen)


def _described(text: str) -> Any:
    """Return the descriptor that some clients register in base64; None if the text is a .proto file."""
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
        return descriptor_pb2.FileDescriptorProto.FromString(content) if content else None
    except (binascii.Error, ValueError, DecodeError):
        return None


def _compiled(texts: Mapping[str, str], described: Mapping[str, Any]) -> list[Any]:
    with _temporary_folder() as folder:
        for name, text in texts.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_MAP_ENTRY.sub(f'reserved "{_MARK}";', text), encoding="utf-8")
        output = Path(folder, "descriptors")
        options = [f"-I{include}" for include in (folder, *_includes())]
        imported = {dependency for file in described.values() for dependency in file.dependency}
        wanted = sorted({_ROOT, *imported} - set(described))
        if not wanted:
            return _in_order(described)
        command = [sys.executable, "-m", "grpc_tools.protoc", *options, "--include_imports", f"--descriptor_set_out={output}"]
        try:
            done = subprocess.run(  # noqa: S603  # our own Python, and files that we named
                [*command, *wanted], check=False, capture_output=True, text=True, timeout=_COMPILE_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise SchemaRefused(f"protoc took more than {_COMPILE_SECONDS} s") from None
        if done.returncode:
            raise SchemaRefused(f"protoc: {_errors_of(done.stderr, folder)}")
        compiled = descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes()).file
        return _in_order({**{file.name: file for file in compiled}, **described})


@contextlib.contextmanager
def _temporary_folder() -> Iterator[str]:
    """Make a folder for the files of one schema.

    Raises:
        SchemaRefused: a file can't have one of the names.
        StorageUnavailableError: writing failed because of the disk, not because of the schema.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="kafka2parquet-protobuf-") as folder:
            yield folder
    except OSError as error:
        if error.errno in _IMPOSSIBLE_NAMES:
            raise SchemaRefused(f"it refers to a file with an impossible name: {error.strerror}") from error
        raise StorageUnavailableError(
            f"A Protobuf schema can't be compiled: {error}. Check the folder for temporary files (TMPDIR)."
        ) from error


def _errors_of(text: str, folder: str) -> str:
    """Return protoc's errors, without its log lines and the names of our files."""
    lines = [line for line in text.strip().splitlines() if _LOG_LINE.match(line) is None]
    return "\n".join(lines).replace(f"{folder}/", "").replace(f"{_ROOT}:", "line ")


def _in_order(files: Mapping[str, Any]) -> list[Any]:
    """Sort the root and all files that it imports, so that each comes after the files that it imports."""
    ordered: dict[str, Any] = {}

    def add(name: str, importers: tuple[str, ...]) -> None:
        if name in ordered:
            return
        if name in importers or name not in files:
            raise SchemaRefused(f"the import {name!r} is {'circular' if name in importers else 'missing'}")
        for dependency in files[name].dependency:
            add(dependency, (*importers, name))
        ordered[name] = files[name]

    add(_ROOT, ())
    return list(ordered.values())


def _includes() -> list[str]:
    folders = [str(Path(grpc_tools.__path__[0], "_proto"))]
    types = importlib.util.find_spec("google.type.date_pb2")
    if types is not None and types.origin is not None:
        folders.append(str(Path(types.origin).parents[2]))
    return folders


def _restore_map_entries(message: Any, inside: str) -> set[str]:
    """Turn the marked messages back into map entries. Returns the names of the map entries that protoc generated."""
    name = f"{inside}{message.name}"
    made = {name} if message.options.map_entry else set()
    if _MARK in message.reserved_name:
        del message.reserved_name[list(message.reserved_name).index(_MARK)]
        message.options.map_entry = True
    for nested in message.nested_type:
        made |= _restore_map_entries(nested, f"{name}.")
    return made
