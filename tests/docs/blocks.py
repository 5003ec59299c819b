"""Finds the code blocks of the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,})(?P<info>[^`]*)$")
_COMMENT = re.compile(r"<!-- (.*) -->$")


@attrs.frozen
class Block:
    """A fenced block of code.

    Attributes:
        page: name of the page, relative to the repository.
        line: number of the line of its opening fence.
        language: such as `python`; empty if the block has none.
        caption: its caption, or an empty text.
        remarks: comments of the page (`<!-- … -->`) between the block and the one before. They say how tests treat the block.
        text: its content.
    """

    page: str
    line: int
    language: str
    caption: str
    remarks: tuple[str, ...]
    text: str

    @property
    def id(self) -> str:
        return f"{self.page}:{self.line}"

    def remark(self, name: str) -> str | None:
        """Returns the text behind the remark's name and a colon, or None."""
        found = [remark.partition(":")[2].strip() for remark in self.remarks if remark.partition(":")[0] == name]
        return found[0] if found else None


def pages() -> list[Path]:
    """Returns all pages of the documentation, and the texts beside the code that show code."""
    return [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted(DOCS.rglob("*.md"))]


def all_blocks(*languages: str) -> list[Block]:
    """Returns the blocks of all pages that are in one of the languages."""
    return [block for page in pages() if "_build" not in page.parts for block in blocks_of(page) if block.language in languages]


def blocks_of(page: Path) -> Iterator[Block]:
    """Yields the blocks of a page, in their order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    name = page.relative_to(ROOT).as_posix()
    remarks: list[str] = []
    at = 0
    while at < len(lines):
        if comment := _COMMENT.match(lines[at].strip()):
            remarks.append(comment[1])
        opening = _FENCE.match(lines[at])
        at += 1
        if opening is None:
            continue
        begin = at
        while lines[at].strip() != opening["fence"]:
            at += 1
        content = [line.removeprefix(opening["indent"]) for line in lines[begin:at]]
        caption, content = _without_options(content) if opening["info"].startswith("{") else ("", content)
        language = opening["info"].removeprefix("{code-block}").strip()
        yield Block(name, begin, language, caption, tuple(remarks), "\n".join(content) + "\n")
        remarks = []
        at += 1


def _without_options(content: list[str]) -> tuple[str, list[str]]:
    """Returns the caption of a directive and its content."""
    options = {}
    while content and (option := re.match(r":(\w+): (.*)", content[0])):
        options[option[1]] = option[2]
        content = content[1:]
    return options.get("caption", ""), content[1:] if content and not content[0] else content
