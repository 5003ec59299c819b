"""The files of a Protobuf schema in the registry, compiled by protoc to descriptors."""

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
#: What the system says of names that no file can have, and of a file that should be a folder, too.
_IMPOSSIBLE_NAMES = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EINVAL, errno.EILSEQ)
#: Stands in a message that spells out a map's entry, which protoc doesn't accept.
_MARK = "kafka2parquet_map_entry"
_LOG_LINE = re.compile(r"WARNING: All log messages|[IW][0-9]{4} ")
_MAP_ENTRY = re.compile(r"\boption\s+map_entry\s*=\s*true\s*;")
#: Files that Confluent's serializers take for granted. google/protobuf comes with protoc, google/type with
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
    """A compiled file with all that it imports.

    Attributes:
        files: the descriptors of all files, each after those that it imports.
        descriptor: of the file itself.
        synthetic: full names of the messages that protoc made for `map<...>` fields of the file.
    """

    files: Sequence[Any]
    descriptor: Any
    synthetic: frozenset[str] = frozenset()

    def message(self, indexes: Sequence[int]) -> Any:
        """The message that the indexes in front of a value mean: of the outermost message, of one nested in it, and so on.

        The messages of `map<...>` fields don't count, as they don't in Confluent's reading of the text.

        Raises:
            SchemaRefused: there is none.
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
            raise SchemaRefused("no index of a message")
        return message


def compile_file(schema: RegisteredSchema) -> ProtobufFile:
    """Compile a schema with its references, in a process of its own (some 0.1 s).

    Raises:
        SchemaRefused: protoc doesn't accept it.
        StorageUnavailableError: the folder for temporary files can't take it just now.
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
            found = _mend_map_entries(message, inside)
            synthetic.update(found if file.name == _ROOT and _ROOT not in described else ())
    pool = descriptor_pool.DescriptorPool()
    try:
        for file in files:
            pool.AddSerializedFile(file.SerializeToString())
        return ProtobufFile(files, pool.FindFileByName(_ROOT), frozenset(synthetic))
    except (TypeError, KeyError) as exc:
        raise SchemaRefused(f"its files don't fit together: {exc}") from None


def _all_texts(name: str, schema: RegisteredSchema, seen: set[tuple[str, int]]) -> Iterator[tuple[str, str]]:
    """The text of the schema and of all that it refers to; what several of them refer to comes once."""
    seen.add((name, id(schema)))
    yield name, schema.text
    for imported, reference in schema.references:
        path = PurePosixPath(imported)
        if path.is_absolute() or ".." in path.parts or not imported:
            raise SchemaRefused(f"the reference {imported!r} is not the path of a file")
        if (imported, id(reference)) not in seen:
            yield from _all_texts(imported, reference, seen)


def _described(text: str) -> Any:
    """The descriptor that the text is in base64, as some clients register it; None for a .proto file."""
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
            raise SchemaRefused(f"protoc: {_told(done.stderr, folder)}")
        compiled = descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes()).file
        return _in_order({**{file.name: file for file in compiled}, **described})


@contextlib.contextmanager
def _temporary_folder() -> Iterator[str]:
    """A folder for the files of one schema.

    Raises:
        SchemaRefused: a name can't be that of a file.
        StorageUnavailableError: the disk is to blame, not the schema.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="kafka2parquet-protobuf-") as folder:
            yield folder
    except OSError as error:
        if error.errno in _IMPOSSIBLE_NAMES:
            raise SchemaRefused(f"the name of a file that it refers to can't be: {error.strerror}") from error
        raise StorageUnavailableError(
            f"A Protobuf schema can't be compiled: {error}. Look at the folder for temporary files (TMPDIR)."
        ) from error


def _told(text: str, folder: str) -> str:
    """What protoc says, without its log and the names of our files."""
    lines = [line for line in text.strip().splitlines() if _LOG_LINE.match(line) is None]
    return "\n".join(lines).replace(f"{folder}/", "").replace(f"{_ROOT}:", "line ")


def _in_order(files: Mapping[str, Any]) -> list[Any]:
    """The files from the root on, each after those that it imports."""
    ordered: dict[str, Any] = {}

    def add(name: str, importers: tuple[str, ...]) -> None:
        if name in ordered:
            return
        if name in importers or name not in files:
            raise SchemaRefused(f"the import {name!r} is {'a circle' if name in importers else 'missing'}")
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


def _mend_map_entries(message: Any, inside: str) -> set[str]:
    """Make map entries of the marked messages; returns the names of those that protoc made by itself."""
    name = f"{inside}{message.name}"
    made = {name} if message.options.map_entry else set()
    if _MARK in message.reserved_name:
        del message.reserved_name[list(message.reserved_name).index(_MARK)]
        message.options.map_entry = True
    for nested in message.nested_type:
        made |= _mend_map_entries(nested, f"{name}.")
    return made
