"""JSON documents: one object, a list of them, or one after the other; each is a report of XARF 4 or 3, or is unread."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

from intake import xarf3, xarf4
from intake.errors import UnreadError
from intake.found import Found, Known
from intake.report import Report

_BEGINNINGS = ("{", "[")
_LONGEST_NUMBER = 20


def may_be_json(text: str) -> bool:
    """Return whether the text begins as JSON does."""
    return text.lstrip()[:1] in _BEGINNINGS


def values(text: str) -> Iterator[object]:
    """Yield the documents of a text, which follow each other; UnreadError where it goes on otherwise."""
    decoder = json.JSONDecoder(strict=False, parse_int=_integer, parse_float=_number, parse_constant=lambda _: None)
    place, end = len(text) - len(text.lstrip()), len(text.rstrip())
    while place < end:
        try:
            value, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            raise UnreadError(f"not valid JSON: {error.msg}, line {error.lineno}") from None
        except RecursionError:
            raise UnreadError("JSON that is nested too deep") from None
        yield value
        while place < end and text[place].isspace():
            place += 1


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else None


def _number(digits: str) -> float | None:
    found = float(digits)
    return found if math.isfinite(found) else None


def read(documents: Iterator[object], place: str, known: Known, found: Found) -> None:
    """Read every report in the documents."""
    items = (item for document in documents for item in (document if isinstance(document, list) else [document]))
    for index, item in enumerate(items, 1):
        if index > known.limits.rows:
            found.bound(f"{place}: only the first {known.limits.rows:,} of its reports are read: split the file")
            return
        try:
            report = _report(item, known)
        except UnreadError as fault:
            found.miss(f"{place} report {index}", str(fault), xarf4.scalars(item) if isinstance(item, dict) else "")
            continue
        if not found.claim(report):
            return


def _report(item: object, known: Known) -> Report:
    if isinstance(item, dict):
        if "xarf_version" in item:
            return xarf4.report(item, known)
        if isinstance(item.get("Report"), dict):
            return xarf3.report(item, item["Report"], known)
    raise UnreadError("JSON, but no XARF report: it has neither 'xarf_version' nor 'Report'")
