"""HTML as text: tags, comments, scripts and styles taken out, never rendered.

The standard library's parser takes time in the square of unclosed comments (CVE-2025-6069) and fails on a character
reference of thousands of digits. Here whatever is not closed ends the text, as it does in a browser.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

_START = re.compile(r"<(?=[A-Za-z/!?])")
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9]{0,15})")
_BEGINNING = re.compile(
    r"\s{0,100}(?:<!--[^>]{0,1000}-->\s{0,100})?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE
)
_LONG_REFERENCE = re.compile(r"&#[xX]?[0-9a-fA-F]{9,};?")
_UNSHOWN = ("script", "style", "template", "title")
_UNSHOWN_ENDS = {name: re.compile(f"</{name}", re.IGNORECASE) for name in _UNSHOWN}
_BREAKS = frozenset((
    "address", "article", "blockquote", "br", "dd", "div", "dl", "dt", "footer", "form", "h1", "h2", "h3", "h4", "h5",
    "h6", "header", "hr", "li", "ol", "p", "pre", "section", "table", "tr", "ul",
))  # fmt: skip
_CELLS = frozenset(("td", "th"))


def is_markup(text: str) -> bool:
    """Return whether the text is a page of HTML, by how it begins."""
    return bool(_BEGINNING.match(text))


def shown(text: str) -> str:
    """Return what the page says: a line for each block and each row of a table."""
    without = _LONG_REFERENCE.sub("\ufffd", "".join(_pieces(text)))
    return html.unescape(without)


def _pieces(text: str) -> Iterator[str]:
    place = 0
    while start := _START.search(text, place):
        yield text[place : start.start()]
        tag = _TAG.match(text, start.start())
        name = tag[1].lower() if tag else ""
        if text.startswith("<!--", start.start()):
            place = _after(text, "-->", start.end())
        elif name in _UNSHOWN and text[start.start() + 1] != "/":
            end = _UNSHOWN_ENDS[name].search(text, start.end())
            place = _after(text, ">", end.end()) if end else len(text)
        else:
            place = _after(text, ">", start.end())
        yield "\n" if name in _BREAKS else "\t" if name in _CELLS else ""
    yield text[place:]


def _after(text: str, end: str, start: int) -> int:
    found = text.find(end, start)
    return len(text) if found < 0 else found + len(end)
