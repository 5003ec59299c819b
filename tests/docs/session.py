"""Runs the commands of a page as its reader would, and collects what they print.

A page is a session: blocks with a caption are files, `sh` blocks are commands, and a `text` block behind a command is what the
command prints. So is a block with a statement for a named engine. Remarks before a command say how the reader runs it:

- `<!-- run: in the background until "REGEX" -->`: on a terminal, until it shows the text; it goes on.
- `<!-- run: Ctrl-C -->`: before a `text` block. The last command in the background gets SIGINT; the block is its last screen.
- `<!-- run: instead kill the process in the background -->`: the last command in the background gets SIGKILL.
- `<!-- run: not; REASON -->`: the command is not run.
- `<!-- setup: COMMAND -->`: runs silently; see `tests/docs/setups.py`.
- `<!-- part of: FILE -->`: before JSON, which has some of the properties of a configuration that is in the folder by then.

Port 9092 of the page is a free port here, and its folder /home/me/sinks a temporary one.

`python -m tests.docs.session PAGE …` writes the outputs of a new run into the pages.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs

from kafka2parquet.connect.text import read_properties
from tests.docs.blocks import DOCS, ROOT, Block, blocks_of
from tests.stack.server import free_port
from tests.support.kafka_clients import wait_until
from tests.support.terminal import TerminalProcess

#: Pages that are sessions.
PAGES = (
    "backfill.md",
    "complete-hours.md",
    "file-format.md",
    "first-sink.md",
    "how-to/change-a-sink.md",
    "how-to/s3.md",
    "how-to/gcs.md",
    "how-to/schema-reviews.md",
    "how-to/test-your-pipeline.md",
    "how-to/worker.md",
    "how-to/your-own-parts.md",
    "how-to/query.md",
    "how-to/delete-a-person.md",
    "tables.md",
)
_HOME = "/home/me/sinks"
_PORT = "9092"
#: Lines that depend on when Kafka gives a killed process up, on how long a run takes, and on how fast a stop is.
_SOMETIMES = re.compile("The consumer group has not been stable|offsets are durable, .* are read|Stopping: [0-9,#]+ open rows")
_UNTIL = re.compile(r'in the background until "(.*)"')


@attrs.frozen
class Output:
    """What the page says that a command prints, and what it has printed."""

    block: Block
    seen: str


@attrs.define(eq=False)
class Session:
    """A folder in which the commands of a page run, as on the reader's machine.

    Attributes:
        folder: the working folder.
        outputs: what the commands have printed, where the page shows that.
    """

    folder: Path
    outputs: list[Output] = attrs.Factory(list)
    _port: str = attrs.Factory(lambda: str(free_port()))
    _background: list[TerminalProcess] = attrs.Factory(list)
    _printed: str | None = None

    def run(self, blocks: Iterator[Block]) -> None:
        """Runs all blocks, then ends what still runs in the background."""
        try:
            for block in blocks:
                self._take(block)
        finally:
            for process in self._background:
                process.close()

    def _take(self, block: Block) -> None:
        how = block.remark("run") or ""
        if setup := block.remark("setup"):
            until = 'in the background until "ready"' if re.search("setups (new-)?orders$", setup) else ""
            self._command(f"{setup} {self._port}" if until else setup, until)
        if how == "Ctrl-C":
            process = self._background[-1]
            process.process.send_signal(signal.SIGINT)
            assert 0 == process.wait()
            self._printed = _screen(process)
        if block.caption:
            (self.folder / block.caption).write_text(self._here(block.text), encoding="utf-8")
        elif whole := block.remark("part of"):
            properties = read_properties((self.folder / whole).read_text(encoding="utf-8")).values
            assert json.loads(block.text).items() <= properties.items()
        elif block.language == "sh" and not how.startswith("not;"):
            self._printed = self._command(self._here(block.text), how)
        elif (block.language == "text" or block.remark("engine")) and self._printed is not None:
            seen = self._printed.replace(str(self.folder), _HOME).replace(self._port, _PORT)
            self.outputs.append(Output(block, seen))
            self._printed = None

    def _here(self, text: str) -> str:
        return text.replace(_PORT, self._port).replace(_HOME, str(self.folder))

    def _command(self, text: str, how: str) -> str | None:
        if how == "instead kill the process in the background":
            self._background.pop().close()
            return None
        if until := _UNTIL.fullmatch(how):
            process = TerminalProcess(["bash", "-c", f"exec {text}"], folder=self.folder, **_environment())
            self._background.append(process)

            def shown() -> bool:
                return process.process.poll() is not None or bool(re.search(until[1], "\n".join(process.lines)))

            wait_until(shown, until[1])
            return _screen(process)
        assert not how, how
        done = subprocess.run(
            ["bash", "-ec", text],
            cwd=self.folder,
            env={**os.environ, **_environment()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=200,
        )
        assert 0 == done.returncode, done.stdout
        return done.stdout


def run_page(page: str, folder: Path) -> list[Output]:
    """Runs the commands of a page in a folder."""
    session = Session(folder)
    session.run(blocks_of(DOCS / page))
    return session.outputs


def normalized(output: str) -> str:
    """Returns what two runs have in common, without blanks: numbers, digests, widths of columns and ends of lines differ."""
    output = re.sub(r"\b[0-9a-f]{12}\b", "#", output)
    output = re.sub(r"\d{4}-\d\d-\d\d[T ][\d:,+]+", "#", output)
    output = re.sub(r"\b\d[\d,.:]*( [kM]\b)?", "#", output)
    output = re.sub(r"\b[KMG]?i?B\b|#(ms|[smhd])\b", lambda unit: "#" if unit[0][0] == "#" else "B", output)
    output = re.sub(r"(# )+#", "#", output)
    lines = [line for line in output.splitlines() if not _SOMETIMES.search(line)]
    return re.sub(r"[\s─│┌┐└┘├┤┬┴┼]+", "", "".join(lines))


def _screen(process: TerminalProcess) -> str:
    return "\n".join(process.lines).strip("\n") + "\n"


def _environment() -> dict[str, str]:
    """Makes the programs of this environment the reader's."""
    return {
        "PATH": f"{ROOT / 'tests' / 'docs' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHON_OF_TESTS": sys.executable,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        "COLUMNS": "100",
        "LC_ALL": "C.UTF-8",
    }


def _write(page: Path, outputs: list[Output]) -> None:
    """Replaces the blocks of a page by what was seen, from the last block to the first."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for output in reversed(outputs):
        begin = output.block.line
        lines[begin : begin + len(output.block.text.removesuffix("\n").splitlines())] = [
            line.rstrip() for line in output.seen.removesuffix("\n").splitlines()
        ]
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            _write(DOCS / name, run_page(name, folder))
