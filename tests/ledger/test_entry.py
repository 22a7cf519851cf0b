"""A line of the ledger: what it looks like, what its hash is over, and what cannot be put on record."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.entry import GENESIS, LedgerError, digest, make, parse

NOON = datetime(2026, 11, 22, 13, 0, 0, 123_999, timezone(timedelta(hours=1)))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def test_a_line_is_as_the_page_says() -> None:
    line = make(1, NOON, "ada", "purge", {"tables": ["flows"], "rows": 7, "ä": None}, GENESIS).line()
    body = (
        '{"seq":1,"time":"2026-11-22T12:00:00.123Z","actor":"ada","action":"purge",'
        '"details":{"rows":7,"tables":["flows"],"\\u00e4":null},"previous":"' + "0" * 64 + '"'
    )
    assert line.decode() == body + ',"hash":"' + hashlib.sha256(body.encode() + b"}").hexdigest() + '"}'


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), st.data())
def test_what_is_written_is_read_and_every_changed_octet_is_noticed(details: Any, data: st.DataObject) -> None:
    entry = make(7, NOON, "ada", "plan", details, "ab" * 32)
    line = entry.line()
    assert parse(line) == entry
    assert json.loads(line)["details"] == details
    at, octet = data.draw(st.integers(0, len(line) - 1)), data.draw(st.integers(0, 255))
    changed = line[:at] + bytes([octet]) + line[at + 1 :]
    try:
        read = parse(changed)
    except ValueError:
        assert changed != line
    else:
        assert (digest(read) == read.hash) is (changed == line)


@pytest.mark.parametrize(
    "details",
    [{"share": 0.5}, {"at": NOON}, {"octets": b"x"}, {"big": 2**64}, {"name": "\ud800"}, {"text": "x" * 2**20}],
    ids=lambda each: next(iter(each)),
)
def test_what_two_programs_may_read_differently_is_refused(details: Any) -> None:
    with pytest.raises(LedgerError, match="put on record"):
        make(1, NOON, "ada", "plan", details, GENESIS)


def test_only_known_actions_are_put_on_record() -> None:
    with pytest.raises(LedgerError, match="'tidying' is not a valid Action"):
        make(1, NOON, "ada", "tidying", {}, GENESIS)


def test_a_line_nested_beyond_reason_is_no_entry() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse(b'{"seq":' + b"[" * 100_000)
