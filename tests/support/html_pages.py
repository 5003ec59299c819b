"""Parses HTML strictly: a tag that isn't closed, or that is closed by another one, fails."""

from __future__ import annotations

import html.parser
from collections.abc import Iterator
from xml.etree.ElementTree import Element

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})


class _Parser(html.parser.HTMLParser):
    """Builds a tree of elements."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("document")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        made = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].append(made)
        if tag not in _VOID:
            self._open.append(made)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> at {self.getpos()} closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        parent = self._open[-1]
        if len(parent):
            parent[-1].tail = (parent[-1].tail or "") + data
        else:
            parent.text = (parent.text or "") + data

    def close(self) -> None:
        super().close()
        assert [self.root] == self._open, f"not closed: {[each.tag for each in self._open[1:]]}"


def parse_html(text: str) -> Element:
    """Returns the root element of a page, or fails if its tags are not nested."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    (root,) = parser.root
    return root


def text_of(element: Element) -> str:
    """Returns all text in an element, with runs of blanks as one."""
    return " ".join("".join(element.itertext()).split())


def with_class(element: Element, name: str) -> Iterator[Element]:
    """Yields the descendants that have a class."""
    return (each for each in element.iter() if name in each.get("class", "").split())
