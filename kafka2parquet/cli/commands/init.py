"""The command `kafka2parquet init`: writes a commented configuration to start with."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from kafka2parquet.cli.terminal import tell
from kafka2parquet.connect.example import NOTATIONS, STORES, Example, render
from kafka2parquet.connect.forms.properties import STANDARD_INPUT

EXIT_OK = 0
EXIT_REFUSED = 1
_SUFFIXES = {".yml": "yaml", **{f".{notation}": notation for notation in NOTATIONS}}
_MINIO_URL = "http://localhost:9000"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument("file", metavar="FILE", nargs="?", help="the file to write (default: sink.json); - is standard output")
    command.add_argument("--store", choices=STORES, default="local", help="where the files will go (default: local)")
    command.add_argument("--format", choices=NOTATIONS, help="notation (default: by the name of FILE, else json)")
    command.add_argument("--topic", default="events", help="the topic to read (default: events)")
    command.add_argument("--name", help="name of the connector (default: TOPIC-to-parquet)")
    command.add_argument("--bucket", default="my-bucket", help="bucket in S3, GCS or MinIO (default: my-bucket)")
    command.add_argument("--region", default="us-east-1", help="region of the S3 bucket (default: us-east-1)")
    command.add_argument(
        "--folder", default="parquet", help="folder for --store local (default: parquet, in the current folder)"
    )
    command.add_argument("--endpoint-url", metavar="URL", default=_MINIO_URL, help=f"URL of MinIO (default: {_MINIO_URL})")


def run(options: argparse.Namespace) -> int:
    """Write the file, print what to do next, and return the exit code. An existing file is left alone."""
    notation = options.format or _SUFFIXES.get(Path(options.file or "").suffix.lower(), "json")
    file = options.file or f"sink.{notation}"
    example = Example(
        store=options.store,
        name=options.name or f"{options.topic.replace(',', '-')}-to-parquet",
        topic=options.topic,
        bucket=options.bucket,
        region=options.region,
        url=f"file://{Path(options.folder).absolute()}" if options.store == "local" else options.endpoint_url,
    )
    text = render(example.groups(), notation)
    if file == STANDARD_INPUT:
        tell(text, end="")
        return EXIT_OK
    try:
        with Path(file).open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        tell(f"{file} exists already, and was not changed. Name another file, or - for standard output.", to=sys.stderr)
        return EXIT_REFUSED
    except OSError as error:
        tell(f"{file} can't be written: {error.strerror}.", to=sys.stderr)
        return EXIT_REFUSED
    quoted = shlex.quote(file)
    tell(f"Wrote {file}. What to do next:")
    tell(f"  kafka2parquet check {quoted}")
    tell(f"  kafka2parquet run {quoted} --bootstrap-server localhost:9092")
    if notation == "yaml":
        tell("YAML needs PyYAML: pip install 'kafka2parquet[yaml]'")
    return EXIT_OK
