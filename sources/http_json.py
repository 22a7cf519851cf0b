"""Allocations from an HTTP service of one's own: a JSON list of objects with the columns of the allocation file.

The list may also be the value of `allocations` in an object, whose `next` may be the URL of a further page.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from settings.errors import RefusalError
from settings.tenant_source import HttpSource
from sources.asking import Bounds, in_words, refusal, session
from sources.items import Items
from tenants.present import Present
from tenants.rows import COLUMNS

_OCTETS = 256 * 2**20
_PAGE_KEYS = {"allocations", "next", "previous", "count"}


def fetch(source: HttpSource) -> list[Present]:
    """Return what the source tells; UnreachableError where it does not answer, RefusalError where it cannot be used."""
    items = Items(source.url)
    number = 0
    seen: set[str] = set()
    url = source.url
    with session(Bounds(source.url, _OCTETS)) as asking:
        if source.token:
            asking.headers["Authorization"] = f"Bearer {source.token}"
        while url:
            seen.add(url)
            found, following = _page(_document(asking, url), url)
            for item in found:
                number += 1
                _add(items, item, source.fields, f"item {number}")
            url = _following(url, following, seen)
    return items.all()


def _document(asking: requests.Session, url: str) -> Any:
    with in_words(url):
        answer = asking.get(url, headers={"Accept": "application/json"})
    if not answer.ok:
        raise refusal(answer)
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError) as error:
        raise RefusalError(f"{url} does not answer with JSON ({error}); see that tenants_source.url is right") from None


def _page(document: Any, url: str) -> tuple[list[Any], Any]:
    """Return a page's items, and what it says of the next page."""
    match document:
        case list():
            return document, None
        case {"allocations": list(found)} if document.keys() <= _PAGE_KEYS:
            return found, document.get("next")
    raise RefusalError(
        f"{url} answers neither with a list of allocations nor with {{'allocations': [...], 'next': ...}}"
    )


def _following(url: str, following: Any, seen: set[str]) -> str:
    """Return the URL of the next page, empty where this was the last; our token goes to no other host."""
    if following is None or following == "":
        return ""
    if not isinstance(following, str):
        raise RefusalError(f"{url}: 'next' must be a URL")
    found = urljoin(url, following)
    if urlsplit(found)[:2] != urlsplit(url)[:2]:
        raise RefusalError(f"{url}: 'next' leads to another server, {found}")
    if found in seen:
        raise RefusalError(f"{url}: 'next' leads in a circle, to {found}")
    return found


def _add(items: Items, item: Any, fields: Mapping[Any, str], origin: str) -> None:
    if not isinstance(item, dict):
        items.fault(origin, f"expected an object with the keys {', '.join(COLUMNS)}")
        return
    keys = {column: fields.get(column, column) for column in COLUMNS}
    unknown = [key for key in item if key not in COLUMNS] if not fields else []
    for key in unknown:
        near = difflib.get_close_matches(key, COLUMNS, 1)
        items.fault(origin, f"unknown key '{key}'; " + (f"did you mean '{near[0]}'?" if near else "see 'fields'"))
    if not unknown:
        items.add({column: item[key] for column, key in keys.items() if key in item}, origin)
