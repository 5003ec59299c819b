"""Elements of the page. Texts become text nodes and attributes, so nothing in them can be read as HTML."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from xml.etree.ElementTree import Element

from kafka2parquet.util.display import printable

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

Child = Element | str | None


def element(tag: str, *children: Child | Iterable[Child], **attributes: str | None) -> Element:
    """Make an element.

    Args:
        tag: name of the element.
        children: elements and texts. Invisible characters of texts are escaped, and None is left out.
        attributes: attributes. `class_` is `class`, other underscores are hyphens, and None is left out.
    """
    names = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items() if value is not None}
    made = Element(tag, {name: printable(value) for name, value in names.items()})
    for child in _flat(children):
        if isinstance(child, str):
            _append_text(made, printable(child))
        else:
            made.append(child)
    return made


def svg(width: int, height: int, *children: Child | Iterable[Child], label: str | None = None, class_: str) -> Element:
    """Make a drawing of `width` by `height` units that fills its place.

    Screen readers read the label. Without a label, the drawing is an ornament that they skip.
    """
    described = {"role": "img", "aria_label": label} if label is not None else {"aria_hidden": "true"}
    drawn = element("svg", *children, class_=class_, **described)
    drawn.set("viewBox", f"0 0 {width} {height}")
    drawn.set("preserveAspectRatio", "none")
    return drawn


def utc(time_ms: int) -> str:
    """Return a time in milliseconds since the epoch as a text in UTC, to the second."""
    try:
        return f"{_EPOCH + datetime.timedelta(milliseconds=time_ms):%Y-%m-%d %H:%M:%S}"
    except OverflowError:  # a damaged footer
        return f"{time_ms} ms"


def table(columns: Iterable[str], rows: Iterable[Iterable[Child]], *, label: str, class_: str = "") -> Element:
    """Make a table that scrolls sideways where it is too wide. The first cell of a row is the row's heading.

    Args:
        columns: names of the columns.
        rows: cells of the rows.
        label: what the table shows, for screen readers.
        class_: class of the table.
    """
    head = element("tr", [element("th", name, scope="col") for name in columns])
    body = [element("tr", [_cell(number, cell) for number, cell in enumerate(row)]) for row in rows]
    drawn = element("table", element("thead", head), element("tbody", body), class_=class_ or None)
    return element("div", drawn, class_="scroll", role="region", aria_label=label, tabindex="0")


def fold(
    summary: str, *children: Child | Iterable[Child], is_open: bool = False, id_: str | None = None, class_: str
) -> Element:
    """Make a part of the page that opens and closes with a click on its summary."""
    return element("details", element("summary", summary), *children, id=id_, class_=class_, open="" if is_open else None)


def _cell(number: int, cell: Child) -> Element:
    return element("th", cell, scope="row") if number == 0 else element("td", cell)


def _flat(children: Iterable[Child | Iterable[Child]]) -> Iterable[Element | str]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, (str, Element)):
            yield child
        else:
            yield from _flat(child)


def _append_text(parent: Element, text: str) -> None:
    """Append text behind the last child. An element tree keeps such text in the child."""
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text
